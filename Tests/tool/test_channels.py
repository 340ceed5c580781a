"""Images of several channels: every reader and writer, and lossless sets that come back pixel for pixel."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import TOOL, environment, fails, ok, run
from imagefiles import chunk, idx, npy, pam, pgm, png, ppm, read_idx, read_npy, read_png, read_pnm

HEIGHT, WIDTH, COUNT = 7, 6, 9


def random(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pictures(channels: int, seed: int = 1) -> np.ndarray:
    shape = (COUNT, HEIGHT, WIDTH) if channels == 1 else (COUNT, HEIGHT, WIDTH, channels)
    images = random(*shape, seed=seed)
    if channels == 4:
        # What does not show has colours all the same.
        images[..., :4, 3] = 0
    return images


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def facts(*arguments, **options) -> dict:
    return json.loads(ok("info", *arguments, "--json", **options).out)


def shape_of(facts: dict) -> tuple[int, int, int]:
    return facts["height"], facts["width"], facts["channels"]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["--exact", "--grey"])
def test_arrays_come_back_as_they_were(tmp_path, channels, mode):
    images = pictures(channels)
    files = {
        "a.idx": idx(images),
        "a.idx.gz": gzip.compress(idx(images)),
        "a.npy": npy(images),
        "floats.npy": npy((images / np.float32(255)).astype(np.float32)),
    }
    values = images.astype(int)
    expected = images
    options = ["--exact"]
    if mode == "--grey":
        options.append("--grey")
        if channels > 1:
            expected = (299 * values[..., 0] + 587 * values[..., 1] + 114 * values[..., 2] + 500) // 1000
        if channels == 4:
            expected = (expected * values[..., 3] + 127) // 255
    text = "6 x 7" + ("" if expected.ndim == 3 else f" x {channels}")
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        for source, stdin in [(name, b""), ("-", data)]:
            packed = ok("compress", source, *options, "-o", "-", cwd=tmp_path, stdin=stdin).out
            (tmp_path / "a.aez").write_bytes(packed)
            assert f"images      9 of {text}\n" in ok("info", "a.aez", cwd=tmp_path).text
            ok("test", "a.aez", cwd=tmp_path)
            for output, reader in [("b.idx", read_idx), ("b.npy", read_npy), ("b.idx.gz", read_idx)]:
                report = ok("decompress", "a.aez", "-o", output, "-f", cwd=tmp_path)
                assert report.text == f"images  9 of {text}\nmodel   none needed\n"
                assert np.array_equal(reader((tmp_path / output).read_bytes()), expected), (name, output)
            piped = ok("decompress", "-", "-o", "-", stdin=packed).out
            assert np.array_equal(read_idx(piped), expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["png", "ppm", "pam", "pgm"])
def test_folders_come_back_as_they_were(tmp_path, channels, kind):
    if (kind == "ppm" and channels == 4) or (kind == "pgm" and channels > 1):
        pytest.skip("files of this kind do not hold them")
    make, reader = {"png": png, "ppm": ppm, "pam": pam, "pgm": pgm}[kind], read_pnm
    if kind == "png":
        reader = read_png
    images = pictures(channels)
    files = {}
    for index, image in enumerate(images):
        full = image[..., None] if image.ndim == 2 else image
        if kind == "ppm" and channels == 1:
            full = np.repeat(full, 3, 2)
        files[f"{'zyxwvutsr'[index]}.{kind}"] = make(full if kind != "pgm" else image)
    files["labels-idx1-ubyte"] = idx(np.arange(COUNT))
    write_folder(tmp_path / "in", files)
    report = facts("in", cwd=tmp_path)
    assert shape_of(report) == (HEIGHT, WIDTH, channels)
    assert report["source"] == f"folder of {kind.upper()} files"
    ok("compress", "in", "--exact", "-o", "a.aez", cwd=tmp_path)
    assert facts("a.aez", cwd=tmp_path)["source"] == f"folder of {kind.upper()} files"
    ok("decompress", "a.aez", "-o", "out/", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "out")) == sorted(files)
    for name in files:
        if name.endswith(kind):
            old, new = ((tmp_path / folder / name).read_bytes() for folder in ("in", "out"))
            assert np.array_equal(reader(old), reader(new)), name
    assert (tmp_path / "out/labels-idx1-ubyte").read_bytes() == files["labels-idx1-ubyte"]
    # And as every other kind that holds them.
    for other in ["png", "pgm", "ppm", "pam"]:
        arguments = ("decompress", "a.aez", "-o", f"as-{other}", "--as", other)
        if other == "pgm" and channels > 1:
            what = "transparency" if channels == 4 else "colours"
            others = ".png or .pam" if channels == 4 else ".png, .ppm or .pam"
            message = f"as-pgm: PGM files do not hold {what}, which the images have: write them as {others}"
            fails(1, message, *arguments, cwd=tmp_path)
        elif other == "ppm" and channels == 4:
            fails(
                1,
                "as-ppm: PPM files do not hold transparency, which the images have: write them as .png "
                "or .pam",
                *arguments,
                cwd=tmp_path,
            )
        else:
            ok(*arguments, cwd=tmp_path)
            names = [name.replace(f".{kind}", f".{other}") for name in files]
            assert sorted(os.listdir(tmp_path / f"as-{other}")) == sorted(names)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", ["png", "ppm", "pam"])
def test_one_picture_is_a_set_and_a_grid_is_one(tmp_path, channels, kind):
    if kind == "ppm" and channels == 4:
        pytest.skip("files of this kind do not hold alpha")
    images = pictures(channels)
    make, reader = {"png": (png, read_png), "ppm": (ppm, read_pnm), "pam": (pam, read_pnm)}[kind]
    (tmp_path / f"one.{kind}").write_bytes(make(images[0]))
    ok("compress", f"one.{kind}", "--exact", "-o", "one.aez", cwd=tmp_path)
    assert facts("one.aez", cwd=tmp_path)["source"] == f"{kind.upper()} file"
    ok("decompress", "one.aez", "-o", f"back.{kind}", cwd=tmp_path)
    assert np.array_equal(reader((tmp_path / f"back.{kind}").read_bytes()), images[0])
    piped = ok("decompress", "one.aez", "-o", "-", "--as", kind, cwd=tmp_path).out
    assert piped == (tmp_path / f"back.{kind}").read_bytes()
    ok("decompress", "one.aez", "-o", "again/", cwd=tmp_path)
    assert os.listdir(tmp_path / "again") == [f"00000.{kind}"]
    (tmp_path / "all.npy").write_bytes(npy(images[:8]))
    ok("compress", "all.npy", "--exact", "-o", "all.aez", cwd=tmp_path)
    ok("decompress", "all.aez", "-o", f"grid.{kind}", "--columns", 3, cwd=tmp_path)
    expected = np.full((3 * (HEIGHT + 1) - 1, 3 * (WIDTH + 1) - 1, channels), 64, np.uint8)
    if channels == 4:
        expected[..., 3] = 255
    for cell in range(9):
        y, x = cell // 3 * (HEIGHT + 1), cell % 3 * (WIDTH + 1)
        missing = np.array([0, 0, 0, 255][:channels], np.uint8)
        expected[y : y + HEIGHT, x : x + WIDTH] = images[cell] if cell < 8 else missing
    assert np.array_equal(reader((tmp_path / f"grid.{kind}").read_bytes()), expected)


def test_palettes_and_grey_with_alpha_are_kept_as_colours(tmp_path):
    palette, index = random(5, 3), np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 5
    alpha = np.array([9, 0, 255, 7, 3], np.uint8)
    grey = random(HEIGHT, WIDTH, 2)
    colours = chunk(b"PLTE", palette.tobytes())
    files = {
        "palette.png": (png(index, color=3, extra=colours), palette[index]),
        "transparent.png": (
            png(index, color=3, extra=colours + chunk(b"tRNS", alpha.tobytes())),
            np.concatenate([palette, alpha[:, None]], 1)[index],
        ),
        "grey-alpha.png": (png(grey), np.concatenate([np.repeat(grey[..., :1], 3, 2), grey[..., 1:]], 2)),
        "keyed.png": (
            png(index * 40, extra=chunk(b"tRNS", b"\0\x28")),
            np.concatenate(
                [np.repeat(index[..., None] * 40, 3, 2), np.where(index == 1, 0, 255)[..., None]], 2
            ),
        ),
        "grey-alpha.pam": (pam(grey), np.concatenate([np.repeat(grey[..., :1], 3, 2), grey[..., 1:]], 2)),
        "bilevel.pam": (pam(index[..., None] % 2, 1, "BLACKANDWHITE"), index % 2 * 255),
        "text.ppm": (
            f"P3 # colours\n{WIDTH} {HEIGHT}\n255\n".encode()
            + b" ".join(b"%d" % value for value in palette[index].reshape(-1)),
            palette[index],
        ),
        "maxval.ppm": (ppm(palette[index] // 17, 15), palette[index] // 17 * 17),
        "words.pam": (pam(grey.repeat(2, 2).astype(int) * 257, 65535), grey.repeat(2, 2)),
        "untyped.pam": (
            pam(random(HEIGHT, WIDTH, 4)).replace(b"TUPLTYPE RGB_ALPHA\n", b"\n# x\n"),
            random(HEIGHT, WIDTH, 4),
        ),
    }
    for name, (data, expected) in files.items():
        (tmp_path / name).write_bytes(data)
        ok("compress", name, "--exact", "-o", "x.aez", "-f", cwd=tmp_path)
        back = read_npy(ok("decompress", "x.aez", "-o", "-", "--as", "npy", cwd=tmp_path).out)
        assert np.array_equal(back[0], expected), name


def test_a_folder_has_the_channels_that_one_of_its_pictures_needs(tmp_path):
    colours, grey, alpha = random(HEIGHT, WIDTH, 3), random(HEIGHT, WIDTH), random(HEIGHT, WIDTH, 4)
    opaque = np.concatenate([colours, np.full((HEIGHT, WIDTH, 1), 255)], 2)
    note = "aez: {}: {} fewer channels than the set and {} kept as {}, the pixels being the same\n"
    cases = {
        "rgb": ([grey, colours, grey], 3, ("2 of 3 images have", "are", "RGB")),
        "one": ([colours, colours, grey], 3, ("1 of 3 images has", "is", "RGB")),
        "rgba": ([grey, colours, alpha, opaque], 4, ("2 of 4 images have", "are", "RGBA")),
        "opaque": ([colours, opaque], 3, None),
        "clothes": ([colours, np.repeat(grey[..., None], 3, 2)], 3, None),
    }
    for name, (images, channels, words) in cases.items():
        write_folder(tmp_path / name, {f"{i}.png": png(image) for i, image in enumerate(images)})
        assert facts(name, cwd=tmp_path)["channels"] == channels
        done = run("compress", name, "--exact", "-o", "x.aez", "--json", "-f", cwd=tmp_path)
        assert (done.code, done.err) == (0, note.format(name, *words) if words else "")
        assert json.loads(done.out)["widened"] == (int(words[0][0]) if words else 0)
        ok("decompress", "x.aez", "-o", f"{name}-back/", cwd=tmp_path)
        for i, image in enumerate(images):
            expected = image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
            back = read_png((tmp_path / f"{name}-back/{i}.png").read_bytes())
            assert np.array_equal(back[..., :3], expected[..., :3])
            if channels == 4:
                assert np.array_equal(
                    back[..., 3], expected[..., 3] if expected.shape[2] == 4 else expected[..., 0] * 0 + 255
                )
        ok("compress", name, "--exact", "--grey", "-o", "x.aez", "-f", cwd=tmp_path)
        assert facts("x.aez", cwd=tmp_path)["channels"] == 1


def test_near_lossless_colours_are_off_by_no_more(tmp_path):
    images = pictures(3)
    (tmp_path / "a.npy").write_bytes(npy(images))
    ok("compress", "a.npy", "--max-error", 3, "-o", "a.aez", cwd=tmp_path)
    back = read_npy(ok("decompress", "a.aez", "-o", "-", "--as", "npy", cwd=tmp_path).out)
    assert np.abs(back.astype(int) - images).max() <= 3


def test_ranges_labels_cat_split_and_append(tmp_path):
    images = random(40, HEIGHT, WIDTH, 3)
    (tmp_path / "a.npy").write_bytes(npy(images[:30]))
    (tmp_path / "b.npy").write_bytes(npy(images[30:]))
    grey = random(5, HEIGHT, WIDTH, seed=2)
    (tmp_path / "grey.idx").write_bytes(idx(grey))
    (tmp_path / "alpha.npy").write_bytes(npy(random(2, HEIGHT, WIDTH, 4)))
    for name in "ab":
        ok("compress", f"{name}.npy", "--exact", "--block-images", 10, "-o", f"{name}.aez", cwd=tmp_path)

    def read(name: str, *options) -> np.ndarray:
        return read_npy(ok("decompress", name, *options, "-o", "-", "--as", "npy", cwd=tmp_path).out)

    assert np.array_equal(read("a.aez", "--first", 9, "--count", 12), images[9:21])
    report = ok("cat", "a.aez", "b.aez", "-o", "all.aez", cwd=tmp_path).text
    assert "images  40 of 6 x 7 x 3\n" in report
    assert np.array_equal(read("all.aez"), images)
    ok("split", "all.aez", "--images", 20, "-o", "part", cwd=tmp_path)
    assert np.array_equal(read("part-001.aez"), images[20:])
    ok("append", "a.aez", "b.npy", cwd=tmp_path)
    assert np.array_equal(read("a.aez"), images)
    done = run("append", "a.aez", "grey.idx", cwd=tmp_path)
    assert (done.code, done.err) == (
        0,
        "aez: grey.idx: 5 of 5 images have fewer channels than the set and are kept as RGB, the pixels "
        "being the same\n",
    )
    assert np.array_equal(read("a.aez", "--first", 40), np.repeat(grey[..., None], 3, 3))
    message = "alpha.npy: 6 x 7 x 4 pixels, and a.aez holds images of 6 x 7 x 3"
    fails(1, message, "append", "a.aez", "alpha.npy", cwd=tmp_path)
    ok("compress", "grey.idx", "--exact", "-o", "grey.aez", cwd=tmp_path)
    message = "a.npy: 6 x 7 x 3 pixels, and grey.aez holds images of 6 x 7: --grey makes grey ones of them"
    fails(1, message, "append", "grey.aez", "a.npy", cwd=tmp_path)
    ok("append", "grey.aez", "a.npy", "--grey", cwd=tmp_path)
    assert facts("grey.aez", cwd=tmp_path)["images"] == 35
    assert run("cat", "a.aez", "grey.aez", "-o", "x.aez", cwd=tmp_path).code == 1


def test_sides_to_256_and_no_further(tmp_path):
    for name, shape in [("rgb", (2, 256, 256, 3)), ("rgba", (2, 192, 256, 4)), ("grey", (2, 256, 256))]:
        images = random(*shape)
        (tmp_path / f"{name}.npy").write_bytes(npy(images))
        ok("compress", f"{name}.npy", "--exact", "-o", "x.aez", "-f", cwd=tmp_path)
        assert np.array_equal(
            read_npy(ok("decompress", "x.aez", "-o", "-", "--as", "npy", cwd=tmp_path).out), images
        )
    rest = (
        ", and in image sets sides are 1 to 256 pixels, and width x height x channels is at most 196,608: "
        "cut the images into pieces, or make them smaller with --resize"
    )
    for shape, text in [
        ((1, 256, 256, 4), "256 x 256 x 4"),
        ((1, 257, 1), "1 x 257"),
        ((1, 2, 300, 3), "300 x 2 x 3"),
        ((1, 193, 255, 4), "255 x 193 x 4"),
    ]:
        (tmp_path / "x.npy").write_bytes(npy(np.zeros(shape, np.uint8)))
        fails(
            1, f"x.npy: images are {text}{rest}", "compress", "x.npy", "--exact", "-o", "y.aez", cwd=tmp_path
        )
        assert shape_of(facts("x.npy", cwd=tmp_path)) == (*shape[1:3], shape[3] if len(shape) > 3 else 1)
        fails(1, f"x.npy: images are {text}{rest}", "train", "x.npy", "-o", "y.aew", cwd=tmp_path)


def area_mean(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The stated rule: each pixel is the mean of the area that it covers, colours weighted with alpha."""

    def weights(count: int, new: int) -> np.ndarray:
        table = np.zeros((new, count), np.int64)
        for index in range(new):
            for old in range(count):
                low, high = max(index * count, old * new), min((index + 1) * count, (old + 1) * new)
                table[index, old] = max(high - low, 0)
        return table

    full = image[..., None] if image.ndim == 2 else image
    down, across = weights(image.shape[0], height), weights(image.shape[1], width)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.einsum("yi,xj,ijc->yxc", down, across, values.astype(np.int64))

    def nearest(a: np.ndarray, b) -> np.ndarray:
        return (2 * a + b) // (2 * b)

    whole = image.shape[0] * image.shape[1]
    if full.shape[2] == 4:
        alpha = mean(full[..., 3:])
        weighted, plain = mean(full[..., :3].astype(np.int64) * full[..., 3:]), mean(full[..., :3])
        colours = np.where(alpha > 0, nearest(weighted, np.maximum(alpha, 1)), nearest(plain, whole))
        out = np.concatenate([colours, nearest(alpha, whole)], 2)
    else:
        out = nearest(mean(full), whole)
    return (out[..., 0] if image.ndim == 2 else out).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(3, 2), (6, 7), (13, 5), (20, 20), (1, 1)])
