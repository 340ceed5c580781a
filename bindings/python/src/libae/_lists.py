"""Networks as lists of nodes, in text: taken apart, with the shape of every node; and the presets as such
lists.

It is what exports and the shapes of tensors need to know of a list. Whether a list can be run, the library
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ._arrays import Array

Map = tuple[int, int, int]
"""(height, width, channels) of a feature map; a vector is (1, 1, n)."""

WEIGHTED = ("dense", "convolution", "transposed_convolution")


@dataclass(frozen=True)
class Node:
    """A node of a list."""

    operation: str
    sources: tuple[int, ...]
    """Numbers of nodes; -1 is the list's input."""
    shape: Map
    """Of what it gives."""
    kernel: int = 0
    """0 for a mean over the whole map."""
    stride: int = 1
    """Also the factor of an upsampling."""
    padding: int = 0
    activation: str = "identity"
    slope: float = 0.0
    """Of a leaky ReLU."""


def parsed(text: str, input_map: Map) -> list[Node]:
    """The nodes of a list.

    Args:
        text: such as "convolution(channels=8,kernel=3,padding=1,activation=relu);dense(outputs=16)".
        input_map: the shape of what the list reads.

    Raises:
        ValueError: it is no list.
    """
    nodes: list[Node] = []

    def shape(index: int) -> Map:
        return input_map if index < 0 else nodes[index].shape

    for piece in text.split(";"):
        operation, _, rest = piece.partition("(")
        words = [word for word in rest.rstrip(")").split(",") if word]
        keys = dict(word.split("=", 1) for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        sources = tuple(-1 if word == "input" else int(word) for word in plain) or (len(nodes) - 1,)
        activation, _, slope = keys.pop("activation", "identity").partition(":")
        whole = keys.pop("whole", "") == "true"
        number = {key: int(value) for key, value in keys.items()}
        kernel = number.get("kernel", 0)
        stride = number.get("stride", kernel if operation.endswith("pool") else 1)
        stride = number.get("factor", stride)
        padding = number.get("padding", 0)
        height, width, channels = shape(sources[0])
        if operation in ("dense", "reshape", "channels_last"):
            channels = number.get("outputs", number.get("channels", 0))
            height, width = number.get("height", 1), number.get("width", 1)
        elif operation == "channels_first":
            height, width, channels = 1, 1, height * width * channels
        elif operation == "upsample":
            height, width = height * stride, width * stride
        elif operation == "concatenate":
            channels += shape(sources[1])[2]
        elif whole:
            height = width = 1
        elif operation in ("convolution", "transposed_convolution", "mean_pool", "max_pool"):
            window = Node(operation, sources, (0, 0, 0), kernel, stride, padding)
            height, width = usual_sides(window, (height, width, channels))
            height, width = number.get("height", height), number.get("width", width)
            channels = number.get("channels", channels)
        elif operation not in ("activation", "add"):
            raise ValueError(f"there is no operation {operation!r}")
        nodes.append(
            Node(
                operation,
                sources,
                (height, width, channels),
                kernel,
                stride,
                padding,
                activation,
                float(slope) if slope else 0.01 if activation == "leaky_relu" else 0.0,
            )
        )
    return nodes


def tensor_shape(nodes: list[Node], index: int, input_map: Map) -> tuple[int, ...]:
    """The shape of the weights of a node that has some."""
    node = nodes[index]
    source = node.sources[0]
    height, width, channels = input_map if source < 0 else nodes[source].shape
    if node.operation == "dense":
        return (node.shape[0] * node.shape[1] * node.shape[2], height * width * channels)
    if node.operation == "convolution":
        return (node.shape[2], node.kernel, node.kernel, channels)
    return (node.kernel, node.kernel, node.shape[2], channels)


def channels_first(map_: Map) -> Array:
    """Which number of a map, [height, width, channels], lies where with channels first."""
    height, width, channels = map_
    count = height * width * channels
    return np.arange(count).reshape(height, width, channels).transpose(2, 0, 1).reshape(-1)


def usual_sides(node: Node, shape: Map) -> tuple[int, int]:
    """Height and width that windows over a map usually give, where none are asked for."""
    sides = shape[:2]
    if node.operation == "transposed_convolution":
        height, width = ((side - 1) * node.stride - 2 * node.padding + node.kernel for side in sides)
    else:
        height, width = ((side + 2 * node.padding - node.kernel) // node.stride + 1 for side in sides)
    return height, width


def padding_after(node: Node, shape: Map) -> tuple[int, int]:
    """How far windows reach beyond the lower and the right edge; negative where the last rows are not
    read."""
    height, width = (
        (result - 1) * node.stride + node.kernel - node.padding - side
        for side, result in zip(shape[:2], node.shape[:2])
    )
    return height, width


def options_of(description: str) -> dict[str, str]:
    """The options in the text of a model's description."""
    before, _, name = f" {description}".partition(" name=")
    return {**dict(word.split("=", 1) for word in before.split()), "name": name}


def halves(options: Mapping[str, str]) -> tuple[list[Node], list[Node]]:
    """Encoder and decoder of a description, also of the kinds that are presets."""
    height, width, latent_size = (int(options[key]) for key in ("height", "width", "latent_size"))
    channels = int(options.get("channels", "1"))
    image = (height, width, channels)
    if options["kind"] == "custom":
        return parsed(options["encoder"], image), parsed(options["decoder"], (1, 1, latent_size))
    encoder, decoder = _preset(options, image, latent_size)
    return parsed(";".join(encoder), image), parsed(";".join(decoder), (1, 1, latent_size))


def _preset(options: Mapping[str, str], image: Map, latent_size: int) -> tuple[list[str], list[str]]:
    kind = options["kind"]
    is_convolutional = kind in ("conv-vae", "residual-vae")
    hidden = [int(each) for each in options.get("hidden", "none").split(",") if each not in ("none", "auto")]
    names = {"sigmoid": "sigmoid", "relu": "relu", "pca": "identity", "linear": "identity"}
    activation = names.get(kind, "elu")
    output = "sigmoid" if options.get("output_activation") == "sigmoid" else "identity"
    codes = latent_size * (2 if kind.endswith("vae") else 1)

    def halved(index: int) -> bool:
        return index == 0 or hidden[index - 1] != hidden[index]

    def spatial(index: int) -> bool:
        return is_convolutional and index + 1 < len(hidden)

    maps = [image]
    encoder: list[str] = []
    decoder: list[str] = []
    for index, size in enumerate(hidden):
        height, width, _ = maps[-1]
        if not spatial(index):
            maps.append((1, 1, size))
            encoder.append(f"dense(outputs={size},activation={activation})")
            continue
        if halved(index):
            height, width = (height + 1) // 2, (width + 1) // 2
            # Of an odd side one more than a window's usual count.
            encoder.append(
                f"convolution(channels={size},kernel=4,stride=2,padding=1,height={height},width={width},"
                f"activation={activation})"
            )
        else:
            encoder.append(f"convolution(channels={size},kernel=3,padding=1,activation={activation})")
            if kind == "residual-vae":
                encoder.append(f"add({len(encoder) - 1},{len(encoder) - 2})")
        maps.append((height, width, size))
    encoder.append(f"dense(outputs={codes})")
    for index in range(len(hidden), -1, -1):
        height, width, channels = maps[index]
        last = output if index == 0 else activation
        if not spatial(index):
            decoder.append(f"dense(height={height},width={width},channels={channels},activation={last})")
            continue
        shape = "kernel=4,stride=2" if halved(index) else "kernel=3"
        decoder.append(
            f"transposed_convolution(channels={channels},{shape},padding=1,height={height},width={width},"
            f"activation={last})"
        )
        if not halved(index) and kind == "residual-vae":
            decoder.append(f"add({len(decoder) - 1},{len(decoder) - 2})")
    return encoder, decoder
