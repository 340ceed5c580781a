"""Models of PyTorch modules: `from_torch`.

Modules are read through `torch.export`, which runs them on an example. Whatever Python their `forward` holds
(sizes, conditions, loops, functions of torch.nn.functional) is gone in what it gives, a list of tensor
operations with their shapes, and every operation knows its module and its source line. `torch.fx` traces
without an example and stops at the first condition on a shape.
"""

from __future__ import annotations

import importlib
import math
import operator
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
import numpy.typing as npt

from . import _graph
from ._arrays import Array
from ._errors import ArgumentError, ShapeError, UnsupportedError
from ._graph import Imported, Value

if TYPE_CHECKING:
    from ._context import Context
    from ._model import Model

# Images of the example: a number that is hardly a size of anything else.
_BATCH = 3

SUPPORTED = (
    "Linear, Conv2d, ConvTranspose2d (groups, dilation and padding, too), BatchNorm1d and 2d, ReLU, "
    "LeakyReLU, ELU, SiLU, GELU, Sigmoid, Tanh, sums, torch.cat on channels, average, maximum and adaptive "
    "average pooling, nearest upsampling, PixelShuffle, zero padding, Flatten, Unflatten, view, reshape, "
    "permute, slices, Dropout, and sums and products with constants"
)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError("libae.from_torch needs PyTorch: pip install 'libae[torch]'") from error


