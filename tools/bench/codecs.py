"""The benchmark of files: image sets beside other codecs' files, in size, in distortion and in speed.

usage: codecs.py [--quick] [--rounds N] [--threads N] [--exact-model FILE] [--sets NAME,...] [--slow]
                 [--no-training] [--train-steps N] [SECTION ...]

Here are the sections on MNIST's test images, and the page; those on all image sets are in lossless.py, that
on codes of images in colour in colour.py.

What a section measured is kept in .build/bench/codecs-NAME.json, so that a run can be made in pieces;
docs/compression.md, docs/data/codecs.json and docs/images/rate-distortion.png are made of all that are kept.
Parts of the page whose sections are not kept stay as they are there.
"""

import argparse
import datetime
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import lossless
import matplotlib
import numpy as np
from bench import AEZ, KEPT, ROOT, in_turn, machine, prepare, seconds_of
from peers import AVIF, COMPRESSORS, JXL, LOSSY, WEBP, aez, at_once
from PIL import Image

matplotlib.use("Agg")
import colour  # noqa: E402
from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

WORK = KEPT / "codecs"
PICTURE = ROOT / "docs/images/rate-distortion.png"
PAGE = ROOT / "docs/compression.md"
CURVES = ROOT / "docs/data/codecs.json"
SIDE = 28
COUNT = 10000
PIXELS = COUNT * SIDE * SIDE
EXACT_SAMPLE, LOSSY_SAMPLE = 500, 200  # files of one image, evenly spaced in the set
Image.MAX_IMAGE_PIXELS = None

# Not run here: too slow, or no program to run. Bytes of the same 10,000 images, and where that is from.
QUOTED = (
    ("paq8px v216 -8, one mosaic", 900342, "its authors' program, measured once on these images"),
    ("sparse probabilistic circuit", round(1.14 * PIXELS / 8), "Dang et al. 2022; a likelihood, no file"),
    ("HCLT probabilistic circuit", round(1.20 * PIXELS / 8), "Liu et al. 2022; without its weights"),
    ("Bit-Swap", round(1.27 * PIXELS / 8), "Kingma et al. 2019; without about 11 MB of weights"),
    ("BB-ANS", round(1.41 * PIXELS / 8), "Townsend et al. 2019; without 2.34 MB of weights"),
)


# ---- Images, and what became of them ----


def make_sources():
    """The test images as bytes, an IDX file, one mosaic, one strip, and files of one image."""
    images = np.load(KEPT / "test.npy").reshape(COUNT, SIDE, SIDE)
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "set.bytes").write_bytes(images.tobytes())
    header = np.array([2051, COUNT, SIDE, SIDE], ">i4").tobytes()
    (WORK / "set-idx3-ubyte").write_bytes(header + images.tobytes())
    across = math.isqrt(COUNT)
    mosaic = images.reshape(across, across, SIDE, SIDE).swapaxes(1, 2).reshape(across * SIDE, across * SIDE)
    Image.fromarray(mosaic).save(WORK / "mosaic.png")
    Image.fromarray(images.reshape(COUNT * SIDE, SIDE)).save(WORK / "strip.png")
    for index in set(sample(EXACT_SAMPLE)) | set(sample(LOSSY_SAMPLE)):
        Image.fromarray(images[index]).save(WORK / f"{index}.png", optimize=True)
    return images, mosaic


