"""Images of every kind come in alike, and what is no image is refused in words of its own."""

import bz2
import contextlib
import gzip
import json
import lzma
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TOOL, Run, environment, fails, ok, run
from imagefiles import chunk, idx, npy, pgm, png, read_npy, read_png

sys.path.insert(0, str(ROOT / "Tests/attack"))
from images import CASES, FOLDER

HEIGHT, WIDTH, COUNT = 5, 4, 12


@pytest.fixture(scope="session")
def identity(tmp_path_factory) -> Path:
    """A pca with as many components as pixels, which gives back what it is given."""
    folder = tmp_path_factory.mktemp("identity")
    noise = np.random.default_rng(2).integers(0, 256, (300, HEIGHT, WIDTH), dtype=np.uint8)
    (folder / "noise.idx").write_bytes(idx(noise))
    ok(
        "train",
        "noise.idx",
        "-o",
        "identity.aew",
        "--kind",
        "pca",
        "--latent-size",
        HEIGHT * WIDTH,
        cwd=folder,
    )
    return folder / "identity.aew"


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (COUNT, HEIGHT, WIDTH), dtype=np.uint8)


def read(identity, path, *arguments, cwd, stdin=b"") -> np.ndarray:
    """The pixels that the tool sees in what `path` names."""
    codes = ok("encode", path, *arguments, "--model", identity, "-o", "-", cwd=cwd, stdin=stdin).out
    decoded = ok("decode", "-", "--model", identity, "-o", "-", "--as", "npy", cwd=cwd, stdin=codes).out
    return read_npy(decoded)


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def test_every_kind_of_file_gives_the_same_images(tmp_path, identity, images):
    files = {
        "a.idx": idx(images),
        "a.idx.gz": gzip.compress(idx(images)),
        "misnamed.txt": idx(images),
        "bytes.npy": npy(images),
        "float32.npy": npy(images.astype(np.float32) / 255),
        "float64.npy": npy(images / 255.0),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert np.array_equal(read(identity, name, cwd=tmp_path), images), name
        assert np.array_equal(read(identity, "-", cwd=tmp_path, stdin=data), images), name


def test_flattened_arrays_take_their_size_from_the_option(tmp_path, identity, images):
    (tmp_path / "flat.npy").write_bytes(npy(images.reshape(COUNT, -1)))
    assert np.array_equal(read(identity, "flat.npy", "--size", f"{WIDTH}x{HEIGHT}", cwd=tmp_path), images)
    fails(
        1,
        "flat.npy: an array of [12, 20], [count, 3, 3] expected, or [count, 3, 3, channels], of 1, 3 or "
        "4 channels",
        *("info", "flat.npy", "--size", "3x3"),
        cwd=tmp_path,
    )


def test_single_pictures_are_sets_of_one(tmp_path, identity, images):
    for name, data in [("one.png", png(images[0])), ("one.pgm", pgm(images[0]))]:
        (tmp_path / name).write_bytes(data)
        assert np.array_equal(read(identity, name, cwd=tmp_path), images[:1]), name


@pytest.mark.parametrize("kind", ["png", "pgm"])
def test_folders_are_read_in_natural_order(tmp_path, identity, images, kind):
    make = png if kind == "png" else pgm
    names = ["1", "2", "10", "a2b1", "a2b10", "a02b11", "a10", "b", "b1c", "ba", "c001", "c2"]
    files = {f"{name}.{kind}": make(image) for name, image in zip(names, images, strict=True)}
    write_folder(tmp_path / "set", files | {".hidden.png": b"", "notes.txt": b"not an image"})
    assert np.array_equal(read(identity, "set", cwd=tmp_path), images)
    facts = json.loads(ok("info", "set/", "--json", cwd=tmp_path).out)
    assert (facts["has_names"], facts["has_labels"]) == (True, False)
    assert facts["source"] == f"folder of {kind.upper()} files"


def test_a_folder_brings_its_labels(tmp_path, images):
    write_folder(tmp_path / "set", {"1.png": png(images[0]), "2.png": png(images[1])})
    (tmp_path / "set/labels-idx1-ubyte").write_bytes(idx(np.array([3, 4])))
    assert json.loads(ok("info", "set", "--json", cwd=tmp_path).out)["has_labels"] is True
    (tmp_path / "set/labels-idx1-ubyte").write_bytes(idx(np.array([3])))
    fails(1, "set/labels-idx1-ubyte: 1 labels for 2 images", "info", "set", cwd=tmp_path)


def test_mixed_sizes_are_told_with_the_ways_out(tmp_path, images):
    good, odd = png(images[0]), png(np.zeros((6, 4)))
    cases = {
        "last": ([good, good, odd], "  2 of 4 x 5, such as 1.png\n  1 of 4 x 6, such as 3.png\n--resize 4x5"),
        "second": (
            [good, odd, good],
            "  2 of 4 x 5, such as 1.png\n  1 of 4 x 6, such as 2.png\n--resize 4x5",
        ),
        "first": (
            [odd, good, good],
            "  2 of 4 x 5, such as 2.png\n  1 of 4 x 6, such as 1.png\n--resize 4x5",
        ),
        "two": ([odd, good], "  1 of 4 x 6, such as 1.png\n  1 of 4 x 5, such as 2.png\n--resize 4x6"),
    }
    for name, (files, message) in cases.items():
        write_folder(tmp_path / name, {f"{i}.png": data for i, data in enumerate(files, 1)})
        start = f"{name}: holds pictures of 2 sizes, and images of a set have one:\n"
        end = (
            " scales all to one size, --pad largest fills all up to 4 x 6 at the right and the bottom; "
            "or sort them into folders."
        )
        fails(1, start + message + end, "info", name, cwd=tmp_path)


def test_of_many_sizes_ten_lines_are_told(tmp_path):
    files = {f"{i}.png": png(np.zeros((1 + i // 2, 3))) for i in range(30)}
    files |= {f"usual {i}.png": png(np.zeros((300, 3))) for i in range(1000)}
    write_folder(tmp_path / "set", files)
    done = run("compress", "set", "--exact", "-o", "x.aez", cwd=tmp_path)
    lines = done.err.splitlines()
    assert (done.code, done.out, len(lines)) == (1, b"", 12)
    assert lines[:3] == [
        "aez: set: holds pictures of 16 sizes, and images of a set have one:",
        "  1,000 of 3 x 300, such as usual 0.png",
        "      2 of 3 x 1, such as 0.png",
    ]
    assert lines[10:] == [
        "  14 of 7 more sizes",
        "--resize 3x256 scales all to one size; or sort them into folders.",
    ]
    assert lines[9] == "      2 of 3 x 8, such as 14.png"


def test_folders_without_pictures_or_with_both_kinds_are_refused(tmp_path, images):
    write_folder(tmp_path / "none", {"notes.txt": b""})
    fails(1, "none: holds no .png, .pgm, .ppm or .pam files", "info", "none", cwd=tmp_path)
    write_folder(tmp_path / "both", {"1.png": png(images[0]), "2.pgm": pgm(images[0])})
    message = "both: holds PNG and PGM files, such as 1.png and 2.pgm; one kind is expected"
    fails(1, message, "info", "both", cwd=tmp_path)
    write_folder(tmp_path / "bad", {"1.png": png(images[0]), "2.png": png(images[0])[:60]})
    fails(1, "bad/2.png: the file is cut short (byte 60)", "info", "bad", cwd=tmp_path)


def expected_grey(samples: np.ndarray, depth: int) -> np.ndarray:
    """The stated rule for colours, transparency and 16 bits, in whole numbers."""
    values = samples.astype(np.int64)
    if depth == 16:
        values = (values * 255 + 32767) // 65535
    grey = values[..., 0]
    if values.shape[-1] >= 3:
        grey = (299 * values[..., 0] + 587 * values[..., 1] + 114 * values[..., 2] + 500) // 1000
    if values.shape[-1] % 2 == 0:
        grey = (grey * values[..., -1] + 127) // 255
    return grey.astype(np.uint8)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colours_alpha_and_16_bits_follow_the_stated_rule(tmp_path, identity, channels, depth):
    samples = np.random.default_rng(channels).integers(0, 1 << depth, (HEIGHT, WIDTH, channels))
    (tmp_path / "picture.png").write_bytes(png(samples, depth))
    seen = read(identity, "picture.png", "--grey", cwd=tmp_path)
    assert np.array_equal(seen[0], expected_grey(samples, depth))


def test_palettes_and_transparent_colours_are_expanded(tmp_path, identity):
    palette = np.random.default_rng(5).integers(0, 256, (7, 3))
    index = np.random.default_rng(6).integers(0, 7, (HEIGHT, WIDTH))
    extra = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    (tmp_path / "palette.png").write_bytes(png(index, color=3, extra=extra))
    seen = read(identity, "palette.png", "--grey", cwd=tmp_path)
    assert np.array_equal(seen[0], expected_grey(palette[index], 8))
    alpha = np.array([0, 100, 255], np.uint8)
    (tmp_path / "alpha.png").write_bytes(png(index, color=3, extra=extra + chunk(b"tRNS", alpha.tobytes())))
    full = np.concatenate([palette, np.r_[alpha, [255] * 4][:, None]], axis=1)
    seen = read(identity, "alpha.png", "--grey", cwd=tmp_path)
    assert np.array_equal(seen[0], expected_grey(full[index], 8))


def test_gamma_is_not_looked_at(tmp_path, identity, images):
    extra = chunk(b"gAMA", (100000).to_bytes(4, "big"))
    (tmp_path / "gamma.png").write_bytes(png(images[0], extra=extra))
    assert np.array_equal(read(identity, "gamma.png", cwd=tmp_path)[0], images[0])


def test_16_bit_pgm_is_scaled(tmp_path, identity):
    values = np.random.default_rng(7).integers(0, 65536, (HEIGHT, WIDTH))
    (tmp_path / "deep.pgm").write_bytes(pgm(values, 65535))
    seen = read(identity, "deep.pgm", "--grey", cwd=tmp_path)
    assert np.array_equal(seen[0], (510 * values + 65535) // (2 * 65535))


def mnist_folder(folder: Path, images: np.ndarray, packed: bool = True) -> None:
    folder.mkdir()
    for prefix, chosen in [("train", images[:8]), ("t10k", images[8:])]:
        for name, data in [
            (f"{prefix}-images-idx3-ubyte", idx(chosen)),
            (f"{prefix}-labels-idx1-ubyte", idx(np.arange(len(chosen)))),
        ]:
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (folder / name).write_bytes(data)


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_of_the_four_files_takes_a_split(tmp_path, identity, images, packed):
    mnist_folder(tmp_path / "data", images, packed)
    assert np.array_equal(read(identity, "data", "--split", "train", cwd=tmp_path), images[:8])
    assert np.array_equal(read(identity, "data/", "--split", "test", cwd=tmp_path), images[8:])
    assert json.loads(ok("info", "data", "--split", "test", "--json", cwd=tmp_path).out)["has_labels"] is True
    message = "data holds the files of MNIST: say --split train or --split test."
    fails(64, message, "info", "data", cwd=tmp_path)


def test_mnist_is_found_by_name_where_the_environment_says(tmp_path, images):
    mnist_folder(tmp_path / "data", images)
    env = environment(AE_MNIST=str(tmp_path / "data"))
    for name, count in [(["mnist:train"], 8), (["mnist:test"], 4), (["mnist", "--split", "test"], 4)]:
        assert json.loads(ok("info", *name, "--json", env=env).out)["images"] == count
    fails(64, "Which part of MNIST: mnist:train or mnist:test?", "info", "mnist", env=env)
    fails(
        64,
        "Which part of MNIST: mnist:train or mnist:test?",
        "info",
        "mnist:test",
        "--split",
        "train",
        env=env,
    )
    fails(
        64, "MNIST has the parts mnist:train and mnist:test, not mnist:both.", "info", "mnist:both", env=env
    )
    fails(
        1,
        "MNIST is not here: run `aez fetch mnist`, or set AE_MNIST to the folder that holds it",
        *("info", "mnist:test"),
    )
    (tmp_path / "empty").mkdir()
    fails(
        1,
        f"{tmp_path}/empty: AE_MNIST names this folder, but it holds no MNIST files",
        *("info", "mnist:test"),
        env=environment(AE_MNIST=str(tmp_path / "empty")),
    )
    (tmp_path / "data/t10k-labels-idx1-ubyte.gz").unlink()
    fails(
        1,
        f"{tmp_path}/data: holds neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz",
        *("info", "mnist:test"),
        env=env,
    )


def test_a_split_of_anything_else_is_a_mistake(tmp_path, images):
    (tmp_path / "a.idx").write_bytes(idx(images))
    message = "--split is for a folder with the four MNIST files, which a.idx is not."
    fails(64, message, "info", "a.idx", "--split", "test", cwd=tmp_path)


def test_labels_must_be_as_many_as_images(tmp_path, images):
    (tmp_path / "a.idx").write_bytes(idx(images))
    (tmp_path / "l.idx").write_bytes(idx(np.zeros(3)))
    fails(1, "l.idx: 3 labels for 12 images", "info", "a.idx", "--labels", "l.idx", cwd=tmp_path)


def test_a_limit_takes_the_first_images(tmp_path, identity, images):
    (tmp_path / "a.idx").write_bytes(idx(images))
    assert np.array_equal(read(identity, "a.idx", "--limit", 3, cwd=tmp_path), images[:3])
    fails(64, "--limit must be at least 1, not 0.", "info", "a.idx", "--limit", 0, cwd=tmp_path)


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello, world")
    fails(1, "empty: is empty", "info", "empty", cwd=tmp_path)
    message = "text: does not begin as an IDX, NPY, PNG, PGM, PPM or PAM file does (byte 0)"
    fails(1, message, "info", "text", cwd=tmp_path)
    fails(1, "missing: cannot open: No such file or directory", "info", "missing", cwd=tmp_path)
    fails(1, "text/x: cannot open: Not a directory", "info", "text/x", cwd=tmp_path)
    fails(1, "standard input: is empty", "info", "-", cwd=tmp_path)


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind, cases in CASES.items() for case in cases])
def test_attack_files_are_refused(kind, case):
    name, data, message = case
    path = FOLDER / kind / name
    assert path.read_bytes() == data, "Tests/attack/images.py and its files differ"
    for arguments, stdin, named in [((path,), b"", str(path)), (("-",), data, "standard input")]:
        done = run("info", *arguments, stdin=stdin)
        assert (done.code, done.out) == (1, b"")
        if message is None:
            assert re.fullmatch(rf"aez: {re.escape(named)}: .+ \(byte \d+\)\n", done.err), done.err
        elif named == "standard input" and "signature" in name:
            assert done.err.startswith("aez: standard input: ")
        else:
            assert done.err == f"aez: {named}: {message}\n"


def facts(*arguments, **options) -> dict:
    return json.loads(ok("info", *arguments, "--json", **options).out)


PICTURE = png(np.arange(20).reshape(HEIGHT, WIDTH))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.png", idx(np.zeros((0, 16, 16))), "is an IDX file of 0 images, not a PNG file"),
        ("x.png", idx(np.zeros((3, 5, 4))), "is an IDX file of 3 images, not a PNG file"),
        ("x.png", npy(np.zeros((1, 5, 4), np.uint8)), "is an NPY file of 1 image, not a PNG file"),
        ("x.png", gzip.compress(PICTURE), "is a gzip file, not a PNG file"),
        ("x.png", pgm(np.zeros((5, 4))), "is a PGM file, not a PNG file"),
        ("x.pgm", PICTURE, "is a PNG file, not a PGM file"),
        ("x.png", b"\xff\xd8\xff\xe0 JFIF", "is a JPEG picture, not a PNG file"),
        ("x.png", b"", "is empty, and holds no image"),
        ("x.png", b"nothing", "is not a PNG file (byte 0)"),
        ("x.png", PICTURE * 2, "holds more than one image, and one is expected: make a file of each"),
        (
            "x.png",
            png(np.zeros((5, 4)), extra=chunk(b"acTL", bytes([0, 0, 0, 3, 0, 0, 0, 0]))),
            "is an animated PNG file of 3 images, and one is expected: make a file of each",
        ),
        (
            "x.pgm",
            pgm(np.zeros((5, 4))) * 3,
            "holds 3 images, and one is expected: make a file of each (byte 93)",
        ),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_file_of_a_folder_holds_one_image_of_its_kind(tmp_path, name, data, message, first):
    good = PICTURE if name.endswith("png") else pgm(np.zeros((HEIGHT, WIDTH)))
    write_folder(tmp_path / "set", {name: data, f"{'y' if first else 'a'}{name[1:]}": good})
    fails(1, f"set/{name}: {message}", "info", "set", cwd=tmp_path)
    fails(1, f"set/{name}: {message}", "compress", "set", "--exact", "-o", "s.aez", cwd=tmp_path)


def test_sets_of_no_images_pass_through_every_command(tmp_path, shared):
    small = shared / "small.aew"
    (tmp_path / "none.idx").write_bytes(idx(np.zeros((0, 28, 28))))
    (tmp_path / "none.npy").write_bytes(npy(np.zeros((0, 28, 28))))
    for name in ["none.idx", "none.npy"]:
        assert facts(name, cwd=tmp_path)["images"] == 0
        ok("encode", name, "--model", small, "-o", "codes.npy", "-f", cwd=tmp_path)
        ok("decode", "codes.npy", "--model", small, "-o", "back.idx", "-f", cwd=tmp_path)
        for options in [("--exact",), ("--max-error", 2), ("--bytes-per-image", 3), ()]:
            ok("compress", name, *options, "-o", "none.aez", "-f", cwd=tmp_path)
            ok("test", "none.aez", cwd=tmp_path)
            for output in ["back.idx", "back.npy", "back/"]:
                ok("decompress", "none.aez", "-o", output, "-f", cwd=tmp_path)
        for arguments in [
            ("eval", name, "--model", small),
            ("reconstruct", name, "--model", small, "-o", "r.png"),
            ("train", name, "-o", "m.aew", "--steps", 1),
            ("train", name, "-o", "m.aew", "--kind", "pca"),
            ("decompress", "none.aez", "-o", "picture.png"),
        ]:
            done = run(*arguments, cwd=tmp_path)
            assert done.code == 1, done
            assert re.fullmatch(r"aez: .+\n", done.err), done


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "a FIFO (named pipe)"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.mkdir(), "a folder"),
    ],
)
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, shared, make, what, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "set", {"1.png": PICTURE})
    make(Path("set/x.png"))
    message = f"set/x.png: is {what}, not a file"
    fails(1, message, "info", "set", cwd=tmp_path, timeout=20)
    fails(1, message, "compress", "set", "--exact", "-o", "s.aez", cwd=tmp_path, timeout=20)
    # On the way to a model such things are passed over.
    (tmp_path / "models").mkdir()
    make(Path("models/a.aew"))
    shutil.copy(shared / "small.aew", tmp_path / "models/b.aew")
    bare = shared / "bare.aez"
    for place in ["models", "models/a.aew:models/b.aew"]:
        ok("test", bare, "--model-path", place, cwd=tmp_path, timeout=20)
        ok("test", bare, cwd=tmp_path, env=environment(AE_MODEL_PATH=place), timeout=20)


