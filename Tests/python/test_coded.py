"""Coded weights: the second decoder, written from the pages, makes of them what the library makes."""

import struct
import sys
import zlib
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Tests/independent"))

import aez_decoder  # noqa: E402

GOLDEN = ["tiny-coded.aew", "tiny-coded-nodes.aew", "tiny-coded-listed.aew"]

# Golden models have random weights: images that they reconstruct there are none.
pytestmark = pytest.mark.filterwarnings("ignore:.* are stored as pixels")


def encodings(weights: bytes) -> dict[str, int]:
    """How each section is stored."""
    (count,) = struct.unpack_from("<I", weights, 24)
    lines = (struct.unpack_from("<4sI", weights, 32 + 32 * index) for index in range(count))
    return {tag.decode(): encoding for tag, encoding in lines}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_second_decoder_makes_the_same_of_coded_weights(name, tmp_path):
    weights = (ROOT / "Tests/golden" / name).read_bytes()
    second = aez_decoder.read_model(weights)
    assert encodings(weights)["IDEC"] == encodings(weights)["IENC"] == 2
    with libae.Model.open(weights) as model:
        assert model.info.hash == second.hash.hex()
        images = strokes.draw_colour(30, *model.image_shape[:2], second.channels, seed=5)
        data = libae.compress(images, model, quality=2)
        other = aez_decoder.read_set(data, second)
        with libae.ImageSet.open(data, model) as first:
            assert b"".join(other.images) == first[:].tobytes()
        # The library writes the same bytes anew.
        model.save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == weights


@pytest.mark.parametrize(
    "name",
    [
        "a-coded-section-without-orders",
        "a-coded-weight-that-is-too-large",
        "a-deflated-part-that-makes-too-much",
        "a-pair-far-behind-the-list",
        "a-pair-that-is-not-in-the-list",
        "a-period-of-less-than-a-step",
        "an-order-of-the-code-of-2",
        "bytes-after-coded-weights",
        "coded-floats",
        "coded-weights-cut-to-half",
        "coded-weights-of-no-bytes",
    ],
)
def test_both_refuse_coded_weights_that_cannot_be(name):
    data = (ROOT / "Tests/attack/aew" / f"{name}.aew").read_bytes()
    with pytest.raises((aez_decoder.Refused, struct.error, zlib.error)):
        aez_decoder.read_model(data)
    with pytest.raises(libae.Error):
        libae.Model.open(data).decode(np.zeros((1, 5), np.float32))
