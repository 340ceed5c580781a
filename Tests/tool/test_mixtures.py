"""Blocks of kinds 6, 7 and 11: golden files, which the tool and the second decoder read alike for ever."""

import sys
import zlib

import numpy as np
import pytest
from conftest import ROOT, ok
from imagefiles import npy, read_npy

sys.path.append(str(ROOT / "Tests/independent"))

import aez_decoder  # noqa: E402

FOLDER = ROOT / "Tests/golden/mixtures"
WEIGHTS = FOLDER / "predictor.aew"
# The kind of the block, and CRC-32 of the pixels.
GOLDEN = {
    "contexts-dots": (6, 0x11AEEA70),
    "contexts-grey": (6, 0x09F90EAD),
    "contexts-rgb": (6, 0xEC969B18),
    "contexts-rgba": (6, 0x6B29FA80),
    "contexts-wide": (6, 0x811505A1),
    "predicted-grey": (7, 0x09F90EAD),
    "predicted-rgb": (7, 0xEC969B18),
    "predicted-rgba": (7, 0x6B29FA80),
    "predicted-wide": (7, 0x811505A1),
    "scans-predicted": (11, 0xB68BFE3C),
}


def kinds(data: bytes) -> set[int]:
    at, found = aez_decoder.first_part(data), set()
    while at < len(data) - 20:
        head, _, at, _ = aez_decoder.read_part(data, at, 500)
        found.add(head.kind)
    return found


def test_there_is_a_line_for_every_file():
    assert sorted(path.stem for path in FOLDER.glob("*.aez")) == sorted(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_are_what_they_were(name, tmp_path):
    kind, crc = GOLDEN[name]
    path = FOLDER / f"{name}.aez"
    data = path.read_bytes()
    assert kinds(data) == {kind, 15}
    images = read_npy(ok("decompress", path, "-m", WEIGHTS, "-o", "-", "--as", "npy").out)
    assert zlib.crc32(images.tobytes()) == crc
    second = aez_decoder.read_set(data, aez_decoder.read_model(WEIGHTS.read_bytes()))
    assert second.lost == []
    assert b"".join(second.images) == images.tobytes()
    # And the same is still written.
    (tmp_path / "images.npy").write_bytes(npy(images))
    method = name.split("-")[0]
    ok(
        "compress", "images.npy", "--exact", "--method", method, "-o", "new.aez",
        *(() if method == "contexts" else ("-m", WEIGHTS)), cwd=tmp_path,
    )  # fmt: skip
    assert (tmp_path / "new.aez").read_bytes() == data


def test_damage_in_a_run_costs_its_block_alone(tmp_path):
    data = bytearray((FOLDER / "predicted-grey.aez").read_bytes())
    data[len(data) // 2] ^= 4
    second = aez_decoder.read_set(bytes(data), aez_decoder.read_model(WEIGHTS.read_bytes()))
    assert second.lost == list(range(len(second.images)))
    assert not np.frombuffer(b"".join(second.images), np.uint8).any()
