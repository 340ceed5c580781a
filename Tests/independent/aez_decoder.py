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
    table: bytes


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


def planes(data: bytes, count: int, signed: bool = True) -> list[int]:
    """`count` 32-bit values whose lowest bytes come first, then their next ones, and so on."""
    columns = [data[plane * count : (plane + 1) * count] for plane in range(4)]
    return [int.from_bytes(bytes(value), "little", signed=signed) for value in zip(*columns)]


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
    layers = []
    at = 0
    for inputs, outputs in zip(sizes, sizes[1:]):
        shift = raw[at]
        at += 1
        flat = struct.unpack_from(f"<{inputs * outputs}b", raw, at)
        at += inputs * outputs
        biases = planes(raw[at : at + 4 * outputs], outputs)
        multipliers = planes(raw[at + 4 * outputs : at + 8 * outputs], outputs)
        at += 12 * outputs
        table, value = bytearray(), 0
        for difference in raw[at : at + 4096]:
            value = (value + difference) % 256
            table.append(value)
        at += 4096
        rows = [list(flat[row * inputs : (row + 1) * inputs]) for row in range(outputs)]
        layers.append(Layer(inputs, outputs, shift, rows, biases, multipliers, bytes(table)))
    need(at == len(raw), "IDEC: its size")

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
    return Model(width, height, latents, hashlib.sha256(head + raw + codec).digest(), layers, rates)


def decode_latents(model: Model, latents: list[int]) -> bytes:
    values = latents
    for layer in model.decoder:
        out = []
        for row, bias, multiplier in zip(layer.weights, layer.biases, layer.multipliers):
            total = bias + sum(weight * value for weight, value in zip(row, values))
            scaled = (total * multiplier + (1 << (layer.shift - 1))) >> layer.shift
            out.append(layer.table[max(-2048, min(2047, scaled)) + 2048])
        values = out
    return bytes(values)


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
        decode_latents(model, [clamp(value * step) for value, step in zip(image, rate.steps)])
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
    need(data[:8] == b"\x89AEZ\r\n\x1a\n" and len(data) >= 136, "not an image set")
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
        need(version == 2 and not (quality or effort or name_size or flags & 1 or any(model_hash)), "a model")
    else:
        need(quality > 0 or version == 2, "the quality")
        need(1 <= effort <= 9 if version == 2 else effort == 0, "the effort")

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
    needs_model = layer == 0 or any(kind == 4 for kind, _, _ in entries)
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
        need(kind in ((0, 1, 2, 3) if layer == 0 else (1, 2, 4)), f"block {block} is of kind {kind}")
        try:
            need(zlib.crc32(body) == crc, "a block")
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
    need(kind == 3, "pixel networks are not decoded here")
    kept_count, deflated = struct.unpack_from("<II", body)
    kept = struct.unpack_from(f"<{kept_count}H", body, 8)
    need(1 <= kept_count < n and list(kept) == sorted(set(kept)) and kept[-1] < n, "kept images")
    codes_at = 8 + 2 * kept_count + deflated
    raw = inflate(body[8 + 2 * kept_count : codes_at], kept_count * size)
    whole = {image: raw[place * size : (place + 1) * size] for place, image in enumerate(kept)}
    coded = iter(pictures(model, rate, read_codes(body[codes_at:], rate, n - kept_count)))
    return [whole[image] if image in whole else next(coded) for image in range(n)]


def main() -> None:
    model = read_model(Path(sys.argv[2]).read_bytes()) if len(sys.argv) > 2 else None
    decoded = read_set(Path(sys.argv[1]).read_bytes(), model)
    print(hashlib.sha256(b"".join(decoded.images)).hexdigest(), f"{len(decoded.lost)} lost")


if __name__ == "__main__":
    main()
