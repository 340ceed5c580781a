"""The same images, model and options give the same bytes from the tool, from C and from Python.

MNIST needs AE_MNIST, a folder with its four files; Fashion-MNIST needs AE_IMAGES, a folder that holds it.
"""

import gzip
import os
import subprocess
import warnings
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes

COUNT = 300
# Scans take a hundred times as long to find as codes, and are found image by image.
SCAN_COUNT = 40

# What is asked of each set: options by the keys that all three know, and the model; None for those of libae.
ORDERS = {
    "lossy, low": ({"quality": 3}, None),
    "lossy, high": ({"quality": 10}, None),
    "lossy, low, without search": ({"quality": 3, "search_passes": 0}, None),
    "lossy, high, without search": ({"quality": 10, "search_passes": 0}, None),
    "lossy, as it comes": ({}, None),
    "lossy, with a model": ({"quality": 4, "block_images": 100}, "mnist-30.aew"),
    "lossy, embedded": ({"quality": 1, "embed_model": True}, None),
    "lossless": ({"mode": "lossless"}, None),
    "lossless, by contexts": ({"mode": "lossless", "method": "contexts", "block_images": 120}, None),
    "near-lossless": ({"mode": "near-lossless", "max_error": 4}, None),
}


def read_idx(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    height, width = np.frombuffer(data, ">u4", 2, 8)
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, int(height), int(width))


def test_images(variable: str, *patterns: str) -> np.ndarray:
    folder = os.environ.get(variable) or ""
    if not folder:
        pytest.skip(f"{variable} does not name a folder")
    for pattern in patterns:
        for path in sorted(Path(folder).glob(pattern)):
            return read_idx(path)[:COUNT]
    pytest.skip(f"{variable}={folder} holds no {patterns[0]}")


test_images.__test__ = False


@pytest.fixture(scope="module", params=["mnist", "drawn", "fashion"])
def images(request, tmp_path_factory):
    if request.param == "mnist":
        return test_images("AE_MNIST", "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz")
    if request.param == "fashion":
        return test_images("AE_IMAGES", "fashion-test-images-idx3-ubyte*")
    drawn = tmp_path_factory.mktemp("drawn") / "drawn-idx3-ubyte"
    subprocess.run(
        [os.environ["AEZ"], "draw", "--count", str(COUNT), "-o", drawn], check=True, capture_output=True
    )
    return read_idx(drawn)


@pytest.fixture(scope="module")
def program(c_program):
    return c_program("equality")


def text(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def flags(options) -> "list[str]":
    words = []
    for key, value in options.items():
        flag = "--" + key.replace("_", "-")
        if value is not False:
            words += [flag] if value is True else [flag, text(value)]
    return words


def by_the_tool(source, model, options, out):
    command = [os.environ["AEZ"], "compress", source, "--force", "-o", out, *flags(options)]
    command += ["--model", model] if model else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


def by_c(program, source, model, options, out, piece):
    pairs = [f"{key}={text(value)}" for key, value in options.items()]
    done = subprocess.run(
        [program, source, out, model or "-", str(piece), *pairs], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


@pytest.mark.parametrize("order", ORDERS)
def test_tool_c_and_python_write_the_same_bytes(root, images, program, tmp_path, order):
    options, name = ORDERS[order]
    if options.get("mode", "lossy") != "lossy" and "method" not in options:
        images = images[:SCAN_COUNT]
    source = tmp_path / "images-idx3-ubyte"
    source.write_bytes(strokes.idx(images))
    model = root / "models" / name if name else None
    out = tmp_path / "out.aez"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", libae.PoorFitWarning)
        expected = libae.compress(images, None if model is None else libae.Model.open(model), **options)
    assert by_c(program, source, model, options, out, 0) == expected, "ae_compress"
    assert by_c(program, source, model, options, out, len(images) // 3) == expected, "ae_writer_add"
    assert by_the_tool(source, model, options, out) == expected, "aez compress"
    # And what they write all read, without being told of a model that comes with libae.
    with libae.ImageSet.open(expected, libae.Model.open(model) if model else None) as opened:
        assert opened.shape == images.shape
        mode = options.get("mode", "lossy")
        assert opened.info.mode == mode
        off = np.abs(opened[:].astype(int) - images)
        assert mode == "lossy" or off.max() == options.get("max_error", 0)
