"""Image files written and read in plain Python: the tests' own idea of the formats, apart from the tool's."""

import gzip
import io
import struct
import zlib

import numpy as np


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    array = np.ascontiguousarray(array, dtype=np.uint8)
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def read_idx(data: bytes) -> np.ndarray:
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    assert data[:3] == b"\0\0\x08"
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def read_npy(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(data), allow_pickle=False)


def pgm(image: np.ndarray, maxval: int = 255) -> bytes:
    kind = ">u2" if maxval > 255 else np.uint8
    return f"P5\n{image.shape[1]} {image.shape[0]}\n{maxval}\n".encode() + image.astype(kind).tobytes()


def read_pgm(data: bytes) -> np.ndarray:
    kind, size, maxval, rest = data.split(b"\n", 3)
    assert (kind, maxval) == (b"P5", b"255")
    width, height = map(int, size.split())
    return np.frombuffer(rest, np.uint8).reshape(height, width)


def ppm(image: np.ndarray, maxval: int = 255) -> bytes:
    kind = ">u2" if maxval > 255 else np.uint8
    return f"P6\n{image.shape[1]} {image.shape[0]}\n{maxval}\n".encode() + image.astype(kind).tobytes()


def pam(image: np.ndarray, maxval: int = 255, kind: str | None = None) -> bytes:
    """A PAM of [height, width, depth]."""
    height, width, depth = image.shape
    kind = kind or ["GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"][depth - 1]
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {maxval}\nTUPLTYPE {kind}\nENDHDR\n"
    return head.encode() + image.astype(">u2" if maxval > 255 else np.uint8).tobytes()


def read_pnm(data: bytes) -> np.ndarray:
    """P5, P6 or P7 of maxval 255, [height, width] or [height, width, depth]."""
    if data[:2] == b"P7":
        head, rest = data.split(b"ENDHDR\n", 1)
        fields = dict(line.split(b" ", 1) for line in head.split(b"\n")[1:] if line)
        shape = [int(fields[name]) for name in (b"HEIGHT", b"WIDTH", b"DEPTH")]
        assert fields[b"MAXVAL"] == b"255"
        assert fields[b"TUPLTYPE"] == {1: b"GRAYSCALE", 3: b"RGB", 4: b"RGB_ALPHA"}[shape[2]]
    else:
        kind, size, maxval, rest = data.split(b"\n", 3)
        assert maxval == b"255"
        width, height = map(int, size.split())
        shape = [height, width, {b"P5": 1, b"P6": 3}[kind]]
    image = np.frombuffer(rest, np.uint8).reshape(shape)
    return image[..., 0] if shape[2] == 1 else image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(samples: np.ndarray, depth: int = 8, color: int | None = None, extra: bytes = b"") -> bytes:
    """A PNG of [height, width] or [height, width, channels] samples of 8 or 16 bits."""
    if samples.ndim == 2:
        samples = samples[:, :, None]
    height, width, channels = samples.shape
    if color is None:
        color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = samples.astype(">u2" if depth == 16 else np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        PNG_SIGNATURE
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def read_png(data: bytes) -> np.ndarray:
    """An 8-bit PNG without palette and interlacing, with any row filter: [height, width], or with "
    "channels."""
    assert data[:8] == PNG_SIGNATURE
    position, body, size = 8, b"", None
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        content = data[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", content)
            assert (depth, interlace) == (8, 0)
            size = (height, width, {0: 1, 4: 2, 2: 3, 6: 4}[color])
        elif kind == b"IDAT":
            body += content
        position += 12 + length
    height, width, channels = size
    raw = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height, width * channels), np.int64)
    for y in range(height):
        filtering, row = raw[y, 0], raw[y, 1:].astype(np.int64)
        above = out[y - 1] if y else np.zeros(width * channels, np.int64)
        for x in range(width * channels):
            left = out[y, x - channels] if x >= channels else 0
            corner = above[x - channels] if x >= channels else 0
            if filtering == 0:
                guess = 0
            elif filtering == 1:
                guess = left
            elif filtering == 2:
                guess = above[x]
            elif filtering == 3:
                guess = (left + above[x]) // 2
            else:
                p = left + above[x] - corner
                distances = [abs(p - left), abs(p - above[x]), abs(p - corner)]
                guess = [left, above[x], corner][int(np.argmin(distances))]
            out[y, x] = (row[x] + guess) & 255
    out = out.astype(np.uint8).reshape(size)
    return out[..., 0] if channels == 1 else out