def test_resizing_is_the_mean_over_areas(tmp_path, channels, size):
    images = pictures(channels)
    (tmp_path / "a.npy").write_bytes(npy(images))
    write_folder(tmp_path / "set", {f"{i}.png": png(image) for i, image in enumerate(images)})
    expected = np.stack([area_mean(image, *size) for image in images])
    options = ("--exact", "--resize", f"{size[0]}x{size[1]}", "-o", "x.aez", "--json", "-f")
    for source in ["a.npy", "set"]:
        done = ok("compress", source, *options, cwd=tmp_path)
        assert json.loads(done.out)["sizing"] == "resized"
        back = read_npy(ok("decompress", "x.aez", "-o", "-", "--as", "npy", cwd=tmp_path).out)
        assert np.array_equal(back, expected), source
    ok("decompress", "x.aez", "-o", "back/", cwd=tmp_path)
    assert shape_of(facts("set", "--resize", "3x2", cwd=tmp_path)) == (2, 3, channels)


def test_mixed_sizes_are_resized_or_filled_up(tmp_path):
    images = [random(5, 4, 3), random(9, 3, 3), random(2, 8)]
    write_folder(tmp_path / "set", {f"{i}.png": png(image) for i, image in enumerate(images)})
    full = [image if image.ndim == 3 else np.repeat(image[..., None], 3, 2) for image in images]

    def read(*options) -> np.ndarray:
        run("compress", "set", "--exact", *options, "-o", "x.aez", "-f", cwd=tmp_path)
        return read_npy(ok("decompress", "x.aez", "-o", "-", "--as", "npy", cwd=tmp_path).out)

    expected = np.stack([area_mean(image, 6, 5) for image in full])
    assert np.array_equal(read("--resize", "6x5"), expected)
    for options, (width, height) in [(("--pad", "largest"), (8, 9)), (("--pad", "10x9"), (10, 9))]:
        expected = np.zeros((3, height, width, 3), np.uint8)
        for image, target in zip(full, expected, strict=True):
            target[: image.shape[0], : image.shape[1]] = image
        assert np.array_equal(read(*options), expected)
    # With alpha in one of them, what is filled up is transparent in all.
    images.append(random(3, 3, 4))
    (tmp_path / "set/3.png").write_bytes(png(images[3]))
    expected = np.zeros((4, 9, 8, 4), np.uint8)
    for image, target in zip([*full, images[3]], expected, strict=True):
        target[: image.shape[0], : image.shape[1], 3] = 255
        target[: image.shape[0], : image.shape[1], : image.shape[2]] = image
    assert np.array_equal(read("--pad", "largest"), expected)
    assert facts("set", "--pad", "largest", "--grey", cwd=tmp_path)["channels"] == 1
    message = "set/1.png: is 3 x 9, larger than --pad 8x8"
    fails(1, message, "info", "set", "--pad", "8x8", cwd=tmp_path)
    (tmp_path / "set/4.png").write_bytes(png(np.zeros((1, 400))))
    message = (
        "set: --pad largest makes images of 400 x 9, and sides are 1 to 256 pixels: say --resize, or "
        "sort the pictures "
        "into folders"
    )
    fails(1, message, "info", "set", "--pad", "largest", cwd=tmp_path)
    assert read("--resize", "16x16").shape == (5, 16, 16, 4)


