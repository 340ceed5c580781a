"""Networks that come from elsewhere: a graph of values in the frontends' terms, folded, and laid out as a
list of nodes.

Each frontend builds one graph for the encoder and one for the decoder. Shapes are theirs, without the batch:
channels first, (C, H, W) or (n). What the engine has no node for is folded into the layers around it; then
every value gets the order that it is stored in, [height, width, channels], and rows and columns of weights
are permuted to fit. Arithmetic on weights is in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._arrays import Array
from ._errors import ArgumentError, ShapeError, UnsupportedError

LAYERS = ("dense", "convolution", "transposed_convolution")
ACTIVATIONS = ("sigmoid", "relu", "elu", "leaky_relu", "silu", "gelu", "gelu_tanh", "tanh")
# Of identity layers and selections that stand where nothing can be folded.
_WIDEST = 4096
_LARGEST_KERNEL = 7
# What only says otherwise where numbers are.
_MOVES = ("reshape", "permute")


@dataclass(eq=False)
class Value:
    """What an operation gives. Values are compared by identity."""

    kind: str
    sources: tuple[Value, ...]
    shape: tuple[int, ...]
    place: str = ""
    """Where the operation stands, for messages."""
    weight: Array | None = None
    """dense [outputs, inputs]; convolution [outputs, inputs, k, k]; transposed [inputs, outputs, k, k]."""
    bias: Array | None = None
    stride: int = 1
    """Also the factor of an upsampling."""
    padding: int = 0
    kernel: int = 0
    scale: Array | None = None
    """Of an affine value: scale * x + shift, both of the shape."""
    shift: Array | None = None
    activation: str = "identity"
    slope: float = 0.0
    axes: tuple[int, ...] = ()
    """Of a permutation; of a slice (axis, start, stop); of a padding (top, left, bottom, right)."""
    is_lowest: bool = False
    """Of a padding: of minus infinity, as before a maximum, and not of zeros."""

    @property
    def size(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)

    @property
    def source(self) -> Value:
        """The first source."""
        return self.sources[0]


def unsupported(what: str, place: str, advice: str = "") -> UnsupportedError:
    """The error for what no list of nodes can do."""
    text = f"{place}: {what} is not supported" if place else f"{what} is not supported"
    return UnsupportedError(text + (f"; {advice}" if advice else ""))


# MARK: What frontends call


def entry(shape: tuple[int, ...]) -> Value:
    """What a graph reads."""
    return Value("input", (), shape, "input")


def _numbers(value: Any) -> Array:
    return np.asarray(value, np.float64)


def dense(x: Value, weight: Any, bias: Any, place: str) -> Value:
    """weight [outputs, inputs] on the last axis, which must be the only one that is not 1."""
    weight = _numbers(weight)
    outputs, inputs = weight.shape
    bias = np.zeros(outputs) if bias is None else np.broadcast_to(_numbers(bias).reshape(-1), (outputs,))
    if x.shape[-1] != inputs or x.size != inputs:
        raise unsupported(
            f"a linear layer of {inputs} numbers on the last axis of a shape {x.shape}",
            place,
            "flatten before it",
        )
    return Value("dense", (x,), (*x.shape[:-1], outputs), place, weight=weight, bias=bias)


def _expanded(weight: Array, groups: int, dilation: tuple[int, int], is_transposed: bool) -> Array:
    """Weights without groups and dilation, zeros between."""
    if groups > 1:
        first, second = weight.shape[:2]
        if is_transposed:
            whole = np.zeros((first, second * groups, *weight.shape[2:]))
            rows, columns = first // groups, second
        else:
            whole = np.zeros((first, second * groups, *weight.shape[2:]))
            rows, columns = first // groups, second
        for group in range(groups):
            row, column = group * rows, group * columns
            whole[row : row + rows, column : column + columns] = weight[row : row + rows]
        weight = whole
    if dilation != (1, 1):
        sides = [(side - 1) * step + 1 for side, step in zip(weight.shape[2:], dilation)]
        wide = np.zeros((*weight.shape[:2], *sides))
        wide[:, :, :: dilation[0], :: dilation[1]] = weight
        weight = wide
    return weight


def _square(weight: Array, pads: tuple[int, int], least: int, place: str) -> tuple[Array, int]:
    """Weights in a square kernel, zeros around them, and the one padding that goes with it."""
    padding = max(pads)
    top, left = padding - pads[0], padding - pads[1]
    height, width = weight.shape[2:]
    kernel = max(top + height, left + width, padding + 1, least)
    if kernel > _LARGEST_KERNEL:
        raise unsupported(
            f"a convolution with kernel {height} x {width} and padding {pads[0]}, {pads[1]}",
            place,
            f"kernels of at most {_LARGEST_KERNEL} are, with dilation and uneven padding counted in",
        )
    if (top, left, height, width) != (0, 0, kernel, kernel):
        whole = np.zeros((*weight.shape[:2], kernel, kernel))
        whole[:, :, top : top + height, left : left + width] = weight
        weight = whole
    return weight, padding


def _one_stride(stride: Sequence[int], place: str) -> int:
    if len(set(stride)) != 1:
        raise unsupported(f"a stride of {tuple(stride)}", place, "strides that are the same both ways are")
    return stride[0]


def _map(x: Value, what: str, place: str) -> tuple[int, int, int]:
    if len(x.shape) != 3:
        raise unsupported(f"{what} on a shape {x.shape}", place, "maps of (channels, height, width) are")
    return x.shape


def convolution(
    x: Value,
    weight: Any,
    bias: Any,
    place: str,
    stride: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Value:
    """weight [outputs, inputs / groups, kh, kw]; pads are (top, left, bottom, right)."""
    channels, height, width = _map(x, "a convolution", place)
    if x.kind == "pad" and not x.is_lowest:
        pads = [a + b for a, b in zip(pads, x.axes)]
        x = x.source
        channels, height, width = x.shape
    weight = _expanded(_numbers(weight), groups, (dilation[0], dilation[1]), False)
    outputs = weight.shape[0]
    bias = np.zeros(outputs) if bias is None else _numbers(bias)
    kh, kw = weight.shape[2:]
    rows = (height + pads[0] + pads[2] - kh) // stride[0] + 1
    columns = (width + pads[1] + pads[3] - kw) // stride[1] + 1
    if (rows, columns) == (1, 1):
        # One window: a dense layer of what it sees.
        seen = np.zeros((outputs, channels, height, width))
        top, left = max(pads[0], 0), max(pads[1], 0)
        part = weight[:, :, top : top + height, left : left + width]
        seen[:, :, : part.shape[2], : part.shape[3]] = part
        flat = reshape(x, (x.size,), place)
        return reshape(dense(flat, seen.reshape(outputs, -1), bias, place), (outputs, 1, 1), place)
    step = _one_stride(stride, place)
    weight, padding = _square(weight, (pads[0], pads[1]), 1, place)
    return Value(
        "convolution", (x,), (outputs, rows, columns), place, weight, bias, step, padding, weight.shape[2]
    )


def transposed(
    x: Value,
    weight: Any,
    bias: Any,
    place: str,
    stride: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    output_padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Value:
    """weight [inputs, outputs / groups, kh, kw]; pads are (top, left, bottom, right) of what is cut off."""
    channels, height, width = _map(x, "a transposed convolution", place)
    weight = _expanded(_numbers(weight), groups, (dilation[0], dilation[1]), True)
    outputs = weight.shape[1]
    bias = np.zeros(outputs) if bias is None else _numbers(bias)
    kh, kw = weight.shape[2:]
    rows = (height - 1) * stride[0] - pads[0] - pads[2] + kh + output_padding[0]
    columns = (width - 1) * stride[1] - pads[1] - pads[3] + kw + output_padding[1]
    if (height, width) == (1, 1):
        # One window: a dense layer that gives a map.
        given = np.zeros((channels, outputs, rows, columns))
        part = weight[:, :, pads[0] : pads[0] + rows, pads[1] : pads[1] + columns]
        given[:, :, : part.shape[2], : part.shape[3]] = part
        flat = given.reshape(channels, -1).T
        vector = dense(reshape(x, (channels,), place), flat, np.repeat(bias, rows * columns), place)
        return reshape(vector, (outputs, rows, columns), place)
    step = _one_stride(stride, place)
    # The result must end where windows do: what output_padding adds beyond may need a wider one.
    reach = max(rows - (height - 1) * step, columns - (width - 1) * step)
    weight, padding = _square(weight, (pads[0], pads[1]), reach, place)
    return Value(
        "transposed_convolution",
        (x,),
        (outputs, rows, columns),
        place,
        weight,
        bias,
        step,
        padding,
        weight.shape[2],
    )


def affine(x: Value, scale: Any, shift: Any, place: str) -> Value:
    """scale * x + shift, each of a shape that broadcasts to that of x."""
    try:
        scale, shift = (np.broadcast_to(_numbers(each), x.shape) for each in (scale, shift))
    except ValueError:
        raise unsupported("a product or a sum that makes a shape larger", place) from None
    return Value("affine", (x,), x.shape, place, scale=scale, shift=shift)


def batch_normalization(
    x: Value, mean: Any, variance: Any, weight: Any, bias: Any, epsilon: float, place: str
) -> Value:
    """In evaluation, with the statistics of training; channels are the first axis."""
    scale = 1 / np.sqrt(_numbers(variance) + epsilon)
    if weight is not None:
        scale = scale * _numbers(weight)
    shift = -_numbers(mean) * scale
    if bias is not None:
        shift = shift + _numbers(bias)
    sides = (-1,) + (1,) * (len(x.shape) - 1)
    return affine(x, scale.reshape(sides), shift.reshape(sides), place)


def activation(x: Value, name: str, place: str, slope: float = 0.0) -> Value:
    """One of ACTIVATIONS."""
    if name == "leaky_relu":
        if slope == 0:
            name = "relu"
        elif abs(slope * 1000 - round(slope * 1000)) > 1e-3 or not 0.001 <= slope <= 0.999:
            raise unsupported(
                f"a leaky ReLU with the slope {slope:g}", place, "slopes of whole thousandths below 1 are"
            )
    return Value("activation", (x,), x.shape, place, activation=name, slope=slope)


def internal(x: Value, name: str, place: str) -> Value:
    """A function that is only part of an activation, such as erf of GELU: `multiply` may make one of it."""
    return Value("internal", (x,), x.shape, place, activation=name)


def add(a: Value, b: Value, place: str) -> Value:
    """The sum of two values of one shape."""
    if a.shape != b.shape:
        raise unsupported(
            f"a sum of shapes {a.shape} and {b.shape}", place, "sums of values of one shape are"
        )
    return Value("add", (a, b), a.shape, place)


def concatenate(values: Sequence[Value], axis: int, place: str) -> Value:
    """Along the first axis, of channels."""
    if axis != 0:
        raise unsupported(f"joining along axis {axis + 1}", place, "joining along channels, axis 1, is")
    result = values[0]
    for value in values[1:]:
        shape = (result.shape[0] + value.shape[0], *result.shape[1:])
        result = Value("concatenate", (result, value), shape, place)
    return result


def mean_pool(x: Value, kernel: Sequence[int], stride: Sequence[int], place: str) -> Value:
    """Without padding."""
    channels, height, width = _map(x, "pooling", place)
    if tuple(kernel) == (height, width):
        return Value("mean_pool", (x,), (channels, 1, 1), place, kernel=0)
    rows, columns = ((side - k) // s + 1 for side, k, s in zip((height, width), kernel, stride))
    if len(set(kernel)) != 1:
        # A convolution with a window of equal weights for each channel.
        weight = np.eye(channels)[:, :, None, None] * np.full((1, 1, *kernel), 1 / math.prod(kernel))
        return convolution(x, weight, None, place, stride)
    step = _one_stride(stride, place)
    return Value("mean_pool", (x,), (channels, rows, columns), place, stride=step, kernel=kernel[0])


def max_pool(
    x: Value, kernel: Sequence[int], stride: Sequence[int], pads: Sequence[int], is_ceil: bool, place: str
) -> Value:
    """pads are (top, left, bottom, right)."""
    channels, height, width = _map(x, "pooling", place)
    if x.kind == "pad" and x.is_lowest:
        pads = [a + b for a, b in zip(pads, x.axes)]
        x = x.source
        channels, height, width = x.shape
    if len(set(kernel)) != 1 or pads[0] != pads[1]:
        raise unsupported(f"pooling with a window of {tuple(kernel)}", place, "square windows are")
    step = _one_stride(stride, place)

    def side(size: int, before: int, after: int) -> int:
        free = size + before + after - kernel[0]
        count = (-(-free // step) if is_ceil else free // step) + 1
        return count - 1 if (count - 1) * step >= size + before else count

    shape = (channels, side(height, pads[0], pads[2]), side(width, pads[1], pads[3]))
    return Value("max_pool", (x,), shape, place, stride=step, kernel=kernel[0], padding=pads[0])


def upsample(x: Value, height: int, width: int, place: str) -> Value:
    """To a multiple of its size, by the nearest pixel."""
    channels, rows, columns = _map(x, "upsampling", place)
    factor = height // rows
    if (height, width) == (rows, columns):
        return x
    if (rows * factor, columns * factor) != (height, width):
        raise unsupported(
            f"resizing {rows} x {columns} to {height} x {width}",
            place,
            "whole factors, the same both ways, are",
        )
    return Value("upsample", (x,), (channels, height, width), place, stride=factor)


def clamp(x: Value, low: float | None, high: float | None, place: str) -> Value:
    """A ReLU, or, at a decoder's end, nothing: pixels are in [0, 1] anyway, and less than half a grey level
    is no bound."""
    if low == 0 and high is None:
        return activation(x, "relu", place)
    half = 0.5 / 255
    if (low is None or -half < low < half) and (high is None or 1 - half < high < 1 + half):
        return Value("clamp", (x,), x.shape, place)
    raise unsupported(f"clamping to [{low}, {high}]", place, "at the decoder's end, to [0, 1], it is")


def pixel_shuffle(x: Value, factor: int, place: str) -> Value:
    """Channels to pixels: a transposed convolution that only moves numbers."""
    channels, _, _ = _map(x, "a pixel shuffle", place)
    outputs = channels // factor**2
    weight = np.eye(channels).reshape(channels, outputs, factor, factor)
    return transposed(x, weight, None, place, stride=(factor, factor))


def pad(x: Value, pads: tuple[int, int, int, int], place: str, is_lowest: bool = False) -> Value:
    """Zeros around a map, (top, left, bottom, right), or minus infinity; negative ones cut off."""
    channels, height, width = _map(x, "padding", place)
    for axis, (before, after) in enumerate(((pads[0], pads[2]), (pads[1], pads[3])), start=1):
        if before < 0 or after < 0:
            size = x.shape[axis]
            x = part(x, axis, max(-before, 0), size - max(-after, 0), place)
    pads = tuple(max(each, 0) for each in pads)  # type: ignore[assignment]
    if not any(pads):
        return x
    _, height, width = x.shape
    shape = (channels, height + pads[0] + pads[2], width + pads[1] + pads[3])
    return Value("pad", (x,), shape, place, axes=pads, is_lowest=is_lowest)


def part(x: Value, axis: int, start: int, stop: int, place: str) -> Value:
    """x[start:stop] along an axis."""
    start, stop = max(0, start), min(stop, x.shape[axis])
    if (start, stop) == (0, x.shape[axis]):
        return x
    shape = (*x.shape[:axis], stop - start, *x.shape[axis + 1 :])
    return Value("slice", (x,), shape, place, axes=(axis, start, stop))


def reshape(x: Value, shape: tuple[int, ...], place: str) -> Value:
    """The same numbers, row after row."""
    if math.prod(shape) != x.size:
        raise unsupported(f"{x.shape} as {shape}, which mixes images of a batch,", place)
    return x if shape == x.shape else Value("reshape", (x,), shape, place)


def permute(x: Value, axes: tuple[int, ...], place: str) -> Value:
    """x with its axes in another order."""
    if axes == tuple(range(len(axes))):
        return x
    return Value("permute", (x,), tuple(x.shape[axis] for axis in axes), place, axes=axes)


def _scaled(x: Value) -> tuple[Value, float, float]:
    """x as scale * y + shift, both single numbers."""
    scale, shift = 1.0, 0.0
    while x.kind == "affine" and np.ptp(x.scale) == 0 and np.ptp(x.shift) == 0:  # type: ignore[arg-type]
        shift += scale * float(x.shift.flat[0])  # type: ignore[union-attr]
        scale *= float(x.scale.flat[0])  # type: ignore[union-attr]
        x = x.source
    return x, scale, shift


def multiply(a: Value, b: Value, place: str) -> Value:
    """The product of two values, where it is one of the activations: x sigmoid(x), or GELU written out."""
    for x, gate in ((a, b), (b, a)):
        root, factor, offset = _scaled(x)
        inner, scale, shift = _scaled(gate)
        if offset != 0:
            continue
        if inner.kind == "activation" and inner.activation == "sigmoid" and shift == 0:
            if inner.source is root:
                return affine(activation(root, "silu", place), factor * scale, 0, place)
        name = inner.activation if inner.kind in ("activation", "internal") else ""
        if name not in ("erf", "tanh") or not math.isclose(scale, shift, rel_tol=1e-5):
            continue
        if name == "erf":
            read, slope, bias = _scaled(inner.source)
            if read is root and bias == 0 and math.isclose(slope, math.sqrt(0.5), rel_tol=1e-4):
                return affine(activation(root, "gelu", place), 2 * factor * scale, 0, place)
        elif _is_gelu_argument(inner.source, root):
            return affine(activation(root, "gelu_tanh", place), 2 * factor * scale, 0, place)
    if a is b:
        return internal(a, "square", place)
    squared = next((x for x in (a, b) if x.kind == "internal" and x.activation == "square"), None)
    if squared is not None and squared.source in (a, b):
        return internal(squared.source, "cube", place)
    raise unsupported(
        "a product of two values", place, "products with constants, x * sigmoid(x) and GELU written out are"
    )


def _is_gelu_argument(x: Value, root: Value) -> bool:
    """Whether x is sqrt(2 / pi) (root + 0.044715 root^3)."""
    total, scale, shift = _scaled(x)
    if total.kind != "add" or shift != 0 or not math.isclose(scale, math.sqrt(2 / math.pi), rel_tol=1e-4):
        return False
    factors = {}
    for each in total.sources:
        inner, factor, offset = _scaled(each)
        if offset != 0:
            return False
        if inner.kind == "internal" and inner.activation == "cube" and inner.source is root:
            factors[3] = factor
        elif inner is root:
            factors[1] = factor
    return (
        factors.keys() == {1, 3}
        and math.isclose(factors[1], 1)
        and math.isclose(factors[3], 0.044715, rel_tol=1e-4)
    )


# MARK: A half of a model


@dataclass
class Half:
    """An encoder or a decoder: from what it reads to what it gives."""

    input: Value
    output: Value

    def values(self) -> list[Value]:
        """All that the output needs, sources before what reads them."""
        order: list[Value] = []
        seen: set[int] = set()
        stack: list[tuple[Value, int]] = [(self.output, 0)]
        while stack:
            value, next_source = stack.pop()
            if next_source == 0 and id(value) in seen:
                continue
            seen.add(id(value))
            for number in range(next_source, len(value.sources)):
                if id(value.sources[number]) not in seen:
                    stack.append((value, number + 1))
                    stack.append((value.sources[number], 0))
                    break
            else:
                order.append(value)
        return order

    def readers(self) -> dict[int, list[Value]]:
        """Who reads each value, by its id; the output is read by None, which counts, too."""
        result: dict[int, list[Any]] = {id(self.output): [None]}
        for value in self.values():
            for source in value.sources:
                result.setdefault(id(source), []).append(value)
        return result

    def replace(self, old: Value, new: Value) -> None:
        """Lets all that reads `old` read `new`."""
        for value in self.values():
            if value is not new and old in value.sources:
                value.sources = tuple(new if source is old else source for source in value.sources)
        if self.output is old:
            self.output = new


def _per_channel(value: Value) -> tuple[Array, Array] | None:
    """Scale and shift of each channel, if an affine value has such."""
    assert value.scale is not None
    assert value.shift is not None
    if len(value.shape) != 3:
        return None
    found = []
    for array in (value.scale, value.shift):
        first = array[:, :1, :1]
        if not (array == first).all():
            return None
        found.append(np.array(first[:, 0, 0]))
    return found[0], found[1]


def _over(per_channel: tuple[Array, Array], shape: tuple[int, ...]) -> tuple[Array, Array]:
    scale, shift = (np.broadcast_to(each[:, None, None], shape) for each in per_channel)
    return scale, shift


class _Folding:
    """Rewrites a half until nothing is left that has no node."""

    def __init__(self, half: Half) -> None:
        self.half = half

    def run(self) -> None:
        rules = (self._move, self._affine, self._slice, self._pad, self._concatenation)
        changed = True
        while changed:
            self.readers = self.half.readers()
            changed = any(rule(value) for value in self.half.values() for rule in rules)
        self._materialise()

    def _alone(self, value: Value) -> bool:
        return len(self.readers.get(id(value), ())) == 1

    def _move(self, value: Value) -> bool:
        """One reshape for several, and activations before them, where layers are."""
        if value.kind == "reshape":
            if value.shape == value.source.shape:
                self.half.replace(value, value.source)
                return True
            if value.source.kind == "reshape":
                value.sources = value.source.sources
                return True
        source = value.sources[0] if value.sources else value
        if value.kind == "activation" and source.kind in _MOVES and self._alone(source):
            inner = activation(source.source, value.activation, value.place, value.slope)
            new = Value(**vars(source))
            new.sources = (inner,)
            self.half.replace(value, new)
            return True
        return False

    # Affine values

    def _affine(self, value: Value) -> bool:
        if value.kind != "affine":
            return False
        scale, shift, source = value.scale, value.shift, value.source
        assert scale is not None
        assert shift is not None
        if (scale == 1).all() and (shift == 0).all():
            self.half.replace(value, source)
            return True
        if not self._alone(source):
            return self._sink(value)
        if source.kind == "affine":
            assert source.scale is not None
            assert source.shift is not None
            value.shift = scale * source.shift + shift
            value.scale = scale * source.scale
            value.sources = source.sources
            return True
        if (
            source.kind == "activation"
            and source.activation == "tanh"
            and (scale == 0.5).all()
            and (shift == 0.5).all()
        ):
            # (tanh(x) + 1) / 2 = sigmoid(2 x)
            inner = affine(source.source, 2, 0, value.place)
            self.half.replace(value, activation(inner, "sigmoid", source.place))
            return True
        if self._absorbs(source, value):
            new = self._absorbed(source, value)
            self.half.replace(value, new)
            return True
        if self._rises(source, value):
            self.half.replace(value, self._risen(source, value))
            return True
        return self._sink(value)

    def _absorbs(self, layer: Value, value: Value) -> bool:
        if layer.kind == "dense":
            return True
        return layer.kind in LAYERS and _per_channel(value) is not None

    def _absorbed(self, layer: Value, value: Value) -> Value:
        """A layer that gives what an affine value makes of it."""
        new = Value(**vars(layer))
        if layer.kind == "dense":
            assert value.scale is not None
            assert value.shift is not None
            scale, shift = value.scale.reshape(-1), value.shift.reshape(-1)
            new.weight = layer.weight * scale[:, None]
        else:
            found = _per_channel(value)
            assert found is not None
            scale, shift = found
            sides = (1, -1, 1, 1) if layer.kind == "transposed_convolution" else (-1, 1, 1, 1)
            new.weight = layer.weight * scale.reshape(sides)
        new.bias = layer.bias * scale + shift
        return new

    def _moved(self, source: Value, value: Value) -> tuple[Array, Array] | None:
        """Scale and shift before an operation that are the same as `value` after it, or None."""
        assert value.scale is not None
        assert value.shift is not None
        if len(source.sources) != 1:
            return None
        before = source.source.shape
        if source.kind == "reshape":
            return value.scale.reshape(before), value.shift.reshape(before)
        if source.kind == "permute":
            back = np.argsort(source.axes)
            return value.scale.transpose(back), value.shift.transpose(back)
        if source.kind in ("mean_pool", "upsample", "max_pool"):
            found = _per_channel(value)
            if found is None or (source.kind == "max_pool" and (found[0] <= 0).any()):
                return None
            return _over(found, before)
        return None

    def _rises(self, source: Value, value: Value) -> bool:
        """Whether an affine value can be put into a layer before `source`."""
        while True:
            moved = self._moved(source, value)
            if moved is None or not self._alone(source.source):
                return False
            value = Value("affine", (), source.source.shape, scale=moved[0], shift=moved[1])
            source = source.source
            if source.kind == "affine" or self._absorbs(source, value):
                return True

    def _risen(self, source: Value, value: Value) -> Value:
        moved = self._moved(source, value)
        assert moved is not None
        new = Value(**vars(source))
        new.sources = (affine(source.source, *moved, value.place),)
        return new

    def _sunk(self, reader: Value | None, value: Value) -> tuple[Array, Array] | None:
        """Scale and shift after an operation that are the same as `value` before it, or None."""
        if reader is None or len(reader.sources) != 1:
            return None
        assert value.scale is not None
        assert value.shift is not None
        if reader.kind == "reshape":
            return value.scale.reshape(reader.shape), value.shift.reshape(reader.shape)
        if reader.kind == "permute":
            return value.scale.transpose(reader.axes), value.shift.transpose(reader.axes)
        if reader.kind in ("mean_pool", "upsample", "max_pool"):
            found = _per_channel(value)
            if found is not None and (reader.kind != "max_pool" or (found[0] > 0).all()):
                return _over(found, reader.shape)
        return None

    def _takes(self, layer: Value | None, value: Value) -> bool:
        """Whether a layer can have an affine value before it in its weights."""
        if layer is None or layer.kind not in LAYERS:
            return False
        if layer.kind == "dense":
            return True
        found = _per_channel(value)
        if found is None:
            return False
        if not found[1].any():
            return True
        # At the border a window sees zeros, which the shift would not have made.
        (_, height, width), (_, rows, columns) = layer.source.shape, layer.shape
        last = ((rows - 1) * layer.stride + layer.kernel, (columns - 1) * layer.stride + layer.kernel)
        return layer.kind == "convolution" and layer.padding == 0 and last[0] <= height and last[1] <= width

    def _sinks(self, value: Value, readers: list[Value]) -> bool:
        """Whether all that reads an affine value leads to a layer that takes it."""
        for reader in readers:
            if self._takes(reader, value):
                continue
            moved = self._sunk(reader, value)
            if moved is None:
                return False
            below = Value("affine", (), reader.shape, scale=moved[0], shift=moved[1])
            if not self._sinks(below, self.readers[id(reader)]):
                return False
        return True

    def _sink(self, value: Value) -> bool:
        if not self._sinks(value, self.readers[id(value)]):
            return False
        for reader in self.readers[id(value)]:
            if self._takes(reader, value):
                self.half.replace(reader, self._with_before(reader, value))
            else:
                moved = self._sunk(reader, value)
                assert moved is not None
                new = Value(**vars(reader))
                new.sources = (value.source,)
                self.half.replace(reader, affine(new, *moved, value.place))
        return True

    def _with_before(self, layer: Value, value: Value) -> Value:
        new = Value(**vars(layer))
        new.sources = (value.source,)
        weight, bias = layer.weight, layer.bias
        assert weight is not None
        if layer.kind == "dense":
            assert value.scale is not None
            assert value.shift is not None
            new.weight = weight * value.scale.reshape(1, -1)
            new.bias = bias + weight @ value.shift.reshape(-1)
            return new
        found = _per_channel(value)
        assert found is not None
        scale, shift = found
        if layer.kind == "transposed_convolution":
            new.weight = weight * scale[:, None, None, None]
        else:
            new.weight = weight * scale[None, :, None, None]
            new.bias = bias + np.einsum("oiyx,i->o", weight, shift)
        return new

    # Parts, padding, heads

    def _slice(self, value: Value) -> bool:
        if value.kind != "slice":
            return False
        source, (axis, start, stop) = value.source, value.axes
        if source.kind == "activation":
            inner = part(source.source, axis, start, stop, value.place)
            self.half.replace(value, activation(inner, source.activation, source.place, source.slope))
            return True
        if source.kind == "affine":
            assert source.scale is not None
            assert source.shift is not None
            cut = tuple([slice(None)] * axis + [slice(start, stop)])
            inner = part(source.source, axis, start, stop, value.place)
            self.half.replace(value, affine(inner, source.scale[cut], source.shift[cut], source.place))
            return True
        if source.kind.endswith("_pool") and source.kernel > 0 and axis > 0 and start == 0:
            new = Value(**vars(source))
            new.shape = value.shape
            self.half.replace(value, new)
            return True
        if source.kind in LAYERS and (axis == 0 or source.kind != "dense"):
            new = Value(**vars(source))
            new.shape = value.shape
            assert source.weight is not None
            assert source.bias is not None
            if axis == 0 and len(source.shape) in (1, 3):
                new.bias = source.bias[start:stop]
                rows = source.weight[start:stop]
                if source.kind == "transposed_convolution":
                    rows = source.weight[:, start:stop]
                new.weight = rows
                self.half.replace(value, new)
                return True
            if start == 0 and axis > 0:
                # Fewer windows are computed.
                self.half.replace(value, new)
                return True
        if axis == 0 and len(source.shape) in (1, 3) and source.shape[0] <= _WIDEST:
            weight = np.eye(source.shape[0])[start:stop]
            self.half.replace(value, _selection(source, weight, value.place))
            return True
        if len(source.shape) == 3 and axis > 0:
            # A convolution that is not there for the pixels that are cut off.
            pads = [0, 0, 0, 0]
            pads[axis - 1], pads[axis + 1] = -start, stop - source.shape[axis]
            if start == 0:
                channels = source.shape[0]
                new = Value("convolution", (source,), value.shape, value.place)
                new.weight, new.bias, new.kernel = np.eye(channels)[:, :, None, None], np.zeros(channels), 1
                self.half.replace(value, new)
                return True
        raise unsupported(
            f"a part of a shape {source.shape}, {start}:{stop} of axis {axis + 1},", value.place
        )

    def _pad(self, value: Value) -> bool:
        if value.kind != "pad":
            return False
        if value.is_lowest:
            raise unsupported("padding with minus infinity", value.place, "before a maximum pool it is")
        # Those before convolutions are part of them already.
        channels, (top, left, bottom, right) = value.shape[0], value.axes
        weight = np.zeros((channels, channels, top + bottom + 1, left + right + 1))
        weight[:, :, top, left] = np.eye(channels)
        self.half.replace(value, transposed(value.source, weight, None, value.place))
        return True

    def _concatenation(self, value: Value) -> bool:
        """Two heads of one body as one layer."""
        if value.kind != "concatenate" or not all(self._alone(source) for source in value.sources):
            return False
        first, second = value.sources
        if first is second:
            return False
        if first.kind == second.kind == "reshape" and len(first.shape) == 1:
            shapes = (first.source.shape, second.source.shape)
            if len(shapes[0]) == len(shapes[1]) == 3 and shapes[0][1:] == shapes[1][1:]:
                joined = concatenate([first.source, second.source], 0, value.place)
                self.half.replace(value, reshape(joined, value.shape, value.place))
                return True
        if first.kind != second.kind or first.kind not in LAYERS or first.source is not second.source:
            return False
        if (first.stride, first.padding, first.kernel) != (second.stride, second.padding, second.kernel):
            return False
        if first.kind == "dense" and len(first.shape) != 1:
            return False
        new = Value(**vars(first))
        new.shape = value.shape
        axis = 1 if first.kind == "transposed_convolution" else 0
        new.weight = np.concatenate((first.weight, second.weight), axis)  # type: ignore[arg-type]
        new.bias = np.concatenate((first.bias, second.bias))  # type: ignore[arg-type]
        self.half.replace(value, new)
        return True

    def _materialise(self) -> None:
        for value in self.half.values():
            if value.kind == "internal":
                raise unsupported(f"{value.activation} that is not part of a GELU", value.place)
            if value.kind == "clamp" and value is not _base(self.half.output):
                raise unsupported("clamping to [0, 1]", value.place, "at the decoder's end it is")
            if value.kind == "random":
                raise unsupported(
                    "drawing random numbers",
                    value.place,
                    "an encoder gives (mean, log-variance), without a sample of them",
                )
            if value.kind != "affine":
                continue
            assert value.scale is not None
            assert value.shift is not None
            found = _per_channel(value)
            source = value.source
            if found is not None and source.shape[0] <= _WIDEST:
                weight = np.diag(found[0])[:, :, None, None]
                new = convolution(source, weight, found[1], value.place)
            elif value.size <= _WIDEST:
                flat = reshape(source, (value.size,), value.place)
                new = dense(flat, np.diag(value.scale.reshape(-1)), value.shift.reshape(-1), value.place)
                new = reshape(new, value.shape, value.place)
            else:
                raise unsupported(
                    f"a product or a sum with {value.size} constants where no layer is", value.place
                )
            self.half.replace(value, new)


def _selection(source: Value, weight: Array, place: str) -> Value:
    """A layer without bias on the channels of a map, or on a vector."""
    if len(source.shape) == 3:
        return convolution(source, weight[:, :, None, None], None, place)
    return dense(source, weight, None, place)


def _identity(source: Value, place: str) -> Value:
    """A layer that gives what it reads, where the integers need a layer."""
    if len(source.shape) == 3 and source.shape[0] <= _WIDEST:
        return _selection(source, np.eye(source.shape[0]), place)
    if source.size > _WIDEST:
        raise unsupported(
            f"{source.size} numbers that come from no layer, as the first or last ones,",
            place,
            "put a linear layer or a convolution there",
        )
    flat = reshape(source, (source.size,), place)
    return reshape(dense(flat, np.eye(source.size), None, place), source.shape, place)


def _base(value: Value) -> Value:
    while value.kind in _MOVES:
        value = value.source
    return value


def _rebased(half: Half, old: Value, new: Value) -> None:
    """Puts `new`, which reads `old`, between `old` and the output."""
    value = half.output
    if value is old:
        half.output = new
        return
    while value.source is not old:
        value = value.source
    value.sources = (new,)


def finish_encoder(half: Half) -> None:
    """Folds; the last node becomes a layer."""
    _Folding(half).run()
    base = _base(half.output)
    if base.kind not in LAYERS or len(half.readers()[id(base)]) > 1:
        _rebased(half, base, _identity(base, "the encoder's end"))


def finish_decoder(half: Half) -> str:
    """Folds; the first node becomes the only layer that reads the code, and the last one a layer.

    Returns:
        The output activation, "identity" or "sigmoid".
    """
    _Folding(half).run()
    # Pixels end at 0 and 1 anyway.
    base = _base(half.output)
    while base.kind == "clamp" or base.activation in ("relu", "leaky_relu", "elu"):
        _peel(half, base)
        base = _base(half.output)
    readers = half.readers()
    activated = base
    if base.kind == "activation" and base.activation == "sigmoid":
        base = _base(base.source)
        is_layer = base.kind in LAYERS and activated.source is base and len(readers[id(base)]) == 1
        if not is_layer:
            _between(half, activated, activated.source, _identity(activated.source, "the decoder's end"))
    elif base.kind not in LAYERS or len(readers[id(base)]) > 1:
        _rebased(half, base, _identity(base, "the decoder's end"))
    _read_code_once(half)
    return "sigmoid" if _base(half.output).kind == "activation" else "identity"


def _peel(half: Half, value: Value) -> None:
    if half.output is value:
        half.output = value.source
    else:
        last = half.output
        while last.source is not value:
            last = last.source
        last.sources = value.sources


def _between(half: Half, reader: Value, source: Value, new: Value) -> None:
    reader.sources = tuple(new if each is source else each for each in reader.sources)


def _read_code_once(half: Half) -> None:
    readers = half.readers()
    value = half.input
    while True:
        following = readers[id(value)]
        if len(following) != 1 or following[0] is None or following[0].kind not in _MOVES:
            break
        value = following[0]
    if len(following) == 1 and following[0] is not None and following[0].kind in LAYERS:
        return
    new = _identity(value, "the decoder's beginning")
    inside = {id(each) for each in Half(half.input, new).values()}
    for each in half.values():
        if id(each) not in inside:
            each.sources = tuple(new if source is value else source for source in each.sources)
    if half.output is value:
        half.output = new


# MARK: Layout


def image_order(shape: tuple[int, int, int]) -> Array:
    """Of (C, H, W): which number of the map, channels first, lies where in storage, channels last."""
    return np.arange(math.prod(shape)).reshape(shape).transpose(1, 2, 0).reshape(-1)


@dataclass
class _Stored:
    node: int
    """-1 for the list's input."""
    map: tuple[int, int, int]
    """(height, width, channels)"""
    order: Array
    """Which number of the value, row after row, lies where."""


