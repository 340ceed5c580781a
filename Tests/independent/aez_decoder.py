"""A second decoder of .aez, written from docs/format-aez.md and docs/format-aew.md alone.

Plain Python, slow, strict where it is easy. It shares nothing with the library, so that what both make of a
file is what the pages say.

usage: python3 Tests/independent/aez_decoder.py SET.aez [MODEL.aew]     prints the SHA-256 of all pixels
"""

import hashlib
import struct
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path


class Refused(Exception):
    """The file is not one, or is damaged."""


def need(condition: bool, reason: str) -> None:
    if not condition:
        raise Refused(reason)


# ---- Weight files (docs/format-aew.md) ----


@dataclass
class Layer:
    inputs: int
    outputs: int
    shift: int
    weights: list[list[int]]
    biases: list[int]
    multipliers: list[int]
    table: bytes | None  # None in a last layer that gives words


@dataclass
class ScanNetwork:
    probabilities: tuple[int, ...]
    layers: list[Layer]


@dataclass
class Rate:
    steps: list[int]
    tables: list[tuple[int, list[int]]]  # lowest value, frequencies


@dataclass
class Model:
    width: int
    height: int
    latents: int
    hash: bytes
    decoder: list[Layer]
    rates: list[Rate]
    scan: ScanNetwork | None


def planes(data: bytes, count: int, signed: bool = True) -> list[int]:
    """`count` 32-bit values whose lowest bytes come first, then their next ones, and so on."""
    columns = [data[plane * count : (plane + 1) * count] for plane in range(4)]
    return [int.from_bytes(bytes(value), "little", signed=signed) for value in zip(*columns)]


def read_layers(raw: bytes, sizes: list[int], ends_in_words: bool) -> list[Layer]:
    layers = []
    at = 0
    for number, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        shift = raw[at]
        at += 1
        flat = struct.unpack_from(f"<{inputs * outputs}b", raw, at)
        at += inputs * outputs
        biases = planes(raw[at : at + 4 * outputs], outputs)
        multipliers = planes(raw[at + 4 * outputs : at + 8 * outputs], outputs)
        at += 12 * outputs
        table = None
        if not (ends_in_words and number == len(sizes) - 2):
            table, value = bytearray(), 0
            for difference in raw[at : at + 4096]:
                value = (value + difference) % 256
                table.append(value)
            at += 4096
        rows = [list(flat[row * inputs : (row + 1) * inputs]) for row in range(outputs)]
        layers.append(
            Layer(inputs, outputs, shift, rows, biases, multipliers, None if table is None else bytes(table))
        )
    need(at == len(raw), "a network's size")
    return layers


def read_scan_network(raw: bytes) -> ScanNetwork:
    count = raw[0]
    need(1 <= count <= 5, "SCAN: its layers")
    sizes = [*struct.unpack_from(f"<{count}H", raw, 1), 1]
    need(all(1 <= size <= 1024 for size in sizes), "SCAN: a layer's inputs")
    at = 1 + 2 * count
    probabilities = struct.unpack_from("<129H", raw, at)
    need(probabilities[0] >= 1 and list(probabilities) == sorted(probabilities), "SCAN: its probabilities")
    return ScanNetwork(probabilities, read_layers(raw[at + 258 :], sizes, ends_in_words=True))