def test_sizing_serves_every_command_that_reads_images(tmp_path, shared):
    images = random(4, 40, 30)
    write_folder(tmp_path / "set", {f"{i}.png": png(image[: 30 + i]) for i, image in enumerate(images)})
    model = ("--model", shared / "small.aew")
    for sizing in [("--resize", "28x28"), ("--resize", "28x28", "--limit", 2)]:
        ok("encode", "set", *model, *sizing, "-o", "codes.npy", "-f", cwd=tmp_path)
        ok("eval", "set", *model, *sizing, cwd=tmp_path)
        ok("reconstruct", "set", *model, *sizing, "-o", "r.png", "-f", cwd=tmp_path)
        ok(
            "train",
            "set",
            *sizing,
            "--kind",
            "pca",
            "--latent-size",
            1,
            "-o",
            "m.aew",
            "-f",
            "-q",
            cwd=tmp_path,
        )
        ok("compress", "set", *sizing, "--exact", "-o", "x.aez", "-f", cwd=tmp_path)
        ok("append", "x.aez", "set", *sizing, cwd=tmp_path)
    fails(
        64,
        "--resize and --pad exclude each other.",
        "info",
        "set",
        "--resize",
        "2x2",
        "--pad",
        "largest",
        cwd=tmp_path,
    )
    fails(64, "--resize must be at most 256x256.", "info", "set", "--resize", "257x2", cwd=tmp_path)
    fails(64, "--pad must be at most 256x256.", "info", "set", "--pad", "2x257", cwd=tmp_path)


