"""Exact and near-exact sets, salvage, and the second decoder, which is made from the pages alone."""

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
    if name.endswith("tiny.aez"):
        weights = "walsh-4.aew"
    elif "scans" in name or "drawings" in name or name.endswith("near-exact-contexts.aez"):
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
        assert (first.info.layer, first.info.max_error) == (
            ["latent", "exact", "near-exact"][second.layer],
            second.max_error,
        )


def test_golden_files_cover_both_ways_of_exact_coding():
    kinds = set()
    for name in GOLDEN:
        data, _ = golden(name)
        index = 132 + data[23] + 4
        if data[8] < 3 and data[22] > 0 and data[index] == 4:
            kinds.add((data[22], data[29], data[20] > 0))
    # Layer, effort, whether there are codes.
    assert kinds == {(1, 1, False), (1, 1, True), (1, 2, False), (2, 1, False), (2, 2, True)}
    # And in version 3, by its kinds of blocks.
    kinds = set()
    for name in GOLDEN:
        data, _ = golden(name)
        if data[8] == 3 and data[10] & 3 > 0:
            at = aez_decoder.first_part(data)
            head = aez_decoder.read_part(data, at, 0)[0]
            if head.kind in (4, 5):
                kinds.add((data[10] & 3, head.kind - 3, data[10] & 8 > 0))
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


def test_exact_sets_give_every_pixel_back():
    images = damage.digits(60)
    data = libae.compress(images, exact=True, labels=np.arange(60), block_images=16)
    with libae.ImageSet.open(data) as opened:
        assert np.array_equal(opened[:], images)
        assert (opened.info.layer, opened.info.max_error) == ("exact", 0)
        assert np.array_equal(opened[[50, 3]], images[[50, 3]])


@pytest.mark.parametrize("max_error", [1, 2, 3, 7, 16, 31, 32])
def test_near_exact_sets_are_off_by_no_more_than_they_say(max_error):
    values = np.arange(256, dtype=np.uint8).repeat(4).reshape(1, 32, 32)
    with libae.ImageSet.open(libae.compress(values, max_error=max_error)) as opened:
        off = np.abs(opened[0].astype(int) - values[0])
        assert off.max() == max_error
        assert opened[0].min() == 0
        assert (opened.info.layer, opened.info.max_error) == ("near-exact", max_error)


def test_noise_grows_by_no_more_than_the_headers():
    noise = np.random.default_rng(5).integers(0, 256, (100, 20, 30), np.uint8)
    data = libae.compress(noise, exact=True, block_images=50)
    assert len(data) <= noise.size + 70
    assert np.array_equal(libae.decompress(data), noise)


def test_what_excludes_each_other_is_refused():
    images = damage.digits(2)
    with pytest.raises(libae.ArgumentError, match="exclude"):
        libae.compress(images, exact=True, max_error=2)
    for options in ({"max_error": 0}, {"max_error": 33}, {"exact": True, "effort": 10}, {"effort": 1}):
        with pytest.raises(libae.ArgumentError):
            libae.compress(images, **options)


@pytest.mark.parametrize(("what", "times"), [("flip", 250), ("cut", 40)])
def test_damaged_sets_are_refused_or_lose_what_they_say(what, times):
    assert damage.run(what, times, seed=3) == times * 6
