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
    with libae.Model.open(root / "models" / "mnist-30.aew") as model:
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


def test_sets_without_a_model_use_those_that_come_with_libae(digits):
    for quality, name in ((2, "digits-low"), (None, "digits-high"), (14, "digits-high")):
        packed = libae.compress(digits[:200], quality=quality)
        with libae.ImageSet.open(packed) as opened:
            assert opened.info.model_name == libae.default_model(name).name
            assert opened.info.scale_quality == (quality or 8)
            assert f"lossy, quality {quality or 8}," in repr(opened)
            assert np.mean((opened[:].astype(float) - digits[:200]) ** 2) < 3000


def test_digits_are_lossless_by_scans(digits):
    packed = libae.compress(digits[:1000], exact=True)
    with libae.ImageSet.open(packed) as opened:
        np.testing.assert_array_equal(opened[:], digits[:1000])
        assert opened.info.method == "scans"
        assert "lossless, by scans," in repr(opened)
    assert len(packed) < 0.35 * len(libae.compress(digits[:1000], exact=True, method="contexts"))


def test_a_network_for_lossless_coding_is_fitted_to_scans(digits):
    base = libae.train(digits[:500], kind="pca", latent_size=2)
    told = []
    fitted = base.fit_lossless(
        digits[:300], steps=60, hidden=(8,), progress=lambda *counts: told.append(counts)
    )
    assert fitted.info.has_lossless
    assert not base.info.has_lossless
    assert told
    packed = libae.compress(digits[:100], fitted, exact=True, method="scans")
    np.testing.assert_array_equal(libae.decompress(packed, fitted), digits[:100])
    with libae.ImageSet.open(packed, fitted) as opened:
        assert opened.info.method == "scans"