def sample(count):
    return range(0, COUNT, COUNT // count)


def pixels_of(path):
    if path.name.endswith("-idx3-ubyte"):
        return np.frombuffer(path.read_bytes(), np.uint8, offset=16).reshape(-1, SIDE, SIDE)
    return np.asarray(Image.open(path).convert("L"))


def squared_error(images, restored):
    """Mean squared error with pixels in 0 ... 1."""
    difference = images.astype(np.int32) - restored.astype(np.int32).reshape(images.shape)
    return float(np.mean(np.square(difference, dtype=np.float64))) / 255**2


def psnr(mse):
    return -10 * math.log10(mse)


def one_by_one(codec, images, indices):
    """Bytes and squared error of a sample of images, each in a file of its own."""

    def one(index):
        file, target = WORK / f"{index}.{codec.suffix}", WORK / f"{index}-back.{codec.target}"
        codec.written(WORK / f"{index}.png", file, 1)
        codec.read(file, target, 1)
        return file.stat().st_size, squared_error(images[index], pixels_of(target))

    results = at_once(one, indices)
    return tuple(sum(result[i] for result in results) / len(results) for i in (0, 1))


def models():
    """The models that come with libae, the default one first, with what `aez info` says of each."""
    paths = sorted(
        (ROOT / "models").glob("*.aew"), key=lambda path: (path.name != "digits-high.aew", path.name)
    )
    return [(path, json.loads(seconds_of([AEZ, "info", "--json", path])[1])) for path in paths]


def has_scan_network(info):
    return any(section["tag"] == "SCAN" for section in info["sections"])


def code_models():
    """Those for lossy sets. The one beside a network for lossless coding is there for the file's sake alone,
    and the one in floats is there to draw from."""
    return [
        (path, info) for path, info in models()
        if info["qualities"] and info["storage"] == "int8" and not has_scan_network(info)
    ]  # fmt: skip


def exact_models(options):
    if options.exact_model:
        return [Path(options.exact_model)]
    return [path for path, info in models() if has_scan_network(info)]


def say(*cells):
    print("  " + " | ".join(str(cell) for cell in cells), flush=True)


# ---- Sections: each returns what it measured ----


def exact_peers(options):
    images, mosaic = make_sources()
    rows = []
    jobs = [(codec, "set.bytes", "") for codec in COMPRESSORS]
    jobs += [(WEBP, "mosaic.png", ", mosaic"), (JXL, "mosaic.png", ", mosaic"), (JXL, "strip.png", ", strip")]
    for codec, source, form in jobs:
        if not codec.present:
            say(codec.name, "left out: not installed")
            continue
        file, target = WORK / f"exact.{codec.suffix}", WORK / f"exact-back.{codec.target}"
        codec.written(WORK / source, file)
        codec.read(file, target)
        given = mosaic if form == ", mosaic" else images
        if (target.read_bytes() if codec.streams else pixels_of(target).tobytes()) != given.tobytes():
            raise SystemExit(f"bench-codecs: {codec.name} is not exact")
        rows.append([codec.name + form, file.stat().st_size])
        say(*rows[-1])
    singles = []
    sizes = [(WORK / f"{index}.png").stat().st_size for index in sample(EXACT_SAMPLE)]
    singles.append(["PNG", round(sum(sizes) * COUNT / EXACT_SAMPLE)])
    for codec in (WEBP, JXL):
        if codec.present:
            size, error = one_by_one(codec, images, sample(EXACT_SAMPLE))
            if error:
                raise SystemExit(f"bench-codecs: {codec.name} is not exact")
            singles.append([codec.name, round(size * COUNT)])
    for row in singles:
        say("one file per image", *row)
    return {"rows": rows, "singles": singles}


def exact(options):
    images, _ = make_sources()
    source, target, rows = WORK / "set-idx3-ubyte", WORK / "exact-back-idx3-ubyte", []

    def add(what, model, *arguments):
        file = WORK / "exact.aez"
        aez("compress", source, "--exact", *arguments, *(["--model", model] if model else []), "-o", file)
        apart = model and "--embed-model" not in arguments
        aez("decompress", file, *(["--model", model] if apart else []), "-o", target)
        if not np.array_equal(pixels_of(target), images):
            raise SystemExit(f"bench-codecs: {what} is not exact")
        size = file.stat().st_size
        rows.append([what, size])
        say(what, size)
        return size

    add("aez --exact --method contexts, needs no model", None, "--method", "contexts")
    for model in exact_models(options):
        size = add(f"aez --exact --method scans, {model.name} apart", model, "--method", "scans")
        rows.append([f"the same and {model.name} itself", size + model.stat().st_size])
        say(*rows[-1])
        add("aez --exact --method scans --embed-model", model, "--method", "scans", "--embed-model")
    return {"rows": rows}


def lossy_peers(options):
    images, mosaic = make_sources()
    curves = []
    for codec, setting_name, settings in LOSSY:
        if not codec.present:
            say(codec.name, "left out: not installed")
            continue
        curve = {"name": codec.name, "setting": setting_name, "mosaic": [], "single": []}
        for setting in settings[::2] if options.quick else settings:
            each = replace(codec, setting=setting)
            file, target = WORK / f"mosaic.{codec.suffix}", WORK / f"mosaic-back.{codec.target}"
            each.written(WORK / "mosaic.png", file)
            each.read(file, target)
            together = [setting, file.stat().st_size / COUNT, squared_error(mosaic, pixels_of(target))]
            alone = [setting, *one_by_one(each, images, sample(LOSSY_SAMPLE))]
            curve["mosaic"].append(together)
            curve["single"].append(alone)
            say(codec.name, *together, *alone[1:])
        curves.append(curve)
    return {"curves": curves}


def lossy(options):
    images, _ = make_sources()
    source, file, target = WORK / "set-idx3-ubyte", WORK / "lossy.aez", WORK / "lossy-back-idx3-ubyte"
    curves = []
    for model, info in code_models():
        curve = {"name": model.name, "bytes": model.stat().st_size, "points": [], "embedded": 0}
        for quality in range(1, info["qualities"] + 1):
            aez("compress", source, "--model", model, "--quality", quality, "-o", file)
            aez("decompress", file, "--model", model, "-o", target)
            error = squared_error(images, pixels_of(target))
            curve["points"].append([quality, file.stat().st_size / COUNT, error])
            say(model.name, *curve["points"][-1], psnr(error))
        size = file.stat().st_size
        aez("compress", source, "--model", model, "--quality", quality, "--embed-model", "-o", file)
        curve["embedded"] = file.stat().st_size - size
        curves.append(curve)
    return {"curves": curves}


def speed(options):
    """Each side in turn, the same images from a file to a file."""
    make_sources()
    Image.open(WORK / "mosaic.png").save(WORK / "mosaic.pgm")
    source, target = WORK / "set-idx3-ubyte", WORK / "speed-back-idx3-ubyte"
    ours = {}  # what: (arguments, arguments of both ways)
    ours["aez --exact --method contexts"] = (["--exact", "--method", "contexts"], [])
    for model in exact_models(options)[:1]:
        ours["aez --exact --method scans"] = (["--exact", "--method", "scans"], ["--model", model])
    for model, _ in code_models():
        ours[f"aez, {model.name}"] = ([], ["--model", model])
    threads, encode, decode = options.threads, {}, {}
    for count in sorted({1, threads}):
        for number, (what, (how, both)) in enumerate(ours.items()):
            file = WORK / f"speed-{number}.aez"
            name = (what, count)
            encode[name] = lambda h=how, b=both, f=file, c=count: aez(
                "compress", source, *h, *b, "-o", f, threads=c
            )
            decode[name] = lambda b=both, f=file, c=count: aez("decompress", f, *b, "-o", target, threads=c)
    peers = [(codec, "set.bytes", codec.name, 1) for codec in COMPRESSORS]
    peers += [(WEBP, "mosaic.png", WEBP.name, threads)]
    peers += [(JXL, "mosaic.pgm", JXL.name, threads)]
    for codec, _, settings in LOSSY:
        middle = replace(codec, setting=settings[0 if codec is AVIF else 2])
        form = "mosaic.png" if codec.suffix in ("avif", "webp") else "mosaic.pgm"
        peers.append((middle, form, f"{codec.name} {middle.setting}", threads))
    for number, (codec, form, name, count) in enumerate(peers):
        if codec.present:
            file, back = WORK / f"speed-{number}.{codec.suffix}", WORK / f"speed-back.{codec.target}"
            # Effort 9 uses one thread whatever it is given, and takes longer than all others together.
            encode[name, count] = lambda c=codec, s=WORK / form, f=file, n=count: c.written(s, f, n)
            for n in sorted({1, count}):
                decode[name, n] = lambda c=codec, f=file, b=back, n=n: c.read(f, b, n)
    slow = {
        key: encode.pop(key) for key in list(encode) if key[0] in (JXL.name, "aez --exact --method scans")
    }
    rounds = options.rounds
    took = in_turn(options, encode)
    options.rounds = 1 if options.quick else min(2, rounds)
    took.update(in_turn(options, slow))
    options.rounds = rounds
    back = in_turn(options, decode)
    rows = []
    for key in back:  # whatever was written was read
        rows.append([*key, took.get(key), back[key]])
        say(*rows[-1])
    return {"rows": rows, "rounds": rounds}


ON_MNIST = {
    "exact-peers": exact_peers, "exact": exact, "lossy-peers": lossy_peers, "lossy": lossy, "speed": speed,
}  # fmt: skip
SECTIONS = {**lossless.SECTIONS, **ON_MNIST, "colour": colour.measure}


# ---- The page and the picture, from what is kept ----


def kept(name):
    path = KEPT / f"codecs-{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def versions():
    found = []
    for program, argument in (("gzip", "--version"), ("bzip2", "--help"), ("xz", "--version"),
                              ("zstd", "--version"), ("brotli", "--version"), ("cwebp", "-version"),
                              ("cjxl", "--version"), ("flif", "--version"), ("optipng", "--version"),
                              ("avifenc", "--version"), ("opj_compress", "-h")):  # fmt: skip
        if shutil.which(program):
            # bzip2 and opj_compress say it with their help, and bzip2 waits for input.
            done = subprocess.run([program, argument], capture_output=True, stdin=subprocess.DEVNULL)
            number = re.search(r"\d+\.\d+(\.\d+)*", (done.stdout + done.stderr).decode(errors="replace"))
            found.append(f"{program} {number.group(0) if number else ''}".strip())
    return ", ".join(found)


def table(columns, rows):
    # Words to the left, numbers to the right.
    words = ("file", "source", "codec", "model", "at", "set", "folder", "trained on the like")
    sides = ["---" if name in words else "--:" for name in columns]
    lines = [columns, ["---", *sides[1:]], *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines] + [""]


def said(data):
    return [f"*{data['date']}; {data['machine']}.*", ""]


def exact_text():
    peers, ours = kept("exact-peers"), kept("exact")
    text = ["## MNIST, lossless", ""]
    if not peers or not ours:
        return text
    text += [
        "Every byte of the files counts. The compressors of bytes are given the pixels in order; the",
        "mosaic is one image of 2800 x 2800, the strip one of 28 x 280000. All files were read and compared.",
        "",
    ]  # fmt: skip

    def lines(rows, note=None):
        return [[f"**{r[0]}**" if r[0].startswith("aez") else r[0], f"{r[1]:,}", f"{8 * r[1] / PIXELS:.3f}",
                 f"{r[1] / COUNT:.1f}"] for r in sorted(rows, key=lambda row: row[1])]  # fmt: skip

    columns = ["file", "bytes", "bits/pixel", "bytes/image"]
    text += table(columns, lines(ours["rows"] + peers["rows"]))
    text += [f"One file per image, from {EXACT_SAMPLE} of them, evenly spaced, and scaled to all:", ""]
    text += table(columns, lines(peers["singles"]))
    text += ["Quoted, not run here:", ""]
    text += table([*columns, "source"], [
        [name, f"{size:,}", f"{8 * size / PIXELS:.3f}", f"{size / COUNT:.1f}", source]
        for name, size, source in QUOTED
    ])  # fmt: skip
    return text + said(ours)


def at(points, decibels):
    """Bytes per image at a PSNR, linear in decibels between two neighbouring settings; None beyond them."""
    points = sorted((psnr(error), size) for _, size, error in points)
    for (low, least), (high, most) in zip(points, points[1:]):
        if low <= decibels <= high:
            return least + (most - least) * (decibels - low) / (high - low)
    return None


def against_avif(avif, curves):
    text = [
        "### Against AVIF", "",
        "At the distortion that AVIF's mosaic has with `--min` and `--max` at 63 and 55: the bytes that each",
        "model's image sets take for the same, linear in decibels between its two nearest qualities; without",
        "the model, and with its decoder embedded in a set of the 10,000 images.", "",
    ]  # fmt: skip
    rows = []
    for q in (63, 55):
        for setting, size, error in avif["mosaic"]:
            if setting != q:
                continue
            for curve in curves:
                ours, best = at(curve["points"], psnr(error)), curve["points"][-1]
                with_model = ours and ours + curve["embedded"] / COUNT
                reach = f"{psnr(curve['points'][0][2]):.1f} to {psnr(best[2]):.1f} dB"
                rows.append([
                    f"{psnr(error):.1f} dB (AVIF {q})", f"{size:.1f}", curve["name"],
                    f"{ours:.1f}" if ours else f"out of its range, {reach}",
                    f"{ours / size:.2f}" if ours else "",
                    f"{with_model:.1f}" if ours else "", f"{with_model / size:.2f}" if ours else "",
                ])  # fmt: skip
    columns = ["at", "AVIF, bytes/image", "model", "image set, bytes/image", "share"]
    columns += ["with its model", "share"]
    return text + table(columns, rows)


def lossy_text():
    peers, ours = kept("lossy-peers"), kept("lossy")
    text = ["## MNIST, lossy", ""]
    if not peers or not ours:
        return text
    text += [
        "![PSNR over bytes per image](images/rate-distortion.png)", "",
        "Squared error over all pixels of the 10,000 images, with pixels in 0 ... 1. Image sets without the",
        "model's bytes, which are in the second table.", "",
    ]  # fmt: skip
    columns = ["codec", "quality", "bytes/image", "MSE", "PSNR, dB"]
    text += table(columns, [
        [f"aez, {curve['name']}", quality, f"{size:.2f}", f"{error:.5f}", f"{psnr(error):.2f}"]
        for curve in ours["curves"] for quality, size, error in curve["points"]
    ])  # fmt: skip
    text += table(
        ["model", "its file, bytes", "embedded, bytes", "per image of 10,000, embedded"],
        [[c["name"], f"{c['bytes']:,}", f"{c['embedded']:,}", f"{c['embedded'] / COUNT:.1f}"]
         for c in ours["curves"]],
    )  # fmt: skip
    avif = next((curve for curve in peers["curves"] if curve["name"] == AVIF.name), None)
    if avif:
        text += against_avif(avif, ours["curves"])
    text += [
        "### Other codecs", "",
        "As one mosaic of all images, which is kindest to them, and as one file per image, from",
        f"{LOSSY_SAMPLE} images, evenly spaced, whose error is their own.", "",
    ]  # fmt: skip
    for curve in peers["curves"]:
        rows = [
            [together[0], f"{together[1]:.1f}", f"{together[2]:.5f}", f"{psnr(together[2]):.1f}",
             f"{alone[1]:.0f}", f"{alone[2]:.5f}", f"{psnr(alone[2]):.1f}"]
            for together, alone in zip(curve["mosaic"], curve["single"])
        ]  # fmt: skip
        text += table([curve["setting"], "mosaic, bytes/image", "MSE", "PSNR, dB", "files, bytes/image",
                       "MSE", "PSNR, dB"], rows)  # fmt: skip
    return text + said(ours)


def speed_text():
    data = kept("speed")
    text = ["## MNIST, speed", ""]
    if not data:
        return text
    often = "once each" if data["rounds"] == 1 else f"medians of {data['rounds']}"
    text += [
        f"From a file to a file, fresh processes, in turn; {often}. Megabytes of pixels a second, and how",
        "many times the speed of `cjxl -e 9` and `djxl` that is, of the exact mosaic: `djxl` with the row's",
        "threads, `cjxl` with all, of which effort 9 uses one. The settings of lossy codecs follow their",
        "names.", "",
    ]  # fmt: skip
    write = {(name, threads): took for name, threads, took, _ in data["rows"] if took}
    read = {(name, threads): took for name, threads, _, took in data["rows"] if took}
    slow = next((took for (name, _), took in write.items() if name == JXL.name), None)
    rows = []
    for name, threads, took, back in data["rows"]:
        rival = read.get((JXL.name, threads))
        rows.append([
            name, threads,
            f"{PIXELS / 1e6 / took:.2f}" if took else "", f"{slow / took:.2f}" if took and slow else "",
            f"{PIXELS / 1e6 / back:.2f}" if back else "", f"{rival / back:.2f}" if back and rival else "",
        ])  # fmt: skip
    columns = ["codec", "threads", "writing, MB/s", "times cjxl -e 9", "reading, MB/s", "times djxl"]
    text += table(columns, rows)
    return text + said(data)


TITLES = (
    "Which method for which images", "Image sets, lossless", "Folders of pictures",
    "Speed of lossless coding", "MNIST, lossless", "MNIST, lossy", "MNIST, speed",
    "Colour, lossy",
)  # fmt: skip


def standing():
    """What the page has of each part, as lines, by title."""
    parts = re.split(r"^## (.*)\n", PAGE.read_text() if PAGE.exists() else "", flags=re.MULTILINE)
    return {title: [f"## {title}", *text.rstrip().split("\n"), ""]
            for title, text in zip(parts[1::2], parts[2::2], strict=True)}  # fmt: skip


def write_page():
    head = [
        "# Compression beside other codecs", "",
        *lossless.paragraph(
            "`make bench-codecs` wrote this page from what it measured: sets of small images of many kinds,",
            "lossless and near-lossless, and MNIST's 10,000 test images (28 x 28, 8 bits of grey; 7,840,000",
            "pixels), lossy, too. Models have seen training images alone. A part is measured by",
            "`make bench-codecs SECTIONS=NAME`, NAME one of",
            ", ".join(f"`{name}`" for name in SECTIONS) + "; `SETS=NAME,...` says of which sets.",
        ),
        f"Other codecs: {versions()}.", "",
    ]  # fmt: skip
    measured = lossless.texts(kept, table, said)
    for part in (exact_text(), lossy_text(), speed_text()):
        if len(part) > 2:
            measured[part[0].removeprefix("## ")] = part
    if kept("colour"):
        measured["Colour, lossy"] = colour.text(kept("colour"), table) + said(kept("colour"))
    old, text = standing(), []
    for title in TITLES:
        text += measured.get(title) or old.get(title) or [f"## {title}", "", "Not measured yet.", ""]
    PAGE.write_text("\n".join(head + text).rstrip() + "\n")
    print(PAGE.relative_to(ROOT))
    write_curves()
    draw()


def write_curves():
    """The picture's curves for programs: bytes per image, mean squared error and PSNR of every setting."""
    peers, ours = kept("lossy-peers"), kept("lossy")
    if not peers or not ours:
        return

    def points(curve):
        return [
            {"setting": setting, "bytes_per_image": round(size, 4), "mse": round(error, 8),
             "psnr_db": round(psnr(error), 3)}
            for setting, size, error in curve
        ]  # fmt: skip

    curves = [
        {"codec": "aez", "model": curve["name"], "form": "set", "images": COUNT,
         "points": points(curve["points"])}
        for curve in ours["curves"]
    ]  # fmt: skip
    for curve in peers["curves"]:
        for form, count in (("mosaic", COUNT), ("single", LOSSY_SAMPLE)):
            curves.append(
                {"codec": curve["name"], "setting": curve["setting"], "form": form, "images": count,
                 "points": points(curve[form])}
            )  # fmt: skip
    about = "MNIST test images: written by make bench-codecs; docs/compression.md tells what each is"
    CURVES.parent.mkdir(exist_ok=True)
    CURVES.write_text(json.dumps({"about": about, "date": ours["date"], "curves": curves}, indent=1) + "\n")
    print(CURVES.relative_to(ROOT))


# Colours that all kinds of sight tell apart (Okabe and Ito 2008), with a mark each for print in grey.
STYLES = {
    "AVIF": ("#0072B2", "s"), "JPEG XL": ("#009E73", "^"), "WebP": ("#CC79A7", "v"),
    "JPEG 2000": ("#E69F00", "D"),
}  # fmt: skip


def draw():
    peers, ours = kept("lossy-peers"), kept("lossy")
    if not peers or not ours:
        return
    figure, axes = pyplot.subplots(figsize=(9, 6), dpi=120)
    for number, curve in enumerate(ours["curves"]):
        x, y = zip(*((size, psnr(error)) for _, size, error in curve["points"]))
        axes.plot(x, y, color=("#D55E00", "#000000", "#56B4E9", "#666666", "#F0E442")[number % 5],
                  marker=("o", "p", "h", "8", "P")[number % 5], linewidth=2.5,
                  markersize=6, label=f"aez, {curve['name']}")  # fmt: skip
    for curve in peers["curves"]:
        colour, mark = STYLES[curve["name"]]
        for form, line, fill, what in (
            ("mosaic", "-", colour, "one mosaic"),
            ("single", ":", "white", "one file per image"),
        ):
            x, y = zip(*((size, psnr(error)) for _, size, error in curve[form]))
            axes.plot(x, y, line, color=colour, marker=mark, markerfacecolor=fill, markersize=5,
                      linewidth=1.4, label=f"{curve['name']}, {what}")  # fmt: skip
    axes.set_xscale("log")
    ticks = (3, 5, 10, 20, 30, 50, 100, 200, 300, 500)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(12, 46)
    axes.set_xlabel("bytes per image (logarithmic; the model's own bytes apart)")
    axes.set_ylabel(f"PSNR, dB (of the 10,000 images; dotted: of {LOSSY_SAMPLE} of them)")
    axes.set_title("MNIST test images: rate and distortion")
    axes.grid(True, color="#dddddd")
    axes.legend(fontsize=8, ncols=2, loc="upper left", framealpha=0.95)
    figure.tight_layout()
    # Without the date and the program's version, the same measurements make the same file.
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    PICTURE.write_bytes(held.getvalue())
    pyplot.close(figure)
    print(PICTURE.relative_to(ROOT))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer settings and rounds; writes no page")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--exact-model", metavar="FILE", help="instead of those in models/")
    parser.add_argument("--sets", metavar="NAME,...", help="the sets to measure again, in sets-...")
    parser.add_argument("--slow", action="store_true", help="cjxl -e 9 of large sets, too: minutes each")
    parser.add_argument(
        "--no-training", dest="training", action="store_false", help="take models that are kept, train none"
    )
    parser.add_argument("--train-steps", type=int, help="steps of training (default: the tool's)")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS) + " page")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS) - {"page"}
    if unknown:
        parser.error(f"no section {' '.join(sorted(unknown))}; there are {' '.join(SECTIONS)} page")
    options.sets = options.sets.split(",") if options.sets else None
    options.rounds = options.rounds or (1 if options.quick else 3)
    if set(options.sections or SECTIONS) & set(ON_MNIST):
        prepare()
    KEPT.mkdir(parents=True, exist_ok=True)
    stamp = machine(("numpy", "matplotlib", "pillow"))
    options.stamp = {"machine": stamp, "date": datetime.date.today().isoformat()}
    print(stamp, flush=True)
    for name in options.sections or SECTIONS:
        if name == "page":  # from what is kept alone
            continue
        print(f"== {name}", flush=True)
        data = SECTIONS[name](options)
        data.update(options.stamp)
        if not options.quick:
            (KEPT / f"codecs-{name}.json").write_text(json.dumps(data))
    if not options.quick:
        write_page()


if __name__ == "__main__":
    sys.exit(main())
