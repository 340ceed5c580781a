"""Images of every kind come in alike, and what is no image is refused in words of its own."""

import gzip
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, environment, fails, ok, run
from imagefiles import chunk, idx, npy, pgm, png, read_npy

sys.path.insert(0, str(ROOT / "Tests/attack"))
from images import CASES, FOLDER

HEIGHT, WIDTH, COUNT = 5, 4, 12


@pytest.fixture(scope="session")
def identity(tmp_path_factory) -> Path:
    """A pca with as many components as pixels, which gives back what it is given."""
    folder = tmp_path_factory.mktemp("identity")
    noise = np.random.default_rng(2).integers(0, 256, (300, HEIGHT, WIDTH), dtype=np.uint8)
    (folder / "noise.idx").write_bytes(idx(noise))
    ok("train", "noise.idx", "-o", "identity.aew", "--kind", "pca", "--latent", HEIGHT * WIDTH, cwd=folder)
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
        "flat.npy: an array of [12, 20], [count, 3, 3] expected",
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


def test_mixed_sizes_name_the_odd_file(tmp_path, images):
    good, odd = png(images[0]), png(np.zeros((6, 4)))
    cases = {
        "last": ([good, good, odd], "last/3.png: is 4 x 6, the 2 before it are 4 x 5"),
        "second": ([good, odd, good], "second/2.png: is 4 x 6, 1.png is 4 x 5"),
        "first": ([odd, good, good], "first/1.png: is 4 x 6, the others are 4 x 5"),
        "two": ([odd, good], "two/2.png: is 4 x 5, 1.png is 4 x 6"),
    }
    for name, (files, message) in cases.items():
        write_folder(tmp_path / name, {f"{i}.png": data for i, data in enumerate(files, 1)})
        fails(1, message, "info", name, cwd=tmp_path)


def test_folders_without_pictures_or_with_both_kinds_are_refused(tmp_path, images):
    write_folder(tmp_path / "none", {"notes.txt": b""})
    fails(1, "none: holds no .png or .pgm files", "info", "none", cwd=tmp_path)
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
    seen = read(identity, "picture.png", cwd=tmp_path)
    assert np.array_equal(seen[0], expected_grey(samples, depth))


def test_palettes_and_transparent_colours_are_expanded(tmp_path, identity):
    palette = np.random.default_rng(5).integers(0, 256, (7, 3))
    index = np.random.default_rng(6).integers(0, 7, (HEIGHT, WIDTH))
    extra = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    (tmp_path / "palette.png").write_bytes(png(index, color=3, extra=extra))
    seen = read(identity, "palette.png", cwd=tmp_path)
    assert np.array_equal(seen[0], expected_grey(palette[index], 8))
    alpha = np.array([0, 100, 255], np.uint8)
    (tmp_path / "alpha.png").write_bytes(png(index, color=3, extra=extra + chunk(b"tRNS", alpha.tobytes())))
    full = np.concatenate([palette, np.r_[alpha, [255] * 4][:, None]], axis=1)
    seen = read(identity, "alpha.png", cwd=tmp_path)
    assert np.array_equal(seen[0], expected_grey(full[index], 8))


def test_gamma_is_not_looked_at(tmp_path, identity, images):
    extra = chunk(b"gAMA", (100000).to_bytes(4, "big"))
    (tmp_path / "gamma.png").write_bytes(png(images[0], extra=extra))
    assert np.array_equal(read(identity, "gamma.png", cwd=tmp_path)[0], images[0])


def test_16_bit_pgm_is_scaled(tmp_path, identity):
    values = np.random.default_rng(7).integers(0, 65536, (HEIGHT, WIDTH))
    (tmp_path / "deep.pgm").write_bytes(pgm(values, 65535))
    seen = read(identity, "deep.pgm", cwd=tmp_path)
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
    fails(
        1, "text: does not begin as an IDX, NPY, PNG or PGM file does (byte 0)", "info", "text", cwd=tmp_path
    )
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