def from_torch(
    encoder: Any,
    decoder: Any = None,
    *,
    image_shape: Sequence[int],
    name: str = "",
    variational: bool | None = None,
    input_mean: npt.ArrayLike | None = None,
    input_std: npt.ArrayLike | None = None,
    output_mean: npt.ArrayLike | None = None,
    output_std: npt.ArrayLike | None = None,
    context: Context | None = None,
) -> Model:
    """Makes a model of an autoencoder in PyTorch.

    The modules are read as they are in evaluation: dropout is left out, batch normalisation is folded into
    the layers around it. Codes and images are what the modules give, to about 1e-5; the model works without
    PyTorch. It has no codec: `Model.quantize` adds one. docs/import.md lists what is supported.

    Args:
        encoder: a module, or a function or method of one, that makes codes of a batch of images, (N, C, H, W)
            or (N, C * H * W). A variational one gives (mean, log-variance), or both in one tensor, 2 d wide.
            Or a module of both halves, with methods `encode` and `decode` or attributes `encoder` and
            `decoder`, and no `decoder` here.
        decoder: likewise, of what makes images of codes, (N, d), or (N, ...) in the shape that the encoder
            gives.
        image_shape: (H, W), (H, W, C) or (C, H, W); C is 1, 3 or 4, and is taken for the last number if that
            is one of these.
        name: of the model.
        variational: whether the encoder gives the means and log-variances of a code. None: yes, if it gives
            two tensors, or twice as many numbers as the decoder takes.
        input_mean: with input_std, how images are normalised for the encoder, (pixel - mean) / std, for
            pixels in [0, 1]: a number, or one for each channel.
        input_std: see input_mean.
        output_mean: with output_std, how the decoder's numbers become pixels, number * std + mean; None for
            those of the input, which is how autoencoders are trained. For a decoder that ends in tanh, say
            both.
        output_std: see output_mean.
        context: that the model works with.

    Raises:
        ImportError: PyTorch is not installed.
        UnsupportedError: an operation has no counterpart; the message says which, in which module, on which
        line.
        ShapeError: the modules take no images of that shape.
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
    decoder: Any,
    image_shape: Sequence[int],
    name: str = "",
    variational: bool | None = None,
    input_scale: tuple[Any, Any] = (None, None),
    output_scale: tuple[Any, Any] = (None, None),
) -> Imported:
    """What `from_torch` makes a model of."""
    torch = _torch()
    image = _graph.image_shape_of(image_shape)
    height, width, channels = image
    scales = _graph.scales(input_scale, output_scale, channels)
    if decoder is None:
        encoder, decoder = _halves(encoder)
    encoder, decoder = _Part.of(encoder, "encoder"), _Part.of(decoder, "decoder")
    with torch.no_grad():
        shapes = [(channels, height, width), (channels * height * width,)]
        if channels == 1:
            shapes.append((height, width))
        if channels > 1:
            shapes.append((height, width, channels))
        front = encoder.traced(shapes, f"images of {(channels, height, width)}")
        outputs = front.outputs()
        tries = _graph.code_shapes(outputs, variational)
        back = decoder.traced(tries, f"codes of {' or '.join(map(str, tries))}")
    return _graph.joined(
        front.input,
        outputs,
        back.input,
        back.outputs(),
        image,
        variational,
        *scales,
        name or encoder.owner_name,
    )


def _halves(module: Any) -> tuple[Any, Any]:
    for first, second in (("encode", "decode"), ("encoder", "decoder")):
        found = getattr(module, first, None), getattr(module, second, None)
        if all(callable(each) for each in found):
            return found
    raise ArgumentError(
        "encoder: with no decoder beside it, a module with encode and decode, or encoder and decoder, "
        "is expected"
    )


class _Part:
    """A module, or a function of one, in evaluation while it is read."""

    def __init__(self, function: Callable[..., Any], owner: Any, name: str) -> None:
        self.function, self.owner, self.name = function, owner, name
        module = type(owner).__name__
        self.owner_name = "" if module in ("Sequential", "Module") else module

    @staticmethod
    def of(given: Any, name: str) -> _Part:
        torch = _torch()
        if isinstance(given, torch.nn.Module):
            return _Part(given, given, name)
        owner = getattr(given, "__self__", None)
        if isinstance(owner, torch.nn.Module):
            return _Part(given, owner, name)
        if not callable(given):
            raise TypeError(f"{name}: a torch.nn.Module expected, {type(given).__name__} came")
        return _Part(given, torch.nn.Module(), name)

    def traced(self, shapes: list[tuple[int, ...]], what: str) -> _Traced:
        """What it does with the first of these shapes that it takes."""
        torch = _torch()
        modes = [(module, module.training) for module in self.owner.modules()]
        parameter = next(self.owner.parameters(), None)
        options = {} if parameter is None else {"dtype": parameter.dtype, "device": parameter.device}
        function = self.function

        class Wrapped(torch.nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self, owner: Any) -> None:
                super().__init__()
                self.owner = owner

            def forward(self, x: Any) -> Any:
                return function(x)

        try:
            self.owner.eval()
            faults = []
            for shape in shapes:
                example = torch.full((_BATCH, *shape), 0.5, **options)
                try:
                    function(example)
                except Exception as error:
                    faults.append(f"{shape}: {str(error).splitlines()[0] if str(error) else error!r}")
                    continue
                try:
                    program = torch.export.export(Wrapped(self.owner), (example,), strict=False)
                    # Nothing is decomposed, but what is done in place becomes values of its own.
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        program = program.run_decompositions({})
                except Exception as error:
                    raise UnsupportedError(
                        f"{self.name}: torch.export cannot read it: {str(error).strip().splitlines()[0]}"
                    ) from error
                return _Traced(program, shape, self.name)
            raise ShapeError(f"the {self.name} takes no {what}: " + "; ".join(faults))
        finally:
            for module, training in modes:
                module.training = training


def _array(tensor: Any) -> Array:
    torch = _torch()
    array: Array = tensor.detach().to("cpu", torch.float64).numpy()
    return array


class _Traced:
    """An exported program as a graph."""

    def __init__(self, program: Any, shape: tuple[int, ...], name: str) -> None:
        self.name = name
        self.input = _graph.entry(shape)
        self.known: dict[str, Any] = {}
        signature = program.graph_signature
        stored = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        for node in program.graph.nodes:
            if node.op == "placeholder":
                if node.name in stored:
                    key = stored[node.name]
                    tensor = program.state_dict.get(key)
                    if tensor is None:
                        tensor = program.constants[key]
                    self.known[node.name] = _array(tensor)
                else:
                    self.known[node.name] = self.input
            elif node.op == "call_function":
                self.known[node.name] = self._call(node)
            elif node.op == "output":
                self.result = [self._argument(each) for each in node.args[0]]
            elif node.op == "get_attr":
                self.known[node.name] = _array(getattr(program.graph_module, node.target))

    def outputs(self) -> list[Value]:
        """What it gives; beside mean and log-variance, what is drawn of them is left out."""
        found = [each for each in self.result if isinstance(each, Value)]
        if len(found) > 2:
            found = [each for each in found if not _is_random(each)]
        if not 1 <= len(found) <= 2:
            raise ShapeError(f"the {self.name} gives {len(found)} tensors; one or two are expected")
        return found

    def _argument(self, value: Any) -> Any:
        if hasattr(value, "op") and hasattr(value, "name"):
            return self.known[value.name]
        if isinstance(value, (list, tuple)):
            return [self._argument(each) for each in value]
        return value

    def _place(self, node: Any) -> str:
        words = [self.name]
        stack = node.meta.get("nn_module_stack") or {}
        if stack:
            path, kind = list(stack.values())[-1]
            kind = kind if isinstance(kind, str) else kind.__name__
            path = path.replace("L['self'].", "").removeprefix("owner").lstrip(".")
            kind = kind.rsplit(".", 1)[-1]
            words.append(f"{path} ({kind})" if path else kind)
        trace = (node.meta.get("stack_trace") or "").strip().splitlines()
        lines = [
            (place, code)
            for place, code in zip(trace, trace[1:])
            if place.lstrip().startswith("File ") and "/torch/" not in place and "_from_torch" not in place
        ]
        if lines:
            file, line = lines[-1][0].strip().split(",")[:2]
            words.append(f"{file[6:-1].rsplit('/', 1)[-1]}:{line.strip()[5:]} `{lines[-1][1].strip()}`")
        return ", ".join(words)

    def _call(self, node: Any) -> Any:
        place = self._place(node)
        target = node.target
        arguments = [self._argument(each) for each in node.args]
        keywords = {key: self._argument(value) for key, value in node.kwargs.items()}
        if target is operator.getitem:
            return arguments[0][arguments[1]]
        name = str(getattr(target, "_opname", None) or getattr(target, "__name__", target))
        if name == "_assert_tensor_metadata":
            return None
        everything = [*arguments, *keywords.values()]
        if not any(isinstance(each, Value) for each in _leaves(everything)):
            return self._constant(node, target, arguments, keywords, place)
        if any(isinstance(each, Value) and _is_random(each) for each in _leaves(everything)):
            return self._random(node, place)
        function = _OPERATIONS.get(name.rstrip("_"))
        if function is None:
            raise UnsupportedError(f"{place}: {name} is not supported; {SUPPORTED} are")
        call = _Call(arguments, keywords, node, place, target)
        return function(call)

    def _random(self, node: Any, place: str) -> Any:
        value = node.meta.get("val")
        if isinstance(value, (list, tuple)):
            return [Value("random", (), tuple(each.shape[1:]), place) for each in value]
        return Value("random", (), tuple(value.shape[1:]), place)

    def _constant(
        self, node: Any, target: Any, arguments: list[Any], keywords: dict[str, Any], place: str
    ) -> Any:
        """Of constants alone: computed. What is drawn is marked."""
        torch = _torch()
        name = str(getattr(target, "_opname", ""))
        if name.startswith(("rand", "normal", "bernoulli")):
            return self._random(node, place)

        def tensor(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                return torch.from_numpy(np.array(value))
            if isinstance(value, list):
                return [tensor(each) for each in value]
            return value

        keywords = {
            key: value
            for key, value in keywords.items()
            if key not in ("device", "dtype", "pin_memory", "layout")
        }
        result = target(*map(tensor, arguments), **{key: tensor(value) for key, value in keywords.items()})
        return _array(result) if isinstance(result, torch.Tensor) else result


def _leaves(values: Any) -> list[Any]:
    found = []
    for value in values:
        found.extend(_leaves(value) if isinstance(value, list) else [value])
    return found


def _is_random(value: Value) -> bool:
    return value.kind == "random"


class _Call:
    """An operation's arguments, by the names of its schema."""

    def __init__(
        self, arguments: list[Any], keywords: dict[str, Any], node: Any, place: str, target: Any
    ) -> None:
        self.place = place
        self.node = node
        self.given: dict[str, Any] = {}
        for number, parameter in enumerate(target._schema.arguments):
            if number < len(arguments):
                self.given[parameter.name] = arguments[number]
            elif parameter.name in keywords:
                self.given[parameter.name] = keywords[parameter.name]
            elif parameter.has_default_value():
                self.given[parameter.name] = parameter.default_value

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.given.get(name, default)

    @property
    def first(self) -> Value:
        value = next(iter(self.given.values()))
        if not isinstance(value, Value):
            raise UnsupportedError(f"{self.place}: a computed weight is not supported")
        return value

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result, without the batch."""
        shape = tuple(int(side) for side in self.node.meta["val"].shape)
        if shape[:1] != (_BATCH,):
            raise UnsupportedError(
                f"{self.place}: a shape {shape} that mixes images of a batch of {_BATCH} is not supported"
            )
        return shape[1:]

    def pair(self, name: str) -> tuple[int, int]:
        value: Any = self.given.get(name)
        if isinstance(value, int):
            return value, value
        return (value[0], value[-1])

    def axis(self, axis: int, rank: int | None = None) -> int:
        """An axis, counted without the batch."""
        rank = len(self.first.shape) + 1 if rank is None else rank
        axis = axis % rank
        if axis == 0:
            raise UnsupportedError(f"{self.place}: an operation along the batch is not supported")
        return axis - 1


def _pads(call: _Call, weight: Array) -> tuple[int, int, int, int]:
    padding = call["padding"]
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        dilation = call.pair("dilation")
        sums = [step * (side - 1) for step, side in zip(dilation, weight.shape[2:])]
        return (sums[0] // 2, sums[1] // 2, sums[0] - sums[0] // 2, sums[1] - sums[1] // 2)
    rows, columns = call.pair("padding")
    return (rows, columns, rows, columns)


def _convolution(call: _Call) -> Value:
    weight = call["weight"]
    return _graph.convolution(
        call.first,
        weight,
        call["bias"],
        call.place,
        call.pair("stride"),
        _pads(call, weight),
        call.pair("dilation"),
        call["groups"],
    )


def _transposed(call: _Call) -> Value:
    return _graph.transposed(
        call.first,
        call["weight"],
        call["bias"],
        call.place,
        call.pair("stride"),
        _pads(call, call["weight"]),
        call.pair("output_padding"),
        call.pair("dilation"),
        call["groups"],
    )


def _batch_norm(call: _Call) -> Value:
    if call["running_mean"] is None:
        raise _graph.unsupported(
            "batch normalisation without statistics of its own", call.place, "track_running_stats=True is"
        )
    return _graph.batch_normalization(
        call.first,
        call["running_mean"],
        call["running_var"],
        call["weight"],
        call["bias"],
        call["eps"],
        call.place,
    )


def _native_batch_norm(call: _Call) -> list[Value]:
    return [_batch_norm(call)]


def _activation(name: str) -> Callable[[_Call], Value]:
    return lambda call: _graph.activation(call.first, name, call.place)


def _leaky(call: _Call) -> Value:
    return _graph.activation(call.first, "leaky_relu", call.place, float(call["negative_slope"]))


def _elu(call: _Call) -> Value:
    if (call["alpha"], call["scale"], call["input_scale"]) != (1, 1, 1):
        raise _graph.unsupported("ELU with an alpha other than 1", call.place)
    return _graph.activation(call.first, "elu", call.place)


def _gelu(call: _Call) -> Value:
    return _graph.activation(call.first, "gelu_tanh" if call["approximate"] == "tanh" else "gelu", call.place)


def _without_batch(value: Any, rank: int, place: str) -> Any:
    """A constant as it broadcasts to one image."""
    if isinstance(value, np.ndarray) and value.ndim > rank:
        if value.shape[0] != 1:
            raise _graph.unsupported("a constant for each image of a batch", place)
        return value[0]
    return value


def _sum(sign: int) -> Callable[[_Call], Value]:
    def summed(call: _Call) -> Value:
        first, second = call["self"], call["other"]
        alpha = sign * call.get("alpha", 1)
        if isinstance(first, Value) and isinstance(second, Value):
            if alpha != 1:
                second = _graph.affine(second, alpha, 0, call.place)
            return _graph.add(first, second, call.place)
        if isinstance(first, Value):
            return _graph.affine(
                first, 1, alpha * _without_batch(second, len(first.shape), call.place), call.place
            )
        return _graph.affine(second, alpha, _without_batch(first, len(second.shape), call.place), call.place)

    return summed


def _reversed_difference(call: _Call) -> Value:
    return _graph.affine(call["self"], -1, call["other"], call.place)


def _product(call: _Call) -> Value:
    first, second = call["self"], call["other"]
    if isinstance(first, Value) and isinstance(second, Value):
        return _graph.multiply(first, second, call.place)
    if not isinstance(first, Value):
        first, second = second, first
    return _graph.affine(first, _without_batch(second, len(first.shape), call.place), 0, call.place)


def _quotient(call: _Call) -> Value:
    if not isinstance(call["self"], Value) or isinstance(call["other"], Value):
        raise _graph.unsupported("division by a value", call.place)
    other = _without_batch(call["other"], len(call["self"].shape), call.place)
    return _graph.affine(call["self"], 1 / np.asarray(other, np.float64), 0, call.place)


def _mean_pool(call: _Call) -> Value:
    kernel = call.pair("kernel_size")
    stride = call.pair("stride") if call["stride"] else kernel
    rows, columns = call.pair("padding")
    x = call.first
    if (rows, columns) != (0, 0):
        if not call["count_include_pad"]:
            raise _graph.unsupported("average pooling that does not count its padding", call.place)
        weight = np.eye(x.shape[0])[:, :, None, None] * np.full((1, 1, *kernel), 1 / (kernel[0] * kernel[1]))
        return _graph.convolution(x, weight, None, call.place, stride, (rows, columns, rows, columns))
    if call["ceil_mode"] and call.shape != _graph.mean_pool(x, kernel, stride, call.place).shape:
        raise _graph.unsupported("average pooling with ceil_mode beyond the map", call.place)
    return _graph.mean_pool(x, kernel, stride, call.place)


def _adaptive_mean_pool(call: _Call) -> Value:
    x, (rows, columns) = call.first, call.shape[-2:]
    height, width = x.shape[-2:]
    if height % rows or width % columns:
        raise _graph.unsupported(f"adaptive pooling of {height} x {width} to {rows} x {columns}", call.place)
    kernel = (height // rows, width // columns)
    return x if kernel == (1, 1) else _graph.mean_pool(x, kernel, kernel, call.place)


def _mean(call: _Call) -> Value:
    """Over height and width."""
    x = call.first
    axes = sorted(call.axis(axis) for axis in call["dim"] or ())
    if len(x.shape) != 3 or axes != [1, 2]:
        raise _graph.unsupported("a mean over other axes than height and width", call.place)
    return _graph.reshape(_graph.mean_pool(x, x.shape[1:], x.shape[1:], call.place), call.shape, call.place)


def _max_pool(call: _Call) -> Any:
    if call.pair("dilation") != (1, 1):
        raise _graph.unsupported("pooling with dilation", call.place)
    kernel = call.pair("kernel_size")
    rows, columns = call.pair("padding")
    stride = call.pair("stride") if call["stride"] else kernel
    pads = (rows, columns, rows, columns)
    return _graph.max_pool(call.first, kernel, stride, pads, bool(call["ceil_mode"]), call.place)


def _max_pool_with_indices(call: _Call) -> Any:
    return [_max_pool(call), Value("random", (), (), call.place)]


def _upsample(call: _Call) -> Value:
    return _graph.upsample(call.first, call.shape[1], call.shape[2], call.place)


def _pad(call: _Call) -> Value:
    amounts = list(call["pad"])
    value = call.get("value") or 0
    if call.get("mode", "constant") != "constant" or value not in (0, -math.inf):
        raise _graph.unsupported("padding with anything but zeros", call.place)
    if any(amounts[4:]):
        raise _graph.unsupported("padding of other axes than height and width", call.place)
    left, right, top, bottom = [*amounts, 0, 0][:4]
    return _graph.pad(call.first, (top, left, bottom, right), call.place, is_lowest=value != 0)


def _reshape(call: _Call) -> Value:
    return _graph.reshape(call.first, call.shape, call.place)


def _permute(call: _Call) -> Value:
    axes = [axis % (len(call.first.shape) + 1) for axis in call["dims"]]
    if axes[0] != 0:
        raise _graph.unsupported("moving the batch to another axis", call.place)
    return _graph.permute(call.first, tuple(axis - 1 for axis in axes[1:]), call.place)


def _transpose(call: _Call) -> Value:
    axes = list(range(len(call.first.shape)))
    first, second = call.axis(call["dim0"]), call.axis(call["dim1"])
    axes[first], axes[second] = axes[second], axes[first]
    return _graph.permute(call.first, tuple(axes), call.place)


def _cat(call: _Call) -> Value:
    values = call["tensors"]
    if not all(isinstance(value, Value) for value in values):
        raise _graph.unsupported("joining with constants", call.place)
    return _graph.concatenate(values, call.axis(call["dim"], len(values[0].shape) + 1), call.place)


def _slice(call: _Call) -> Value:
    axis = call["dim"] % (len(call.first.shape) + 1)
    start, end = call["start"] or 0, call["end"]
    size = _BATCH if axis == 0 else call.first.shape[axis - 1]
    end = size if end is None else min(end, size)
    start, end = (each + size if each < 0 else each for each in (start, end))
    if axis == 0 and (start, end) == (0, size):
        return call.first
    if call["step"] != 1:
        raise _graph.unsupported("every other number of an axis", call.place)
    return _graph.part(call.first, call.axis(axis), start, end, call.place)


def _parts(call: _Call) -> list[Value]:
    """chunk and split."""
    x, axis = call.first, call.axis(call["dim"])
    result, start = [], 0
    for value in call.node.meta["val"]:
        stop = start + int(value.shape[axis + 1])
        result.append(_graph.part(x, axis, start, stop, call.place))
        start = stop
    return result


def _clamp(call: _Call) -> Value:
    return _graph.clamp(call.first, call.get("min"), call.get("max"), call.place)


def _hardtanh(call: _Call) -> Value:
    return _graph.clamp(call.first, call["min_val"], call["max_val"], call.place)


def _same(call: _Call) -> Value:
    return call.first


def _random_like(call: _Call) -> Value:
    return Value("random", (), call.shape, call.place)


def _pixel_shuffle(call: _Call) -> Value:
    return _graph.pixel_shuffle(call.first, call["upscale_factor"], call.place)


def _linear(call: _Call) -> Value:
    return _graph.dense(call.first, call["weight"], call["bias"], call.place)


def _matmul(call: _Call) -> Value:
    names = list(call.given)
    weight = call.given[names[1]]
    if not isinstance(weight, np.ndarray):
        raise _graph.unsupported("a product of two values", call.place)
    return _graph.dense(call.first, weight.T, None, call.place)


def _addmm(call: _Call) -> Value:
    return _graph.dense(call["mat1"], np.asarray(call["mat2"]).T, call["self"], call.place)


def _power(call: _Call) -> Value:
    if call["exponent"] not in (2, 3):
        raise _graph.unsupported("a power", call.place)
    return _graph.internal(call.first, "square" if call["exponent"] == 2 else "cube", call.place)


def _internal(name: str) -> Callable[[_Call], Value]:
    return lambda call: _graph.internal(call.first, name, call.place)


_OPERATIONS: dict[str, Callable[[_Call], Any]] = {
    "linear": _linear,
    "addmm": _addmm,
    "mm": _matmul,
    "matmul": _matmul,
    "conv2d": _convolution,
    "conv_transpose2d": _transposed,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _native_batch_norm,
    "relu": _activation("relu"),
    "leaky_relu": _leaky,
    "elu": _elu,
    "silu": _activation("silu"),
    "gelu": _gelu,
    "sigmoid": _activation("sigmoid"),
    "tanh": _activation("tanh"),
    "erf": _internal("erf"),
    "pow": _power,
    "add": _sum(1),
    "sub": _sum(-1),
    "rsub": _reversed_difference,
    "neg": lambda call: _graph.affine(call.first, -1, 0, call.place),
    "mul": _product,
    "div": _quotient,
    "cat": _cat,
    "concat": _cat,
    "avg_pool2d": _mean_pool,
    "adaptive_avg_pool2d": _adaptive_mean_pool,
    "mean": _mean,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool_with_indices,
    "upsample_nearest2d": _upsample,
    "pixel_shuffle": _pixel_shuffle,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "view": _reshape,
    "reshape": _reshape,
    "flatten": _reshape,
    "unflatten": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "_unsafe_view": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "slice": _slice,
    "chunk": _parts,
    "split": _parts,
    "split_with_sizes": _parts,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "hardtanh": _hardtanh,
    "dropout": _same,
    "feature_dropout": _same,
    "alpha_dropout": _same,
    "contiguous": _same,
    "clone": _same,
    "detach": _same,
    "alias": _same,
    "to": _same,
    "_to_copy": _same,
    "randn_like": _random_like,
    "rand_like": _random_like,
    "normal": _random_like,
    "exp": _internal("exp"),
}
