"""Small files that ask for much: every kind of file that is read, made so that little of it becomes large.

What each may cost at most is on docs/format-aew.md, docs/format-aez.md and docs/tool.md; tests of the tool
measure it. No writer makes such files, so they are built here from the words of these pages alone.
"""

import os
import struct
import zlib
from dataclasses import dataclass

MIB = 1 << 20


# ---- Weight files ----

KINDS = {"pca": 0, "linear": 1, "sigmoid": 2, "relu": 3, "elu": 4, "vae": 5, "conv-vae": 6}


@dataclass
class Network:
    """The sizes of a dense network, as ARCH has them."""

    width: int
    height: int
    latents: int
    hidden: tuple[int, ...] = ()
    kind: str = "elu"

    def layers(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(inputs, outputs) of every layer of the encoder, and of the decoder."""
        pixels = self.width * self.height
        heads = 2 * self.latents if self.kind == "vae" else self.latents
        there = [pixels, *self.hidden, heads]
        back = [self.latents, *reversed(self.hidden), pixels]
        return list(zip(there, there[1:])), list(zip(back, back[1:]))

    def parameters(self) -> int:
        there, back = self.layers()
        return sum(inputs * outputs + outputs for inputs, outputs in there + back)

    def arch(self) -> bytes:
        head = struct.pack("<BBBB", KINDS[self.kind], 0, 0, len(self.hidden))
        head += struct.pack("<HHHH", self.width, self.height, 1, self.latents)
        return head + struct.pack(f"<{len(self.hidden)}H", *self.hidden) + b"\4bomb" + b"\0\0"


def deflated(raw: bytes | int) -> bytes:
    """A zlib stream of some bytes, or of so many zeros."""
    packer = zlib.compressobj(9)
    if isinstance(raw, bytes):
        return packer.compress(raw) + packer.flush()
    parts = []
    for start in range(0, raw, 16 * MIB):
        parts.append(packer.compress(bytes(min(16 * MIB, raw - start))))
    return b"".join(parts) + packer.flush()


def weights(*sections: tuple[str, bytes | int]) -> bytes:
    """A weight file of sections, all deflated; a number stands for so many zeros."""
    table, body = b"", b""
    for tag, raw in sections:
        stored = deflated(raw)
        count = raw if isinstance(raw, int) else len(raw)
        table += tag.encode() + struct.pack("<IQQII", 1, len(stored), count, zlib.crc32(stored), 0)
        body += stored
    head = b"\x89AEW\r\n\x1a\n" + struct.pack("<HHIQI", 1, 0, 0, 32 + len(table) + len(body), len(sections))
    return head + struct.pack("<I", zlib.crc32(head + table)) + table + body


def float_sections(network: Network, width: int = 4) -> list[tuple[str, bytes | int]]:
    there, back = network.layers()
    tags = ("FE32", "FD32") if width == 4 else ("FE16", "FD16")
    counts = [sum(i * o + o for i, o in half) * width for half in (there, back)]
    return [(tags[0], counts[0]), (tags[1], counts[1])]


def integer_layers(layers: list[tuple[int, int]], *, words_at_end: bool) -> bytes:
    """Layers of zeros, which give zeros."""
    parts = []
    for index, (inputs, outputs) in enumerate(layers):
        parts.append(b"\1" + bytes(inputs * outputs + 12 * outputs))
        if not (words_at_end and index == len(layers) - 1):
            parts.append(bytes(4096))
    return b"".join(parts)


def codec(latents: int, symbols: int = 2, qualities: int = 1) -> bytes:
    """Tables in which the first value is all but certain, so that codes of it are next to nothing."""
    frequencies = [1] * symbols
    frequencies[1] = 4096 - (symbols - 1)
    table = struct.pack(f"<hH{symbols}H", 0, symbols, *frequencies)
    rate = struct.pack("<H", 1) * latents + table * latents
    return struct.pack("<BB", qualities, 1) + struct.pack("<f", 1.0) * latents + rate * qualities


def scan_section(widths: tuple[int, ...]) -> bytes:
    """A scan network that says the same of every pixel: ink is very unlikely."""
    layers = list(zip(widths, [*widths[1:], 1]))
    head = struct.pack(f"<B{len(widths)}H", len(widths), *widths)
    return head + struct.pack("<H", 1) * 129 + integer_layers(layers, words_at_end=True)


def integer_model(network: Network, *more: tuple[str, bytes | int], encoder: bool = False) -> list:
    there, back = network.layers()
    sections: list[tuple[str, bytes | int]] = [("ARCH", network.arch())]
    if encoder:
        sections.append(("IENC", integer_layers(there, words_at_end=True)))
    sections += [("IDEC", integer_layers(back, words_at_end=False)), ("CODC", codec(network.latents))]
    return sections + list(more)


def model_hash(network: Network, scan: bytes = b"") -> bytes:
    import hashlib

    _, back = network.layers()
    words = [network.width, network.height, 1, len(back)]
    for inputs, outputs in back:
        words += [inputs, outputs]
    raw = integer_layers(back, words_at_end=False) + codec(network.latents) + scan
    return hashlib.sha256(struct.pack(f"<{len(words)}I", *words) + raw).digest()


# ---- Image sets ----


def image_set(
    blocks: list[tuple[int, bytes]],
    *,
    count: int,
    block_images: int,
    width: int = 28,
    height: int = 28,
    layer: int = 1,
    effort: int = 1,
    network: Network | None = None,
    model: bytes = b"",
    scan: bytes = b"",
    labels: tuple[bytes, int] | None = None,
    names: tuple[bytes, int] | None = None,
    quality: int = 0,
) -> bytes:
    """An image set of blocks (kind, bytes); labels and names as (stored bytes, raw size)."""
    flags = (1 if model else 0) | (2 if labels else 0) | (4 if names else 0)
    head = b"\x89AEZ\r\n\x1a\n" + struct.pack("<HH", 1 if layer == 0 else 2, flags)
    latents = network.latents if network else 0
    head += struct.pack("<HHHH", width, height, 1, latents)
    head += struct.pack("<BBBB", quality, 0, layer, 0)
    head += struct.pack("<IBBHQ", block_images, 0, effort, 0, count)
    head += model_hash(network, scan) if network else bytes(32)
    for stored, raw in [(model, len(model)), labels or (b"", 0), names or (b"", 0)]:
        head += struct.pack("<QQI", len(stored), raw, zlib.crc32(stored) if stored else 0)
    index = b"".join(struct.pack("<BII", kind, len(data), zlib.crc32(data)) for kind, data in blocks)
    sections = model + (labels[0] if labels else b"") + (names[0] if names else b"")
    head += struct.pack("<I", zlib.crc32(head))
    index += struct.pack("<I", zlib.crc32(index))
    return head + index + sections + b"".join(data for _, data in blocks)


class BitCoder:
    """The binary coder's encoder, with its adaptive bits."""

    def __init__(self) -> None:
        self.low, self.high, self.out = 0, 0xFFFFFFFF, bytearray()

    def code(self, bit: int, p: int) -> None:
        middle = self.low + ((self.high - self.low) * p >> 16)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) & 0xFF000000 == 0:
            self.out.append(self.high >> 24)
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = (self.high << 8 | 0xFF) & 0xFFFFFFFF

    def finish(self) -> bytes:
        return bytes(self.out) + struct.pack(">I", self.low)