def test_files_are_known_by_the_bytes_of_their_suffix(tmp_path):
    names = ["a\u0600.png", "b\u0301.png", "c\u200d.PNG", "d.Png", "e.png"]
    write_folder(tmp_path / "set", dict.fromkeys(names, PICTURE))
    for hidden in [b".\xe9.png", b"\xe9.txt", b".x"]:
        (tmp_path / "set" / os.fsdecode(hidden)).write_bytes(b"")
    assert facts("set", cwd=tmp_path)["images"] == len(names)
    ok("compress", "set", "--exact", "-o", "s.aez", cwd=tmp_path)
    ok("decompress", "s.aez", "-o", "back/", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "back")) == sorted(names)


def test_names_that_differ_in_case_come_back_or_are_refused(tmp_path):
    files = {"a.PNG": png(np.full((4, 4), 1)), "a.png": png(np.full((4, 4), 2))}
    write_folder(tmp_path / "set", files)
    ok("compress", "set", "--exact", "-o", "s.aez", cwd=tmp_path)
    ok("decompress", "s.aez", "-o", "back/", cwd=tmp_path)
    for name, data in files.items():
        assert np.array_equal(read_png((tmp_path / "back" / name).read_bytes()), read_png(data))
    done = run("decompress", "s.aez", "-o", "pgm/", "--as", "pgm", cwd=tmp_path)
    assert done.code == 1, done
    assert "a.pgm" in done.err, done
    assert not (tmp_path / "pgm").exists()


