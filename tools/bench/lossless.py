"""Lossless and near-lossless coding of all image sets at hand, beside other codecs: bytes and speed.

Each set's figures are kept by themselves, so that some can be measured again (--sets).
"""

import hashlib
import json
import math
import statistics
import textwrap
import time
from dataclasses import replace

import numpy as np
import sets
from bench import AEZ, KEPT, ROOT, in_turn, seconds_of
from peers import COMPRESSORS, FLIF, JXL, JXL7, OPTIPNG, WEBP, ZOPFLI, aez, at_once
from PIL import Image

MODELS = KEPT / "sets-models"
SINGLES = 100  # files of one image, evenly spaced in the set
# Values above which the slowest settings take minutes.
MOST_FOR_EFFORT_9, MOST_FOR_ZOPFLI = 4_000_000, 1_000_000
MOST_FOR_WEBP = 16383  # pixels of a side
SPEED_SETS = ("fashion", "cifar-colour")
MAX_ERROR = 2


def say(*cells):
    print("  " + " | ".join(str(cell) for cell in cells), flush=True)


# ---- What is measured ----


def chosen(options, all_sets):
    """The sets that are asked for and at hand; --quick takes few images of each."""
    known = [each.name for each in (*sets.SETS, *sets.FOLDERS)]
    for name in options.sets or ():
        if name not in known:
            raise SystemExit(f"bench-codecs: no set {name}; there are {' '.join(known)}")
    for each in all_sets:
        if options.sets and each.name not in options.sets:
            continue
        each = replace(each, limit=40) if options.quick else each
        try:
            each.images  # noqa: B018  (made here, or not at hand)
        except sets.Missing as error:
            say(each.name, f"left out: {error}")
            continue
        yield each


def gather(name, options, kinds):
    """Measures every set by the function of its kind and keeps each as it is done."""
    path = KEPT / f"codecs-{name}.json"
    data = json.loads(path.read_text()) if path.exists() and options.sets else {}
    data.update(options.stamp)
    for kind, (all_sets, measure) in kinds.items():
        data.setdefault(kind, {})
        for each in chosen(options, all_sets):
            folder = sets.WORK / each.name
            folder.mkdir(parents=True, exist_ok=True)
            about = {
                "what": each.what, "shape": each.shape, "count": len(each.images),
                "values": each.images.size, "is_known": each.is_known,
            }  # fmt: skip
            data[kind][each.name] = {**about, **measure(each, folder, options)}
            if not options.quick:
                path.write_text(json.dumps(data))
    return data


def wrong(codec, image_set):
    raise SystemExit(f"bench-codecs: {codec} does not restore the set {image_set.name}")


def as_given(folder, stem, pixels):
    """The pictures that codecs take: PNG for all, PGM or PPM for those who read them, raw bytes."""
    png = folder / f"{stem}.png"
    Image.fromarray(pixels).save(png)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return {"png": png, "pnm": png}
    pnm = folder / f"{stem}.{'pgm' if pixels.ndim == 2 else 'ppm'}"
    Image.fromarray(pixels).save(pnm)
    return {"png": png, "pnm": pnm}


def coded(codec, given, pixels, stem, image_set, threads=1):
    """Bytes of one picture's file, which is read back and compared."""
    is_jxl = codec in (JXL, JXL7)
    source = given["pnm" if is_jxl else "png"]
    file = stem.with_name(f"{stem.name}-{codec.name.replace(' ', '')}.{codec.suffix}")
    target = stem.with_name(f"{file.name}-back{source.suffix if is_jxl else '.png'}")
    codec.written(source, file, threads)
    codec.read(file, target, threads)
    if not np.array_equal(sets.pixels_of(target, pixels), pixels):
        wrong(codec.name, image_set)
    size = file.stat().st_size
    file.unlink()
    target.unlink()
    return size