@dataclass
class Laid:
    """A half as a list of nodes."""

    text: str
    tensors: dict[str, Array] = field(default_factory=dict)


class _Layout:
    def __init__(self, half: Half, name: str) -> None:
        self.half, self.name = half, name
        self.readers = half.readers()
        self.nodes: list[str] = []
        self.tensors: dict[str, Array] = {}
        self.stored: dict[int, _Stored] = {}
        self.output_order: Array | None = None

    def run(self, input_map: tuple[int, int, int], input_order: Array, output_order: Array) -> Laid:
        self.output_order = output_order
        self.stored[id(self.half.input)] = _Stored(-1, input_map, input_order)
        for value in self.half.values():
            if id(value) not in self.stored:
                self.stored[id(value)] = self._node(value)
        last = self._ordered(self.stored[id(self.half.output)], output_order, None, "the output")
        if last.node != len(self.nodes) - 1:
            self._emit("reshape", (last.node,), _sides(last.map))
        return Laid(";".join(self.nodes), self.tensors)

    def _emit(self, operation: str, sources: tuple[int, ...], *arguments: str) -> int:
        words = []
        if len(sources) > 1 or sources[0] != len(self.nodes) - 1:
            words = ["input" if source < 0 else str(source) for source in sources]
        words.extend(argument for argument in arguments if argument)
        self.nodes.append(f"{operation}({','.join(words)})")
        return len(self.nodes) - 1

    def _wanted(self, value: Value) -> tuple[tuple[int, int, int] | None, Array] | None:
        """How the first reader that is not indifferent would have a value lie."""
        for reader in self.readers.get(id(value), ()):
            if reader is None:
                assert self.output_order is not None
                return None, self.output_order
            if reader.kind in ("reshape", "activation", "add"):
                found = self._wanted(reader)
            elif reader.kind == "permute":
                found = self._wanted(reader)
                if found is not None:
                    flat = np.arange(value.size).reshape(value.shape).transpose(reader.axes).reshape(-1)
                    found = found[0], flat[found[1]]
            elif reader.kind == "dense" or (reader.kind == "concatenate" and len(value.shape) != 3):
                found = None
            else:
                channels, height, width = value.shape
                found = (height, width, channels), image_order(value.shape)  # type: ignore[arg-type]
            if found is not None:
                return found
        return None

    def _ordered(
        self, stored: _Stored, order: Array, map_: tuple[int, int, int] | None, place: str
    ) -> _Stored:
        """The same numbers in an order and, unless None, as a map."""
        if not np.array_equal(stored.order, order):
            position = np.empty(len(order), np.int64)
            position[stored.order] = np.arange(len(order))
            moves = position[order]
            height, width, channels = stored.map
            if map_ is not None and np.array_equal(moves, image_order((map_[2], map_[0], map_[1]))):
                node = self._emit("channels_last", (stored.node,), _sides(map_))
                return _Stored(node, map_, order)
            first = np.arange(len(order)).reshape(height, width, channels).transpose(2, 0, 1).reshape(-1)
            if np.array_equal(moves, first):
                stored = _Stored(self._emit("channels_first", (stored.node,)), (1, 1, len(order)), order)
            elif len(order) <= _WIDEST:
                result = map_ or (1, 1, len(order))
                node = self._emit("dense", (stored.node,), _sides(result))
                self._weights(node, np.eye(len(order))[moves], np.zeros(len(order)))
                return _Stored(node, result, order)
            else:
                raise unsupported(f"another order of {len(order)} numbers", place)
        if map_ is not None and stored.map != map_:
            stored = _Stored(self._emit("reshape", (stored.node,), _sides(map_)), map_, order)
        return stored

    def _as_map(self, value: Value, place: str) -> _Stored:
        channels, height, width = value.shape
        order = image_order(value.shape)  # type: ignore[arg-type]
        found = self._ordered(self.stored[id(value)], order, (height, width, channels), place)
        # Others that read it need not move it again.
        self.stored[id(value)] = found
        return found

    def _weights(self, node: int, weight: Array, bias: Array) -> None:
        for kind, array in (("weight", weight), ("bias", bias)):
            self.tensors[f"{self.name}.{node}.{kind}"] = np.ascontiguousarray(array, np.float32)

    def _fused(self, value: Value) -> tuple[str, Value]:
        """The activation that only follows a layer or a sum, and the value after it."""
        readers = self.readers[id(value)]
        if len(readers) == 1 and readers[0] is not None and readers[0].kind == "activation":
            return _activation_text(readers[0]), readers[0]
        return "", value

    def _node(self, value: Value) -> _Stored:
        kind, place = value.kind, value.place
        if kind == "reshape":
            return self.stored[id(value.source)]
        if kind == "permute":
            source = self.stored[id(value.source)]
            flat = np.arange(value.size).reshape(value.source.shape).transpose(value.axes).reshape(-1)
            back = np.empty(value.size, np.int64)
            back[flat] = np.arange(value.size)
            return _Stored(source.node, source.map, back[source.order])
        if kind == "activation":
            source = self.stored[id(value.source)]
            node = self._emit("activation", (source.node,), _activation_text(value))
            return _Stored(node, source.map, source.order)
        if kind == "dense":
            return self._dense(value)
        if kind == "concatenate":
            return self._concatenate(value)
        if kind == "add":
            return self._add(value)
        source = self._as_map(value.source, place)
        channels, height, width = value.shape
        result = _Stored(0, (height, width, channels), image_order(value.shape))  # type: ignore[arg-type]
        if kind == "upsample":
            result.node = self._emit("upsample", (source.node,), f"factor={value.stride}")
            return result
        if kind == "mean_pool" and value.kernel == 0:
            result.node = self._emit("mean_pool", (source.node,), "whole=true")
            return result
        window = [f"kernel={value.kernel}"]
        if value.stride != 1 or kind.endswith("pool"):
            window.append(f"stride={value.stride}")
        if value.padding:
            window.append(f"padding={value.padding}")
        before = source.map[:2]
        if kind == "transposed_convolution":
            usual = [(side - 1) * value.stride - 2 * value.padding + value.kernel for side in before]
        else:
            usual = [(side + 2 * value.padding - value.kernel) // value.stride + 1 for side in before]
        if usual != [height, width]:
            window.extend((f"height={height}", f"width={width}"))
        if kind.endswith("pool"):
            result.node = self._emit(kind, (source.node,), *window)
            return result
        text, after = self._fused(value)
        result.node = self._emit(kind, (source.node,), f"channels={channels}", *window, text)
        assert value.weight is not None
        assert value.bias is not None
        # From [inputs, outputs, k, k] or [outputs, inputs, k, k].
        axes = (2, 3, 1, 0) if kind == "transposed_convolution" else (0, 2, 3, 1)
        self._weights(result.node, value.weight.transpose(axes), value.bias)
        self.stored[id(after)] = result
        return result

    def _dense(self, value: Value) -> _Stored:
        source = self.stored[id(value.source)]
        text, after = self._fused(value)
        wanted = self._wanted(value)
        map_, order = wanted if wanted is not None else (None, np.arange(value.size))
        map_ = map_ or (1, 1, value.size)
        sides = f"outputs={value.size}" if map_[:2] == (1, 1) else _sides(map_)
        node = self._emit("dense", (source.node,), sides, text)
        assert value.weight is not None
        assert value.bias is not None
        self._weights(node, value.weight[order][:, source.order], value.bias[order])
        result = _Stored(node, map_, order)
        self.stored[id(after)] = result
        return result

    def _concatenate(self, value: Value) -> _Stored:
        if len(value.shape) == 3:
            first, second = (self._as_map(source, value.place) for source in value.sources)
            node = self._emit("concatenate", (first.node, second.node))
            channels, height, width = value.shape
            return _Stored(node, (height, width, channels), image_order(value.shape))
        if len(value.shape) != 1:
            raise unsupported(f"joining to a shape {value.shape}", value.place)
        parts = []
        for source in value.sources:
            stored = self.stored[id(source)]
            parts.append(self._ordered(stored, stored.order, (1, 1, source.size), value.place))
        node = self._emit("concatenate", (parts[0].node, parts[1].node))
        order = np.concatenate((parts[0].order, parts[1].order + value.sources[0].size))
        return _Stored(node, (1, 1, value.size), order)

    def _add(self, value: Value) -> _Stored:
        sources = [self.stored[id(source)] for source in value.sources]
        maps = [source for source in sources if source.map[:2] != (1, 1)] or sources
        wanted = self._wanted(value)
        map_, order = maps[0].map, maps[0].order
        if wanted is not None and wanted[0] is not None:
            map_, order = wanted[0], wanted[1]
        first, second = (self._ordered(source, order, map_, value.place) for source in sources)
        text, after = self._fused(value)
        result = _Stored(self._emit("add", (first.node, second.node), text), map_, order)
        self.stored[id(after)] = result
        return result


def _sides(map_: tuple[int, int, int]) -> str:
    height, width, channels = map_
    return f"height={height},width={width},channels={channels}"


def _activation_text(value: Value) -> str:
    if value.activation == "leaky_relu":
        return f"activation=leaky_relu:{value.slope:.3f}".rstrip("0")
    return f"activation={value.activation}"


def laid_out(
    half: Half, name: str, input_map: tuple[int, int, int], input_order: Array, output_order: Array
) -> Laid:
    """The half as a list of nodes and its tensors.

    Args:
        half: finished.
        name: "encoder" or "decoder".
        input_map: (height, width, channels) as the engine has the input.
        input_order: which number of the input lies where in it.
        output_order: which number of the output is to lie where.
    """
    return _Layout(half, name).run(input_map, input_order, output_order)


# MARK: A model


@dataclass
class Imported:
    """Both halves as what `Model.from_tensors` takes."""

    description: str
    tensors: dict[str, Array]


@dataclass(frozen=True)
class Scale:
    """How the networks' numbers become pixels in [0, 1]: pixel = std * x + mean, for each channel or all."""

    mean: Array
    std: Array

    @staticmethod
    def of(mean: Any, std: Any, channels: int, name: str) -> Scale | None:
        """What the caller gave; None if nothing."""
        if mean is None and std is None:
            return None
        arrays = []
        for word, value, default in (("mean", mean, 0.0), ("std", std, 1.0)):
            array = _numbers(default if value is None else value).reshape(-1)
            if array.size not in (1, channels) or not np.isfinite(array).all():
                raise ArgumentError(
                    f"{name}_{word}: a number, or one for each of {channels} channels, expected"
                )
            arrays.append(np.broadcast_to(array, (channels,)).copy())
        if (arrays[1] == 0).any():
            raise ArgumentError(f"{name}_std: numbers other than 0 expected")
        return Scale(arrays[0], arrays[1])


def scales(
    given_input: tuple[Any, Any], given_output: tuple[Any, Any], channels: int
) -> tuple[Scale | None, Scale | None]:
    """Those of input and output, of (mean, std) each; the output's are the input's if nothing is said."""
    first = Scale.of(*given_input, channels, "input")
    second = Scale.of(*given_output, channels, "output")
    return first, first if second is None else second


def image_shape_of(shape: Sequence[int]) -> tuple[int, int, int]:
    """(H, W, C) of (H, W), (H, W, C) or (C, H, W): channels are 1, 3 or 4, and are looked for in the last
    place first."""
    sides = tuple(int(side) for side in shape)
    if len(sides) == 2:
        return (sides[0], sides[1], 1)
    if len(sides) == 3 and sides[2] in (1, 3, 4):
        return sides
    if len(sides) == 3 and sides[0] in (1, 3, 4):
        return (sides[1], sides[2], sides[0])
    raise ArgumentError(
        f"image_shape: (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels expected, {tuple(shape)} came"
    )


def code_shapes(outputs: Sequence[Value], variational: bool | None) -> list[tuple[int, ...]]:
    """Shapes that a decoder may read, the likeliest first, by what the encoder gives."""
    first = outputs[0]
    if len(outputs) == 2:
        tries = [first.shape, (first.size,)]
    else:
        tries = []
        if variational is not True:
            tries += [first.shape, (first.size,)]
        if variational is not False and first.shape[0] % 2 == 0:
            tries += [(first.shape[0] // 2, *first.shape[1:]), (first.size // 2,)]
    return list(dict.fromkeys(tries))


def joined(
    image_entry: Value,
    outputs: Sequence[Value],
    code_entry: Value,
    images: Sequence[Value],
    image: tuple[int, int, int],
    variational: bool | None,
    input_scale: Scale | None,
    output_scale: Scale | None,
    name: str,
) -> Imported:
    """A description and tensors of what two frontends' graphs hold.

    Args:
        image_entry: what the encoder reads.
        outputs: what it gives: codes, or means and log-variances.
        code_entry: what the decoder reads.
        images: what it gives.
        image: (H, W, C).
        variational: what the caller says of it.
        input_scale: of what the encoder reads.
        output_scale: of what the decoder gives.
        name: of the model.
    """
    if len(images) != 1:
        raise ShapeError(f"the decoder gives {len(images)} tensors; one, of images, is expected")
    latent_size = code_entry.size
    if len(outputs) == 2 and variational is False:
        outputs = outputs[:1]
    sizes = [value.size for value in outputs]
    if sizes not in ([latent_size], [2 * latent_size], [latent_size, latent_size]):
        raise ShapeError(
            f"the encoder gives {' and '.join(map(str, sizes))} numbers, the decoder reads {latent_size}"
        )
    flat = [reshape(value, (value.size,), "the encoder's output") for value in outputs]
    output = concatenate(flat, 0, "the encoder's output")
    is_variational = output.size == 2 * latent_size
    if variational is not None and variational != is_variational:
        raise ShapeError(
            f"variational={variational}: the encoder gives {output.size} numbers, "
            f"the decoder reads {latent_size}"
        )
    # The list reads the code as a vector.
    entry_value = entry((latent_size,))
    decoder = Half(code_entry, images[0])
    decoder.replace(code_entry, reshape(entry_value, code_entry.shape, "the decoder's input"))
    decoder.input = entry_value
    return assembled(
        Half(image_entry, output),
        decoder,
        image,
        latent_size,
        is_variational,
        input_scale,
        output_scale,
        name,
    )


def assembled(
    encoder: Half | None,
    decoder: Half,
    image: tuple[int, int, int],
    latent_size: int,
    is_variational: bool,
    input_scale: Scale | None,
    output_scale: Scale | None,
    name: str,
) -> Imported:
    """A description and tensors of two halves.

    Args:
        encoder: reads an image, (C, H, W), or its numbers in that order; gives latent_size numbers, or means
            and log-variances.
        decoder: reads latent_size numbers; gives an image likewise.
        image: (H, W, C).
        latent_size: numbers in a code.
        is_variational: as above.
        input_scale: of what the encoder reads.
        output_scale: of what the decoder gives.
        name: of the model.
    """
    height, width, channels = image
    first = (channels, height, width)
    tensors: dict[str, Array] = {}
    encoder_text = f"dense(outputs={latent_size * (2 if is_variational else 1)})"
    if encoder is not None:
        if input_scale is not None:
            _prepend(encoder, first, 1 / input_scale.std, -input_scale.mean / input_scale.std)
        finish_encoder(encoder)
        laid = laid_out(
            encoder,
            "encoder",
            image,
            _order_of(encoder.input.shape, first, "the encoder reads"),
            np.arange(encoder.output.size),
        )
        encoder_text = laid.text
        tensors.update(laid.tensors)
    base = _base(decoder.output)
    if output_scale is None and base.kind == "activation" and base.activation == "tanh":
        raise ArgumentError(
            "the decoder ends in tanh, which gives [-1, 1]: say which pixels that are, output_mean=0.5 and "
            "output_std=0.5 for [0, 1]; output_mean=0 and output_std=1 if 0 is black"
        )
    order = _order_of(decoder.output.shape, first, "the decoder gives")
    if output_scale is not None:
        whole = reshape(decoder.output, (decoder.output.size,), "")
        scale, shift = (
            np.broadcast_to(each[:, None, None], first).transpose(1, 2, 0).reshape(-1)
            for each in (output_scale.std, output_scale.mean)
        )
        flat = [np.empty(whole.size) for _ in range(2)]
        flat[0][order], flat[1][order] = scale, shift
        shape = decoder.output.shape
        decoder.output = affine(
            decoder.output, flat[0].reshape(shape), flat[1].reshape(shape), "the output's scale"
        )
    output = finish_decoder(decoder)
    laid = laid_out(decoder, "decoder", (1, 1, latent_size), np.arange(latent_size), order)
    tensors.update(laid.tensors)
    words = {
        "kind": "custom",
        "width": width,
        "height": height,
        "channels": channels,
        "latent_size": latent_size,
        "variational": "true" if is_variational else "false",
        "output_activation": "linear" if output == "identity" else output,
        "encoder": encoder_text,
        "decoder": laid.text,
        "name": name,
    }
    return Imported(" ".join(f"{key}={value}" for key, value in words.items()), tensors)


def _prepend(half: Half, image: tuple[int, int, int], scale: Array, shift: Array) -> None:
    """Lets a half read scale * pixel + shift."""
    shape = half.input.shape
    order = _order_of(shape, image, "the encoder reads")
    arrays = []
    for each in (scale, shift):
        array = np.empty(half.input.size)
        array[order] = np.broadcast_to(each[:, None, None], image).transpose(1, 2, 0).reshape(-1)
        arrays.append(array.reshape(shape))
    # A copy takes the place of the input, which itself is read by the scale alone.
    readers = [value for value in half.values() if half.input in value.sources]
    scaled = affine(half.input, arrays[0], arrays[1], "the input's scale")
    for value in readers:
        value.sources = tuple(scaled if source is half.input else source for source in value.sources)


def _order_of(shape: tuple[int, ...], image: tuple[int, int, int], what: str) -> Array:
    """Which number of a value is which of an image, [height, width, channels]."""
    channels, height, width = image
    order = image_order(image)
    known = ((channels, height, width), (channels * height * width,), (1, channels * height * width))
    if shape in known or (channels == 1 and shape in ((height, width), (height, width, 1))):
        return order
    if shape == (height, width, channels):
        return np.arange(len(order))
    raise ArgumentError(
        f"{what} a shape {shape}; images are {image}, channels first, {(height, width, channels)}, or flat"
    )
