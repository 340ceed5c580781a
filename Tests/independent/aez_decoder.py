"""A second decoder of .aez, written from docs/format-aez.md and docs/format-aew.md alone.

Plain Python, slow, strict where it is easy; numpy, where it is, for the networks of pixels. It shares nothing
with the library, so that what both make of a file is what the pages say.

usage: python3 Tests/independent/aez_decoder.py SET.aez [MODEL.aew]     prints the SHA-256 of all pixels
"""

import hashlib
import math
import struct
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

try:
    import numpy
except ImportError:  # it is only faster
    numpy = None


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
class Node:
    """A node of a list: see "The lists" of docs/format-aew.md."""

    operation: int
    source: int  # -1 is the list's input
    second: int
    kernel: int
    stride: int
    padding: int
    shape: tuple[int, int, int]  # height, width, channels
    fields: bytes = b""  # as they stand in a file of version 2
    # In integers:
    shift: int = 0
    zeros: tuple[int, int] = (0, 0)
    weights: tuple[int, ...] = ()
    biases: tuple[int, ...] = ()
    multipliers: tuple[int, ...] = ()
    table: bytes = b""


@dataclass
class ScanNetwork:
    probabilities: tuple[int, ...]
    layers: list[Layer]


@dataclass
class Predictor:
    hash: bytes
    table: list[list[int]]  # [256][16]
    layers: list[Layer]


@dataclass
class Rate:
    steps: list[int]
    tables: list[tuple[int, list[int]]]  # lowest value, frequencies


@dataclass
class Model:
    width: int
    height: int
    channels: int
    latents: int
    hash: bytes
    decoder: list[Node]
    rates: list[Rate]
    scan: ScanNetwork | None
    predictor: Predictor | None


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


def read_predictor(raw: bytes) -> Predictor:
    count = raw[0]
    need(1 <= count <= 5, "PRED: its layers")
    sizes = list(struct.unpack_from(f"<{count + 1}H", raw, 1))
    need(sizes[0] == 232 and sizes[-1] == 31, "PRED: its inputs and outputs")
    need(all(1 <= size <= 1024 for size in sizes), "PRED: a layer's units")
    need(sum(a * b for a, b in zip(sizes, sizes[1:])) <= 1 << 18, "PRED: its weights")
    at = 3 + 2 * count
    low, high = raw[at : at + 4096], raw[at + 4096 : at + 8192]
    flat = [(a | b << 8) - (b >> 7 << 16) for a, b in zip(low, high)]
    table = [flat[16 * row : 16 * row + 16] for row in range(256)]
    layers = read_layers(raw[at + 8192 :], sizes, ends_in_words=True)
    return Predictor(hashlib.sha256(raw).digest(), table, layers)


DENSE, CONVOLUTION, TRANSPOSED, ACTIVATION, ADD, CONCATENATE, MEAN_POOL, MAX_POOL = range(8)
UPSAMPLE, RESHAPE, CHANNELS_FIRST, CHANNELS_LAST = range(8, 12)


def product(numbers) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def read_list(arch: bytes, at: int) -> tuple[list[Node], int]:
    """A list of version 2, and where it ends."""
    (count,) = struct.unpack_from("<H", arch, at)
    need(1 <= count <= 512, "ARCH: the number of nodes")
    nodes = []
    for index in range(count):
        record = arch[at + 2 + 20 * index : at + 22 + 20 * index]
        operation, _, _, *sources = struct.unpack_from("<BBHHH", record)
        kernel, stride, padding, zero, *shape = struct.unpack_from("<BBBBHHI", record, 8)
        need(operation <= CHANNELS_LAST and zero == 0, f"ARCH: node {index}")
        need(max(sources) <= index, f"ARCH: node {index} reads a later one")
        source, second = sources[0] - 1, sources[1] - 1
        nodes.append(Node(operation, source, second, kernel, stride, padding, tuple(shape), record))
    return nodes, at + 2 + 20 * count


