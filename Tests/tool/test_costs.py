"""Small files cost little: memory stays within what the pages state, and what is too large is refused first.

Peaks are of a child process, its own size taken off; bounds are those of the pages, and processor time has
so wide a margin that only a wrong order of growth goes over it.
"""

import re
import struct
import sys

import numpy as np
import pytest
from conftest import ROOT, TOOL, environment, ok
from imagefiles import idx

sys.path.insert(0, str(ROOT / "Tests"))
from bombs import (
    MIB,
    Network,
    blank_rANS,
    chunk,
    codec,
    deflated,
    float_sections,
    gzipped_zeros,
    image_set,
    integer_layers,
    integer_model,
    measure,
    png,
    scan_section,
    scans_block,
    weights,
)

KIB = 1024


@pytest.fixture(scope="module")
def spent(tmp_path_factory):
    """Runs the tool on a file: memory beyond the tool's own, processor seconds, status and message."""
    folder = tmp_path_factory.mktemp("costs")
    alone = measure([TOOL, "--version"], env=environment()).peak

    def run(data: bytes, command: str, *options, suffix: str = "", piped: bool = False):
        path = folder / f"bomb{suffix}"
        path.write_bytes(data)
        words = [TOOL, *command.split(), "-" if piped else path, *options]
        cost = measure(words, env=environment(AE_THREADS="1"), stdin=str(path) if piped else None, cwd=folder)
        return cost.peak - alone, cost.seconds, cost.code, cost.err + cost.out

    return run


NETWORK = Network(32, 32, 16, (1024, 1024))
TABLES = Network(2, 2, 1024, kind="linear")
WEIGHTS = {
    "float32": lambda: [("ARCH", NETWORK.arch()), *float_sections(NETWORK)],
    "float16": lambda: [("ARCH", NETWORK.arch()), *float_sections(NETWORK, 2)],
    "integers": lambda: integer_model(NETWORK, encoder=True),
    "tables": lambda: [
        ("ARCH", TABLES.arch()),
        ("IDEC", integer_layers(TABLES.layers()[1], words_at_end=False)),
        ("CODC", codec(1024, 480, 16)),
    ],
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_a_weight_file_costs_what_its_page_says(spent, kind):
    data = weights(*WEIGHTS[kind]())
    for command in ("info", "test"):
        peak, seconds, code, said = spent(data, command)
        assert code == 0, said
        assert peak <= 4000 * len(data) + 96 * MIB
        assert seconds < 10


def test_a_checkpoint_is_refused_by_its_version_and_by_its_size(spent):
    network = Network(2, 2, 1, kind="linear")
    parts = [("ARCH", network.arch()), *float_sections(network)]
    zeros = weights(*parts, ("trnr", 256 * MIB))
    peak, _, code, said = spent(zeros, "train digits.idx -o x.aew --resume")
    assert (code, "version 8 expected, version 0 came" in said) == (1, True), said
    assert peak < 32 * MIB
    # The version right, all else as a run of one step has it, and then 256 MiB of zeros.
    # Options that differ from the defaults, no start, step 0, no images, and how many runs of numbers follow.
    options = [("kind", 3, b"\1"), ("name", 4, b"\4\0bomb"), ("hidden", 5, b"\0")]
    options += [
        (key, 0, struct.pack("<Q", value)) for key, value in [("width", 2), ("height", 2), ("latent_size", 1)]
    ]
    head = struct.pack("<HH", 8, len(options))
    for key, type, value in options:
        head += bytes([len(key)]) + key.encode() + bytes([type]) + value
    head += struct.pack("<BQQII", 0, 0, 0, 0, 4)
    peak, _, code, said = spent(
        weights(*parts, ("trnr", head + bytes(64 * MIB))), "train digits.idx -o x.aew --resume"
    )
    assert (code, "raw bytes, the architecture makes" in said) == (1, True), said
    assert peak < 32 * MIB


def test_pictures_are_refused_by_their_header(spent):
    peak, _, code, said = spent(png(8000, 8000, depth=1), "info", suffix=".png")
    assert code == 1
    assert "8000 x 8000 pixels are declared, at most 4194304 are read" in said
    assert peak < 32 * MIB
    peak, _, code, said = spent(png(2048, 2048, depth=16, color=6), "info", suffix=".png")
    assert code == 0, said
    assert peak < 72 * MIB


def test_texts_and_profiles_in_pictures_are_passed_over(spent):
    texts = b"".join(chunk(b"zTXt", b"k%d\0\0" % i + deflated(1_000_000)) for i in range(60))
    profile = chunk(b"iCCP", b"k\0\0" + deflated(900_000))
    for extra in (texts, profile):
        peak, seconds, code, said = spent(png(4, 4, extra=extra), "info", suffix=".png")
        assert code == 0, said
        assert peak < 32 * MIB
        assert seconds < 1


def test_gzipped_bytes_that_declare_nothing_are_not_inflated(spent):
    zeros = gzipped_zeros(512 * MIB)
    for command, piped in [("info", False), ("info", True), ("compress", False), ("compress", True)]:
        options = ["-o", "x.aez", "--force"] if command == "compress" else []
        peak, seconds, code, _ = spent(zeros, command, *options, suffix=".gz", piped=piped)
        assert code == 1
        assert peak < 48 * MIB
        assert seconds < 1
    # More than the header declares.
    more = gzipped_zeros(256 * MIB, struct.pack(">IIII", 0x803, 1, 28, 28))
    peak, _, code, _ = spent(more, "info", suffix=".gz")
    assert (code, peak < 48 * MIB) == (1, True)


def test_absurd_headers_are_refused(spent):
    shape = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 28, 28), }".ljust(117) + b"\n"
    for data in (
        b"\x93NUMPY\1\0" + struct.pack("<H", 118) + shape,
        struct.pack(">IIII", 0x803, 1 << 28, 28, 28) + bytes(100),
        b"P5 65535 65535 255\n" + bytes(100),
    ):
        peak, _, code, _ = spent(data, "info")
        assert (code, peak < 32 * MIB) == (1, True)