def one_each(image_set, folder, indices, codecs):
    """Bytes of files of one image each, by codec: of PNG files as Pillow writes them, and of all others."""

    def one(index):
        pixels = image_set.images[index]
        png = folder / f"{index:05}.png"
        Image.fromarray(pixels).save(png, optimize=True)
        given = {"png": png, "pnm": png}
        sizes = [png.stat().st_size]
        return sizes + [coded(codec, given, pixels, png.with_suffix(""), image_set) for codec in codecs]

    names = ("PNG", *(codec.name for codec in codecs))
    return dict(zip(names, np.sum(at_once(one, indices), axis=0).tolist(), strict=True))


def measure_peers(image_set, folder, options):
    images = image_set.images
    pictures = {"mosaic": sets.mosaic(images), "strip": sets.strip(images)}
    given = {layout: as_given(folder, layout, pixels) for layout, pixels in pictures.items()}
    raw = folder / "set.bytes"
    raw.write_bytes(images.tobytes())
    is_small = images.size <= MOST_FOR_EFFORT_9 or options.slow
    jobs = [(codec, "mosaic") for codec in (JXL, JXL7)] + [(codec, "strip") for codec in (JXL, JXL7)]
    jobs = [job for job in jobs if is_small or job[0] is not JXL]
    jobs.append((ZOPFLI if images.size <= MOST_FOR_ZOPFLI else OPTIPNG, "mosaic"))
    jobs.append((FLIF, "mosaic"))
    if max(pictures["mosaic"].shape[:2]) <= MOST_FOR_WEBP:
        jobs.append((WEBP, "mosaic"))
    jobs = [job for job in jobs if job[0].present] + [(codec, None) for codec in COMPRESSORS if codec.present]

    def one(job):
        codec, layout = job
        if layout:
            return coded(codec, given[layout], pictures[layout], folder / layout, image_set)
        file, target = folder / f"set.{codec.suffix}", folder / f"set-{codec.suffix}.back"
        codec.written(raw, file)
        codec.read(file, target)
        if target.read_bytes() != images.tobytes():
            wrong(codec.name, image_set)
        return file.stat().st_size

    together = {f"{c.name}, {layout}" if layout else c.name: size
                for (c, layout), size in zip(jobs, at_once(one, jobs), strict=True)}  # fmt: skip
    indices = sets.sample(10 if options.quick else SINGLES, len(images))
    codecs = [codec for codec in (ZOPFLI, WEBP, JXL, FLIF) if codec.present]
    sampled = one_each(image_set, folder, indices, codecs)
    singles = {name: round(size * len(images) / len(indices)) for name, size in sampled.items()}
    values = images.size
    for name, size in sorted(together.items(), key=lambda item: item[1]):
        say(image_set.name, name, size, bits(size, values))
    for name, size in singles.items():
        say(image_set.name, f"{name}, one file per image", size, bits(size, values))
    return {"together": together, "singles": singles}


def measure_folder_peers(image_set, folder, options):
    codecs = [codec for codec in (ZOPFLI, WEBP, JXL, FLIF) if codec.present]
    sizes = one_each(image_set, folder, range(len(image_set.images)), codecs)
    say(image_set.name, *(f"{name} {size}" for name, size in sizes.items()))
    return {"singles": sizes}


def sets_peers(options):
    return gather("sets-peers", options, {
        "sets": (sets.SETS, measure_peers), "folders": (sets.FOLDERS, measure_folder_peers),
    })  # fmt: skip


# ---- The same by aez ----


def restored(image_set, source, file, how, model, options_of_reading=()):
    """Bytes, method and largest error of a set, which is read back."""
    back = file.with_name("back.npy")
    aez("compress", source, *how, *(["--model", model] if model else []), "-o", file)
    aez("decompress", file, *(["--model", model] if model else []), "-o", back)
    images, again = image_set.images, np.load(back)
    back.unlink()
    if again.shape != images.shape:
        wrong("aez", image_set)
    error = int(np.max(np.abs(images.astype(np.int16) - again)))
    if error > (MAX_ERROR if "--max-error" in how else 0):
        wrong(f"aez {' '.join(str(word) for word in how)}", image_set)
    told = json.loads(seconds_of([AEZ, "info", "--json", file])[1])
    # No method's: the blocks are deflated, or stored.
    return {"bytes": file.stat().st_size, "method": told["method"] or "deflated", "error": error}


