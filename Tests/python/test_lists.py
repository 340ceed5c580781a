"""Lists of nodes: the second decoder, written from the pages, makes of their files what the library makes."""

import struct
import sys
from pathlib import Path

import libae
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Tests/independent"))

import aez_decoder  # noqa: E402

GOLDEN = ["tiny-nodes.aew", "tiny-nodes-form-2.aew"]

# Golden models have random weights: images that they reconstruct there are none.
pytestmark = pytest.mark.filterwarnings("ignore:.* are stored as pixels")


@pytest.mark.parametrize("name", GOLDEN)
def test_the_second_decoder_makes_the_same_of_every_operation(name):
    weights = (ROOT / "Tests/golden" / name).read_bytes()
    second = aez_decoder.read_model(weights)
    images = np.random.default_rng(3).integers(0, 256, (70, 5, 6, 3), np.uint8)
    with libae.Model.open(weights) as model:
        assert model.info.kind == "custom"
        assert model.info.hash == second.hash.hex()
        assert {node.operation for node in second.decoder} == {0, 1, 2, 5, 6, 9, 11}
        for quality in range(1, 4):
            data = libae.compress(images, model, quality=quality)
            other = aez_decoder.read_set(data, second)
            with libae.ImageSet.open(data, model) as first:
                assert b"".join(other.images) == first[:].tobytes()


@pytest.mark.parametrize("name", ["v3-coded-rgb", "v3-coded-rgb-form-2"])
def test_the_second_decoder_reconstructs_coded_images(name):
    """Of golden sets, whose images are the models' own: codes, which random images never are."""
    weights = (ROOT / "Tests/golden" / GOLDEN["form" in name]).read_bytes()
    data = (ROOT / "Tests/golden" / f"{name}.aez").read_bytes()
    other = aez_decoder.read_set(data, aez_decoder.read_model(weights))
    with libae.Model.open(weights) as model, libae.ImageSet.open(data, model) as first:
        assert first.info.kept_count < first.info.count
        assert b"".join(other.images) == first[:].tobytes()


@pytest.mark.parametrize(
    "name",
    [
        "a-cycle-of-two-nodes",
        "a-decoder-whose-pool-reads-the-code",
        "a-list-of-65535-nodes",
        "a-list-of-more-nodes-than-bytes",
        "a-list-of-no-nodes",
        "a-node-that-reads-a-later-one",
        "a-node-that-reads-itself",
        "a-used-reserve-in-a-node",
        "an-unknown-operation",
        "weights-of-8-bits-in-form-2",
    ],
)
def test_both_refuse_lists_that_cannot_be(name):
    data = (ROOT / "Tests/attack/aew" / f"{name}.aew").read_bytes()
    with pytest.raises((aez_decoder.Refused, struct.error)):
        aez_decoder.read_model(data)
    with pytest.raises(libae.Error):
        libae.Model.open(data).decode(np.zeros((1, 3), np.float32))
