"""Runs a list of nodes in numpy, in double precision, one node after the other: what the library is compared
with.

It reads the text of a list by itself and shares no code with the package.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def _erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def _sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def activate(x, text):
    """An activation by its name, `leaky_relu:0.2` with a slope."""
    name, _, slope = text.partition(":")
    if name == "leaky_relu":
        return np.where(x > 0, x, float(slope or 0.01) * x)
    return {
        "identity": lambda: x,
        "sigmoid": lambda: _sigmoid(x),
        "relu": lambda: np.maximum(x, 0),
        "elu": lambda: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "silu": lambda: x * _sigmoid(x),
        "gelu": lambda: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
        "gelu_tanh": lambda: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "tanh": lambda: np.tanh(x),
    }[name]()


def _around(x, padding, height, width, value):
    """The map with rows and columns around it, `height` and `width` in all."""
    after = (height - padding - x.shape[1], width - padding - x.shape[2])
    x = x[:, : x.shape[1] + min(0, after[0]), : x.shape[2] + min(0, after[1])]
    pads = ((0, 0), (padding, max(0, after[0])), (padding, max(0, after[1])), (0, 0))
    return np.pad(x, pads, constant_values=value)


def _windows(x, kernel, stride, padding, height, width, value=0.0):
    """(N, height, width, C, kernel, kernel)"""
    whole = _around(x, padding, (height - 1) * stride + kernel, (width - 1) * stride + kernel, value)
    return sliding_window_view(whole, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


def run(text, tensors, half, x):
    """What a list gives.

    Args:
        text: of the list.
        tensors: "encoder.0.weight", ...
        half: "encoder" or "decoder".
        x: (N, height, width, channels), or (N, n).
    """
    x = np.asarray(x, np.float64)
    if x.ndim == 2:
        x = x[:, None, None, :]
    values = [x]
    for index, piece in enumerate(text.split(";")):
        operation, rest = piece.rstrip(")").split("(", 1)
        words = [word for word in rest.split(",") if word]
        keys = dict(word.split("=") for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        places = [0 if word == "input" else int(word) + 1 for word in plain] or [index]
        x, *others = (values[place] for place in places)
        count, height, width, channels = x.shape
        number = {key: int(value) for key, value in keys.items() if value.isdigit()}
        kernel, padding = number.get("kernel", 0), number.get("padding", 0)
        stride = number.get("stride", kernel if operation.endswith("pool") else 1) or 1
        weight, bias = (
            np.asarray(tensors[f"{half}.{index}.{kind}"], np.float64)
            if f"{half}.{index}.{kind}" in tensors
            else None
            for kind in ("weight", "bias")
        )
        usual = [(side + 2 * padding - kernel) // stride + 1 for side in (height, width)]
        rows, columns = number.get("height", usual[0]), number.get("width", usual[1])
        if operation == "dense":
            y = x.reshape(count, -1) @ weight.reshape(-1, height * width * channels).T + bias
            y = y.reshape(count, number.get("height", 1), number.get("width", 1), -1)
        elif operation == "convolution":
            weight = weight.reshape(-1, kernel, kernel, channels)
            seen = _windows(x, kernel, stride, padding, rows, columns)
            y = np.einsum("nyxcij,oijc->nyxo", seen, weight, optimize=True) + bias
        elif operation == "transposed_convolution":
            weight = weight.reshape(kernel, kernel, -1, channels)
            usual = [(side - 1) * stride - 2 * padding + kernel for side in (height, width)]
            rows, columns = number.get("height", usual[0]), number.get("width", usual[1])
            whole = np.zeros(
                (count, (height - 1) * stride + kernel, (width - 1) * stride + kernel, len(bias))
            )
            spread = np.einsum("nyxc,ijoc->nyxijo", x, weight, optimize=True)
            for i in range(kernel):
                for j in range(kernel):
                    whole[:, i : i + height * stride : stride, j : j + width * stride : stride][
                        :, :height, :width
                    ] += spread[:, :, :, i, j]
            y = whole[:, padding : padding + rows, padding : padding + columns] + bias
            assert y.shape[1:3] == (rows, columns), piece
        elif operation == "activation":
            y = x
        elif operation == "add":
            y = x + others[0]
        elif operation == "concatenate":
            y = np.concatenate((x, others[0]), axis=3)
        elif operation == "mean_pool":
            if "whole" in keys:
                y = x.mean(axis=(1, 2), keepdims=True)
            else:
                y = _windows(x, kernel, stride, 0, rows, columns).mean(axis=(4, 5))
        elif operation == "max_pool":
            y = _windows(x, kernel, stride, padding, rows, columns, -np.inf).max(axis=(4, 5))
        elif operation == "upsample":
            y = x.repeat(number["factor"], axis=1).repeat(number["factor"], axis=2)
        elif operation == "reshape":
            y = x.reshape(count, number["height"], number["width"], number["channels"])
        elif operation == "channels_first":
            y = x.transpose(0, 3, 1, 2).reshape(count, 1, 1, -1)
        elif operation == "channels_last":
            y = x.reshape(count, number["channels"], number["height"], number["width"]).transpose(0, 2, 3, 1)
        else:
            raise AssertionError(f"no operation {operation}")
        values.append(activate(y, keys.get("activation", "identity")))
    return values[-1]


def options(description):
    """The options in the text of a description."""
    return dict(word.split("=", 1) for word in description.split(" ") if "=" in word)


def encode(description, tensors, images):
    """(N, d) of images (N, H, W, C) in [0, 1]; (N, 2 d) of a variational model."""
    return run(options(description)["encoder"], tensors, "encoder", images).reshape(len(images), -1)


def decode(description, tensors, codes):
    """(N, H, W, C), in [0, 1]."""
    told = options(description)
    shape = (len(codes), int(told["height"]), int(told["width"]), int(told.get("channels", "1")))
    pixels = run(told["decoder"], tensors, "decoder", codes).reshape(shape)
    return np.clip(pixels, 0, 1)