def test_folders_of_other_things_say_what_to_do(tmp_path):
    write_folder(tmp_path / "photos", {"1.jpg": b"", "2.JPG": b"", "3.gif": b""})
    message = "photos: holds no .png, .pgm, .ppm or .pam files, but 2 .jpg: convert them to PNG first"
    fails(1, message, "info", "photos", cwd=tmp_path)
    (tmp_path / "classes").mkdir()
    for digit in "012":
        write_folder(tmp_path / "classes" / digit, {"1.png": PICTURE})
    message = (
        "classes: holds no .png, .pgm, .ppm or .pam files, but 3 folders, such as 0 and 1: name one of "
        "them, or "
        "put all images into one folder, with their classes in a file labels-idx1-ubyte"
    )
    fails(1, message, "info", "classes", cwd=tmp_path)


def test_a_limit_reads_the_first_files_of_a_folder_alone(tmp_path):
    write_folder(tmp_path / "set", {"1.png": PICTURE, "2.png": PICTURE, "3.png": b"damaged"})
    (tmp_path / "set/labels-idx1-ubyte").write_bytes(idx(np.array([1, 2, 3])))
    assert facts("set", "--limit", 2, cwd=tmp_path)["images"] == 2


@pytest.mark.parametrize("kind", ["idx", "npy", "floats"])
def test_a_limit_reads_no_more_than_it_needs(tmp_path, kind):
    count = 60_000_000
    if kind == "idx":
        head = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
    else:
        head = npy(np.zeros((1, 28, 28), np.uint8 if kind == "npy" else np.float32))[:128]
        head = head.replace(b"(1, 28, 28), }" + b" " * 7, f"({count}, 28, 28), }}".encode())
    with open(tmp_path / "huge", "wb") as file:
        file.write(head)
        file.truncate(len(head) + count * 784 * (4 if kind == "floats" else 1))
    script = 'ulimit -v 2000000; exec "$@"'
    for arguments in [("info", "huge"), ("compress", "huge", "--exact", "-o", "s.aez", "-f", "-q")]:
        command = ["bash", "-c", script, "bash", TOOL, *arguments, "--limit", "100"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, timeout=20, check=False
        )
        assert done.returncode == 0, done
    command = ["bash", "-c", script, "bash", TOOL, "info", "huge"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 1, done
    assert done.stderr.startswith(b"aez: huge: "), done


GOOD = idx(np.zeros((3, HEIGHT, WIDTH)))


@pytest.mark.parametrize(
    "start",
    [
        b"y\n",
        GOOD,
        gzip.compress(GOOD),
        npy(np.zeros((2, 3, 4), np.uint8)),
        pgm(np.zeros((3, 3))),
        b"\x89PNG",
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("info", "-"),
        ("compress", "-", "--exact", "-o", "x.aez"),
        ("test", "-"),
        ("decode", "-o", "x.idx", "-"),
    ],
)
def test_input_without_end_is_refused_when_it_has_said_enough(tmp_path, start, command):
    done = feed(start, command, tmp_path)
    assert done.code == 1, done
    assert re.fullmatch(r"aez: standard input: .+\n", done.err), done


def test_sets_and_models_without_end_are_refused_too(tmp_path, shared):
    for name in ["set.aez", "small.aew"]:
        for command in [("test", "-"), ("decompress", "-", "-o", "x.idx"), ("info", "-")]:
            done = feed((shared / name).read_bytes(), command, tmp_path)
            assert (done.code == 1 and re.fullmatch(r"aez: standard input: .+\n", done.err)) or (
                command[0] == "info" and done.code == 1
            ), done


def feed(start: bytes, command, cwd) -> Run:
    """Runs the tool on bytes that never end, in little memory."""
    limited = ["bash", "-c", 'ulimit -v 1000000; exec "$@"', "bash", TOOL, *command]
    process = subprocess.Popen(
        limited,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    rest = (b"y\n" if start[:2] != b"\x1f\x8b" else b"\0\0") * 40_000

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(start)
            while True:
                process.stdin.write(rest)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        out, err = process.stdout.read(), process.stderr.read()
        return Run(process.wait(timeout=20), out, err.decode())
    finally:
        process.kill()
        process.wait()
        writer.join()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def test_every_command_reads_every_gzip_file(tmp_path, identity, images):
    plain = idx(images)
    files = {
        "padded": gzip.compress(plain) + bytes(5000),
        "empty-first": gzip.compress(b"") + gzip.compress(plain),
        "header-split": b"".join(gzip.compress(plain[i : i + 5]) for i in range(0, len(plain), 5)),
        "npy": gzip.compress(npy(images)),
        "floats": gzip.compress(npy(images / 255)),
        "png": gzip.compress(PICTURE),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        for arguments in [
            ("info", name),
            ("compress", name, "--exact", "-o", "x.aez", "-f"),
            ("encode", name, "--model", identity, "-o", "x.npy", "-f"),
            ("eval", name, "--model", identity),
            (
                "train",
                name,
                "--kind",
                "linear",
                "--latent-size",
                2,
                "--hidden",
                "none",
                "--steps",
                1,
                "-o",
                "x.aew",
                "-f",
            ),
        ]:
            ok(*arguments, cwd=tmp_path)
        expected = images if name != "png" else read_png(PICTURE)[None]
        assert np.array_equal(read(identity, name, cwd=tmp_path), expected), name
        assert np.array_equal(read(identity, "-", cwd=tmp_path, stdin=data), expected), name
    labels = idx(np.arange(COUNT))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(labels[:3]) + gzip.compress(labels[3:]) + bytes(9))
    assert facts("padded", "--labels", "labels.gz", cwd=tmp_path)["has_labels"]
    codes = ok("encode", "padded", "--model", identity, "-o", "-", cwd=tmp_path).out
    (tmp_path / "codes.npy.gz").write_bytes(gzip.compress(codes) + bytes(3))
    ok("decode", "codes.npy.gz", "--model", identity, "-o", "x.idx", cwd=tmp_path)
    trailed = gzip.compress(plain) + b"garbage"
    done = run("info", "-", stdin=trailed)
    assert done.code == 1, done
    assert "something else follows the end of the compressed bytes" in done.err, done


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            struct.pack(">4B3I", 0, 0, 13, 3, 1, 1, 1) + bytes(4),
            "is an IDX file of 32-bit floats (type 13), and only unsigned bytes, type 8, are read: "
            "scale them to 0 ... 255 and write bytes (byte 0)",
        ),
        (
            idx(np.zeros((2, 3))),
            "3 dimensions, or 4 with channels, expected, 2 came (one image, or flattened ones): "
            "write [count, height, width] (byte 0)",
        ),
        (
            idx(np.zeros((2, 3, 5, 2))),
            "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not 2: "
            "these seem to be "
            "[count, channels, height, width]; numpy's a.transpose(0, 2, 3, 1) puts the channels last "
            "(byte 16)",
        ),
        (
            idx(np.zeros((2, 5, 3, 2))),
            "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not 2 "
            "(byte 16)",
        ),
        (
            idx(np.zeros(5)),
            "3 dimensions, or 4 with channels, expected, 1 came (a file of labels) (byte 0)",
        ),
        (b"P4\n1 1\n\0", "is a PBM bitmap: convert it to PGM first"),
        (lzma.compress(b"x"), "is an xz file: unpack it first, with xz -d"),
        (bz2.compress(b"x"), "is a bzip2 file: unpack it first, with bzip2 -d"),
        (
            npy(np.zeros((1, 2, 2), np.int64)),
            "elements of type |u1, <f4 or <f8 are read, no others: these are <i8, signed 64-bit integers, "
            'a.astype("uint8") makes bytes of 0 ... 255 (byte 20)',
        ),
        (
            npy(np.zeros((2, 3, 28, 27), np.uint8)),
            "an array of [2, 3, 28, 27], [count, height, width] or [count, height, width, channels] "
            "expected: these "
            "seem to be [count, channels, height, width]; a.transpose(0, 2, 3, 1) makes [2, 28, 27, 3]",
        ),
        (
            npy(np.zeros((2, 28, 28, 2), np.uint8)),
            "an array of [2, 28, 28, 2], [count, height, width] or [count, height, width, channels] "
            "expected, "
            "of 1, 3 or 4 channels",
        ),
        (
            npy(np.zeros((32, 30, 3), np.uint8)),
            "an array of [32, 30, 3] may be one image in colour, or 32 grey ones 3 wide: "
            "a[None] makes [1, 32, 30, 3] of it, --size 3x30 says that they are grey",
        ),
        (gzip.compress(gzip.compress(GOOD)), "is a gzip file: gunzip it first"),
    ],
)
def test_what_is_not_read_is_told_as_what_it_is(tmp_path, data, message):
    (tmp_path / "x").write_bytes(data)
    fails(1, f"x: {message}", "info", "x", cwd=tmp_path)
    fails(1, f"x: {message}", "compress", "x", "-o", "x.aez", cwd=tmp_path)
    fails(1, f"standard input: {message}", "info", "-", stdin=data)


