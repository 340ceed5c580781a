"""Lossless and near-lossless sets, salvage, and the second decoder, which is made from the pages alone."""

import sys
from pathlib import Path

import libae
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "Tests"), str(ROOT / "Tests/independent")]

import aez_decoder  # noqa: E402
import damage  # noqa: E402

GOLDEN = sorted(path.name for path in (ROOT / "Tests/golden").glob("*.aez"))


def golden(name: str) -> tuple[bytes, bytes]:
    """A golden file and the weight file that it was made with."""
    folder = ROOT / "Tests/golden"
    weights = "walsh-8.aew"
    if "coded-rgb" in name:
        weights = "tiny-nodes-form-2.aew" if "form-2" in name else "tiny-nodes.aew"
    elif name.endswith("tiny.aez"):
        weights = "walsh-4.aew"
    elif "predicted" in name:
        weights = "predictor-scans.aew" if "scans" in name else "predictor-8.aew"
    elif "scans" in name or "drawings" in name or name == "near-exact-contexts.aez":
        weights = "scans-28.aew"
    return (folder / name).read_bytes(), (folder / weights).read_bytes()


@pytest.mark.parametrize("name", GOLDEN)
def test_the_second_decoder_makes_the_same_of_golden_files(name):
    data, weights = golden(name)
    second = aez_decoder.read_set(data, aez_decoder.read_model(weights))
    with libae.Model.open(weights) as model, libae.ImageSet.open(data, model) as first:
        assert b"".join(second.images) == first[:].tobytes()
        assert second.lost == []
        assert (None if first.labels is None else first.labels.tobytes()) == second.labels
        assert first.names == second.names
        assert (first.info.mode, first.info.max_error) == (
            ["lossy", "lossless", "near-lossless"][second.layer],
            second.max_error,
        )


def test_golden_files_cover_both_methods_of_lossless_coding():
    kinds = set()
    for name in GOLDEN:
        data, _ = golden(name)
        if data[8] > 2:
            continue
        index = 132 + data[23] + 4
        if data[22] > 0 and data[index] == 4:
            kinds.add((data[22], data[29], data[20] > 0))
    # Mode, method, whether there are codes.
    assert kinds == {(1, 1, False), (1, 1, True), (1, 2, False), (2, 1, False), (2, 2, True)}


def test_the_second_decoder_finds_the_same_images_lost():
    data, weights = golden("mixed.aez")
    bad = bytearray(data)
    bad[-1] ^= 4
    second = aez_decoder.read_set(bytes(bad), aez_decoder.read_model(weights))
    with libae.Model.open(weights) as model, libae.ImageSet.open(bytes(bad), model) as first:
        images, lost = first.salvage()
        assert np.flatnonzero(lost).tolist() == second.lost == list(range(20, 40))
        assert images.tobytes() == b"".join(second.images)


def test_lossless_sets_give_every_pixel_back():
    images = damage.digits(60)
    data = libae.compress(images, exact=True, labels=np.arange(60), block_images=16)
    with libae.ImageSet.open(data) as opened:
        assert np.array_equal(opened[:], images)
        assert (opened.info.mode, opened.info.max_error) == ("lossless", 0)
        assert np.array_equal(opened[[50, 3]], images[[50, 3]])


@pytest.mark.parametrize("max_error", [1, 2, 3, 7, 16, 31, 32])
def test_near_lossless_sets_are_off_by_no_more_than_they_say(max_error):
    values = np.arange(256, dtype=np.uint8).repeat(4).reshape(1, 32, 32)
    with libae.ImageSet.open(libae.compress(values, max_error=max_error)) as opened:
        off = np.abs(opened[0].astype(int) - values[0])
        assert off.max() == max_error
        assert opened[0].min() == 0
        assert (opened.info.mode, opened.info.max_error) == ("near-lossless", max_error)


def test_noise_grows_by_no_more_than_the_headers():
    noise = np.random.default_rng(5).integers(0, 256, (100, 20, 30), np.uint8)
    data = libae.compress(noise, exact=True, block_images=50)
    assert noise.size < len(data) < noise.size + 150
    assert np.array_equal(libae.decompress(data), noise)


def test_exact_is_the_mode_lossless():
    images = damage.digits(20)
    assert libae.compress(images, exact=True) == libae.compress(images, mode="lossless")
    assert libae.compress(images, max_error=2) == libae.compress(images, mode="near-lossless", max_error=2)
    with libae.ImageSet.open(libae.compress(images, exact=True, method="contexts")) as opened:
        assert opened.info.method == "contexts"
        assert not opened.info.needs_model


def test_what_excludes_each_other_is_refused():
    images = damage.digits(2)
    for more in ({"max_error": 2}, {"mode": "lossy"}, {"mode": "near-lossless"}):
        with pytest.raises(libae.ArgumentError, match="exclude"):
            libae.compress(images, exact=True, **more)
    for options in (
        {"max_error": 33},
        {"exact": True, "method": "best"},
        {"mode": "exact"},
        {"mode": "near-lossless"},
        {"exact": True, "quality": 3},
    ):
        with pytest.raises(libae.ArgumentError):
            libae.compress(images, **options)


@pytest.mark.filterwarnings("ignore:.* are stored as pixels")  # the model is hardly trained
@pytest.mark.parametrize(("what", "times"), [("flip", 10), ("cut", 10)])
def test_damaged_sets_are_refused_or_lose_what_they_say(what, times):
    assert damage.run(what, times, seed=3) == times * 6
