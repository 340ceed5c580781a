"""Models of ONNX graphs: `from_onnx`.

A graph is read for a batch of a fixed size, so that all arithmetic on shapes is arithmetic on constants,
which ONNX's own reference implementation does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
import numpy.typing as npt

from . import _graph
from ._errors import ArgumentError, ShapeError, UnsupportedError
from ._graph import Imported, Value

if TYPE_CHECKING:
    from ._context import Context
    from ._model import Model

# Images of a batch, where the graph does not say: a number that is hardly a size of anything else.
_BATCH = 3


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
        import onnx.reference
    except ImportError as error:
        raise ImportError("libae.from_onnx and Model.to_onnx need onnx: pip install 'libae[onnx]'") from error
    return onnx


def from_onnx(
    encoder: Any,
    decoder: Any = None,
    *,
    image_shape: Sequence[int] | None = None,
    name: str = "",
    variational: bool | None = None,
    input_mean: npt.ArrayLike | None = None,
    input_std: npt.ArrayLike | None = None,
    output_mean: npt.ArrayLike | None = None,
    output_std: npt.ArrayLike | None = None,
    context: Context | None = None,
) -> Model:
    """Makes a model of an autoencoder in ONNX.

    Codes and images are what the graphs give, to about 1e-5; the model works without ONNX. It has no codec:
    `Model.quantize` adds one. docs/import.md lists the operations that are supported.

    Args:
        encoder: a graph that makes codes of a batch of images, (N, C, H, W), (N, H, W, C) or flat: a path or
            an `onnx.ModelProto`. A variational one gives mean and log-variance, as two outputs or as one. Or
            a folder with encoder.onnx and decoder.onnx, as `Model.to_onnx` writes, and no `decoder` here.
        decoder: likewise, of what makes images of codes.
        image_shape: (H, W), (H, W, C) or (C, H, W), as in `from_torch`; None for that of the encoder's input,
            if it is no flat one.
        name: of the model.
        variational: as in `from_torch`.
        input_mean: as in `from_torch`.
        input_std: as in `from_torch`.
        output_mean: as in `from_torch`.
        output_std: as in `from_torch`.
        context: that the model works with.

    Raises:
        ImportError: onnx is not installed.
        UnsupportedError: an operation has no counterpart; the message says which and where.
        ShapeError: the graphs take no images of that shape.
    """
    from ._model import Model

    imported = translated(
        encoder,
        decoder,
        image_shape,
        name,
        variational,
        (input_mean, input_std),
        (output_mean, output_std),
    )
    return Model.from_tensors(imported.description, imported.tensors, context=context)


def translated(
    encoder: Any,
    decoder: Any = None,
    image_shape: Sequence[int] | None = None,
    name: str = "",
    variational: bool | None = None,
    input_scale: tuple[Any, Any] = (None, None),
    output_scale: tuple[Any, Any] = (None, None),
) -> Imported:
    """What `from_onnx` makes a model of."""
    _onnx()
    if decoder is None:
        if not isinstance(encoder, (str, os.PathLike)) or not Path(encoder).is_dir():
            raise ArgumentError("decoder: with none, a folder with encoder.onnx and decoder.onnx is expected")
        encoder, decoder = Path(encoder) / "encoder.onnx", Path(encoder) / "decoder.onnx"
    front, back = _Graph(encoder, "encoder"), _Graph(decoder, "decoder")
    sides = front.declared
    if image_shape is None:
        if sides is None or len(sides) != 3:
            raise ArgumentError(
                "image_shape: the encoder's input does not say it; (H, W) or (H, W, C) expected"
            )
        image = (sides[1], sides[2], sides[0])
        if sides[0] not in (1, 3, 4) and sides[2] in (1, 3, 4):
            image = sides
    else:
        image = _graph.image_shape_of(image_shape)
    scales = _graph.scales(input_scale, output_scale, image[2])
    height, width, channels = image
    start = front.read(sides or (channels, height, width))
    outputs = front.outputs
    if back.declared is not None:
        tries = [back.declared]
    else:
        tries = _graph.code_shapes(outputs, variational)
    faults = []
    for shape in tries:
        try:
            code = back.read(shape)
            break
        except (UnsupportedError, ShapeError) as error:
            faults.append(error)
    else:
        raise faults[0]
    return _graph.joined(start, outputs, code, back.outputs, image, variational, *scales, name)


class _Graph:
    """A graph in a file, as one of values."""

    def __init__(self, given: Any, name: str) -> None:
        onnx = _onnx()
        if isinstance(given, (str, os.PathLike)):
            given = onnx.load(os.fspath(given))
        if not isinstance(given, onnx.ModelProto):
            raise TypeError(f"{name}: a path or an onnx.ModelProto expected, {type(given).__name__} came")
        self.name, self.model, self.graph = name, given, given.graph
        self.weights = {each.name: onnx.numpy_helper.to_array(each) for each in self.graph.initializer}
        inputs = [each for each in self.graph.input if each.name not in self.weights]
        if len(inputs) != 1:
            raise ShapeError(f"the {name} reads {len(inputs)} tensors; one is expected")
        self.entry_name = inputs[0].name
        dims = [each.dim_value for each in inputs[0].type.tensor_type.shape.dim]
        self.batch = dims[0] if dims and dims[0] > 0 else _BATCH
        self.declared: tuple[int, ...] | None = tuple(dims[1:]) if len(dims) > 1 and all(dims[1:]) else None
        self.opset = next((each.version for each in given.opset_import if each.domain in ("", "ai.onnx")), 17)

    def read(self, shape: tuple[int, ...]) -> Value:
        """Reads the graph for inputs of a shape."""
        entry = _graph.entry(shape)
        self.known: dict[str, Any] = {**self.weights, self.entry_name: entry, "": None}
        for node in self.graph.node:
            results = self._results(node)
            self.known.update(zip(node.output, results))
        found = [self.known[each.name] for each in self.graph.output]
        found = [each for each in found if isinstance(each, Value)]
        if len(found) > 2:
            found = [each for each in found if each.kind != "random"]
        if not 1 <= len(found) <= 2:
            raise ShapeError(f"the {self.name} gives {len(found)} tensors; one or two are expected")
        self.outputs = found
        return entry

    def _results(self, node: Any) -> Sequence[Any]:
        call = _Call(self, node)
        values = [each for each in call.inputs if isinstance(each, Value)]
        if node.op_type in ("RandomNormalLike", "RandomUniformLike", "RandomNormal", "RandomUniform"):
            shape = values[0].shape if values else tuple(call.attribute("shape", [0])[1:])
            return [Value("random", (), shape, call.place)]
        if any(each.kind == "random" for each in values):
            return [Value("random", (), values[0].shape, call.place) for _ in node.output]
        if node.op_type == "Shape" and values:
            sides = np.array((self.batch, *values[0].shape), np.int64)
            return [sides[call.attribute("start", 0) : call.attribute("end", None)]]
        if not values:
            return self._constants(node, call)
        function = _OPERATIONS.get(node.op_type)
        if function is None or node.domain not in ("", "ai.onnx"):
            known = ", ".join(sorted(_OPERATIONS))
            raise UnsupportedError(f"{call.place} is not supported; {known} are")
        result = function(call)
        return result if isinstance(result, list) else [result]

    def _constants(self, node: Any, call: _Call) -> Sequence[Any]:
        onnx = _onnx()
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            value = onnx.helper.get_attribute_value(attribute)
            if attribute.name == "value":
                return [onnx.numpy_helper.to_array(value)]
            return [np.asarray(value, np.int64 if "int" in attribute.name else np.float32)]
        names = [name for name in node.input if name]
        if not all(name in self.known for name in names):
            raise ShapeError(f"{call.place}: it reads what is not there")
        feeds = {name: self.known[name] for name in names}
        graph = onnx.helper.make_graph(
            [node],
            "constants",
            [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in dict.fromkeys(names)],
            [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name],
        )
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import)
        try:
            results: Sequence[Any] = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
        except Exception as error:
            raise UnsupportedError(f"{call.place}: of constants, it cannot be computed: {error}") from error
        return results


class _Call:
    """A node with what it reads."""

    def __init__(self, graph: _Graph, node: Any) -> None:
        onnx = _onnx()
        self.graph, self.node = graph, node
        self.inputs: list[Any] = [graph.known.get(name) if name else None for name in node.input]
        self.attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        of = f" of {node.output[0]!r}" if node.output else ""
        self.place = f"{graph.name}, node {node.name!r}: {node.op_type}{of}"

    def attribute(self, name: str, default: Any) -> Any:
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    @property
    def first(self) -> Value:
        value = self.inputs[0]
        if not isinstance(value, Value):
            raise UnsupportedError(f"{self.place}: a computed weight is not supported")
        return value

    def constant(self, number: int, default: Any = None) -> Any:
        """An input that must be known."""
        value = self.inputs[number] if number < len(self.inputs) else None
        if value is None:
            return default
        if isinstance(value, Value):
            raise UnsupportedError(f"{self.place}: a computed weight, or size, is not supported")
        return value

    def integers(self, number: int, name: str) -> list[int] | None:
        """What was an attribute once and is an input now."""
        value = self.constant(number, self.attributes.get(name))
        return None if value is None else [int(each) for each in np.asarray(value).reshape(-1)]

    def axis(self, axis: int) -> int:
        """Counted without the batch."""
        axis %= len(self.first.shape) + 1
        if axis == 0:
            raise UnsupportedError(f"{self.place}: an operation along the batch is not supported")
        return axis - 1

    def without_batch(self, value: Any) -> Any:
        value = np.asarray(value, np.float64)
        values = [each for each in self.inputs if isinstance(each, Value)]
        if value.ndim > len(values[0].shape):
            if value.shape[0] != 1:
                raise _graph.unsupported("a constant for each image of a batch", self.place)
            return value[0]
        return value

    def reshaped(self, shape: Sequence[int]) -> Value:
        """The first input in a shape with a batch."""
        shape = [int(side) for side in shape]
        total = self.first.size * self.graph.batch
        if shape.count(-1) == 1:
            rest = -int(np.prod(shape))
            shape[shape.index(-1)] = total // rest if rest > 0 else 0
        if not shape or shape[0] != self.graph.batch:
            raise UnsupportedError(
                f"{self.place}: a shape {tuple(shape)} that mixes images of a batch of {self.graph.batch} is "
                "not supported"
            )
        return _graph.reshape(self.first, tuple(shape[1:]), self.place)


def _window_pads(
    call: _Call, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[int, int, int, int]:
    automatic = call.attribute("auto_pad", "NOTSET")
    if automatic in ("NOTSET", ""):
        pads = call.attribute("pads", [0, 0, 0, 0])
        return (pads[0], pads[1], pads[2], pads[3])
    if automatic == "VALID":
        return (0, 0, 0, 0)
    before, after = [], []
    for size, k, s, d in zip(call.first.shape[-2:], kernel, stride, dilation):
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        low, high = total // 2, total - total // 2
        before.append(high if automatic == "SAME_LOWER" else low)
        after.append(low if automatic == "SAME_LOWER" else high)
    return (before[0], before[1], after[0], after[1])


def _convolution(call: _Call) -> Value:
    weight = call.constant(1)
    stride = call.attribute("strides", [1, 1])
    dilation = call.attribute("dilations", [1, 1])
    pads = _window_pads(call, weight.shape[2:], stride, dilation)
    return _graph.convolution(
        call.first, weight, call.constant(2), call.place, stride, pads, dilation, call.attribute("group", 1)
    )


def _transposed(call: _Call) -> Value:
    weight = call.constant(1)
    stride = call.attribute("strides", [1, 1])
    dilation = call.attribute("dilations", [1, 1])
    more = list(call.attribute("output_padding", [0, 0]))
    pads = list(call.attribute("pads", [0, 0, 0, 0]))
    automatic = call.attribute("auto_pad", "NOTSET")
    shape = call.attribute("output_shape", None)
    if shape is None and automatic.startswith("SAME"):
        shape = [side * step for side, step in zip(call.first.shape[-2:], stride)]
    if shape is not None:
        for axis in range(2):
            whole = (call.first.shape[axis + 1] - 1) * stride[axis]
            whole += (weight.shape[axis + 2] - 1) * dilation[axis] + 1
            total = whole + more[axis] - shape[-2:][axis]
            if total < 0:
                more[axis] -= total
                total = 0
            pads[axis] = total - total // 2 if automatic == "SAME_LOWER" else total // 2
            pads[axis + 2] = total - pads[axis]
    return _graph.transposed(
        call.first,
        weight,
        call.constant(2),
        call.place,
        stride,
        pads,
        more,
        dilation,
        call.attribute("group", 1),
    )


def _gemm(call: _Call) -> Value:
    weight = np.asarray(call.constant(1), np.float64) * call.attribute("alpha", 1.0)
    if call.attribute("transA", 0):
        raise _graph.unsupported("a transposed first factor", call.place)
    if not call.attribute("transB", 0):
        weight = weight.T
    bias = call.constant(2)
    if bias is not None:
        bias = np.asarray(bias, np.float64) * call.attribute("beta", 1.0)
    return _graph.dense(call.first, weight, bias, call.place)


def _matmul(call: _Call) -> Value:
    return _graph.dense(call.first, np.asarray(call.constant(1), np.float64).T, None, call.place)


def _batch_normalization(call: _Call) -> Value:
    if call.attribute("training_mode", 0):
        raise _graph.unsupported("batch normalisation in training", call.place)
    weight, bias, mean, variance = (call.constant(number) for number in range(1, 5))
    epsilon = call.attribute("epsilon", 1e-5)
    return _graph.batch_normalization(call.first, mean, variance, weight, bias, epsilon, call.place)


def _activation(name: str) -> Callable[[_Call], Value]:
    return lambda call: _graph.activation(call.first, name, call.place)


def _leaky(call: _Call) -> Value:
    # An attribute is stored in 32 bits.
    return _graph.activation(call.first, "leaky_relu", call.place, round(call.attribute("alpha", 0.01), 7))


def _elu(call: _Call) -> Value:
    if call.attribute("alpha", 1.0) != 1:
        raise _graph.unsupported("an alpha other than 1", call.place)
    return _graph.activation(call.first, "elu", call.place)


def _gelu(call: _Call) -> Value:
    is_tanh = call.attribute("approximate", "none") == "tanh"
    return _graph.activation(call.first, "gelu_tanh" if is_tanh else "gelu", call.place)


def _sum(sign: int) -> Callable[[_Call], Value]:
    def summed(call: _Call) -> Value:
        first, second = call.inputs
        if isinstance(first, Value) and isinstance(second, Value):
            if sign != 1:
                second = _graph.affine(second, sign, 0, call.place)
            return _graph.add(first, second, call.place)
        if isinstance(first, Value):
            return _graph.affine(first, 1, sign * call.without_batch(second), call.place)
        return _graph.affine(second, sign, call.without_batch(first), call.place)

    return summed


def _product(call: _Call) -> Value:
    first, second = call.inputs
    if isinstance(first, Value) and isinstance(second, Value):
        return _graph.multiply(first, second, call.place)
    if not isinstance(first, Value):
        first, second = second, first
    return _graph.affine(first, call.without_batch(second), 0, call.place)


def _quotient(call: _Call) -> Value:
    return _graph.affine(call.first, 1 / call.without_batch(call.constant(1)), 0, call.place)


def _power(call: _Call) -> Value:
    exponent = float(np.asarray(call.constant(1)).reshape(-1)[0])
    if exponent not in (2, 3):
        raise _graph.unsupported("a power", call.place)
    return _graph.internal(call.first, "square" if exponent == 2 else "cube", call.place)


def _internal(name: str) -> Callable[[_Call], Value]:
    return lambda call: _graph.internal(call.first, name, call.place)


def _concat(call: _Call) -> Value:
    if not all(isinstance(each, Value) for each in call.inputs):
        raise _graph.unsupported("joining with constants", call.place)
    return _graph.concatenate(call.inputs, call.axis(call.attribute("axis", 1)), call.place)


def _mean_pool(call: _Call) -> Value:
    kernel = call.attribute("kernel_shape", None)
    stride = call.attribute("strides", [1, 1])
    pads = _window_pads(call, kernel, stride, (1, 1))
    x = call.first
    if any(pads):
        if not call.attribute("count_include_pad", 0):
            raise _graph.unsupported("padding that is not counted", call.place)
        weight = np.eye(x.shape[0])[:, :, None, None] * np.full((1, 1, *kernel), 1 / (kernel[0] * kernel[1]))
        return _graph.convolution(x, weight, None, call.place, stride, pads)
    if call.attribute("ceil_mode", 0) and any(
        (side - k) % step for side, k, step in zip(x.shape[1:], kernel, stride)
    ):
        raise _graph.unsupported("ceil_mode beyond the map", call.place)
    return _graph.mean_pool(x, kernel, stride, call.place)


def _global_mean_pool(call: _Call) -> Value:
    x = call.first
    return _graph.mean_pool(x, x.shape[1:], x.shape[1:], call.place)


def _mean(call: _Call) -> Value:
    axes = sorted(call.axis(axis) for axis in call.integers(1, "axes") or ())
    x = call.first
    if len(x.shape) != 3 or axes != [1, 2]:
        raise _graph.unsupported("a mean over other axes than height and width", call.place)
    pooled = _global_mean_pool(call)
    return pooled if call.attribute("keepdims", 1) else _graph.reshape(pooled, x.shape[:1], call.place)


def _max_pool(call: _Call) -> Value:
    kernel = call.attribute("kernel_shape", None)
    stride = call.attribute("strides", [1, 1])
    if any(each != 1 for each in call.attribute("dilations", [1, 1])):
        raise _graph.unsupported("dilation", call.place)
    pads = _window_pads(call, kernel, stride, (1, 1))
    return _graph.max_pool(call.first, kernel, stride, pads, bool(call.attribute("ceil_mode", 0)), call.place)


def _resize(call: _Call) -> Value:
    x = call.first
    if call.attribute("mode", "nearest") != "nearest":
        raise _graph.unsupported(f"resizing by {call.attribute('mode', '')}", call.place, "nearest is")
    # Upsample has its scales second, Resize third and sizes fourth; both were one attribute once.
    if call.node.op_type == "Upsample" or len(call.inputs) == 2:
        scales, sizes = call.constant(1, call.attributes.get("scales")), None
    else:
        scales, sizes = call.constant(2), call.constant(3)
    if sizes is not None and np.size(sizes):
        height, width = (int(each) for each in np.asarray(sizes)[-2:])
    else:
        height, width = (
            int(side * scale) for side, scale in zip(x.shape[1:], np.asarray(scales).reshape(-1)[-2:])
        )
    return _graph.upsample(x, height, width, call.place)


def _reshape(call: _Call) -> Value:
    shape = call.integers(1, "shape")
    assert shape is not None
    if not call.attribute("allowzero", 0):
        before = (call.graph.batch, *call.first.shape)
        shape = [before[number] if side == 0 else side for number, side in enumerate(shape)]
    return call.reshaped(shape)


def _flatten(call: _Call) -> Value:
    if call.attribute("axis", 1) % (len(call.first.shape) + 1) != 1:
        raise _graph.unsupported("flattening with the batch", call.place)
    return _graph.reshape(call.first, (call.first.size,), call.place)


def _squeeze(call: _Call) -> Value:
    axes = call.integers(1, "axes")
    shape = call.first.shape
    if axes is None:
        return _graph.reshape(call.first, tuple(side for side in shape if side != 1), call.place)
    gone = {call.axis(axis) for axis in axes}
    kept = tuple(side for number, side in enumerate(shape) if number not in gone)
    return _graph.reshape(call.first, kept, call.place)


def _unsqueeze(call: _Call) -> Value:
    axes = call.integers(1, "axes") or []
    rank = len(call.first.shape) + 1 + len(axes)
    places = {axis % rank for axis in axes}
    if 0 in places:
        raise _graph.unsupported("an axis before the batch", call.place)
    rest = iter(call.first.shape)
    shape = tuple(1 if number in places else next(rest) for number in range(1, rank))
    return _graph.reshape(call.first, shape, call.place)


def _transpose(call: _Call) -> Value:
    axes = call.attribute("perm", None)
    if axes is None or axes[0] != 0:
        raise _graph.unsupported("moving the batch to another axis", call.place)
    return _graph.permute(call.first, tuple(axis - 1 for axis in axes[1:]), call.place)


def _slice(call: _Call) -> Value:
    starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
    assert starts is not None
    assert ends is not None
    axes = call.integers(3, "axes") or list(range(len(starts)))
    steps = call.integers(4, "steps") or [1] * len(starts)
    x = call.first
    for start, end, axis, step in zip(starts, ends, axes, steps):
        number = call.axis(axis)
        if step != 1:
            raise _graph.unsupported("every other number of an axis", call.place)
        size = x.shape[number]
        start, end = (each + size if each < 0 else each for each in (start, end))
        x = _graph.part(x, number, start, min(end, size), call.place)
    return x


def _split(call: _Call) -> list[Value]:
    axis = call.axis(call.attribute("axis", 0))
    x = call.first
    sizes = call.integers(1, "split")
    if sizes is None:
        count = len(call.node.output)
        each = -(-x.shape[axis] // count)
        sizes = [min(each, x.shape[axis] - number * each) for number in range(count)]
    result, start = [], 0
    for size in sizes:
        result.append(_graph.part(x, axis, start, start + size, call.place))
        start += size
    return result


def _pad(call: _Call) -> Value:
    pads = call.integers(1, "pads")
    assert pads is not None
    value = call.constant(2, call.attribute("value", 0))
    if call.attribute("mode", "constant") != "constant" or (
        np.size(value) and np.any(np.asarray(value) != 0)
    ):
        raise _graph.unsupported("padding with anything but zeros", call.place)
    rank = len(pads) // 2
    axes = call.integers(3, "axes")
    if axes is not None:
        whole = [0] * 2 * (len(call.first.shape) + 1)
        for number, axis in enumerate(axes):
            place = axis % (len(whole) // 2)
            whole[place], whole[place + len(whole) // 2] = pads[number], pads[number + rank]
        pads, rank = whole, len(whole) // 2
    if rank != 4 or any(pads[each] for each in (0, 1, 4, 5)):
        raise _graph.unsupported("padding of other axes than height and width", call.place)
    return _graph.pad(call.first, (pads[2], pads[3], pads[6], pads[7]), call.place)


def _depth_to_space(call: _Call) -> Value:
    factor, x = call.attribute("blocksize", 1), call.first
    if call.attribute("mode", "DCR") == "CRD":
        return _graph.pixel_shuffle(x, factor, call.place)
    channels = x.shape[0]
    weight = np.eye(channels).reshape(channels, factor, factor, -1).transpose(0, 3, 1, 2)
    return _graph.transposed(x, weight, None, call.place, stride=(factor, factor))


def _clip(call: _Call) -> Value:
    low = call.constant(1, call.attributes.get("min"))
    high = call.constant(2, call.attributes.get("max"))
    low, high = (None if each is None else float(np.reshape(each, -1)[0]) for each in (low, high))
    return _graph.clamp(call.first, low, high, call.place)


def _same(call: _Call) -> Value:
    return call.first


_OPERATIONS: dict[str, Callable[[_Call], Any]] = {
    "Add": _sum(1),
    "AveragePool": _mean_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _same,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "DepthToSpace": _depth_to_space,
    "Div": _quotient,
    "Dropout": _same,
    "Elu": _elu,
    "Erf": _internal("erf"),
    "Exp": _internal("exp"),
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_mean_pool,
    "Identity": _same,
    "LeakyRelu": _leaky,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Mul": _product,
    "Neg": lambda call: _graph.affine(call.first, -1, 0, call.place),
    "Pad": _pad,
    "Pow": _power,
    "ReduceMean": _mean,
    "Relu": _activation("relu"),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _activation("sigmoid"),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Sub": _sum(-1),
    "Tanh": _activation("tanh"),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Upsample": _resize,
}
