"""The model that ships, on the digits it was made for. Needs AE_MNIST, a folder with the four MNIST files."""

import gzip
import os
from pathlib import Path

import libae
import numpy as np
import pytest

FOLDER = os.environ.get("AE_MNIST") or ""

pytestmark = pytest.mark.skipif(not FOLDER, reason="AE_MNIST does not name a folder with the MNIST files")


def read(name: str, header: int) -> np.ndarray:
    path = Path(FOLDER) / name
    data = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(name + ".gz").read_bytes())
    return np.frombuffer(data, np.uint8)[header:]


@pytest.fixture(scope="module")
def shipped(root):
    with libae.Model.open(root / "models" / "default.aew") as model:
        yield model


@pytest.fixture(scope="module")
def digits():
    return read("t10k-images-idx3-ubyte", 16).reshape(-1, 28, 28)


def test_the_shipped_model_makes_digits_small_and_gives_them_back(shipped, digits):
    labels = read("t10k-labels-idx1-ubyte", 8)
    packed = libae.compress(digits, shipped, labels=labels)
    with libae.ImageSet.open(packed, shipped) as opened:
        np.testing.assert_array_equal(opened.labels, labels)
        decoded = opened[:]
        np.testing.assert_array_equal(opened[[9999, 0, 5000]], decoded[[9999, 0, 5000]])
    assert len(packed) < 40 * len(digits)
    error = np.mean((decoded / 255.0 - digits / 255.0) ** 2)
    assert 10 * np.log10(1 / error) > 20


def test_the_shipped_model_is_the_default_one_of_a_set_without_a_model(shipped, digits, monkeypatch):
    packed = libae.compress(digits[:100], shipped)
    monkeypatch.setattr(libae._model, "_default_handle", [shipped._use()])
    np.testing.assert_array_equal(libae.decompress(packed), libae.decompress(packed, shipped))