def former_list(kind: int, width: int, height: int, latents: int, hidden: tuple[int, ...]) -> list[Node]:
    """The decoder of version 1: of a conv-vae the encoder's convolutions turned around, else dense layers."""
    shapes, windows = [(height, width, 1)], []
    for index, size in enumerate(hidden):
        above, left, channels = shapes[-1]
        if kind != 6 or index == len(hidden) - 1:
            shapes.append((1, 1, size))
            windows.append(None)
        elif channels == size and index > 0:
            shapes.append((above, left, size))
            windows.append((3, 1))
        else:
            shapes.append(((above + 1) // 2, (left + 1) // 2, size))
            windows.append((4, 2))
    nodes = []
    for shape, window in reversed(list(zip(shapes, [*windows, None]))):
        here = len(nodes) - 1
        if window is None:
            nodes.append(Node(DENSE, here, -1, 0, 0, 0, shape))
        else:
            nodes.append(Node(TRANSPOSED, here, -1, *window, 1, shape))
    return nodes


def sources_of(nodes: list[Node], index: int, given: tuple[int, int, int]) -> tuple[int, int, int]:
    source = nodes[index].source
    return nodes[source].shape if source >= 0 else given


def check_scaling(node: Node, index: int) -> None:
    is_sound = min(node.multipliers) >= 0 and 1 <= node.shift <= 62
    need(is_sound, f"IDEC: the multipliers of node {index}")


def read_integers(nodes: list[Node], raw: bytes, given: tuple[int, int, int], largest: int) -> None:
    """Section IDEC into the nodes; `given` is the shape of the list's input."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return raw[at - count : at]

    def table(count: int) -> bytes:
        values, value = bytearray(), 0
        for difference in take(count):
            value = (value + difference) % 256
            values.append(value)
        return bytes(values)

    are_words: list[bool] = []  # what each node gives
    for index, node in enumerate(nodes):
        reads_words = [source < 0 or are_words[source] for source in (node.source, node.second)]
        if node.operation not in (ADD, CONCATENATE):
            reads_words.pop()
        is_move = node.operation in (RESHAPE, CHANNELS_FIRST, CHANNELS_LAST)
        are_words.append(is_move and reads_words[0])
        if node.operation <= TRANSPOSED:
            height, width, channels = sources_of(nodes, index, given)
            outputs = node.shape[2]
            if node.operation == DENSE:
                outputs, count = product(node.shape), product(node.shape) * height * width * channels
            else:
                count = node.kernel**2 * channels * outputs
            node.shift = take(1)[0]
            if node.operation != DENSE:
                node.zeros = (take(1)[0], 0)
                need(node.zeros[0] == 0 or not reads_words[0], f"IDEC: the zero of node {index}")
            node.weights = struct.unpack(f"<{count}b", take(count))
            node.biases = tuple(planes(take(4 * outputs), outputs))
            node.multipliers = tuple(planes(take(4 * outputs), outputs))
            take(4 * outputs)
            node.table = table(4096)
            need(all(abs(weight) <= largest for weight in node.weights), f"IDEC: the weights of node {index}")
            most = 16383 if reads_words[0] else 255
            sums = [abs(bias) for bias in node.biases]
            step = count // len(sums)
            for place, weight in enumerate(node.weights):
                # The weights of a transposed convolution have the channels out before the channels in.
                o = place // step if node.operation != TRANSPOSED else place // channels % outputs
                sums[o] += abs(weight) * most
            need(max(sums) < 1 << 31, f"IDEC: the sums of node {index}")
            check_scaling(node, index)
            continue
        need(is_move or not any(reads_words), f"IDEC: node {index} reads the code")
        if node.operation == ADD:
            node.shift = take(1)[0]
            node.zeros = tuple(take(2))
            node.multipliers = tuple(planes(take(8), 2))
            check_scaling(node, index)
        node.table = table({ADD: 4096, ACTIVATION: 256, CONCATENATE: 512}.get(node.operation, 0))
    need(at == len(raw), "IDEC: its size")


def weight_places(
    nodes: list[Node], given: tuple[int, int, int]
) -> tuple[list[tuple[int, int, int, int]], int]:
    """Of each layer where its weights begin, their rows and columns, its biases; and the raw bytes of all."""
    places, at = [], 0
    for index, node in enumerate(nodes):
        inputs, outputs = sources_of(nodes, index, given), node.shape[2]
        rows, columns = outputs, node.kernel**2 * inputs[2]
        if node.operation == DENSE:
            rows = outputs = product(node.shape)
            columns = product(inputs)
        elif node.operation == TRANSPOSED:
            rows, columns = node.kernel**2 * outputs, inputs[2]
        elif node.operation != CONVOLUTION:
            at += {ADD: 11 + 4096, ACTIVATION: 256, CONCATENATE: 512}.get(node.operation, 0)
            continue
        at += 1 if node.operation == DENSE else 2
        places.append((at, rows, columns, outputs))
        at += rows * columns + 12 * outputs + 4096
    return places, at


class MixedBits:
    """Bits under mixed probabilities, as the page on .aez has them in "Contexts"."""

    def __init__(self, coder: "BinaryCoder") -> None:
        self.coder = coder
        self.stretch = stretch_table()
        self.slots = [[AdaptiveBit() for _ in range(1536)] for _ in range(3)]
        self.weights = [[26214] * 3 for _ in range(12)]

    def read(self, weight_set: int, *contexts: int) -> int:
        slots = [own[context] for own, context in zip(self.slots, contexts)]
        s = [self.stretch[slot.p >> 4] for slot in slots]
        weights = self.weights[weight_set]
        p = squash(sum(weight * x for weight, x in zip(weights, s)) >> 16)
        bit = self.coder.bit(max(32, min(16 * p, 65504)))
        e = (4096 * bit - p) * 6
        for j, slot in enumerate(slots):
            weights[j] = max(-(2**20), min(weights[j] + ((s[j] * e + 8192) >> 14), 2**20))
            slot.adapt(bit)
        return bit


class History:
    """What a line, or a place, has had."""

    def __init__(self) -> None:
        self.density, self.mean, self.balance = 8000, 32, 28

    def see(self, weight: int) -> None:
        self.density += ((65535 if weight else 0) - self.density) >> 5
        if weight:
            self.mean += (16 * abs(weight) - self.mean) >> 3
            self.balance = clamp(self.balance + (1 if weight > 0 else -1), 0, 55)

    def mean_level(self) -> int:
        return clamp((self.mean - 16) >> 3, 0, 7)


def read_matrix(
    coder: "BinaryCoder", rows: int, columns: int, order: tuple[int, int, int], largest: int
) -> list[list[int]]:
    """The rows of a matrix whose weights are coded."""
    transposed, step, period = order
    need(transposed <= 1 and (period == 0 or period > step), "coded weights: an order")
    lines, places = (columns, rows) if transposed else (rows, columns)
    lives = AdaptiveBit(), AdaptiveBit()
    live_lines = [lives[0].read(coder) for _ in range(lines)]
    live_places = [lives[1].read(coder) for _ in range(places)]
    mixed, rest = MixedBits(coder), AdaptiveNumber(7)
    histories = [History() for _ in range(places)]
    matrix = [[0] * places for _ in range(lines)]

    def level(history: History) -> int:
        return (mixed.stretch[history.density >> 4] + 2047) >> 8

    def sign(weight: int) -> int:
        return 0 if weight == 0 else 1 if weight > 0 else 2

    def beside(line: list[int], place: int, steps: int, periods: int) -> int:
        if (steps and not step) or (periods and not period):
            return 0
        there = place - steps * step - periods * period
        return line[there] if there >= 0 else 0

    for number, line in enumerate(matrix):
        if not live_lines[number]:
            continue
        before = matrix[number - 1] if number > 0 else [0] * places
        further = matrix[number - 2] if number > 1 else [0] * places
        own = History()
        for place in range(places):
            if not live_places[place]:
                continue
            w, n, nw, ne, ww, nn = (
                beside(line, place, steps, periods)
                for steps, periods in ((1, 0), (0, 1), (1, 1), (-1, 1), (2, 0), (0, 2))
            )
            b, bb = before[place], further[place]
            near = 2 * abs(w) + 2 * abs(n) + abs(nw) + abs(ne) + abs(ww) + abs(nn)
            near = min((near + 3) >> 2, 7)
            flags = 0
            for neighbour in (w, n, nw, ne, ww, nn, b, bb):
                flags = 2 * flags + (neighbour != 0)
            history = histories[place]
            a, c = level(own), level(history)
            if not mixed.read(near, 16 * a + c, flags, 16 * near + c):
                own.see(0)
                history.see(0)
                continue
            negative = mixed.read(
                8,
                256 + sign(w) + 3 * sign(n) + 9 * sign(b),
                256 + 7 * (own.balance >> 3) + (history.balance >> 3),
                256 + sign(nw) + 3 * sign(ne) + 9 * sign(ww) + 27 * sign(nn),
            )
            x = 8 * own.mean_level() + history.mean_level()
            y = 8 * min(abs(w), 7) + min(abs(n), 7)
            z = 8 * near + min(abs(b), 7)
            size = 1
            while size <= 16:
                first = 512 + 64 * (size - 1)
                if not mixed.read(8 + min(size, 3), first + x, first + y, first + z):
                    break
                size += 1
            else:
                size += rest.read(coder)
            need(size <= largest, "coded weights: one is too large")
            line[place] = -size if negative else size
            own.see(line[place])
            history.see(line[place])
    return [list(row) for row in zip(*matrix)] if transposed else matrix


def unlisted(listed: bytes, places: list[tuple[int, int, int, int]]) -> bytes:
    """The bytes beside weights, with the multiplier and the scale of every output in its place."""
    plain, at, weights = b"", 0, 0
    for start, rows, columns, outputs in places:
        # Up to the multipliers, in the bytes without weights.
        upto = at + (start - weights) - len(plain) + 4 * outputs
        plain, at = plain + listed[at:upto], upto
        weights += rows * columns
        numbers, planes = listed[at : at + outputs], listed[at + outputs : at + 9 * outputs]
        at += 9 * outputs
        used, entries = 0, []
        for number in numbers:
            need(number <= used or number == 255, "coded weights: a multiplier and a scale")
            entry = used if number == 255 else number
            used += entry == used
            entries.append(entry)
        plain += bytes(planes[plane * outputs + entry] for plane in range(8) for entry in entries)
    return plain + listed[at:]


def read_coded(stored: bytes, nodes: list[Node], given: tuple[int, int, int], largest: int) -> bytes:
    """The raw bytes of a section of integers whose weights are coded."""
    places, size = weight_places(nodes, given)
    (word,) = struct.unpack_from("<I", stored)
    listed, deflated = divmod(word, 1 << 31)
    at = 4 + deflated
    need(at <= len(stored), "coded weights: the deflated part")
    size -= sum(rows * columns for _, rows, columns, _ in places)
    rest = inflate(stored[4:at], size + listed * sum(outputs for _, _, _, outputs in places))
    if listed:
        rest = unlisted(rest, places)
    raw, taken = b"", 0
    for start, rows, columns, _ in places:
        taken, upto = taken + start - len(raw), taken
        raw += rest[upto:taken]
        order = struct.unpack_from("<BHH", stored, at)
        coder = BinaryCoder(stored[at + 5 :])
        matrix = read_matrix(coder, rows, columns, order, largest)
        raw += b"".join(struct.pack(f"<{columns}b", *row) for row in matrix)
        at += 5 + coder.at
    need(at == len(stored), "coded weights: bytes follow them")
    return raw + rest[taken:]


def read_model(data: bytes) -> Model:
    need(data[:8] == b"\x89AEW\r\n\x1a\n", "not a weight file")
    major, _, _, size, count, _ = struct.unpack_from("<HHIQII", data, 8)
    need(major in (1, 2) and size == len(data), "version or size")
    sections = {}
    coded = set()
    at = 32 + 32 * count
    for index in range(count):
        tag, encoding, stored, raw, crc, _ = struct.unpack_from("<4sIQQII", data, 32 + 32 * index)
        body = data[at : at + stored]
        need(len(body) == stored and zlib.crc32(body) == crc, f"section {tag!r}")
        at += stored
        need(encoding <= (2 if tag in (b"IENC", b"IDEC") else 1), f"section {tag!r}: its encoding")
        if encoding == 2:
            need(raw // 256 <= stored, f"section {tag!r}: it cannot make so much")
            coded.add(tag)
        sections[tag] = zlib.decompress(body) if encoding == 1 else body
        need(encoding == 2 or len(sections[tag]) == raw, f"section {tag!r}: its raw size")
    need(at == len(data), "bytes after the last section")

    predictor = read_predictor(sections[b"PRED"]) if b"PRED" in sections else None
    arch = sections[b"ARCH"]
    if arch[0] == 7:
        need(predictor is not None, "a predictor alone without one")
        scan = sections.get(b"SCAN", b"")
        model_hash = hashlib.sha256(struct.pack("<4I", 0, 0, 0, 0) + scan + predictor.hash).digest()
        return Model(0, 0, 0, 0, model_hash, [], [], read_scan_network(scan) if scan else None, predictor)
    kind, _, _, hidden_count, width, height, channels, latents = struct.unpack_from("<BBBBHHHH", arch)
    hidden = struct.unpack_from(f"<{hidden_count}H", arch, 12)
    form = 1
    if major == 1:
        nodes = former_list(kind, width, height, latents, hidden)
    else:
        at = 12 + 2 * hidden_count
        at += 1 + arch[at]
        at += 2 + arch[at] + 256 * arch[at + 1]
        form = arch[at]
        need(form in (1, 2), "ARCH: the form of the integers")
        _, at = read_list(arch, at + 2)
        nodes, at = read_list(arch, at)
        need(at == len(arch), "ARCH: its size")
    need(product(nodes[-1].shape) == width * height * channels, "ARCH: the decoder's numbers")
    largest = 63 if form == 2 else 127
    raw = sections[b"IDEC"]
    if b"IDEC" in coded:
        raw = read_coded(raw, nodes, (1, 1, latents), largest)
    read_integers(nodes, raw, (1, 1, latents), largest)

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

    maps = [product(node.shape) for node in nodes]
    # A decoder's largest map of the kinds of version 1 is the encoder's, too.
    is_former = kind <= 6 and channels == 1 and max(width, height) <= 64 and latents <= 1024 and form == 1
    if is_former and max(maps) <= 32768:
        head = struct.pack("<4I", width, height, channels, len(nodes))
        for index, node in enumerate(nodes):
            head += struct.pack("<2I", product(sources_of(nodes, index, (1, 1, latents))), maps[index])
            if node.operation == TRANSPOSED:
                head += struct.pack("<4I", node.shape[2], node.kernel, node.stride, node.padding)
    else:
        head = struct.pack("<6I", 0xFFFFFFFF, 2, width, height, channels, latents)
        head += struct.pack("<H", len(nodes)) + b"".join(node.fields for node in nodes)
    scan = sections.get(b"SCAN", b"")
    model_hash = hashlib.sha256(head + raw + codec + scan).digest()
    network = read_scan_network(scan) if scan else None
    return Model(width, height, channels, latents, model_hash, nodes, rates, network, predictor)


def run_list(nodes: list[Node], values: list[list[int]]) -> list[bytes]:
    """A decoder on codes in fixed point."""
    if numpy is None:
        layers = []
        for index, node in enumerate(nodes):
            need(node.operation == DENSE and node.source == index - 1, "lists but dense layers need numpy")
            outputs = len(node.biases)
            inputs = len(node.weights) // outputs
            rows = [list(node.weights[row * inputs : (row + 1) * inputs]) for row in range(outputs)]
            biases, multipliers = list(node.biases), list(node.multipliers)
            layers.append(Layer(inputs, outputs, node.shift, rows, biases, multipliers, node.table))
        return [bytes(run_network(layers, row)) for row in values]
    code = numpy.array(values, numpy.int64).reshape(len(values), 1, 1, -1)
    given: list = []
    for node in nodes:
        x = given[node.source] if node.source >= 0 else code
        other = given[node.second] if node.second >= 0 else code
        given.append(run_node(node, x, other))
        need(given[-1].shape[1:] == node.shape, "a list whose shapes do not follow")
    return [image.astype(numpy.uint8).tobytes() for image in given[-1]]


def run_node(node: Node, x, other):
    """One node on numbers [images, height, width, channels]."""
    images, height, width, channels = x.shape
    k, s, p = node.kernel, node.stride, node.padding
    tall, wide, out = node.shape
    table = numpy.frombuffer(node.table, numpy.uint8).astype(numpy.int64)

    def from_table(product, shift: int):
        scaled = (product + (1 << (shift - 1))) >> shift
        return table[scaled.clip(-2048, 2047) + 2048]

    def windows(outside: int, x):
        """What lies at place (i, j) of every window, for all i and j."""
        rows, columns = max(s * (tall - 1) + k, p + height), max(s * (wide - 1) + k, p + width)
        padded = numpy.full((images, rows, columns, channels), outside, numpy.int64)
        padded[:, p : p + height, p : p + width] = x
        for i in range(k):
            for j in range(k):
                yield i, j, padded[:, i : i + s * (tall - 1) + 1 : s, j : j + s * (wide - 1) + 1 : s]

    if node.operation <= TRANSPOSED:
        bias = numpy.array(node.biases, numpy.int64)
        weights = numpy.array(node.weights, numpy.int64)
        if node.operation == DENSE:
            total = x.reshape(images, -1) @ weights.reshape(len(bias), -1).T + bias
        elif node.operation == CONVOLUTION:
            weights = weights.reshape(out, k, k, channels)
            total = bias + sum(part @ weights[:, i, j].T for i, j, part in windows(0, x - node.zeros[0]))
        else:
            weights = weights.reshape(k, k, out, channels)
            rows, columns = max(s * (height - 1) + k, p + tall), max(s * (width - 1) + k, p + wide)
            fine = numpy.zeros((images, rows, columns, out), numpy.int64)
            for i in range(k):
                for j in range(k):
                    place = fine[:, i : i + s * (height - 1) + 1 : s, j : j + s * (width - 1) + 1 : s]
                    place += (x - node.zeros[0]) @ weights[i, j].T
            total = bias + fine[:, p : p + tall, p : p + wide]
        y = from_table(total * numpy.array(node.multipliers, numpy.int64), node.shift)
        return y.reshape(images, *node.shape)
    if node.operation == ACTIVATION:
        return table[x]
    if node.operation == ADD:
        (first, second), zeros = node.multipliers, node.zeros
        return from_table((x - zeros[0]) * first + (other - zeros[1]) * second, node.shift)
    if node.operation == CONCATENATE:
        return numpy.concatenate([table[x], table[256 + other]], axis=3)
    if node.operation == MEAN_POOL:
        total = x.sum(axis=(1, 2), keepdims=True) if k == 0 else sum(part for _, _, part in windows(0, x))
        count = height * width if k == 0 else k * k
        return (2 * total + count) // (2 * count)
    if node.operation == MAX_POOL:
        y = numpy.full((images, tall, wide, channels), -1, numpy.int64)
        for _, _, part in windows(-1, x):
            y = numpy.maximum(y, part)
        return y
    if node.operation == UPSAMPLE:
        return x.repeat(s, axis=1).repeat(s, axis=2)
    if node.operation == CHANNELS_FIRST:
        return x.transpose(0, 3, 1, 2).reshape(images, 1, 1, -1)
    if node.operation == CHANNELS_LAST:
        return x.reshape(images, out, tall, wide).transpose(0, 2, 3, 1)
    return x.reshape(images, *node.shape)


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


def run_network_on_all(layers: list[Layer], rows: list[list[int]]) -> list[list[int]]:
    """The same for many inputs."""
    if numpy is None:
        return [run_network(layers, row) for row in rows]
    values = numpy.array(rows, numpy.int64)
    for layer in layers:
        total = values @ numpy.array(layer.weights, numpy.int64).T + numpy.array(layer.biases, numpy.int64)
        product = total * numpy.array(layer.multipliers, numpy.int64) + (1 << (layer.shift - 1))
        scaled = product >> layer.shift
        if layer.table is None:
            values = scaled.clip(-16383, 16383)
        else:
            table = numpy.frombuffer(layer.table, numpy.uint8).astype(numpy.int64)
            values = table[scaled.clip(-2048, 2047) + 2048]
    return values.tolist()


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

    values = [[clamp(value * step) for value, step in zip(image, rate.steps)] for image in codes]
    return run_list(model.decoder, values) if values else []


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


def read_set(data: bytes, model: Model | None = None, predictor: Predictor | None = None) -> ImageSet:
    """The set's images; `predictor` is the model's unless told."""
    if predictor is None and model is not None:
        predictor = model.predictor
    need(data[:8] == b"\x89AEZ\r\n\x1a\n" and len(data) >= 10, "not an image set")
    return read_stream(data, model, predictor) if data[8:10] == b"\x03\x00" else read_old(data, model)


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


BLOCK_KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 11)


def read_head_of_part(numbers: Numbers, block_images: int) -> Head:
    tag = numbers.varint()
    head = Head(tag & 15, tag >> 5, block_images, 0)
    is_block = head.kind in BLOCK_KINDS
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
    if data[10] & 32:
        numbers.bytes(32)
        numbers.bytes(numbers.u8())
    return numbers.at + 4


def read_stream(data: bytes, model: Model | None, predictor: Predictor | None) -> ImageSet:
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
        # A model that is a predictor, which holds what predicts scans, has none.
        need((1 if content & 8 else 0) <= latents <= 4096, "the latents")
    predictor_hash = b""
    if content & 32:
        predictor_hash = numbers.bytes(32)
        name_size = numbers.u8()
        need(name_size <= 64, "the predictor's name")
        numbers.bytes(name_size).decode()
    start = numbers.at
    need(numbers.u32() == zlib.crc32(data[:start]), "the header")
    need(content < 64 and mode < 3 and source <= 10, "the header's fields")
    need(channels in (1, 3, 4), "the header's channels")
    need(1 <= width <= 256 and 1 <= height <= 256, "the header's sides")
    image_size = width * height * channels
    need(image_size <= 196608, "the header's image size")
    need(1 <= block_images <= min(65536, (1 << 28) // image_size), "the header's images in a block")
    need(1 <= max_error <= 32 if mode == 2 else max_error == 0, "the largest error")
    need(1 <= quality <= 16 if content & 8 else quality == 0, "the quality")
    need(bool(content & 4) == bool(content & 24), "a model is for codes and scans")
    need(mode > 0 or content & 56 == 8, "a lossy set has codes, no scans and no predictor")

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
        is_block = entry.kind in BLOCK_KINDS
        need(entry.kind != 15 and (7 if is_block else entry.kind) >= order, "the parts' order")
        order = 7 if is_block else entry.kind + 1
        size = entries.at - before + 4 + entry.size
        parts.append((entry, data[at : at + size]))
        at += size
    need(at == index_at, "the parts do not end where the index begins")
    blocks = [(entry, part) for entry, part in parts if entry.kind in BLOCK_KINDS]
    need(sum(entry.count for entry, _ in blocks) == count, "the number of images")

    def check(entry: Head, part: bytes) -> bytes:
        found, body, end, is_sound = read_part(part, 0, block_images)
        need(found == entry and end == len(part) and is_sound, "a part")
        return body

    others = {entry.kind: (entry, part) for entry, part in parts if entry.kind not in BLOCK_KINDS}
    need(8 not in others or bool(content & 36), "a model that the header does not name")
    kinds = {0, 1, 2, 3}
    if mode > 0:
        kinds = {1, 2, 6} | ({4} if channels == 1 else set()) | ({7} if predictor_hash else set())
        if content & 16 and min(width, height) >= 20:
            kinds |= {5, 11}
    need(all(entry.count * image_size <= 1 << 28 for entry, _ in blocks), "a block's images")
    need(all(entry.kind in kinds for entry, _ in blocks), "a block's kind")
    needs_model = any(
        entry.kind in (0, 3, 5, 11) or (entry.kind in (4, 6, 7) and quality > 0) for entry, _ in blocks
    )
    if needs_model:
        if 8 in others and (model is None or model.hash != model_hash):
            model = read_model(check(*others[8]))
        need(model is not None and model.hash == model_hash, "the model is not the one")
    rate = model.rates[quality - 1] if needs_model and model and quality else None

    if predictor is not None and predictor.hash != predictor_hash:
        predictor = None
    needs_predictor = any(entry.kind == 7 or (entry.kind == 11 and predictor_hash) for entry, _ in blocks)
    need(not needs_predictor or predictor is not None, "the predictor is not the one")
    shape = (width, height, channels)

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
            elif entry.kind in (6, 7):
                rest = after_codes(body, rate)
                images += read_mixtures(rest, entry.count, shape, predictor if entry.kind == 7 else None)
            elif entry.kind == 11:
                need(model is not None and model.scan is not None, "scans")
                assert model is not None
                assert model.scan is not None
                images += read_scans(after_codes(body, rate), entry.count, shape, model.scan, predictor)
            else:
                if entry.kind == 3:
                    need(int.from_bytes(body[:4], "little") == entry.raw, "raw images")
                images += read_block(entry.kind, body, entry.count, image_size, model, rate)
        except (Refused, zlib.error, struct.error, IndexError):
            lost += range(len(images), len(images) + entry.count)
            images += [bytes(image_size)] * entry.count
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
        self.adapt(bit)
        return bit

    def adapt(self, bit: int) -> None:
        self.p += truncated(((65535 if bit else 0) - self.p) * 2, 2 * self.t + 3)
        self.t = min(self.t + 1, 255)


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


def after_codes(body: bytes, rate: Rate | None) -> bytes:
    """A lossless block without its codes."""
    (codes_size,) = struct.unpack_from("<I", body)
    need((codes_size > 0) == (rate is not None) and codes_size <= len(body) - 4, "exact: its codes")
    return body[4 + codes_size :]


def read_drawings(
    coder: BinaryCoder, n: int, width: int, height: int, network: ScanNetwork
) -> list[bytes | None]:
    """The images of a block that are scans; None for the others."""
    learned = Learned()
    scans = [read_head(coder, learned) for _ in range(n)]
    read_ink(coder, learned, network, [scan for scan in scans if scan])
    return [read_drawn(coder, learned, scan, width, height) if scan else None for scan in scans]


def read_exact(
    body: bytes, n: int, width: int, height: int, rate: Rate | None, network: ScanNetwork | None
) -> list[bytes]:
    """A block of kind 4 or 5."""
    coder = BinaryCoder(after_codes(body, rate))
    drawn: list[bytes | None] = [None] * n
    if network is not None and min(width, height) >= 20 and max(width, height) <= 64:
        drawn = read_drawings(coder, n, width, height, network)
    pixels = PixelReader(coder)
    images = [pixels.image(width, height) if image is None else image for image in drawn]
    need(coder.at == len(coder.data), "exact: bytes too many")
    return images


def read_scans(
    body: bytes, n: int, shape: tuple[int, int, int], network: ScanNetwork, predictor: Predictor | None
) -> list[bytes]:
    """A block of kind 11, without its codes."""
    (size,) = struct.unpack_from("<I", body)
    need(size <= len(body) - 4, "exact: its scans")
    coder = BinaryCoder(body[4 : 4 + size])
    drawn = read_drawings(coder, n, shape[0], shape[1], network)
    need(coder.at == size, "exact: bytes too many")
    missing = drawn.count(None)
    need(missing > 0 or len(body) == 4 + size, "exact: bytes too many")
    others = iter(read_mixtures(body[4 + size :], missing, shape, predictor) if missing else [])
    return [next(others) if image is None else image for image in drawn]


# ---- Blocks of kinds 6 and 7 (docs/format-aez.md) ----


def nearest(value: float) -> int:
    return math.floor(value + 0.5)


def checked(numbers: list[int], letter: str, crc: int) -> list[int]:
    """A table of functions, whose checksum the page has."""
    if zlib.crc32(struct.pack(f"<{len(numbers)}{letter}", *numbers)) != crc:
        raise AssertionError("a table is not the page's")
    return numbers


def logit_of(p: float) -> int:
    return nearest(256 * math.log(p / (1 - p)))


def logistic_of(i: int) -> int:
    return min(max(nearest(65536 / (1 + math.exp((3072 - i) / 256))), 1), 65535)


LOGIT = checked([logit_of((i + 0.5) / 4096) for i in range(4096)], "h", 0x2BBE45F4)
LOG = checked([nearest(4096 * math.log(1 + (i + 0.5) / 2048)) for i in range(2048)], "h", 0x370DD920)
LOGISTIC = checked([logistic_of(i) for i in range(6144)], "H", 0xF461A3C4)
SIGMOID = checked(
    [nearest(2**24 / (1 + math.exp((768 - i) / 64))) for i in range(1538)], "I", 0x9FF7B8B1
)  # fmt: skip
POWER = checked([nearest(65536 * 2 ** (i / 256)) for i in range(257)], "I", 0x46F784EB)
RATE = checked([131072 // (2 * i + 3) for i in range(16)], "I", 0x057CC799)

LEVELS = (1, 2, 4, 6, 9, 13, 18, 24, 32, 42, 56, 74, 100, 140, 200)
FURTHER = ((2, -1), (1, -2), (-1, -2), (-2, -1), (-3, 0), (3, -1), (2, -2), (-2, -2), (0, -3), (-4, 0))
M32 = 0xFFFFFFFF


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def level_of(value: int) -> int:
    return sum(value >= step for step in LEVELS)


def binary_log(value: int) -> int:
    whole = value.bit_length() - 1
    return whole * 256 + (value * 256 >> whole) - 256


def natural_log(value: int) -> int:
    zeros = 32 - value.bit_length()
    return LOG[(value << zeros >> 20) & 2047] - 2839 * zeros


def mixed_hash(number: int, value: int) -> int:
    value = (value + number * 0x9E3779B1) * 0x85EBCA6B & M32
    value ^= value >> 15
    value = value * 0x297A2D39 & M32
    return value ^ value >> 13


def error_class(error: int) -> int:
    at = sum(abs(error) >= step for step in (1, 3, 7, 15, 31))
    return 8 + (-at if error < 0 else at)


class Plane:
    """A channel of an image while it is coded, with what is outside of it."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.pixels = [[0] * width for _ in range(height)]
        self.errors = [[0] * width for _ in range(height)]
        self.values: set[int] = set()
        self.mask = 0  # the same as bits
        self.cells = [0] * 64

    def at(self, x: int, y: int) -> int:
        return self.pixels[y][x] if 0 <= x < self.width and 0 <= y < self.height else 0

    def error(self, x: int, y: int) -> int:
        return self.errors[y][x] if 0 <= x < self.width and 0 <= y < self.height else 0


class Around:
    """A pixel's neighbourhood: its plane, the first colour's Q and the second one's R."""

    def __init__(self, planes: list[Plane], k: int, x: int, y: int) -> None:
        self.k, self.x, self.y, self.channels = k, x, y, len(planes)
        self.colour = k - 1 if len(planes) == 4 else k
        first = len(planes) - 3
        self.plane = planes[k]
        self.alpha = planes[0] if len(planes) == 4 else None
        self.before = planes[k - 1] if self.colour >= 1 else None
        self.q_plane = planes[first] if self.colour >= 1 else None
        self.r_plane = planes[first + 1] if self.colour >= 2 else None
        self.w, self.n, self.nw, self.ne = self.p(-1, 0), self.p(0, -1), self.p(-1, -1), self.p(1, -1)
        self.ww, self.nn = self.p(-2, 0), self.p(0, -2)
        w, n, nw = self.w, self.n, self.nw
        if self.q_plane:
            w, n, nw = w - self.q(-1, 0), n - self.q(0, -1), nw - self.q(-1, -1)
        median = sorted((w, n, w + n - nw))[1]
        self.base = clamp(self.q(0, 0) + median, 0, 255) if self.q_plane else median
        near = {self.w, self.n, self.nw, self.ne, self.ww, self.nn}
        self.is_flat = len(near) == 1 and (
            self.q_plane is None
            or self.q(0, 0) == self.q(-1, 0) == self.q(0, -1) == self.q(1, -1)
        )  # fmt: skip

    def p(self, dx: int, dy: int) -> int:
        return self.plane.at(self.x + dx, self.y + dy)

    def q(self, dx: int, dy: int) -> int:
        assert self.q_plane is not None
        return self.q_plane.at(self.x + dx, self.y + dy)

    def r(self, dx: int, dy: int) -> int:
        assert self.r_plane is not None
        return self.r_plane.at(self.x + dx, self.y + dy)

    def e(self, dx: int, dy: int) -> int:
        return self.plane.error(self.x + dx, self.y + dy)


def position(at: int, length: int) -> list[int]:
    place = at * 7 * 255 // (length - 1) if length > 1 else 0
    knot = min(place // 255, 6)
    out = [0] * 8
    out[knot], out[knot + 1] = 255 - (place - 255 * knot), place - 255 * knot
    return out


def features(a: Around) -> list[int]:
    def runs(at, *rows: tuple[int, int, int]) -> list[int]:
        return [at(dx, dy) for first, last, dy in rows for dx in range(first, last + 1)]

    def differences(values: list[int], of: int) -> list[int]:
        return [clamp(value - of, -127, 127) + 128 for value in values]

    plane, base = a.plane, a.base
    out = runs(a.p, (-6, -1, 0), (-5, 5, -1), (-5, 5, -2), (-5, 5, -3), (-4, 4, -4), (-3, 3, -5))
    near = differences(runs(a.p, (-4, -1, 0), (-3, 4, -1), (-3, 3, -2), (-2, 2, -3)), base)
    out += near
    out += [
        base,
        min(abs(a.w - a.nw) + abs(a.n - a.ne), 255),
        min(abs(a.w - a.ww) + abs(a.n - a.nn), 255),
        min(abs(a.n - a.nw) + abs(a.w - a.nw), 255),
        min(sum(abs(value - 128) for value in near) // 8, 255),
    ]
    for value in (a.w, a.n, a.nw, a.ne, a.ww, a.nn):
        out += [255 * (value == 0), 255 * (value == 255)]
    out += [max(plane.values, default=0), min(plane.values, default=0), min(len(plane.values), 255)]
    out.append(a.alpha.at(a.x, a.y) if a.alpha and a.k > 0 else 255)
    kind = [0] * 5
    kind[0 if a.channels == 1 else a.colour + 2] = 255
    out += kind
    out += position(a.x, plane.width) + position(a.y, plane.height)
    area = ((plane.width + 7) // 8) * ((plane.height + 7) // 8)
    out += [cell // area for cell in plane.cells]
    if a.q_plane:
        q = a.q(0, 0)
        out.append(q)
        rows = (-2, 2, -2), (-2, 2, -1), (-2, -1, 0), (1, 2, 0), (-2, 2, 1), (-2, 2, 2)
        out += differences(runs(a.q, *rows), q)
        for dx, dy in (-1, 0), (0, -1), (-1, -1), (1, -1):
            out += differences([a.p(dx, dy) - a.q(dx, dy) + q], base)
    if a.r_plane:
        r = a.r(0, 0)
        out.append(r)
        out += differences(runs(a.r, (-1, 1, -1), (-1, -1, 0), (1, 1, 0), (-1, 1, 1)), r)
        for dx, dy in (-1, 0), (0, -1):
            out += differences([a.p(dx, dy) - a.r(dx, dy) + r], base)
    return out + [0] * (232 - len(out))


class Mixture:
    """The distribution of a value: logistic ones, by words."""

    def __init__(self, base: int, weights: list[int], means: list[int], scales: list[int]) -> None:
        most = max(weights)
        shares = []
        for word in weights:
            below = most - word
            shift = (below + 255) >> 8
            shares.append(0 if shift > 16 else POWER[256 * shift - below] >> shift)
        share = (1 << 32) // sum(shares)
        self.weights = [weight * share >> 16 for weight in shares]
        self.means = [32 * base + word for word in means]
        self.scales = []
        mean = spread = 0
        for weight, middle, word in zip(self.weights, self.means, scales):
            scale = clamp(word, -1792, 1280)
            fraction = POWER[scale & 255]
            self.scales.append(fraction << (scale >> 8) if scale >= 0 else fraction >> -(scale >> 8))
            mean += weight * clamp(middle, 0, 8160)
            spread -= weight * scale
        self.expected = clamp((mean // 32 + 32768) >> 16, 0, 255)
        self.spread = clamp(truncated(((spread >> 16) + 1280) * 16, 3072), 0, 15)
        self.low, self.high, self.middle = 0, 1 << 24, 0

    def below(self, value: int) -> int:
        total = 0
        for weight, mean, scale in zip(self.weights, self.means, self.scales):
            at = clamp((32 * value - 16 - mean) * scale >> 9, -49152, 49151) + 49152
            low, high = SIGMOID[at >> 6], SIGMOID[(at >> 6) + 1]
            total += weight * (low + ((high - low) * (at & 63) >> 6))
        total >>= 16
        return total - (total >> 10) + 64 * value

    def ask(self, value: int) -> int:
        share = max(self.below(value), self.low + 1)
        self.middle = min(share, self.high - 1)
        return (natural_log(self.high - self.middle) - natural_log(self.middle - self.low)) >> 4

    def answer(self, bit: int) -> None:
        if bit:
            self.low = self.middle
        else:
            self.high = self.middle


class Guesses:
    """What three simple predictors have learned of a colour."""

    def __init__(self) -> None:
        self.taps = [0] * 20
        self.bias = [0] * 1024
        self.mean = [[(8 + 3 * (i // 16)) << 12 for i in range(257)] for _ in range(3)]


class Guess:
    def __init__(self, of: Guesses, a: Around) -> None:
        self.of = of
        base, w, n, nw, ne, ww, nn = a.base, a.w, a.n, a.nw, a.ne, a.ww, a.nn
        nne = a.p(1, -2)
        d = [v - base for v in (w, n, nw, ne, ww, nn, a.p(-1, -2), nne, a.p(-2, -1), a.p(2, -1))]
        if a.q_plane:
            q = a.q(0, 0)
            d += [w - a.q(-1, 0) + q - base, n - a.q(0, -1) + q - base]
            d += [a.q(1, 0) - q, a.q(0, 1) - q, a.q(-1, 0) - q, a.q(0, -1) - q]
        if a.r_plane:
            r = a.r(0, 0)
            d += [w - a.r(-1, 0) + r - base, n - a.r(0, -1) + r - base, a.r(1, 0) - r, a.r(0, 1) - r]
        self.d = d
        self.energy = 64 + sum(v * v for v in d)
        total = sum(tap * v for tap, v in zip(of.taps, d))
        self.linear = clamp(32 * base + (total >> 11), 0, 8160)
        across = abs(w - ww) + abs(n - nw) + abs(n - ne)
        down = abs(w - nw) + abs(n - nn) + abs(ne - nne)
        if a.q_plane:
            edge = base
        elif down - across > 80:
            edge = w
        elif across - down > 80:
            edge = n
        else:
            edge = clamp((w + n) // 2 + truncated(ne - nw, 4), 0, 255)
        gradient = across + down
        if a.q_plane:
            assert a.before is not None
            dw, dn, dnw = w - a.q(-1, 0), n - a.q(0, -1), nw - a.q(-1, -1)
            gradient = 2 * abs(dw - dn) + abs(dw - dnw) + 2 * abs(a.before.error(a.x, a.y))
        error = abs(a.e(-1, 0)) + abs(a.e(0, -1)) + (abs(a.e(-1, -1)) + abs(a.e(1, -1))) // 2
        self.context = 256 if a.is_flat else 16 * level_of(error) + level_of(gradient // 2)
        if a.q_plane:
            w, n = w - a.q(-1, 0) + q, n - a.q(0, -1) + q
            nw, ne = nw - a.q(-1, -1) + q, ne - a.q(1, -1) + q
        v = self.linear // 32
        bits = (n > v, w > v, nw > v, ne > v, ww > v, nn > v, 2 * n - nn > v, 2 * w - ww > v)
        self.texture = sum(bit << i for i, bit in enumerate(bits)) + 256 * (level_of(error) // 4)
        self.values = [clamp(self.linear + (of.bias[self.texture] >> 8), 0, 8160), 32 * base, 32 * edge]
        logs = [binary_log(mean[self.context] >> 8 | 1) for mean in of.mean]
        self.mixture = Mixture(
            base,
            [8 * (logs[0] - log) for log in logs],
            [value - 32 * base for value in self.values],
            [1088 - log for log in logs],
        )

    def learn(self, value: int) -> None:
        of, miss = self.of, 32 * value - self.linear
        of.bias[self.texture] += (256 * miss - of.bias[self.texture]) >> 6
        step = truncated(miss * 131072, self.energy)
        for i, v in enumerate(self.d):
            of.taps[i] = clamp(of.taps[i] + (step * v >> 11), -131072, 131072)
        for mean, guess in zip(of.mean, self.values):
            mean[self.context] += truncated(128 * abs(32 * value - guess) - mean[self.context], 64)


class WeightSet:
    def __init__(self, first: int, others: int, last_rate: int) -> None:
        self.weights = [first, *[others] * 6, 0]
        self.rate, self.last_rate = 15 << 16, last_rate << 16

    def mix(self, inputs: list[int]) -> int:
        total = sum((weight >> 8) * x for weight, x in zip(self.weights, inputs)) >> 12
        return clamp(total, -3071, 3071) + 3072

    def learn(self, inputs: list[int], bit: int, mixed: int) -> None:
        error = ((bit << 16) - mixed) * (self.rate >> 16) >> 5
        self.rate -= (self.rate - self.last_rate) >> 7
        for i, x in enumerate(inputs):
            self.weights[i] = clamp(self.weights[i] + (x * error >> 11), -7 << 20, 7 << 20)


class Rows:
    """The tables of contexts: of each, 2^15 rows of a check and fifteen slots, [number, count]."""

    def __init__(self) -> None:
        self.tables: list[dict[int, list]] = [{} for _ in range(5)]

    def find(self, hashes: list[int], node: int) -> list[list]:
        found = []
        for table, value in zip(self.tables, hashes):
            at = (value + node * 0x9E3779B1) * 0x2C1B3C6D & M32
            place, check = at >> 17, at & 0x7FFF
            row, other = self.row(table, place), self.row(table, place ^ 1)
            if row[0] != check and (other[0] == check or other[1][1] < row[1][1]):
                row = other
            if row[0] != check:
                row[:] = [check, *([0, 0] for _ in range(15))]
            found.append(row)
        return found

    @staticmethod
    def row(table: dict[int, list], place: int) -> list:
        if place not in table:
            table[place] = [0, *([0, 0] for _ in range(15))]
        return table[place]


def teach(rows: list[list], place: int, bit: int) -> None:
    for row in rows:
        slot = row[place]
        slot[0] += ((2047 if bit else -2048) - slot[0]) * RATE[slot[1]] + 32768 >> 16
        slot[1] = min(slot[1] + 1, 15)


class Refinement:
    def __init__(self) -> None:
        self.points = [LOGISTIC[min(256 * i, 6143)] for i in range(25)]

    def read(self, at: int) -> int:
        cell, part = divmod(at, 256)
        return (self.points[cell] * (256 - part) + self.points[cell + 1] * part) >> 8

    def learn(self, at: int, bit: int) -> None:
        near = (at + 128) // 256
        self.points[near] += ((65535 if bit else 0) - self.points[near]) >> 6


class MixtureReader:
    """What the images of a block of kind 6 or 7 share."""

    def __init__(self, coder: BinaryCoder, predictor: Predictor | None) -> None:
        self.coder, self.predictor = coder, predictor
        others, last_rate = (1 << 16, 15) if predictor else (1 << 17, 10)
        self.sets = [[WeightSet(1 << 20, others, last_rate) for _ in range(16)] for _ in range(8)]
        self.flat_sets = [WeightSet(others, others, last_rate) for _ in range(4)]
        self.rows = Rows()
        self.guesses = [Guesses() for _ in range(3)]
        self.by_spread = [[Refinement() for _ in range(16)] for _ in range(8)]
        self.by_alphabet = [[[Refinement() for _ in range(4)] for _ in range(8)] for _ in range(8)]
        sides = [[LOGISTIC[3072 + sign * (2400 + 64 * j)] for j in range(11)] for sign in (-1, 1)]
        self.certain = [[list(side) for side in sides] for _ in range(8)]

    def flat(self, a: Around) -> int:
        w, different = a.w, min(len(a.plane.values), 15)
        further = sum((a.p(dx, dy) == w) << i for i, (dx, dy) in enumerate(FURTHER))
        kind = a.colour + 1
        if a.q_plane:
            q = a.q(0, 0)
            kind |= ((a.q(1, 0) == q) | (a.q(0, 1) == q) << 1 | (q == w) << 2) << 2
        hashes = [
            mixed_hash(21, w | kind << 8),
            mixed_hash(22, further | kind << 10),
            mixed_hash(23, 256 * a.y + a.x | kind << 16),
            mixed_hash(24, further | w << 10 | kind << 18),
            mixed_hash(26, different | (further & 15) << 4 | kind << 8),
        ]
        rows = self.rows.find(hashes, 0)
        weights = self.flat_sets[a.colour + 1]
        inputs = [256, 0, *(LOGIT[row[1][0] + 2048] for row in rows), 256]
        mixed = LOGISTIC[weights.mix(inputs)]
        bit = self.coder.bit(clamp(mixed, 2, 65534))
        weights.learn(inputs, bit, mixed)
        teach(rows, 1, bit)
        return bit

    def hashes(self, a: Around, mixture: Mixture) -> list[int]:
        w, n, m = a.w, a.n, mixture.expected
        quarters = n >> 2 | a.ne >> 2 << 6 | w >> 2 << 12 | a.nw >> 2 << 18
        return [
            mixed_hash(1, m | mixture.spread << 8),
            mixed_hash(2, w | n << 8 | (a.colour + 1) << 16),
            mixed_hash(4, quarters | a.ww >> 5 << 24 | a.nn >> 5 << 27),
            mixed_hash(6, m | error_class(a.e(-1, 0)) << 8 | error_class(a.e(0, -1)) << 12),
            mixed_hash(7, a.q(0, 0) | w << 8 | a.q(-1, 0) << 16)
            if a.q_plane
            else mixed_hash(8, n | a.ne << 8 | a.nn << 16),
        ]

    def value(self, a: Around, mixture: Mixture, own: Mixture, hashes: list[int], numbers: list[int]) -> int:
        seen = a.plane.values
        alphabet = len(seen) if len(seen) < 4 else 4 + sum(len(seen) >= step for step in (8, 32, 100))
        low, size, node = 0, 256, 1
        rows, nibble = [], -1
        for i in range(8):
            size //= 2
            middle = low + size
            logit, own_logit = mixture.ask(middle), 0
            if self.predictor:
                own_logit = clamp(own.ask(middle), -3071, 3071)
                row = self.predictor.table[node]
                logit += sum(x * number for x, number in zip(row, numbers)) >> 12
            logit = clamp(logit, -3071, 3071)
            if abs(logit) > 2400:
                side = self.certain[i][logit > 0]
                j = (abs(logit) - 2400) // 64
                bit = self.coder.bit(clamp(side[j], 2, 65534))
                side[j] += ((65535 if bit else 0) - side[j]) >> 7
            else:
                if nibble != i // 4:
                    nibble = i // 4
                    rows = self.rows.find(hashes, node if nibble else 0)
                place = node if i < 4 else node % (1 << (i - 4)) + (1 << (i - 4))
                weights = self.sets[i][mixture.spread]
                inputs = [logit, own_logit, *(LOGIT[row[place][0] + 2048] for row in rows), 256]
                at = weights.mix(inputs)
                mixed = LOGISTIC[at]
                known = [a.plane.mask >> first & ((1 << size) - 1) != 0 for first in (low, middle)]
                by_spread = self.by_spread[i][mixture.spread]
                by_alphabet = self.by_alphabet[i][alphabet][2 * known[0] + known[1]]
                p = (2 * mixed + by_spread.read(at) + by_alphabet.read(at)) >> 2
                bit = self.coder.bit(clamp(p, 2, 65534))
                weights.learn(inputs, bit, mixed)
                teach(rows, place, bit)
                by_spread.learn(at, bit)
                by_alphabet.learn(at, bit)
            if bit:
                low = middle
            mixture.answer(bit)
            if own is not mixture:
                own.answer(bit)
            node = 2 * node + bit
        return low

    def step(self, pixels: list[Around]) -> None:
        """All pixels of a step, in order. A pixel's guess is made before the pixel before it is learned."""

        def guess(a: Around) -> Guess:
            return Guess(self.guesses[max(a.colour, 0)], a)

        after = guess(pixels[0])
        words = []
        if self.predictor is not None:
            words = run_network_on_all(self.predictor.layers, [features(a) for a in pixels])
        for i, a in enumerate(pixels):
            now = after
            if self.predictor is None:
                mixture, numbers = now.mixture, []
            else:
                mixture = Mixture(a.base, words[i][:5], words[i][5:10], words[i][10:15])
                numbers = [clamp(word, -4095, 4095) for word in words[i][15:]]
            hashes = self.hashes(a, mixture)
            if i + 1 < len(pixels):
                after = guess(pixels[i + 1])
            if self.predictor is None and a.is_flat and self.flat(a):
                a.plane.pixels[a.y][a.x] = a.w
                continue
            value = self.value(a, mixture, now.mixture, hashes, numbers)
            a.plane.pixels[a.y][a.x] = value
            a.plane.errors[a.y][a.x] = clamp(value - mixture.expected, -127, 127)
            now.learn(value)
        for a in pixels:
            value = a.plane.pixels[a.y][a.x]
            a.plane.values.add(value)
            a.plane.mask |= 1 << value
            a.plane.cells[a.y * 8 // a.plane.height * 8 + a.x * 8 // a.plane.width] += value


def read_mixtures(
    body: bytes, n: int, shape: tuple[int, int, int], predictor: Predictor | None
) -> list[bytes]:
    width, height, channels = shape
    coder = BinaryCoder(body)
    reader = MixtureReader(coder, predictor)
    images = [[Plane(width, height) for _ in range(channels)] for _ in range(n)]
    for k in range(channels):
        for step in range(width + 6 * (height - 1)):
            rows = [y for y in range(height) if 0 <= step - 6 * y < width]
            pixels = [Around(planes, k, step - 6 * y, y) for y in rows for planes in images]
            if pixels:
                reader.step(pixels)
    need(coder.at == len(coder.data), "exact: bytes too many")
    order = {1: [0], 3: [1, 0, 2], 4: [2, 1, 3, 0]}[channels]  # of the planes, by channel
    return [
        bytes(planes[k].pixels[y][x] for y in range(height) for x in range(width) for k in order)
        for planes in images
    ]


def main() -> None:
    model = read_model(Path(sys.argv[2]).read_bytes()) if len(sys.argv) > 2 else None
    decoded = read_set(Path(sys.argv[1]).read_bytes(), model)
    print(hashlib.sha256(b"".join(decoded.images)).hexdigest(), f"{len(decoded.lost)} lost")


if __name__ == "__main__":
    main()