CODES = Network(2, 2, 64, kind="linear")
SCANS = Network(28, 28, 1, kind="linear")


def scans(block: bytes, count: int, widths: tuple[int, ...] = (66, 16)) -> bytes:
    section = scan_section(widths)
    model = weights(*integer_model(SCANS, ("SCAN", section)))
    return image_set(
        [(4, block)], count=count, block_images=65536, effort=2, network=SCANS, model=model, scan=section
    )


def test_image_sets_cost_what_their_page_says(spent):
    count = 65536
    zeros = deflated(count * 1024)
    names = b"\xff" + b"0" * 255 + bytes(count - 1)
    sets = {
        # As many bytes as deflate can make, of which none is kept.
        "deflated": (
            image_set([(1, zeros)], count=count, block_images=count, width=32, height=32, effort=0),
            8 * MIB,
        ),
        "labels": (
            image_set(
                [(1, deflated(count))], count=count, block_images=count, width=1, height=1,
                labels=(deflated(count), count),
            ),
            8 * MIB,
        ),
        "names": (
            image_set(
                [(1, deflated(count))], count=count, block_images=count, width=1, height=1,
                names=(deflated(names), len(names)),
            ),
            256 * count + 8 * MIB,
        ),
        "codes": (
            image_set(
                [(0, blank_rANS(4096, 64))], count=4096, block_images=4096, width=2, height=2, layer=0,
                effort=0, network=CODES, model=weights(*integer_model(CODES)), quality=1,
            ),
            16 * MIB,
        ),
    }  # fmt: skip
    for kind, (data, bound) in sets.items():
        peak, seconds, code, said = spent(data, "test")
        assert code == 0, (kind, said)
        assert peak < bound + 24 * MIB, kind
        assert seconds < 5, kind
        assert spent(data, "info")[0] < 32 * MIB, kind


def test_scans_ask_for_no_more_ink_than_a_block_may_have(spent):
    # 16,000 of the largest scans are within the limit and end where the block does; 65,536 are beyond it.
    for count in (16_000, 65_536):
        data = scans(scans_block(count, 112), count)
        peak, seconds, code, said = spent(data, "test")
        assert (code, "its pixels are damaged" in said) == (1, True), said
        assert peak < count * 5 * KIB + 32 * MIB
        assert seconds < 10


def test_a_scan_network_is_no_larger_than_its_page_says(spent):
    data = scans(scans_block(1, 20), 1, widths=(66, 256, 256))
    _, _, code, said = spent(data, "test")
    assert (code, "at most 65536 weights expected" in said) == (1, True), said


def test_new_exact_blocks_have_at_most_2_to_24_pixels(tmp_path):
    (tmp_path / "blank.idx").write_bytes(idx(np.full((4200, 64, 64), 255, np.uint8)))
    ok(
        "compress",
        "blank.idx",
        "--exact",
        "--method",
        "contexts",
        "--block-images",
        65536,
        "-o",
        "b.aez",
        cwd=tmp_path,
    )
    assert "4,096 images" in ok("info", "b.aez", cwd=tmp_path).text.replace("of 4096", "of 4,096")


def test_pages_state_the_limits_of_the_code(spent):
    def constant(path: str, name: str) -> int:
        text = (ROOT / "Sources" / path).read_text()
        value = re.search(rf"{name} = ([0-9_]+)(?: << ([0-9]+))?", text)
        return int(value[1].replace("_", "")) << int(value[2] or 0)

    aew = (ROOT / "docs/format-aew.md").read_text()
    aez = (ROOT / "docs/format-aez.md").read_text()
    assert constant("Lossless/Scans/ScanModel.swift", "maximumWeightCount") == 65536
    assert "at most 65536 weights in all" in aew
    assert constant("Lossless/Pixels/Predictor.swift", "maximumWeightCount") == 1 << 18
    assert "at most 2^18 weights in all" in aew
    assert constant("Lossless/Scans/ScanCoder.swift", "largestInkCount") == 1 << 28
    assert "| bits of ink in a block | 2^28 |" in aez
    assert constant("Container/CompressionOptions.swift", "largestBlockByteCount") == 1 << 24
    assert "| bytes of a block's pixels, *nP* | 2^28; of modes 1 and 2 2^24 in files" in aez
    images = constant("Container/SetHeader.swift", "maximumBlockImages")
    assert f"| images in a block | {images} |" in aez
    assert constant("Container/NameList.swift", "maximumByteCount") == 1 << 28
    for name, limit in [("formerLongestSide", 64), ("formerLatentCount", 1024), ("maximumHiddenWidth", 4096)]:
        assert constant("Network/Architecture.swift", name) == limit
    # The longest ARCH there is.
    small = Network(2, 2, 1, (1,) * 8)
    arch = small.arch()[:-7] + b"\x40" + b"n" * 64 + struct.pack("<H", 4096) + b"p" * 4096
    assert f"15 to {len(arch)}; in version 2" in aew
    _, _, code, said = spent(weights(("ARCH", arch), *float_sections(small)), "info")
    assert code == 0, said
