"""Images in colour as codes: two networks trained on a set's other images, beside AVIF and WebP on a mosaic.

The networks are the kind residual-vae, and convolutions trained for rate and distortion at once; both are
kept with what made them, so that a page can be written again without training.
"""

import hashlib
import json
import time
from dataclasses import replace

import numpy as np
import sets
from bench import AEZ, KEPT, ROOT, seconds_of
from lossless import MODELS, say
from matplotlib import pyplot
from peers import AVIF, aez, cwebp

PICTURE = ROOT / "docs/images/colour-codes.png"
SHOWN = 12
SETS = {
    "cifar": (
        "CIFAR-10 part, 32 x 32 RGB",
        lambda: sets.part("cifar10")[: -sets.HELD_OUT],
        sets.cifar,
        "Krizhevsky 2009",
    ),
    "gtsrb": (
        "GTSRB part, 32 x 32 RGB",
        lambda: sets.part("gtsrb")[: -sets.HELD_OUT],
        sets.gtsrb,
        "Stallkamp et al. 2012",
    ),
}
COMMON = {"batch_size": 50, "learning_rate": 0.002, "schedule": "one-cycle", "gradient_clip": 20,
          "weight_average": 0.999}  # fmt: skip


def block(nodes, channels):
    """Adds a residual block on the last node."""
    last = len(nodes) - 1
    nodes.append(f"convolution(channels={channels},kernel=3,padding=1,activation=elu)")
    nodes.append(f"convolution(channels={channels},kernel=3,padding=1)")
    nodes.append(f"add({last},{last + 2},activation=elu)")


def lists(code_channels):
    """Encoder and decoder of 32 x 32 x 3: halved twice, a residual block on each size; codes are maps."""
    halved = "convolution(channels={},kernel=4,stride=2,padding=1,activation=elu)"
    doubled = "transposed_convolution(channels={},kernel=4,stride=2,padding=1,activation={})"
    encoder = [halved.format(32)]
    decoder = [
        f"reshape(height=8,width=8,channels={code_channels})",
        "convolution(channels=64,kernel=3,padding=1,activation=elu)",
    ]
    block(encoder, 32)
    encoder.append(halved.format(64))
    block(encoder, 64)
    encoder.append(f"convolution(channels={code_channels},kernel=3,padding=1)")
    block(decoder, 64)
    decoder.append(doubled.format(32, "elu"))
    block(decoder, 32)
    decoder.append(doubled.format(3, "identity"))
    return {"encoder": ";".join(encoder), "decoder": ";".join(decoder), "latent_size": 64 * code_channels}


NETWORKS = {
    "convolutions": {"kind": "custom", **lists(6), "rd_lambda": 0.002, **COMMON},
    "residual-vae": {
        "kind": "residual-vae", "latent_size": 128, "hidden": "32,32,64,64,64,256", "beta": 0.1, **COMMON,
    },
}  # fmt: skip
STEPS = 4000
PEERS = (
    (replace(AVIF, encode=lambda source, file, q, threads: ["avifenc", "-j", threads, "-s", "4", "-y", "420",
             "--min", q, "--max", q, source, file]), "-s 4 -y 420, quantizer", (63, 60, 56, 52, 47, 42)),
    (cwebp("WebP", "-m", "6"), "-m 6 -q", (0, 5, 10, 20, 35, 50)),
)  # fmt: skip


def psnr(images, restored):
    error = np.mean((images.astype(np.float64) - restored) ** 2) / 255**2
    return float(-10 * np.log10(error))


def trained(name, network, images, folder, options):
    """A network's model: kept, or trained now."""
    MODELS.mkdir(parents=True, exist_ok=True)
    steps = 100 if options.quick else options.train_steps or STEPS
    how = {**NETWORKS[network], "steps": steps}
    of = hashlib.sha256(repr((images.shape, how)).encode() + images.tobytes()).hexdigest()
    place = folder if options.quick else MODELS
    path, note = place / f"{name}-{network}.aew", place / f"{name}-{network}.json"
    if path.exists() and note.exists() and json.loads(note.read_text())["of"] == of:
        return json.loads(note.read_text())
    if not options.training:
        return None
    np.save(folder / "training.npy", images)
    start = time.perf_counter()
    flags = [part for key, value in how.items() for part in (f"--{key.replace('_', '-')}", value)]
    aez("train", folder / "training.npy", *flags, "-o", path)
    about = {"of": of, "path": str(path), "bytes": path.stat().st_size, "images": len(images),
             "seconds": time.perf_counter() - start, "steps": steps}  # fmt: skip
    note.write_text(json.dumps(about))
    say(name, network, f"trained on {len(images)} images in {about['seconds']:.0f} s")
    return about