def test_colours_stream_through_pipes(tmp_path):
    """Hundreds of images of 12 KiB, within a gigabyte of address space."""
    count = 200
    with open(tmp_path / "many.idx", "wb") as file:
        file.write(
            idx(np.zeros((0, 64, 64, 3)))[:4] + count.to_bytes(4, "big") + idx(np.zeros((0, 64, 64, 3)))[8:]
        )
        file.truncate(20 + count * 12288)
    script = (
        'ulimit -v 1000000; cat many.idx | "$0" compress - --exact -q -o - | tee x.aez | "$0" test - -q && '
        '"$0" decompress x.aez -q -o - | cmp - many.idx'
    )
    done = subprocess.run(
        ["bash", "-c", script, TOOL],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_colour_set_of_no_images(tmp_path):
    for name, data in [
        ("a.idx", idx(np.zeros((0, 5, 4, 3)))),
        ("a.npy", npy(np.zeros((0, 5, 4, 4), np.uint8))),
    ]:
        (tmp_path / name).write_bytes(data)
        channels = 3 if name == "a.idx" else 4
        assert shape_of(facts(name, cwd=tmp_path)) == (5, 4, channels)
        ok("compress", name, "--exact", "-o", "x.aez", "-f", cwd=tmp_path)
        ok("decompress", "x.aez", "-o", f"b{name}", cwd=tmp_path)
        if name == "a.idx":
            assert (tmp_path / f"b{name}").read_bytes() == data
        assert shape_of(facts("x.aez", cwd=tmp_path)) == (5, 4, channels)
