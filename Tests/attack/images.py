"""The attack files of image readers: what each is, and the words with which it must be refused.

python3 Tests/attack/images.py        writes them again
"""

import gzip
import struct
import sys
import zlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def idx(*sizes: int, data: bytes = b"", kind: int = 8) -> bytes:
    return struct.pack(">BBBB", 0, 0, kind, len(sizes)) + struct.pack(f">{len(sizes)}I", *sizes) + data


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def npy(text: str, data: bytes = b"", version: int = 1) -> bytes:
    head = text.encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(head))
    return b"\x93NUMPY" + bytes([version, 0]) + length + head + data


def array(shape: str, data: bytes = b"", kind: str = "|u1") -> bytes:
    return npy(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}", data)


def pam(*lines: bytes, data: bytes = b"") -> bytes:
    return b"".join(line + b"\n" for line in (b"P7", *lines, b"ENDHDR")) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, raw: bytes, depth: int = 8, color: int = 0, extra: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


SMALL_PNG = png(2, 2, b"\0ab\0cd")
SMALL_IDX = packed(idx(2, 2, 2, data=b"12345678"))
HUGE_IDX = idx(1 << 28, 65535, 65535)
ONLY = (
    "elements of type |u1, <f4 or <f8 are read, no others: these are |O, Python objects, "
    "numpy.stack(list(a)) may make an array of them (byte 20)"
)