def read_model(data: bytes) -> Model:
    need(data[:8] == b"\x89AEW\r\n\x1a\n", "not a weight file")
    major, _, _, size, count, _ = struct.unpack_from("<HHIQII", data, 8)
    need(major == 1 and size == len(data), "version or size")
    sections = {}
    at = 32 + 32 * count
    for index in range(count):
        tag, flags, stored, raw, crc, _ = struct.unpack_from("<4sIQQII", data, 32 + 32 * index)
        body = data[at : at + stored]
        need(len(body) == stored and zlib.crc32(body) == crc, f"section {tag!r}")
        sections[tag] = body if stored == raw else zlib.decompress(body)
        need(len(sections[tag]) == raw, f"section {tag!r}: its raw size")
        at += stored
    need(at == len(data), "bytes after the last section")

    arch = sections[b"ARCH"]
    _, _, _, hidden_count, width, height, channels, latents = struct.unpack_from("<BBBBHHHH", arch)
    hidden = struct.unpack_from(f"<{hidden_count}H", arch, 12)
    sizes = [latents, *reversed(hidden), width * height * channels]
    raw = sections[b"IDEC"]
    layers = read_layers(raw, sizes, ends_in_words=False)

    codec = sections[b"CODC"]
    qualities = codec[0]
    at = 2 + 4 * latents
    rates = []
    for _ in range(qualities):
        steps = list(struct.unpack_from(f"<{latents}H", codec, at))
        at += 2 * latents
        tables = []
        for _ in range(latents):
            lowest, symbols = struct.unpack_from("<hH", codec, at)
            frequencies = list(struct.unpack_from(f"<{symbols}H", codec, at + 4))
            need(sum(frequencies) == 4096, "frequencies")
            at += 4 + 2 * symbols
            tables.append((lowest, frequencies))
        rates.append(Rate(steps, tables))
    need(at == len(codec), "CODC: its size")

    head = struct.pack("<4I", width, height, channels, len(layers))
    head += b"".join(struct.pack("<2I", layer.inputs, layer.outputs) for layer in layers)
    scan = sections.get(b"SCAN", b"")
    model_hash = hashlib.sha256(head + raw + codec + scan).digest()
    network = read_scan_network(scan) if scan else None
    return Model(width, height, latents, model_hash, layers, rates, network)


def run_network(layers: list[Layer], values: list[int]) -> list[int]:
    for layer in layers:
        out = []
        for row, bias, multiplier in zip(layer.weights, layer.biases, layer.multipliers):
            total = bias + sum(weight * value for weight, value in zip(row, values))
            scaled = (total * multiplier + (1 << (layer.shift - 1))) >> layer.shift
            if layer.table is None:
                out.append(max(-16383, min(16383, scaled)))
            else:
                out.append(layer.table[max(-2048, min(2047, scaled)) + 2048])
        values = out
    return values


# ---- The entropy coder ----


class Coder:
    LOWEST = 1 << 23

    def __init__(self, data: bytes) -> None:
        need(len(data) >= 4, "codes: too few bytes")
        self.data = data
        self.at = 4
        self.state = int.from_bytes(data[:4], "little")
        need(self.LOWEST <= self.state < self.LOWEST << 8, "codes: the state")

    def slot(self, bits: int) -> int:
        return self.state % (1 << bits)

    def advance(self, start: int, frequency: int, bits: int) -> None:
        self.state = frequency * (self.state >> bits) + self.slot(bits) - start
        while self.state < self.LOWEST:
            need(self.at < len(self.data), "codes: they end too early")
            self.state = self.state << 8 | self.data[self.at]
            self.at += 1

    def end(self) -> None:
        need(self.at == len(self.data) and self.state == self.LOWEST, "codes: they end otherwise")


def read_codes(data: bytes, rate: Rate, count: int) -> list[list[int]]:
    """The quantised values, [image][latent]."""
    coder = Coder(data)
    columns = []
    for lowest, frequencies in rate.tables:
        column = []
        for _ in range(count):
            slot = coder.slot(12)
            symbol, start = 0, 0
            while slot >= start + frequencies[symbol]:
                start += frequencies[symbol]
                symbol += 1
            coder.advance(start, frequencies[symbol], 12)
            value = lowest + symbol - 1
            if symbol == 0:
                escape = coder.slot(15)
                coder.advance(escape, 1, 15)
                value = escape - 16383
                in_table = lowest <= value < lowest + len(frequencies) - 1
                need(escape != 32767 and not in_table, "codes: an escape")
            column.append(value)
        columns.append(column)
    coder.end()
    return [list(image) for image in zip(*columns)]


def pictures(model: Model, rate: Rate, codes: list[list[int]]) -> list[bytes]:
    def clamp(value: int) -> int:
        return max(-16383, min(16383, value))

    return [
        bytes(run_network(model.decoder, [clamp(value * step) for value, step in zip(image, rate.steps)]))
        for image in codes
    ]


# ---- Image sets (docs/format-aez.md) ----


@dataclass
class ImageSet:
    width: int
    height: int
    layer: int
    max_error: int
    images: list[bytes]
    lost: list[int]
    labels: bytes | None
    names: list[str] | None
    model_hash: bytes = field(repr=False)