def trained(image_set, folder, options):
    """The model of a set's own training images: kept, or trained now; None if there is to be none."""
    if image_set.name == "mnist":
        # The shipped one, as `aez train mnist:train --exact` makes it.
        path = ROOT / "models/exact.aew"
        return {"path": str(path), "bytes": path.stat().st_size, "seconds": None, "images": 60000,
                "steps": None}  # fmt: skip
    if image_set.training is None:
        return None
    MODELS.mkdir(parents=True, exist_ok=True)
    images = image_set.training()
    steps = 50 if options.quick else options.train_steps
    how = ["--exact", *(["--exact-steps", steps] if steps else [])]
    of = hashlib.sha256(repr((images.shape, how)).encode() + images.tobytes()).hexdigest()
    place = folder if options.quick else MODELS
    path, note = place / f"{image_set.name}.aew", place / f"{image_set.name}.json"
    if path.exists() and note.exists():
        about = json.loads(note.read_text())
        if about["of"] == of:
            return about
    if not options.training:
        return None
    source = folder / "training.npy"
    np.save(source, images)
    start = time.perf_counter()
    aez("train", source, *how, "-o", path)
    about = {"of": of, "path": str(path), "bytes": path.stat().st_size, "images": len(images),
             "seconds": time.perf_counter() - start, "steps": steps}  # fmt: skip
    source.unlink()
    if not options.quick:
        note.write_text(json.dumps(about))
    say(image_set.name, f"trained on {len(images)} images in {about['seconds']:.0f} s")
    return about


WAYS = {
    "fast": ("--exact", "--fast"), "default": ("--exact",), "small": ("--exact", "--small"),
    "near-fast": ("--max-error", MAX_ERROR, "--fast"), "near": ("--max-error", MAX_ERROR),
}  # fmt: skip


def measure_ours(image_set, folder, options):
    source, file = folder / "set.npy", folder / "set.aez"
    np.save(source, image_set.images)
    rows = {way: restored(image_set, source, file, how, None) for way, how in WAYS.items()}
    model = trained(image_set, folder, options)
    if model:
        rows["trained"] = restored(image_set, source, file, ("--exact",), model["path"])
        rows["near-trained"] = restored(image_set, source, file, WAYS["near"], model["path"])
        model = {key: model[key] for key in ("bytes", "seconds", "images", "steps")}
    for way, row in rows.items():
        say(image_set.name, way, row["method"], row["bytes"], bits(row["bytes"], image_set.images.size))
    return {"ways": rows, "model": model}


def measure_folder_ours(image_set, folder, options):
    """A folder of pictures as one set, which is restored as that folder."""
    pictures, back, file, sizes = folder / "pictures", folder / "back", folder / "set.aez", {}
    pictures.mkdir(exist_ok=True)
    for old in pictures.iterdir():
        old.unlink()
    names = [f"{index:05}.png" for index in range(len(image_set.images))]
    for name, pixels in zip(names, image_set.images, strict=True):
        Image.fromarray(pixels).save(pictures / name, optimize=True)
    for way in ("fast", "default", "small"):
        aez("compress", pictures, *WAYS[way], "-o", file)
        aez("decompress", file, "-o", f"{back}/")
        same = (np.array_equal(sets.pixels_of(back / name, pixels), pixels)
                for name, pixels in zip(names, image_set.images, strict=True))  # fmt: skip
        if sorted(path.name for path in back.iterdir()) != names or not all(same):
            wrong("aez", image_set)
        sizes[way] = file.stat().st_size
    say(image_set.name, *(f"{way} {size}" for way, size in sizes.items()))
    return {"ways": sizes}


def sets_ours(options):
    return gather("sets", options, {
        "sets": (sets.SETS, measure_ours), "folders": (sets.FOLDERS, measure_folder_ours),
    })  # fmt: skip