# Per kind: name, bytes, message after "NAME: ", or None where the words are libpng's.
CASES: dict[str, list[tuple[str, bytes, str | None]]] = {
    "idx": [
        ("cut-header.idx", idx(1, 2, 2)[:15], "an IDX header of 16 bytes expected, 15 came (byte 0)"),
        ("zero-side.idx", idx(3, 0, 2), "dimension 1 must be in 1 ... 65535, not 0 (byte 8)"),
        (
            "negative-count.idx",
            idx(0xFFFFFFFF, 2, 2),
            "dimension 0 must be in 0 ... 268435456, not 4294967295 (byte 4)",
        ),
        (
            "huge.idx",
            HUGE_IDX,
            "the header declares 268435456 x 65535 x 65535 = 1152886320503193600 bytes, 0 follow (byte 16)",
        ),
        (
            "cut.idx",
            idx(2, 2, 2, data=b"1234567"),
            "the header declares 2 x 2 x 2 = 8 bytes, 7 follow (byte 16)",
        ),
        (
            "longer.idx",
            idx(2, 2, 2, data=b"123456789"),
            "the header declares 2 x 2 x 2 = 8 bytes, more follow (byte 16)",
        ),
        (
            "bomb.idx.gz",
            packed(idx(1, 2, 2) + bytes(1 << 22)),
            "the header declares 1 x 2 x 2 = 4 bytes, more follow (byte 16)",
        ),
        (
            "huge.idx.gz",
            packed(HUGE_IDX),
            "the header declares 268435456 x 65535 x 65535 = 1152886320503193600 bytes, 0 follow (byte 16)",
        ),
        (
            "cut.idx.gz",
            SMALL_IDX[:-9],
            f"the compressed bytes are cut short (byte {len(SMALL_IDX) - 9} of {len(SMALL_IDX) - 9})",
        ),
        (
            "labels.idx",
            idx(2, data=b"12") + bytes(8),
            "3 dimensions, or 4 with channels, expected, 1 came (a file of labels) (byte 0)",
        ),
        ("cut-header-4.idx", idx(1, 2, 2, 3)[:19], "an IDX header of 20 bytes expected, 19 came (byte 0)"),
        (
            "no-channels.idx",
            idx(1, 2, 2, 0),
            "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not 0 "
            "(byte 16)",
        ),
        (
            "two-channels.idx",
            idx(1, 2, 2, 2, data=bytes(8)),
            "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not 2 "
            "(byte 16)",
        ),
        (
            "planar.idx",
            idx(1, 3, 2, 2, data=bytes(12)),
            "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not 2: "
            "these seem to be "
            "[count, channels, height, width]; numpy's a.transpose(0, 2, 3, 1) puts the channels last "
            "(byte 16)",
        ),
        ("zero-side-4.idx", idx(1, 0, 2, 3), "dimension 1 must be in 1 ... 65535, not 0 (byte 8)"),
        (
            "huge-4.idx",
            idx(1 << 28, 65535, 65535, 4),
            "the header declares 268435456 x 65535 x 65535 x 4 = 4611545282012774400 bytes, 0 follow "
            "(byte 20)",
        ),
        (
            "cut-4.idx",
            idx(1, 2, 2, 3, data=bytes(11)),
            "the header declares 1 x 2 x 2 x 3 = 12 bytes, 11 follow (byte 20)",
        ),
        (
            "longer-4.idx",
            idx(1, 2, 2, 3, data=bytes(13)),
            "the header declares 1 x 2 x 2 x 3 = 12 bytes, more follow (byte 20)",
        ),
        (
            "huge-4.idx.gz",
            packed(idx(1 << 28, 65535, 65535, 4)),
            "the header declares 268435456 x 65535 x 65535 x 4 = 4611545282012774400 bytes, 0 follow "
            "(byte 20)",
        ),
    ],
    "npy": [
        (
            "cut-header.npy",
            array("(1, 2, 2)", b"1234")[:20],
            "a header of at most 10 bytes expected, 63 declared (byte 8)",
        ),
        ("negative.npy", array("(-1, 2, 2)"), "a size of 0 or more expected in the shape (byte 61)"),
        (
            "two-to-63.npy",
            array("(9223372036854775808, 2, 2)"),
            "a size in the shape does not fit 63 bits (byte 79)",
        ),
        (
            "overflow.npy",
            array("(4611686018427387904, 4, 4)"),
            "the shape [4611686018427387904, 4, 4] has more elements than can be counted (byte 91)",
        ),
        (
            "huge.npy",
            array("(1000000, 28, 28)"),
            "the shape [1000000, 28, 28] makes 784000000 bytes, 0 follow (byte 81)",
        ),
        ("zero-side.npy", array("(3, 0, 4)"), "3 images of 4 x 0 are out of range"),
        (
            "cut.npy",
            array("(1, 2, 2)", b"123"),
            "the shape [1, 2, 2] makes 4 bytes, 3 follow (byte 73)",
        ),
        (
            "longer.npy",
            array("(1, 2, 2)", b"12345"),
            "the shape [1, 2, 2] makes 4 bytes, more follow (byte 73)",
        ),
        (
            "nan.npy",
            array("(1, 1, 2)", struct.pack("<2f", 0, float("nan")), "<f4"),
            "element 1 is not in [0, 1], as floats of images must be (byte 77)",
        ),
        ("object.npy", array("(1, 2, 2)", b"1234", "|O"), ONLY),
        (
            "huge-header.npy",
            b"\x93NUMPY\2\0" + b"\xff" * 8,
            "a header of at most 4 bytes expected, 4294967295 declared (byte 8)",
        ),
        (
            "version-9.npy",
            b"\x93NUMPY\x09\0" + bytes(8),
            "NPY versions 1 to 3 are read, not 9 (byte 6)",
        ),
        (
            "planar.npy",
            array("(1, 3, 2, 2)", bytes(12)),
            "an array of [1, 3, 2, 2], [count, height, width] or [count, height, width, channels] "
            "expected: these seem "
            "to be [count, channels, height, width]; a.transpose(0, 2, 3, 1) makes [1, 2, 2, 3]",
        ),
        (
            "no-channels.npy",
            array("(1, 2, 2, 0)"),
            "an array of [1, 2, 2, 0], [count, height, width] or [count, height, width, channels] expected, "
            "of 1, 3 or 4 channels",
        ),
        (
            "one-image.npy",
            array("(20, 20, 3)", bytes(1200)),
            "an array of [20, 20, 3] may be one image in colour, or 20 grey ones 3 wide: "
            "a[None] makes [1, 20, 20, 3] of it, --size 3x20 says that they are grey",
        ),
        (
            "huge-4.npy",
            array("(1000000, 256, 256, 3)"),
            "the shape [1000000, 256, 256, 3] makes 196608000000 bytes, 0 follow (byte 86)",
        ),
        (
            "nan-4.npy",
            array("(1, 1, 1, 3)", struct.pack("<3f", 0, 1, float("nan")), "<f4"),
            "element 2 is not in [0, 1], as floats of images must be (byte 84)",
        ),
    ],
    "pgm": [
        ("cut-header.pgm", b"P5\n28", "height expected, but the file ends (byte 5)"),
        ("zero.pgm", b"P5\n0 2\n255\n", "width must be in 1 ... 65535, not 0 (byte 4)"),
        ("negative.pgm", b"P5\n-1 2\n255\n", "width is not a number (byte 3)"),
        (
            "two-to-63.pgm",
            b"P5\n9223372036854775808 2\n255\n",
            "width must be in 1 ... 65535, not more (byte 22)",
        ),
        (
            "huge.pgm",
            b"P5\n65535 65535\n255\n1",
            "65535 x 65535 pixels make 4294836225 bytes, 1 follow (byte 19)",
        ),
        ("cut.pgm", b"P5\n2 2\n255\n123", "2 x 2 pixels make 4 bytes, 3 follow (byte 11)"),
        ("longer.pgm", b"P5\n2 2\n255\n12345", "2 x 2 pixels make 4 bytes, more follow (byte 11)"),
        ("above-maxval.pgm", b"P5\n2 1\n9\n\x01\x0a", "pixel 1 is 10, above the maxval 9 (byte 11)"),
        ("text.pgm", b"P2\n2 1\n9\n1 x", "pixel 1 is not a number (byte 11)"),
    ],
    "ppm": [
        ("cut-header.ppm", b"P6\n28 28", "maxval expected, but the file ends (byte 8)"),
        ("zero.ppm", b"P6\n2 0\n255\n", "height must be in 1 ... 65535, not 0 (byte 6)"),
        (
            "huge.ppm",
            b"P6\n65535 65535\n255\n1",
            "65535 x 65535 x 3 samples make 12884508675 bytes, 1 follow (byte 19)",
        ),
        (
            "huge-text.ppm",
            b"P3\n65535 65535\n255\n1",
            "65535 x 65535 x 3 samples make at least 25769017350 bytes, 2 follow (byte 18)",
        ),
        ("cut.ppm", b"P6\n1 1\n255\n12", "1 x 1 x 3 samples make 3 bytes, 2 follow (byte 11)"),
        ("longer.ppm", b"P6\n1 1\n255\n1234", "1 x 1 x 3 samples make 3 bytes, more follow (byte 11)"),
        ("above-maxval.ppm", b"P6\n1 1\n9\n\x01\x02\x0a", "sample 2 is 10, above the maxval 9 (byte 12)"),
        ("text.ppm", b"P3\n1 1\n9\n1 2 x", "sample 2 is not a number (byte 13)"),
        (
            "two.ppm",
            b"P6\n1 1\n255\nabcP6\n1 1\n255\nabc",
            "holds 2 images, and one is expected: make a file of each (byte 28)",
        ),
    ],
    "pam": [
        ("cut-header.pam", b"P7\nWIDTH 2\nHEIGHT", "ENDHDR expected, but the file ends (byte 11)"),
        ("no-end.pam", pam(b"WIDTH 1", b"HEIGHT 1")[:-7], "ENDHDR expected, but the file ends (byte 20)"),
        (
            "no-depth.pam",
            pam(b"WIDTH 1", b"HEIGHT 1", b"MAXVAL 255", data=b"1"),
            "WIDTH, HEIGHT, DEPTH and MAXVAL expected before ENDHDR (byte 38)",
        ),
        (
            "twice.pam",
            pam(b"WIDTH 1", b"WIDTH 1", data=b"1"),
            "WIDTH, HEIGHT, DEPTH, MAXVAL, at most one TUPLTYPE and ENDHDR expected in the header, each "
            "on a line (byte 11)",
        ),
        ("zero.pam", pam(b"WIDTH 0"), "WIDTH must be in 1 ... 65535, not 0 (byte 10)"),
        ("negative.pam", pam(b"HEIGHT -1"), "HEIGHT is not a number (byte 10)"),
        ("no-number.pam", pam(b"WIDTH", b"5"), "WIDTH expected, but the line ends (byte 8)"),
        ("two-numbers.pam", pam(b"WIDTH 5 6"), "more than one word after WIDTH (byte 11)"),
        ("deep.pam", pam(b"DEPTH 5"), "DEPTH must be in 1 ... 4, not 5 (byte 10)"),
        ("maxval.pam", pam(b"MAXVAL 65536"), "MAXVAL must be in 1 ... 65535, not 65536 (byte 15)"),
        (
            "type.pam",
            pam(b"TUPLTYPE CMYK"),
            "TUPLTYPE must be GRAYSCALE, RGB or BLACKANDWHITE, or one of these with _ALPHA (byte 12)",
        ),
        (
            "type-and-depth.pam",
            pam(b"WIDTH 1", b"HEIGHT 1", b"DEPTH 4", b"MAXVAL 255", b"TUPLTYPE RGB", data=b"1234"),
            "the TUPLTYPE has 3 samples, and DEPTH is 4 (byte 59)",
        ),
        (
            "bilevel.pam",
            pam(b"WIDTH 1", b"HEIGHT 1", b"DEPTH 1", b"MAXVAL 2", b"TUPLTYPE BLACKANDWHITE", data=b"1"),
            "MAXVAL must be 1 with BLACKANDWHITE, not 2 (byte 67)",
        ),
        (
            "huge.pam",
            pam(b"WIDTH 65535", b"HEIGHT 65535", b"DEPTH 4", b"MAXVAL 65535", data=b"1"),
            "65535 x 65535 x 4 samples make 34358689800 bytes, 1 follow (byte 56)",
        ),
        (
            "cut.pam",
            pam(b"WIDTH 1", b"HEIGHT 1", b"DEPTH 2", b"MAXVAL 255", data=b"1"),
            "1 x 1 x 2 samples make 2 bytes, 1 follow (byte 46)",
        ),
        (
            "longer.pam",
            pam(b"WIDTH 1", b"HEIGHT 1", b"DEPTH 2", b"MAXVAL 255", data=b"123"),
            "1 x 1 x 2 samples make 2 bytes, more follow (byte 46)",
        ),
        (
            "above-maxval.pam",
            pam(b"WIDTH 1", b"HEIGHT 1", b"DEPTH 4", b"MAXVAL 9", data=b"\x01\x02\x03\x0a"),
            "sample 3 is 10, above the maxval 9 (byte 48)",
        ),
    ],
    "png": [
        ("cut.png", SMALL_PNG[:50], "the file is cut short (byte 50)"),
        ("signature.png", b"\x89PNG\r\n\x1a\r" + SMALL_PNG[8:], "not a PNG file (byte 0)"),
        ("zero.png", png(0, 2, b""), None),
        ("negative.png", png(0xFFFFFFFF, 2, b""), None),
        ("wide.png", png(65536, 1, bytes(65537)), None),
        (
            "bomb.png",
            png(60000, 60000, bytes(1 << 20)),
            "60000 x 60000 pixels are declared, at most 4194304 are read (byte 41)",
        ),
        (
            "few-bytes.png",
            png(2048, 2048, bytes(1 << 10)),
            "the header declares more pixels than the file's bytes can hold (byte 41)",
        ),
        ("checksum.png", SMALL_PNG[:-20] + bytes([SMALL_PNG[-20] ^ 1]) + SMALL_PNG[-19:], None),
        ("too-few-rows.png", png(2, 2, b"\0ab"), None),
        ("filter.png", png(2, 2, b"\x07ab\0cd"), None),
        ("no-palette.png", png(2, 2, b"\0ab\0cd", color=3), None),
        ("depth.png", png(2, 2, b"\0ab\0cd", depth=3), None),
        ("critical.png", png(2, 2, b"\0ab\0cd", extra=chunk(b"ABCD", b"")), None),
        ("few-rows-rgb.png", png(2, 2, b"\0abcdef", color=2), None),
        ("few-columns-rgba.png", png(2, 2, b"\0abcdef\0abcdef", color=6), None),
        ("large-palette.png", png(1, 1, b"\0\0", color=3, extra=chunk(b"PLTE", bytes(771))), None),
        ("odd-palette.png", png(1, 1, b"\0\0", color=3, extra=chunk(b"PLTE", bytes(4))), None),
    ],
}


def main() -> None:
    for kind, cases in CASES.items():
        folder = FOLDER / kind
        folder.mkdir(exist_ok=True)
        for name, data, _ in cases:
            (folder / name).write_bytes(data)
    sys.stdout.write(f"{sum(map(len, CASES.values()))} files written\n")


if __name__ == "__main__":
    main()