def measure(options):
    """Bytes an image and PSNR of every quality and setting, of each set."""
    folder = KEPT / "colour"
    folder.mkdir(parents=True, exist_ok=True)
    data = {"sets": {}}
    shown = {}
    for name, (what, training, test, source) in SETS.items():
        if options.sets and name not in options.sets:
            continue
        try:
            images, learned = test(), training()
        except sets.Missing as error:
            say(name, f"left out: {error}")
            continue
        told = data["sets"][name] = {"what": what, "count": len(images), "source": source, "curves": []}
        pictures = shown[name] = [("original", None, images[:SHOWN])]
        np.save(folder / "test.npy", images)
        for network in NETWORKS:
            model = trained(name, network, learned, folder, options)
            if not model:
                say(name, network, "left out: not trained")
                continue
            curve = {"name": f"aez, {network}", "setting": "quality", "points": [], "model": model}
            qualities = json.loads(seconds_of([AEZ, "info", "--json", model["path"]])[1])["qualities"]
            for quality in sorted({1, (qualities + 1) // 2, qualities}):
                file, back = folder / "set.aez", folder / "back.npy"
                by = ("--model", model["path"])
                aez("compress", folder / "test.npy", *by, "--quality", quality, "-o", file)
                aez("decompress", file, *by, "-o", back)
                restored = np.load(back)
                size = file.stat().st_size / len(images)
                curve["points"].append([quality, size, psnr(images, restored)])
                say(name, network, *curve["points"][-1])
                pictures.append((curve["name"], size, restored[:SHOWN]))
            told["curves"].append(curve)
        grid = sets.mosaic(images)
        sets.picture(grid).save(folder / "mosaic.png")
        for codec, setting, values in PEERS:
            if not codec.present:
                say(codec.name, "left out: not installed")
                continue
            curve = {"name": codec.name, "setting": setting, "points": []}
            for value in values:
                file, back = folder / f"mosaic.{codec.suffix}", folder / f"back.{codec.target}"
                each = replace(codec, setting=value)
                each.written(folder / "mosaic.png", file)
                each.read(file, back)
                restored = sets.pixels_of(back, grid)
                size = file.stat().st_size / len(images)
                curve["points"].append([value, size, psnr(grid, restored)])
                say(name, codec.name, *curve["points"][-1])
                side = images.shape[1]
                row = [restored[:side, i * side : (i + 1) * side] for i in range(SHOWN)]
                pictures.append((codec.name, size, np.stack(row)))
            told["curves"].append(curve)
    if shown and not options.quick:
        draw(shown, data)
    return data


def draw(shown, data):
    """The first images of each set: as they are, and by each codec near the bytes of the first network."""
    figure, axes = pyplot.subplots(len(shown), 1, figsize=(9, 3.6 * len(shown)), squeeze=False)
    for axis, (name, pictures) in zip(axes[:, 0], shown.items(), strict=True):
        wanted = data["sets"][name]["curves"][0]["points"][-1][1]
        rows, labels = [pictures[0][2]], ["original"]
        for codec in dict.fromkeys(label for label, size, _ in pictures if size):
            label, size, row = min((p for p in pictures if p[0] == codec), key=lambda p: abs(p[1] - wanted))
            rows.append(row)
            labels.append(f"{label}\n{size:.0f} bytes/image")
        side = rows[0].shape[1]
        axis.imshow(np.concatenate([np.concatenate(list(row), axis=1) for row in rows]))
        axis.set_xticks([])
        axis.set_yticks([side * (i + 0.5) for i in range(len(rows))], labels)
        axis.tick_params(length=0)
        axis.set_title(f"{data['sets'][name]['what']} ({data['sets'][name]['source']})", fontsize=10)
    figure.tight_layout()
    # Labels lie outside of what the layout knows of.
    figure.savefig(PICTURE, dpi=110, bbox_inches="tight")
    pyplot.close(figure)
    print(PICTURE.relative_to(ROOT))


def text(data, table):
    """The page's part."""
    lines = [
        "## Colour, lossy", "",
        "![Images in colour as they are and as each codec restores them](images/colour-codes.png)", "",
        "Two networks trained on a set's other images, and codecs of pictures on one mosaic of the images.",
        "Image sets without the model's bytes; the networks are in tools/bench/colour.py. Each latent is",
        "coded by tables of its own, without its neighbours on a map of codes, from which AVIF and WebP",
        "predict; and a few thousand images are few to learn a vector of codes from.", "",
    ]  # fmt: skip
    for told in data["sets"].values():
        lines += [f"### {told['what']}, {told['count']} images", ""]
        rows = []
        for curve in told["curves"]:
            for setting, size, decibels in curve["points"]:
                at = f"{curve['setting']} {setting}"
                rows.append([curve["name"], at, f"{size:.1f}", f"{decibels:.2f}"])
        lines += table(["codec", "at", "bytes/image", "PSNR, dB"], rows)
        models = [(curve["name"], curve["model"]) for curve in told["curves"] if "model" in curve]
        rows = [[name, f"{m['bytes']:,}", f"{m['steps']:,}", f"{m['seconds']:.0f}"] for name, m in models]
        lines += table(["model", "its file, bytes", "steps", "seconds of training"], rows)
    return lines