def inflate(data: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    raw = stream.decompress(data, size + 1)
    need(len(raw) == size and stream.eof and not stream.unused_data, "a zlib stream")
    return raw


def section(data: bytes, stored: int, raw: int, crc: int, what: str) -> bytes:
    need(zlib.crc32(data) == crc, f"the {what} do not match their checksum")
    return data if stored == raw else inflate(data, raw)


def successor(name: bytes) -> bytes:
    end = len(name)
    while end and not name[end - 1 : end].isdigit():
        end -= 1
    begin = end
    while begin and name[begin - 1 : begin].isdigit():
        begin -= 1
    need(begin < end, "a name without successor")
    number = str(int(name[begin:end]) + 1).zfill(end - begin).encode()
    return name[:begin] + number + name[end:]


def read_names(raw: bytes, count: int) -> list[str]:
    names: list[bytes] = []
    at = 0
    for _ in range(count):
        size = raw[at]
        if size:
            names.append(raw[at + 1 : at + 1 + size])
        else:
            need(bool(names), "the first name is none's successor")
            names.append(successor(names[-1]))
        at += 1 + size
    need(at == len(raw), "names: their size")
    return [name.decode() for name in names]


def read_set(data: bytes, model: Model | None = None) -> ImageSet:
    need(data[:8] == b"\x89AEZ\r\n\x1a\n" and len(data) >= 10, "not an image set")
    return read_stream(data, model) if data[8:10] == b"\x03\x00" else read_old(data, model)


class Numbers:
    """Bytes and numbers in order."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def bytes(self, count: int) -> bytes:
        need(count <= len(self.data) - self.at, "the file is cut")
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self) -> int:
        return self.bytes(1)[0]

    def u32(self) -> int:
        return int.from_bytes(self.bytes(4), "little")

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                need(byte > 0 or shift == 0, "a number with a byte too many")
                return value
            shift += 7
            need(shift < 42, "a number of more than 6 bytes")


@dataclass
class Head:
    kind: int
    size: int
    count: int  # images of a block
    raw: int  # images of a mixed block that are stored raw; bytes of names after inflating


def read_head_of_part(numbers: Numbers, block_images: int) -> Head:
    tag = numbers.varint()
    head = Head(tag & 15, tag >> 5, block_images, 0)
    is_block = head.kind <= 5
    need(is_block or head.kind in (8, 9, 10, 15), "a part of an unknown kind")
    need(is_block or not tag & 16, "a count of what is no block")
    if tag & 16:
        head.count = numbers.varint()
        need(1 <= head.count <= 65536 and head.count != block_images, "a block's count")
    if head.kind in (3, 10):
        head.raw = numbers.varint()
        need(head.kind == 10 or 1 <= head.raw < head.count, "raw images of a block")
    need(head.size > 0 or not is_block, "a block without bytes")
    return head


def read_part(data: bytes, at: int, block_images: int) -> tuple[Head, bytes, int, bool]:
    """A part's head, its bytes, where it ends, and whether its checksum is right."""
    numbers = Numbers(data, at)
    head = read_head_of_part(numbers, block_images)
    start = data[at : numbers.at]
    crc = numbers.u32()
    body = numbers.bytes(head.size)
    return head, body, numbers.at, zlib.crc32(start + body) == crc


def first_part(data: bytes) -> int:
    """Where the first part of a file of version 3 begins."""
    numbers = Numbers(data, 12)
    for _ in range(4):
        numbers.varint()
    if data[10] & 3 == 2:
        numbers.u8()
    if data[10] & 8:
        numbers.u8()
    if data[10] & 4:
        numbers.varint()
        numbers.bytes(32)
        numbers.bytes(numbers.u8())
    return numbers.at + 4


def read_stream(data: bytes, model: Model | None) -> ImageSet:
    """Version 3."""
    numbers = Numbers(data, 10)
    content, source = numbers.u8(), numbers.u8()
    width, height, channels, block_images = (numbers.varint() for _ in range(4))
    mode = content & 3
    max_error = numbers.u8() if mode == 2 else 0
    quality = numbers.u8() if content & 8 else 0
    latents, model_hash = 0, bytes(32)
    if content & 4:
        latents, model_hash = numbers.varint(), numbers.bytes(32)
        name_size = numbers.u8()
        need(name_size <= 64, "the model's name")
        numbers.bytes(name_size).decode()
        need(1 <= latents <= 1024, "the latents")
    start = numbers.at
    need(numbers.u32() == zlib.crc32(data[:start]), "the header")
    need(content < 32 and mode < 3 and source <= 6 and channels == 1, "the header's fields")
    need(1 <= width <= 64 and 1 <= height <= 64 and 1 <= block_images <= 65536, "the header's sizes")
    need(1 <= max_error <= 32 if mode == 2 else max_error == 0, "the largest error")
    need(1 <= quality <= 16 if content & 8 else quality == 0, "the quality")
    need(bool(content & 4) == bool(content & 24), "a model is for codes and scans")
    need(mode > 0 or content & 24 == 8, "a lossy set has codes and no scans")

    # From the end: footer, index; then every part must be where and what the index says.
    footer_at = len(data) - 20
    need(footer_at >= numbers.at and data[-4:] == b"ZEA\x89", "the footer")
    footer = data[footer_at:]
    index_at, count, crc = struct.unpack_from("<QII", footer)
    need(zlib.crc32(footer[:12]) == crc and index_at < footer_at, "the footer's fields")
    head, index, end, is_sound = read_part(data, index_at, block_images)
    need(head.kind == 15 and end == footer_at and is_sound, "the index")
    entries, at = Numbers(index), numbers.at
    parts, order = [], 0
    while entries.at < len(index):
        before = entries.at
        entry = read_head_of_part(entries, block_images)
        need(entry.kind != 15 and max(entry.kind, 7) >= order, "the parts' order")
        order = entry.kind + 1 if entry.kind > 5 else 7
        size = entries.at - before + 4 + entry.size
        parts.append((entry, data[at : at + size]))
        at += size
    need(at == index_at, "the parts do not end where the index begins")
    blocks = [(entry, part) for entry, part in parts if entry.kind <= 5]
    need(sum(entry.count for entry, _ in blocks) == count, "the number of images")

    def check(entry: Head, part: bytes) -> bytes:
        found, body, end, is_sound = read_part(part, 0, block_images)
        need(found == entry and end == len(part) and is_sound, "a part")
        return body

    others = {entry.kind: (entry, part) for entry, part in parts if entry.kind > 5}
    need(8 not in others or bool(content & 4), "a model that the header does not name")
    kinds = (0, 1, 2, 3) if mode == 0 else (1, 2, 4, 5) if content & 16 else (1, 2, 4)
    need(all(entry.kind in kinds for entry, _ in blocks), "a block's kind")
    needs_model = any(entry.kind in (0, 3, 5) or (entry.kind == 4 and quality > 0) for entry, _ in blocks)
    if needs_model:
        if 8 in others and (model is None or model.hash != model_hash):
            model = read_model(check(*others[8]))
        need(model is not None and model.hash == model_hash, "the model is not the one")
    rate = model.rates[quality - 1] if needs_model and model and quality else None

    images: list[bytes] = []
    lost: list[int] = []
    for entry, part in blocks:
        try:
            body = check(entry, part)
            if entry.kind == 5:
                assert model is not None
                need(min(width, height) >= 20 and model.scan is not None, "scans")
                images += read_exact(body, entry.count, width, height, rate, model.scan)
            elif entry.kind == 4:
                images += read_exact(body, entry.count, width, height, rate, None)
            else:
                if entry.kind == 3:
                    need(int.from_bytes(body[:4], "little") == entry.raw, "raw images")
                images += read_block(entry.kind, body, entry.count, width * height, model, rate)
        except (Refused, zlib.error, struct.error, IndexError):
            lost += range(len(images), len(images) + entry.count)
            images += [bytes(width * height)] * entry.count
    labels, names = None, None
    if 9 in others:
        labels = check(*others[9])
        labels = labels if len(labels) == count else inflate(labels, count)
    if 10 in others:
        raw = check(*others[10])
        size = others[10][0].raw
        names = read_names(raw if len(raw) == size else inflate(raw, size), count)
    return ImageSet(width, height, mode, max_error, images, lost, labels, names, model_hash)


def read_old(data: bytes, model: Model | None) -> ImageSet:
    """Versions 1 and 2."""
    need(len(data) >= 136, "the header is cut")
    version, flags, width, height, channels, latents = struct.unpack_from("<6H", data, 8)
    quality, source, layer, name_size = struct.unpack_from("<4B", data, 20)
    block_images, max_error, effort, zero, count = struct.unpack_from("<IBBHQ", data, 24)
    need(version in (1, 2), f"version {version}")
    head_end = 132 + name_size
    need(len(data) >= head_end + 4, "the header is cut")
    need(zlib.crc32(data[:head_end]) == int.from_bytes(data[head_end : head_end + 4], "little"), "the header")
    need(layer <= 2 and (layer > 0) == (version == 2), f"layer {layer}")
    need(flags < 8 and source <= 6 and channels == 1 and zero == 0, "the header's fields")
    need(1 <= width <= 64 and 1 <= height <= 64 and 1 <= block_images <= 65536, "the header's sizes")
    need(1 <= max_error <= 32 if layer == 2 else max_error == 0, "the largest error")
    model_hash = data[40:72]
    if latents == 0:
        need(version == 2 and not (quality or name_size or flags & 1 or any(model_hash)), "a model")
        need(effort <= 1, "the effort")
    else:
        need(quality > 0 or version == 2, "the quality")
        need(effort <= 9 if version == 2 else effort == 0, "the effort")

    block_count = -(-count // block_images)
    index = head_end + 4
    index_end = index + 9 * block_count
    need(len(data) >= index_end + 4, "the index is cut")
    need(
        zlib.crc32(data[index:index_end]) == int.from_bytes(data[index_end : index_end + 4], "little"),
        "the index",
    )
    at = index_end + 4
    parts = []
    for flag in range(3):
        stored, raw, crc = struct.unpack_from("<QQI", data, 72 + 20 * flag)
        need(bool(flags >> flag & 1) or stored == raw == crc == 0, "a section without its flag")
        parts.append((data[at : at + stored], stored, raw, crc))
        at += stored
    entries = [struct.unpack_from("<BII", data, index + 9 * block) for block in range(block_count)]
    need(at + sum(size for _, size, _ in entries) == len(data), "the file's length")

    if flags & 1 and (model is None or model.hash != model_hash):
        model = read_model(section(*parts[0], "model's bytes"))
    needs_model = layer == 0 or (latents > 0 and any(kind == 4 for kind, _, _ in entries))
    if needs_model:
        need(model is not None and model.hash == model_hash, "the model is not the one")
    rate = model.rates[quality - 1] if needs_model and model and quality else None

    size = width * height
    images: list[bytes] = []
    lost: list[int] = []
    for block, (kind, stored, crc) in enumerate(entries):
        body = data[at : at + stored]
        at += stored
        n = min(block_images, count - block * block_images)
        kinds = (0, 1, 2, 3) if layer == 0 else (1, 2, 4) if effort else (1, 2)
        need(kind in kinds, f"block {block} is of kind {kind}")
        try:
            need(zlib.crc32(body) == crc, "a block")
            if kind == 4:
                network = None
                if effort > 1:
                    need(effort == 2 and model is not None and model.scan is not None, "the effort")
                    assert model is not None
                    network = model.scan
                images += read_exact(body, n, width, height, rate, network)
            else:
                images += read_block(kind, body, n, size, model, rate)
        except (Refused, zlib.error, struct.error, IndexError):
            lost += range(block * block_images, block * block_images + n)
            images += [bytes(size)] * n
    return ImageSet(
        width, height, layer, max_error, images, lost,
        section(*parts[1], "labels") if flags & 2 else None,
        read_names(section(*parts[2], "names"), count) if flags & 4 else None,
        model_hash,
    )  # fmt: skip


def read_block(
    kind: int, body: bytes, n: int, size: int, model: Model | None, rate: Rate | None
) -> list[bytes]:
    if kind in (1, 2):
        pixels = inflate(body, n * size) if kind == 1 else body
        need(len(pixels) == n * size, "a stored block's size")
        return [pixels[image * size : (image + 1) * size] for image in range(n)]
    assert model is not None
    assert rate is not None
    if kind == 0:
        return pictures(model, rate, read_codes(body, rate, n))
    kept_count, deflated = struct.unpack_from("<II", body)
    kept = struct.unpack_from(f"<{kept_count}H", body, 8)
    need(1 <= kept_count < n and list(kept) == sorted(set(kept)) and kept[-1] < n, "kept images")
    codes_at = 8 + 2 * kept_count + deflated
    raw = inflate(body[8 + 2 * kept_count : codes_at], kept_count * size)
    whole = {image: raw[place * size : (place + 1) * size] for place, image in enumerate(kept)}
    coded = iter(pictures(model, rate, read_codes(body[codes_at:], rate, n - kept_count)))
    return [whole[image] if image in whole else next(coded) for image in range(n)]


# ---- Exact blocks (docs/format-aez.md) ----


def truncated(value: int, divisor: int) -> int:
    """A division that drops the remainder, towards 0."""
    return value // divisor if value >= 0 else -(-value // divisor)


class BinaryCoder:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 4
        self.low, self.high = 0, 0xFFFFFFFF
        need(len(data) >= 4, "exact: too few bytes")
        self.x = int.from_bytes(data[:4], "big")

    def bit(self, p: int) -> int:
        middle = self.low + ((self.high - self.low) * p >> 16)
        bit = 1 if self.x <= middle else 0
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            need(self.at < len(self.data), "exact: the bytes end too early")
            self.x = (self.x << 8 | self.data[self.at]) & 0xFFFFFFFF
            self.at += 1
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = (self.high << 8 | 255) & 0xFFFFFFFF
        return bit


class AdaptiveBit:
    def __init__(self) -> None:
        self.p, self.t = 32768, 0

    def read(self, coder: BinaryCoder) -> int:
        bit = coder.bit(max(16, min(self.p, 65520)))
        self.p += truncated(((65535 if bit else 0) - self.p) * 2, 2 * self.t + 3)
        self.t = min(self.t + 1, 255)
        return bit


class AdaptiveNumber:
    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.nodes = [AdaptiveBit() for _ in range(1 << bits)]

    def read(self, coder: BinaryCoder) -> int:
        node = 1
        for _ in range(self.bits):
            node = 2 * node + self.nodes[node].read(coder)
        return node - (1 << self.bits)


@dataclass
class Scan:
    side: int
    top: int
    left: int
    height: int
    width: int
    ink: list[list[int]]

    def at(self, row: int, column: int) -> int:
        inside = 0 <= row < self.height and 0 <= column < self.width
        return self.ink[row][column] if inside else 0


class Learned:
    """What adapts beside the pixels' contexts, in a block."""

    def __init__(self) -> None:
        bit, number = AdaptiveBit, AdaptiveNumber
        self.is_scan, self.fills_height, self.fills_width = bit(), bit(), bit()
        self.is_centred, self.is_placed, self.full = bit(), bit(), bit()
        self.tie = [bit() for _ in range(12)]
        self.has_miss = [bit(), bit()]
        self.blank = [bit() for _ in range(6)]
        self.side, self.shortfall, self.margin, self.place = number(7), number(7), number(7), number(7)
        self.miss_place, self.miss_value = number(9), number(8)


def read_head(coder: BinaryCoder, learned: Learned) -> Scan | None:
    if not learned.is_scan.read(coder):
        return None
    side = 20 + learned.side.read(coder)
    need(side <= 112, "exact: a scan's side")

    def extent(fills: AdaptiveBit) -> int:
        return side if fills.read(coder) else side - 1 - learned.shortfall.read(coder)

    def margin(extent: int) -> int:
        if extent == side:
            return 0
        return (side - extent) // 2 if learned.is_centred.read(coder) else learned.margin.read(coder)

    height = extent(learned.fills_height)
    width = extent(learned.fills_width)
    need(height > 0 and width > 0, "exact: a scan without size")
    top = margin(height)
    left = margin(width)
    need(top + height <= side and left + width <= side, "exact: a scan outside its square")
    return Scan(side, top, left, height, width, [[0] * width for _ in range(height)])


def read_ink(coder: BinaryCoder, learned: Learned, network: ScanNetwork, scans: list[Scan]) -> None:
    for step in range(max((scan.height * scan.width for scan in scans), default=0)):
        for scan in scans:
            if step >= scan.height * scan.width:
                continue
            row, column = divmod(step, scan.width)
            context = [scan.at(row - up, column + x) for up in (5, 4, 3, 2, 1) for x in range(-5, 6)]
            context += [scan.at(row, column - back) for back in (6, 5, 4, 3, 2, 1)]
            if not any(context):
                further = any(scan.at(row - up, column + x) for up in (1, 2) for x in range(6, 16))
                blank = (0 if row == 0 else 2 if row < 5 else 4) + further
                bit = learned.blank[blank].read(coder)
            elif all(context):
                bit = learned.full.read(coder)
            else:
                inputs = [255 * neighbour for neighbour in context]
                inputs += [row, scan.height - 1 - row, column, scan.width - 1 - column, 2 * scan.side]
                (word,) = run_network(network.layers, inputs)
                place, part = divmod(max(0, min(word + 16384, 32767)), 256)
                low, high = network.probabilities[place : place + 2]
                bit = coder.bit(low + (high - low) * part // 256)
            scan.ink[row][column] = bit


def draw(scan: Scan) -> tuple[list[int], list[bool]]:
    """The pixels of the box, and which of them are ties."""
    unit = 5 * scan.side

    def shares(y: int) -> list[tuple[int, int]]:
        start = 100 * y
        a, b = start // unit, (start + 98) // unit
        return [(a, 100)] if a == b else [(a, unit * (a + 1) - start), (b, start + 99 - unit * b)]

    areas = [0] * 400
    for row, line in enumerate(scan.ink):
        for column, ink in enumerate(line):
            if ink:
                for y, tall in shares(scan.top + row):
                    for x, wide in shares(scan.left + column):
                        areas[20 * y + x] += tall * wide
    largest = max(1, *areas)
    excesses = [255 * area - 128 * largest for area in areas]
    values = [128 + truncated(excess, largest) for excess in excesses]
    ties = [area > 0 and excess != 0 and excess % largest == 0 for area, excess in zip(areas, excesses)]
    return values, ties


def read_drawn(coder: BinaryCoder, learned: Learned, scan: Scan, width: int, height: int) -> bytes:
    values, ties = draw(scan)

    def usual(size: int, coordinates: list[int]) -> int:
        mass = sum(values)
        moment = sum(value * (2 * at + 1) for value, at in zip(values, coordinates))
        return ((2 * (size // 2) + 2) * mass - moment) // (2 * mass) if mass else 0

    if learned.is_placed.read(coder):
        top = usual(height, [place // 20 for place in range(400)])
        left = usual(width, [place % 20 for place in range(400)])
    else:
        top = learned.place.read(coder) - 32
        left = learned.place.read(coder) - 32

    def inside(place: int) -> int | None:
        row, column = top + place // 20, left + place % 20
        return row * width + column if 0 <= row < height and 0 <= column < width else None

    image = bytearray(width * height)
    before = 0
    for place, value in enumerate(values):
        at = inside(place)
        if at is None:
            continue
        image[at] = value
        if ties[place]:
            kind = 0 if value == 255 else 1 if value < 128 else 2
            is_other = learned.tie[4 * kind + before].read(coder)
            if is_other:
                image[at] = value + 1 if value < 128 else value - 1
            if value == 255:
                before |= 1 if is_other else 2
    corrections = 0
    while learned.has_miss[min(corrections, 1)].read(coder):
        place = learned.miss_place.read(coder)
        value = learned.miss_value.read(coder)
        at = inside(place) if place < 400 else None
        corrections += 1
        if at is None or corrections > 40:
            raise Refused("exact: a correction")
        image[at] = value
    return bytes(image)


SQUASH_POINTS = [
    *(1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047),
    *(2549, 2994, 3348, 3607, 3785, 3901, 3975, 4024, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094),
]


def squash(x: int) -> int:
    if x > 2047:
        return 4095
    if x < -2047:
        return 1
    i, r = divmod(x + 2048, 128)
    return SQUASH_POINTS[i] + (((SQUASH_POINTS[i + 1] - SQUASH_POINTS[i]) * r + 64) >> 7)


def stretch_table() -> list[int]:
    table: list[int] = []
    for x in range(-2047, 2048):
        table += [x] * (squash(x) + 1 - len(table))
    return table + [2047] * (4096 - len(table))


class PixelReader:
    """What the images of a block that are coded as pixels share."""

    def __init__(self, coder: BinaryCoder) -> None:
        self.coder = coder
        self.stretch = stretch_table()
        self.slots = [[32768] * 65536 for _ in range(6)]
        self.weights = [[26214] * 6 for _ in range(11)]
        self.blank = [AdaptiveBit() for _ in range(4)]

    def ask(self, node: int, weight_set: int, hashes: list[int]) -> int:
        at = [((h ^ (node * 0x2C1B3C6D)) * 0x297A2D39 & 0xFFFFFFFF) >> 16 for h in hashes]
        s = [self.stretch[slots[slot] >> 4] for slots, slot in zip(self.slots, at)]
        weights = self.weights[weight_set]
        p = squash(sum(weight * x for weight, x in zip(weights, s)) >> 16)
        bit = self.coder.bit(max(32, min(16 * p, 65504)))
        e = (4096 * bit - p) * 6
        for j, (slots, slot) in enumerate(zip(self.slots, at)):
            weights[j] = max(-(2**20), min(weights[j] + ((s[j] * e + 8192) >> 14), 2**20))
            slots[slot] += truncated((65535 if bit else 0) - slots[slot], 12)
        return bit

    def value(self, hashes: list[int]) -> int:
        if self.ask(0, 0, hashes):
            return 0
        if self.ask(1, 1, hashes):
            high = self.ask(2, 2, hashes)
            return 252 + 2 * high + self.ask(3 + high, 2, hashes)
        t = 1
        for number in range(8):
            t = 2 * t + self.ask(8 + t, 3 + number, hashes)
        return t - 256

    def image(self, width: int, height: int) -> bytes:
        image = bytearray(width * height)

        def at(x: int, y: int) -> int:
            return image[y * width + x] if 0 <= x < width and 0 <= y else 0

        def level(v: int) -> int:
            return 0 if v == 0 else 1 if v < 64 else 2 if v < 192 else 3 if v < 252 else 4

        f = g = 0
        for y in range(height):
            for x in range(width):
                w, ww, n, nn = at(x - 1, y), at(x - 2, y), at(x, y - 1), at(x, y - 2)
                nw, ne = at(x - 1, y - 1), at(x + 1, y - 1)
                if not (w or ww or n or nn or nw or ne):
                    circumstance = (1 if at(x + 2, y - 1) else 0) + (2 if y < height // 4 else 0)
                    if self.blank[circumstance].read(self.coder):
                        continue
                v = [
                    256 * w + n,
                    level(w)
                    | level(n) << 3
                    | level(nw) << 6
                    | level(ne) << 9
                    | level(ww) << 12
                    | level(nn) << 15,
                    level(w) | level(n) << 3 | 8 * x // width << 6 | 8 * y // height << 9 | level(ne) << 12,
                    w << 16 | n << 8 | nw,
                    f << 8 | g << 4 | level(w) << 12,
                    n << 16 | ne << 8 | nn,
                ]
                hashes = [((v[j - 1] + j) * 0x9E3779B1 ^ j * 0x85EBCA6B) & 0xFFFFFFFF for j in range(1, 7)]
                value = self.value(hashes)
                image[y * width + x] = value
                if value >= 252:
                    f, g = value - 251, f
        return bytes(image)


def read_exact(
    body: bytes, n: int, width: int, height: int, rate: Rate | None, network: ScanNetwork | None
) -> list[bytes]:
    (codes_size,) = struct.unpack_from("<I", body)
    need((codes_size > 0) == (rate is not None) and codes_size <= len(body) - 4, "exact: its codes")
    coder = BinaryCoder(body[4 + codes_size :])
    learned = Learned()
    scans: list[Scan | None] = [None] * n
    if network is not None and min(width, height) >= 20 and max(width, height) <= 64:
        scans = [read_head(coder, learned) for _ in range(n)]
        read_ink(coder, learned, network, [scan for scan in scans if scan])
    drawn = [read_drawn(coder, learned, scan, width, height) if scan else None for scan in scans]
    pixels = PixelReader(coder)
    images = [pixels.image(width, height) if image is None else image for image in drawn]
    need(coder.at == len(coder.data), "exact: bytes too many")
    return images


def main() -> None:
    model = read_model(Path(sys.argv[2]).read_bytes()) if len(sys.argv) > 2 else None
    decoded = read_set(Path(sys.argv[1]).read_bytes(), model)
    print(hashlib.sha256(b"".join(decoded.images)).hexdigest(), f"{len(decoded.lost)} lost")


if __name__ == "__main__":
    main()
