"""Models as ONNX graphs, opset 17: `Model.to_onnx`.

Graphs read and give what PyTorch's do: images (N, C, H, W) in [0, 1], codes (N, d). Inside, maps lie with
channels first,
too: columns and rows of dense layers are permuted to fit, and nothing else is moved.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from . import _lists
from ._arrays import Array
from ._lists import Map, Node

_OPSET = 17


def graphs(description: str, tensors: dict[str, Array]) -> dict[str, Any]:
    """{"encoder": onnx.ModelProto, "decoder": ...}; no encoder of a decoder alone."""
    from ._from_onnx import _onnx

    onnx = _onnx()
    options = _lists.options_of(description)
    image = (int(options["height"]), int(options["width"]), int(options.get("channels", "1")))
    code = (1, 1, int(options["latent_size"]))
    found = {}
    for name, nodes, entry in zip(("encoder", "decoder"), _lists.halves(options), (image, code)):
        if not any(key.startswith(name) for key in tensors):
            continue
        writer = _Writer(onnx, name, nodes, entry, tensors)
        found[name] = writer.model(image if name == "decoder" else None)
    return found


def write(graphs: dict[str, Any], folder: str) -> None:
    """Writes graphs into a folder, each under its name."""
    from ._from_onnx import _onnx

    os.makedirs(folder, exist_ok=True)
    for name, graph in graphs.items():
        _onnx().save(graph, os.path.join(folder, f"{name}.onnx"))


class _Writer:
    def __init__(
        self, onnx: Any, name: str, nodes: list[Node], entry: Map, tensors: dict[str, Array]
    ) -> None:
        self.onnx, self.name, self.nodes, self.entry, self.tensors = onnx, name, nodes, entry, tensors
        self.made: list[Any] = []
        self.weights: list[Any] = []
        self.count = 0

    def model(self, image: Map | None) -> Any:
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        height, width, channels = self.entry
        is_encoder = image is None
        first = "images" if is_encoder else "codes"
        self.values = {-1: first}
        for index, node in enumerate(self.nodes):
            self.values[index] = self._node(index, node)
        last = self.values[len(self.nodes) - 1]
        result: list[Any] = ["N"]
        if image is None:
            shape = self.nodes[-1].shape
            flat = self._flat(last, shape)
            result.append(math.prod(shape))
            self._emit("Identity", [flat], output="codes")
        else:
            # The last node's numbers are pixels, whatever its map is.
            flat_shape = self.nodes[-1].shape
            if flat_shape != image:
                last = self._moved(last, flat_shape, image)
            result += [image[2], image[0], image[1]]
            self._emit(
                "Clip", [last, self._constant(np.float32(0)), self._constant(np.float32(1))], output="images"
            )
        given = ["N", channels, height, width] if is_encoder else ["N", channels]
        graph = helper.make_graph(
            self.made,
            self.name,
            [helper.make_tensor_value_info(first, kind, given)],
            [helper.make_tensor_value_info("codes" if is_encoder else "images", kind, result)],
            self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="libae", ir_version=8
        )
        self.onnx.checker.check_model(model)
        return model

    def _emit(self, operation: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        if output is None:
            self.count += 1
            output = f"{operation.lower()}_{self.count}"
        self.made.append(
            self.onnx.helper.make_node(operation, inputs, [output], name=output + "_node", **attributes)
        )
        return output

    def _constant(self, array: Any, name: str | None = None) -> str:
        if name is None:
            self.count += 1
            name = f"constant_{self.count}"
        self.weights.append(self.onnx.numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def _shape(self, index: int) -> Map:
        return self.entry if index < 0 else self.nodes[index].shape

    def _is_vector(self, index: int) -> bool:
        """Codes come as vectors; all else is (N, C, H, W)."""
        return index < 0 and self.name == "decoder"

    def _reshaped(self, value: str, *sides: int) -> str:
        return self._emit("Reshape", [value, self._constant(np.array((0, *sides), np.int64))])

    def _flat(self, value: str, shape: Map) -> str:
        """A map as a vector with channels last, as the engine has it."""
        height, width, channels = shape
        if channels > 1 and height * width > 1:
            value = self._emit("Transpose", [value], perm=[0, 2, 3, 1])
        return self._reshaped(value, height * width * channels)

    def _moved(self, value: str, before: Map, after: Map) -> str:
        """The same numbers, channels last, as another map."""
        height, width, channels = after
        flat = self._flat(value, before)
        if channels == 1 or height * width == 1:
            return self._reshaped(flat, channels, height, width)
        return self._emit("Transpose", [self._reshaped(flat, height, width, channels)], perm=[0, 3, 1, 2])

    def _node(self, index: int, node: Node) -> str:
        source = node.sources[0]
        value, shape = self.values[source], self._shape(source)
        height, width, channels = node.shape
        vector = self._is_vector(source)
        if vector and node.operation not in ("dense", "channels_last"):
            value = self._reshaped(value, shape[2], 1, 1)
        if node.operation in _lists.WEIGHTED:
            value = self._layer(index, node, value, shape, vector)
        elif node.operation == "add":
            value = self._emit("Add", [value, self.values[node.sources[1]]])
        elif node.operation == "concatenate":
            value = self._emit("Concat", [value, self.values[node.sources[1]]], axis=1)
        elif node.operation == "upsample":
            scales = self._constant(np.array((1, 1, node.stride, node.stride), np.float32))
            value = self._emit(
                "Resize",
                [value, "", scales],
                mode="nearest",
                nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            )
        elif node.operation == "mean_pool" and node.kernel == 0:
            value = self._emit("GlobalAveragePool", [value])
        elif node.operation in ("mean_pool", "max_pool"):
            value = self._pool(node, value, shape)
        elif node.operation == "channels_first":
            # They lie so already.
            value = self._reshaped(value, height * width * channels, 1, 1)
        elif node.operation == "channels_last":
            if not vector and shape[0] * shape[1] > 1:
                value = self._flat(value, shape)
            value = self._reshaped(value, channels, height, width)
        elif node.operation == "reshape":
            value = self._moved(value, shape, node.shape)
        return self._activated(value, node)

    def _windows(self, node: Node, value: str, shape: Map) -> tuple[str, list[int]]:
        """What windows read, without the rows and columns that none reads, and the padding around it."""
        pads = [node.padding, node.padding, *_lists.padding_after(node, shape)]
        if min(pads) < 0:
            ends = [side + min(0, pad) for side, pad in zip(shape[:2], pads[2:])]
            arrays = ((0, 0), ends, (2, 3))
            value = self._emit(
                "Slice", [value, *(self._constant(np.array(each, np.int64)) for each in arrays)]
            )
        return value, [max(0, pad) for pad in pads]

    def _pool(self, node: Node, value: str, shape: Map) -> str:
        value, pads = self._windows(node, value, shape)
        operation = "AveragePool" if node.operation == "mean_pool" else "MaxPool"
        if max(pads) >= node.kernel:
            # ONNX has no window that is all padding.
            low = self._constant(np.float32(np.finfo(np.float32).min))
            whole = self._constant(np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64))
            value, pads = self._emit("Pad", [value, whole, low]), [0, 0, 0, 0]
        return self._emit(
            operation, [value], kernel_shape=[node.kernel] * 2, strides=[node.stride] * 2, pads=pads
        )

    def _layer(self, index: int, node: Node, value: str, shape: Map, vector: bool) -> str:
        key = f"{self.name}.{index}"
        weight = np.asarray(self.tensors[f"{key}.weight"]).reshape(
            _lists.tensor_shape(self.nodes, index, self.entry)
        )
        bias = np.asarray(self.tensors[f"{key}.bias"]).reshape(-1)
        height, width, channels = node.shape
        if node.operation == "dense":
            if not vector:
                weight = weight[:, _lists.channels_first(shape)]
                value = self._emit("Flatten", [value], axis=1)
            rows = _lists.channels_first(node.shape)
            names = [self._constant(weight[rows], f"{key}.weight"), self._constant(bias[rows], f"{key}.bias")]
            value = self._emit("Gemm", [value, *names], transB=1)
            return self._reshaped(value, channels, height, width)
        names = []
        if node.operation == "convolution":
            value, pads = self._windows(node, value, shape)
            names = [
                self._constant(weight.transpose(0, 3, 1, 2), f"{key}.weight"),
                self._constant(bias, f"{key}.bias"),
            ]
            return self._emit(
                "Conv", [value, *names], kernel_shape=[node.kernel] * 2, strides=[node.stride] * 2, pads=pads
            )
        names = [
            self._constant(weight.transpose(3, 2, 0, 1), f"{key}.weight"),
            self._constant(bias, f"{key}.bias"),
        ]
        # What is cut off below and to the right; what would be added there ends before the last window does.
        after = [
            (side - 1) * node.stride + node.kernel - node.padding - result
            for side, result in zip(shape[:2], node.shape[:2])
        ]
        return self._emit(
            "ConvTranspose",
            [value, *names],
            kernel_shape=[node.kernel] * 2,
            strides=[node.stride] * 2,
            pads=[node.padding, node.padding, *after],
        )

    def _activated(self, value: str, node: Node) -> str:
        kind = node.activation
        simple = {"sigmoid": "Sigmoid", "relu": "Relu", "elu": "Elu", "tanh": "Tanh"}
        if kind == "identity":
            return value
        if kind in simple:
            return self._emit(simple[kind], [value])
        if kind == "leaky_relu":
            return self._emit("LeakyRelu", [value], alpha=node.slope)
        if kind == "silu":
            return self._emit("Mul", [value, self._emit("Sigmoid", [value])])

        def number(x: float) -> str:
            return self._constant(np.float32(x))

        if kind == "gelu":
            inner = self._emit("Erf", [self._emit("Mul", [value, number(math.sqrt(0.5))])])
        else:
            cube = self._emit("Mul", [self._emit("Pow", [value, number(3)]), number(0.044715)])
            inner = self._emit("Mul", [self._emit("Add", [value, cube]), number(math.sqrt(2 / math.pi))])
            inner = self._emit("Tanh", [inner])
        gate = self._emit("Add", [inner, number(1)])
        return self._emit("Mul", [self._emit("Mul", [value, gate]), number(0.5)])