# ---- Speed ----


def measure_speed(image_set, folder, options):
    """Each side in turn, the same images from a file to a file."""
    each = replace(image_set, limit=min(len(image_set.images), MOST_FOR_EFFORT_9 // image_set.images[0].size))
    images = each.images
    source, back = folder / "speed.npy", folder / "speed-back.npy"
    np.save(source, images)
    given = as_given(folder, "speed", sets.mosaic(images))
    ours = {"aez --exact --fast": (WAYS["fast"], []), "aez --exact": (WAYS["default"], []),
            "aez --exact --small": (WAYS["small"], [])}  # fmt: skip
    model = MODELS / f"{image_set.name}.aew"
    if model.exists():
        ours["aez --exact, its own model"] = (("--exact",), ["--model", model])
    counts = sorted({1, options.threads})
    encode, decode, once = {}, {}, set()
    for number, (name, (how, both)) in enumerate(ours.items()):
        file = folder / f"speed-{number}.aez"
        for n in counts:
            encode[name, n] = lambda h=how, b=both, f=file, n=n: aez(
                "compress", source, *h, *b, "-o", f, threads=n
            )
            decode[name, n] = lambda b=both, f=file, n=n: aez("decompress", f, *b, "-o", back, threads=n)
    for codec in (JXL7, JXL, WEBP):
        if not codec.present:
            continue
        form = given["png" if codec is WEBP else "pnm"]
        file, target = folder / f"speed-{codec.name[-1]}.{codec.suffix}", folder / f"speed-back{form.suffix}"
        for n in counts:
            decode[codec.name, n] = lambda c=codec, f=file, t=target, n=n: c.read(f, t, n)
            # Effort 9 takes longer than all others together and uses one thread whatever it is given.
            if codec is not JXL or n == counts[-1]:
                encode[codec.name, n] = lambda c=codec, s=form, f=file, n=n: c.written(s, f, n)
            if codec is not JXL7:
                once.add((codec.name, n))
    rounds = options.rounds
    took = in_turn(options, {key: call for key, call in encode.items() if key not in once})
    options.rounds = 1
    took.update(in_turn(options, {key: call for key, call in encode.items() if key in once}))
    options.rounds = rounds
    read = in_turn(options, decode)
    rows = [[*key, took.get(key), read[key]] for key in read]
    for row in rows:
        say(image_set.name, *row)
    return {"rows": rows, "speed_values": images.size, "rounds": rounds}


def sets_speed(options):
    speed_sets = tuple(each for each in sets.SETS if each.name in SPEED_SETS)
    return gather("sets-speed", options, {"sets": (speed_sets, measure_speed)})


SECTIONS = {"sets-peers": sets_peers, "sets": sets_ours, "sets-speed": sets_speed}


# ---- What the page says ----

BYTES = tuple(codec.name for codec in COMPRESSORS)


def bits(size, values):
    return "" if size is None else f"{8 * size / values:.3f}"


def ordered(measured):
    """In the order of the table of sets, whatever was measured when."""
    names = [each.name for each in (*sets.SETS, *sets.FOLDERS)]
    return [(name, measured[name]) for name in names if name in measured]


def label(told):
    return f"{told['what']}, {told['shape']}"


def quotient(pairs):
    """The geometric mean of ratios."""
    return math.exp(statistics.fmean(math.log(a / b) for a, b in pairs))


def listed(words):
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "none"


def paragraph(*sentences):
    return [*textwrap.wrap(" ".join(sentences), 110, break_on_hyphens=False, break_long_words=False), ""]


def best(told, *codecs):
    """The smallest of what some codecs took of a set, in any layout; None if none was measured."""
    sizes = [told["together"].get(f"{codec.name}{layout}") for codec in codecs
             for layout in (", mosaic", ", strip", "")]  # fmt: skip
    sizes += [told["singles"].get(codec.name) for codec in codecs]
    return min((size for size in sizes if size), default=None)


def summary_text(peers, ours, speed, table):
    rows, against, unlike, slower, own_models = [], {}, [], [], []
    for name, told in ordered(ours["sets"]):
        rivals = peers["sets"].get(name)
        if not rivals:
            continue
        values, ways, model = told["values"], told["ways"], told["model"]
        fast, default = ways["fast"]["bytes"], ways["default"]["bytes"]
        own = ways["trained"]["bytes"] if model else None
        sizes = [best(rivals, JXL, JXL7), best(rivals, WEBP), best(rivals, *COMPRESSORS), fast, default, own,
                 own and own + model["bytes"]]  # fmt: skip
        smallest = min(size for size in sizes if size)
        cells = [f"**{bits(size, values)}**" if size == smallest else bits(size, values) for size in sizes]
        rows.append([label(told), f"{told['count']:,}", *cells])
        if sizes[0]:
            against[label(told)] = (default, sizes[0])
            unlike += [] if told["is_known"] else [(default, sizes[0])]
        slower.append((fast, default))
        if model and name != "mnist" and own < default:
            own_models.append((own / default, model["bytes"] * told["count"] / (default - own)))
    lost = [what for what, (a, b) in against.items() if a > b]
    text = ["## Which method for which images", ""]
    if against:
        less = 100 * (1 - quotient(list(against.values())))
        new = f", by {100 * (1 - quotient(unlike)):.0f} % where it has seen no like" if unlike else ""
        text += paragraph(
            "`aez compress --exact` is what to begin with: it needs no model of yours, tries the predictor",
            "of pixels that comes with libae and, for grey images of 28 x 28, the network that knows",
            "MNIST's digits, and keeps of each block what is smallest. Its files are smaller than JPEG XL's",
            f"best on {len(against) - len(lost)} of the {len(against)} sets below, by {less:.0f} % in the",
            f"geometric mean of all{new}" + (f". They are larger on {listed(lost)}." if lost else "."),
        )  # fmt: skip
    if slower:
        text += paragraph(
            f"`--fast` leaves networks out and takes {100 * (quotient(slower) - 1):.0f} % more bytes in the",
            "geometric mean" + speed_phrase(speed) + ": for sets that are written once and read at once.",
        )  # fmt: skip
    if own_models:
        share = statistics.median(share for share, _ in own_models)
        least, most = (f(count for _, count in own_models) for f in (min, max))
        text += paragraph(
            "Many images of one kind are worth a model of their own (`aez train IMAGES --exact -o M.aew`,",
            f"then `--model M.aew`): where it was trained it took {100 * (1 - share):.0f} % off in the",
            f"median, and its own bytes were saved after {least:,.0f} to {most:,.0f} images.",
        )  # fmt: skip
    text += paragraph(
        "The table has bits a value (a value is a byte: a grey level, or a channel of a pixel), with every",
        "byte of the files counted. JPEG XL and WebP are the smallest of their efforts and layouts, bytes",
        f"the smallest of {listed([name.split()[0] for name in BYTES])}. Trained is without the model's",
        "bytes, and then with them.",
    )  # fmt: skip
    columns = ["set", "images", "JPEG XL", "WebP", "bytes", "aez --fast", "aez", "trained", "with the model"]
    return text + table(columns, rows)


def speed_phrase(speed):
    """How much faster --fast writes, of what was measured."""
    ratios = []
    for told in (speed or {"sets": {}})["sets"].values():
        took = {(row[0], row[1]): row[2] for row in told["rows"]}
        most = max(count for _, count in took)
        ratios.append(took["aez --exact", most] / took["aez --exact --fast", most])
    return f", and writes {min(ratios):.0f} to {max(ratios):.0f} times as fast" if ratios else ""


def sets_text(peers, ours, table):
    text = [
        "## Image sets, lossless", "",
        *paragraph(
            "The sets come from `AE_MNIST` and `AE_IMAGES`, or are drawn by the benchmark with a seed of",
            "its own. What is marked, the predictor that comes with libae was trained on the like of: the",
            "training images of the same set, or other letters and icons of the same kinds and fonts. Of",
            f"CIFAR-10 and GTSRB the last {sets.HELD_OUT} images of the parts at hand are measured; what was",
            "trained on are the others. All files were read back and compared.",
        ),
        *table(["set", "images", "size", "values", "trained on the like"], [
            [told["what"], f"{told['count']:,}", told["shape"], f"{told['values']:,}",
             "yes" if told["is_known"] else ""]
            for _, told in ordered(ours["sets"])
        ]),
        "### aez, lossless", "",
        *paragraph(
            "Bits a value. Fast is `--fast`, contexts alone; default is without an option, small `--small`,",
            "each with the method that its blocks got. Trained is with a model of the set's own training",
            f"images, which `aez train --exact` made{self_said(ours)}; MNIST's is models/exact.aew, which",
            "comes with libae. The last columns: that model's bytes, bits with them, seconds of training,",
            "and the number of images from which on the model saves more than it takes.",
        ),
    ]  # fmt: skip
    rows, near = [], []
    for _, told in ordered(ours["sets"]):
        values, ways, model = told["values"], told["ways"], told["model"]
        row = [label(told), bits(ways["fast"]["bytes"], values)]
        row += [f"{bits(ways[w]['bytes'], values)} {ways[w]['method']}" for w in ("default", "small")]
        if model:
            own = ways["trained"]["bytes"]
            saved = (ways["default"]["bytes"] - own) / told["count"]
            row += [bits(own, values), f"{model['bytes']:,}", bits(own + model["bytes"], values),
                    f"{model['seconds']:.0f}" if model["seconds"] else "",
                    f"{model['bytes'] / saved:,.0f}" if saved > 0 else ""]  # fmt: skip
        rows.append(row + [""] * (9 - len(row)))
        sizes = (bits(ways[w]["bytes"], values) if w in ways else ""
                 for w in ("default", "near-fast", "near", "near-trained"))  # fmt: skip
        near.append([label(told), *sizes])
    columns = ["set", "fast", "default", "small", "trained", "model, bytes", "with it", "training, s",
               "pays from"]  # fmt: skip
    text += table(columns, rows)
    text += ["### aez, near-lossless", ""]
    text += paragraph(f"Bits a value with `--max-error {MAX_ERROR}`: no value is off by more.")
    text += table(["set", "lossless, default", "near-lossless, fast", "default", "trained"], near)
    return text + peers_text(peers, table)


def self_said(ours):
    """How the trained models were trained, where not by the defaults."""
    told = {told["model"].get("steps") for told in ours["sets"].values() if told["model"]} - {None}
    return f" in {listed([f'{steps:,}' for steps in sorted(told)])} steps" if told else " with its defaults"


def peers_text(peers, table):
    """All other codecs' figures: a row a set."""
    every = ordered(peers["sets"])

    def columns(part, names):
        """A table of what was measured of some codecs, called as the second of each pair says."""
        names = [(name, title) for name, title in names if any(name in told[part] for _, told in every)]
        rows = [[label(told), *(bits(told[part].get(name), told["values"]) for name, _ in names)]
                for _, told in every]  # fmt: skip
        return table(["set", *(title for _, title in names)], rows)

    jxl = [(f"{codec.name}, {layout}", f"JPEG XL {codec.name[-4:]}, {layout}")
           for codec in (JXL, JXL7) for layout in ("mosaic", "strip")]  # fmt: skip
    mosaics = [(f"{codec.name}, mosaic", codec.name) for codec in (WEBP, FLIF, ZOPFLI, OPTIPNG)]
    return [
        "### Other codecs, lossless", "",
        *paragraph(
            "Bits a value. A mosaic is all images in one picture, about as wide as high; a strip has one",
            "below the other. Grey pictures were given as PGM and colour as PPM to JPEG XL, all others as",
            "PNG; WebP keeps the colours of what is transparent (`-exact`). `cjxl -e 9` was left out where",
            f"the set has more than {MOST_FOR_EFFORT_9 / 1e6:.0f} million values and takes minutes, unless",
            f"asked for (`--slow`); zopflipng is replaced by optipng above {MOST_FOR_ZOPFLI / 1e6:.0f}",
            "million.",
            "" if FLIF.present else "FLIF was not installed.",
        ),
        *columns("together", jxl + mosaics),
        f"One file per image, from {SINGLES} of them, evenly spaced:", "",
        *columns("singles", [(name, name) for name in ("PNG", ZOPFLI.name, WEBP.name, JXL.name, FLIF.name)]),
        "Compressors of bytes, of the values in order:", "",
        *columns("together", [(name, name) for name in BYTES]),
    ]  # fmt: skip


def folders_text(peers, ours, table):
    rows = []
    for name, told in ordered(ours["folders"]):
        singles = peers["folders"].get(name, {"singles": {}})["singles"]
        sizes = [singles.get(codec) for codec in ("PNG", ZOPFLI.name, WEBP.name, JXL.name)]
        sizes += [told["ways"][way] for way in ("fast", "default", "small")]
        share = f"{told['ways']['default'] / singles['PNG']:.2f}" if "PNG" in singles else ""
        cells = [f"{size:,}" if size else "" for size in sizes]
        rows.append([label(told), f"{told['count']:,}", *cells, share])
    columns = ["folder", "files", "PNG", "zopflipng", "WebP", "JPEG XL -e 9", "aez --fast", "aez",
               "aez --small", "aez : PNG"]  # fmt: skip
    return [
        "## Folders of pictures", "",
        *paragraph(
            "Bytes of folders of pictures: PNG files as Pillow's optimiser writes them, each of them as a",
            "file of another codec, and the folder as one image set, file names and all, which `aez",
            "decompress` makes the same folder of. Bytes are those in the files; what a file system takes",
            "for each comes on top.",
        ),
        *table(columns, rows),
    ]  # fmt: skip


def speed_text(speed, table):
    text = [
        "## Speed of lossless coding", "",
        *paragraph(
            "From a file to a file, fresh processes, in turn. Megabytes of values a second, and how many",
            "times the speed of `cjxl` and of `djxl` that is (`djxl` of the file by `-e 9`, with the row's",
            "threads). Others' files are mosaics; the writing of effort 9, which uses one thread, and of",
            "WebP was timed once.",
        ),
    ]  # fmt: skip
    for _, told in ordered(speed["sets"]):
        mega = told["speed_values"] / 1e6
        write = {(name, n): took for name, n, took, _ in told["rows"] if took}
        read = {(name, n): took for name, n, _, took in told["rows"]}
        nine = next((took for (name, _), took in write.items() if name == JXL.name), None)

        def share(rival, took):
            return f"{rival / took:.2f}" if rival and took else ""

        rows = []
        for name, n, took, back in told["rows"]:
            seven = write.get((JXL7.name, n))
            rows.append([
                name, n, f"{mega / took:.2f}" if took else "", share(nine, took), share(seven, took),
                f"{mega / back:.2f}", share(read.get((JXL.name, n)), back),
            ])  # fmt: skip
        often = "once each" if told["rounds"] == 1 else f"medians of {told['rounds']}"
        text += [f"{label(told)}, {mega:.2f} MB of them; {often}:", ""]
        text += table(["codec", "threads", "writing, MB/s", "times cjxl -e 9", "times cjxl -e 7",
                       "reading, MB/s", "times djxl"], rows)  # fmt: skip
    return text


def texts(kept, table, said):
    """The page's parts that can be written from what is kept, by their titles."""
    peers, ours, speed = (kept(name) for name in SECTIONS)
    parts = []
    if peers and ours:
        parts.append(summary_text(peers, ours, speed, table))
        parts.append(sets_text(peers, ours, table) + said(ours))
        parts.append(folders_text(peers, ours, table) + said(ours))
    if speed:
        parts.append(speed_text(speed, table) + said(speed))
    return {part[0].removeprefix("## "): part for part in parts}