def test_an_archive_of_numpy_is_told_as_that(tmp_path, images):
    np.savez(tmp_path / "a.npz", images=images)
    message = (
        'a.npz: is an NPZ archive: save one of its arrays as .npy: numpy.save("images.npy", archive[name])'
    )
    fails(1, message, "info", "a.npz", cwd=tmp_path)


def test_headers_of_python_2_are_read(tmp_path, identity, images):
    data = npy(images).replace(b"(12, 5, 4), }   ", b"(12L, 5L, 4L), }")
    assert b"12L" in data
    assert np.array_equal(read(identity, "-", cwd=tmp_path, stdin=data), images)


def test_info_takes_sets_and_models_from_standard_input(shared):
    for name, kind in [("set.aez", "image set"), ("small.aew", "weights"), ("digits.idx", "images")]:
        done = ok("info", "-", "--json", stdin=(shared / name).read_bytes())
        assert json.loads(done.out)["type"] == kind


def test_the_four_files_are_found_under_their_other_names(tmp_path, images):
    mnist_folder(tmp_path / "plain", images, packed=False)
    for layout in ["dots", "packed-dots", "folders"]:
        folder = tmp_path / layout
        folder.mkdir()
        for path in (tmp_path / "plain").iterdir():
            name = path.name.replace("-idx", ".idx")
            if layout == "dots":
                (folder / name).write_bytes(path.read_bytes())
            elif layout == "packed-dots":
                (folder / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            else:
                (folder / name).mkdir()
                (folder / name / name).write_bytes(path.read_bytes())
        assert facts("mnist:train", env=environment(AE_MNIST=str(folder)))["images"] == 8
        assert facts(folder, "--split", "test")["has_labels"]


COLOURS = np.arange(HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3)
GREYS = np.repeat(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1), 3, axis=2)
OPAQUE = np.full((HEIGHT, WIDTH, 1), 255)
DEEP = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 257


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deep.png", png(DEEP + 1, depth=16)),
        ("deep-rgb.png", png(np.repeat(DEEP[..., None] + 1, 3, 2) * [1, 0, 1], depth=16)),
        ("deep.pgm", pgm(DEEP + 1, 65535)),
        ("hundred.pgm", pgm(GREYS[..., 0], 100)),
        ("floats.npy", npy(np.full((1, HEIGHT, WIDTH), 0.5, np.float32))),
    ],
)
def test_levels_are_not_dropped_without_a_word(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    words, keys = "levels that 8 bits do not hold", ["levels"]
    refusal = (
        f"has {words}, and what is kept exactly is 8 bits: convert the images to that first, "
        "or take them as 8-bit grey with --grey"
    )
    notice = f"aez: {name}: has {words} and is taken as 8 bits\n"
    for exact in [("--exact",), ("--max-error", 3), ("--exact", "--method", "contexts")]:
        fails(1, f"{name}: {refusal}", "compress", name, *exact, "-o", "x.aez", cwd=tmp_path)
        assert not (tmp_path / "x.aez").exists()
        done = ok("compress", name, *exact, "--grey", "-o", "x.aez", "--json", cwd=tmp_path)
        assert keys[0] in json.loads(done.out)["converted"]
        (tmp_path / "x.aez").unlink()
    done = run("info", name, "--json", cwd=tmp_path)
    assert (done.code, done.err, json.loads(done.out)["converted"]) == (0, notice, keys)
    ok("info", name, "--gray", cwd=tmp_path)
    if name.endswith("npy"):
        return
    suffix = name[-4:]
    grey = PICTURE if suffix == ".png" else pgm(np.zeros((HEIGHT, WIDTH)))
    write_folder(tmp_path / "set", {f"a{suffix}": grey, f"b{suffix}": data, f"c{suffix}": data})
    fails(1, f"set/b{suffix}: {refusal}", "compress", "set", "--exact", "-o", "x.aez", cwd=tmp_path)
    done = run("info", "set", cwd=tmp_path)
    notice = f"aez: set/b{suffix} and 1 other file: have {words} and are taken as 8 bits\n"
    assert (done.code, done.err) == (0, notice)


@pytest.mark.parametrize(
    ("name", "data", "words", "keys"),
    [
        ("rgb.png", png(COLOURS), "colours", ["colour"]),
        ("rgba.png", png(np.concatenate([COLOURS, OPAQUE], 2)), "colours", ["colour"]),
        (
            "icon.png",
            png(np.concatenate([COLOURS, OPAQUE // 2], 2)),
            "colours and transparency",
            ["colour", "transparency"],
        ),
        ("la.png", png(np.concatenate([GREYS[..., :1], OPAQUE - 1], 2)), "transparency", ["transparency"]),
        (
            "trns.png",
            png(GREYS[..., 0], extra=chunk(b"tRNS", b"\0\3")),
            "transparency",
            ["transparency"],
        ),
        (
            "palette.png",
            png(np.ones((HEIGHT, WIDTH)), color=3, extra=chunk(b"PLTE", bytes(range(6)))),
            "colours",
            ["colour"],
        ),
        ("colours.npy", npy(COLOURS[None].astype(np.uint8)), "colours", ["colour"]),
        (
            "alpha.idx",
            idx(np.concatenate([COLOURS, OPAQUE - 1], 2)[None]),
            "colours and transparency",
            ["colour", "transparency"],
        ),
        (
            "deep.png",
            png(DEEP[..., None].repeat(3, 2) + [0, 1, 2], depth=16),
            "colours and levels that 8 bits do not hold",
            ["colour", "levels"],
        ),
    ],
)
def test_models_see_grey_and_it_is_said(tmp_path, identity, name, data, words, keys):
    (tmp_path / name).write_bytes(data)
    arguments = ("encode", name, "--model", identity, "-o", "x.npy", "--force")
    done = run(*arguments, cwd=tmp_path)
    notice = f"aez: {name}: has {words} and is taken as 8-bit grey (--grey says that this is meant)\n"
    if keys[0] == "colour" and name.startswith("deep"):
        # The colours differ by less than a byte's level.
        notice = notice.replace("colours and ", "")
    assert (done.code, done.err) == (0, notice)
    ok(*arguments, "--grey", cwd=tmp_path)


def test_codes_of_colours_are_made_with_a_word(tmp_path, shared):
    colours = np.random.default_rng(3).integers(0, 256, (28, 28, 3))
    (tmp_path / "x.png").write_bytes(png(colours))
    done = run("compress", "x.png", "--model", shared / "small.aew", "-o", "x.aez", "--json", cwd=tmp_path)
    assert (done.code, json.loads(done.out)["converted"]) == (0, ["colour"])
    assert done.err.startswith("aez: x.png: has colours and is taken as 8-bit grey")
    # The other is about the model, which has never seen noise.
    assert done.err.count("\n") == 2


def test_what_is_grey_in_other_clothes_is_grey(tmp_path):
    files = {
        "rgb.png": png(GREYS),
        "rgba.png": png(np.concatenate([GREYS, OPAQUE], 2)),
        "la.png": png(np.concatenate([GREYS[..., :1], OPAQUE], 2)),
        "deep.png": png(DEEP, depth=16),
        "deep.pgm": pgm(DEEP, 65535),
        "floats.npy": npy((GREYS[None, ..., 0] / 255).astype(np.float32)),
        "palette.png": png(
            GREYS[..., 0], color=3, extra=chunk(b"PLTE", bytes(np.repeat(np.arange(20), 3).tolist()))
        ),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        ok("compress", name, "--exact", "-o", "x.aez", "-f", cwd=tmp_path)
        back = read_npy(ok("decompress", "x.aez", "-o", "-", "--as", "npy", cwd=tmp_path).out)
        assert np.array_equal(back[0], GREYS[..., 0]), name