class AdaptiveBit:
    def __init__(self) -> None:
        self.p, self.count = 32768, 0

    def code(self, coder: BitCoder, bit: int) -> None:
        coder.code(bit, min(max(self.p, 16), 65520))
        change = ((65535 if bit else 0) - self.p) * 2
        step = abs(change) // (2 * self.count + 3)
        self.p += step if change >= 0 else -step
        self.count = min(self.count + 1, 255)


def blank_rANS(count: int, latents: int) -> bytes:
    """The codes of images whose latents are all the value that the tables of `codec` expect."""
    lower, x, out = 1 << 23, 1 << 23, bytearray()
    frequency, start = 4095, 1
    limit = (lower >> 12 << 8) * frequency
    for _ in range(count * latents):
        while x >= limit:
            out.append(x & 255)
            x >>= 8
        x = (x // frequency << 12) + x % frequency + start
    return struct.pack("<I", x) + bytes(reversed(out))


def scans_block(count: int, side: int) -> bytes:
    """The heads of so many scans of the largest extent, and then nothing: no ink follows."""
    coder = BitCoder()
    is_scan, fills_height, fills_width = AdaptiveBit(), AdaptiveBit(), AdaptiveBit()
    sides = [AdaptiveBit() for _ in range(128)]
    for _ in range(count):
        is_scan.code(coder, 1)
        node, number = 1, side - 20
        for shift in range(6, -1, -1):
            bit = number >> shift & 1
            sides[node].code(coder, bit)
            node = node << 1 | bit
        fills_height.code(coder, 1)
        fills_width.code(coder, 1)
    return struct.pack("<I", 0) + coder.finish()


# ---- Pictures and arrays ----


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int = 8, color: int = 0, extra: bytes = b"") -> bytes:
    """A black picture."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    row = 1 + (width * channels * depth + 7) // 8
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = deflated(row * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gzipped_zeros(count: int, head: bytes = b"") -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(head)]
    for start in range(0, count, 16 * MIB):
        parts.append(packer.compress(bytes(min(16 * MIB, count - start))))
    return b"".join(parts) + packer.flush()


# ---- Measuring ----


@dataclass
class Cost:
    """What a child process took."""

    code: int
    peak: int
    seconds: float
    out: str
    err: str


def measure(arguments, *, stdin: str | None = None, env=None, cwd=None) -> Cost:
    """Runs a program and tells its peak memory, in bytes, and its processor time."""
    import tempfile

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source = os.open(stdin or os.devnull, os.O_RDONLY)
        child = os.fork()
        if child == 0:
            try:
                os.dup2(source, 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                if cwd is not None:
                    os.chdir(cwd)
                os.execvpe(str(arguments[0]), [str(word) for word in arguments], env or dict(os.environ))
            finally:
                os._exit(127)
        _, status, usage = os.wait4(child, 0)
        os.close(source)
        out.seek(0)
        err.seek(0)
        return Cost(
            os.waitstatus_to_exitcode(status),
            usage.ru_maxrss * 1024,
            usage.ru_utime + usage.ru_stime,
            out.read().decode(errors="replace"),
            err.read().decode(errors="replace"),
        )
