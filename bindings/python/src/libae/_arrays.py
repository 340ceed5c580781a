"""The rules by which numpy arrays become C arrays and back, stated once.

Images for the networks: `uint8` (0 to 255) and `float32` ([0, 1]) are handed over as they are; other
floating-point types and `bool` (0 and 1) are converted to `float32`; other types are refused, since
their scale is not known. Images to store or train on: `uint8` alone. Latent codes: any real type,
converted to `float32`. Arrays that are not contiguous are copied, all others are not.
"""

from __future__ import annotations

import ctypes
import math
import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import ArgumentError, ShapeError

Array = npt.NDArray[Any]

# In the machine's byte order: a type of the other one compares as different.
_UINT8: np.dtype[Any] = np.dtype(np.uint8)
_FLOAT32: np.dtype[Any] = np.dtype(np.float32)


def address(array: Array) -> int:
    """Where the first element is. The caller keeps the array alive during the call."""
    # Ten times as fast as the array interface, but only where one could also write.
    if array.flags.writeable and array.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    return int(array.__array_interface__["data"][0])


def whole(value: Any, name: str, low: int, high: int) -> int:
    """An integer argument within [low, high]: ctypes itself would quietly cut it to size."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: an integer expected, {type(value).__name__} came") from None
    if not low <= number <= high:
        raise ArgumentError(f"{name}: a number in [{low}, {high}] expected, {number} came")
    return number


def count_of(value: Any, item_size: int) -> int:
    """A count of images whose array of `item_size` bytes each still has a size that fits."""
    return whole(value, "count", 0, (2**63 - 1) // max(item_size, 1))


def seed_of(value: Any) -> int:
    """A seed: 64 bits."""
    return whole(value, "seed", 0, 2**64 - 1)


def choice(value: Any, name: str, choices: tuple[str, ...]) -> int:
    """The number of a word in `choices`."""
    if value in choices:
        return choices.index(value)
    raise ArgumentError(f"{name}: one of {', '.join(choices)} expected, {value!r} came")


def _contiguous(array: Array, dtype: np.dtype[Any]) -> Array:
    """The array itself if it is of that type and contiguous, otherwise a copy that is; the shape is kept."""
    if array.dtype == dtype and array.flags.c_contiguous:
        return array
    # Values beyond float32 become infinite, which the library refuses with a message of its own.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)


def pixels(images: npt.ArrayLike) -> Array:
    """Images as `uint8` or `float32`, contiguous, of the shape they came in."""
    array = np.asarray(images)
    if array.dtype == _UINT8:
        return _contiguous(array, _UINT8)
    if array.dtype.kind in "fb":
        return _contiguous(array, _FLOAT32)
    raise TypeError(
        f"images: uint8 (0 to 255) or floating point ([0, 1]) expected, {array.dtype} came; "
        "say which scale it is with images.astype(numpy.uint8) or images.astype(numpy.float32)"
    )


def byte_pixels(images: npt.ArrayLike) -> Array:
    """Images as contiguous `uint8`, of the shape they came in."""
    array = np.asarray(images)
    if array.dtype != _UINT8:
        raise TypeError(
            f"images: uint8 (0 to 255) expected, {array.dtype} came; for values in [0, 1] pass "
            "numpy.rint(images * 255).astype(numpy.uint8)"
        )
    return _contiguous(array, _UINT8)


def codes(latents: npt.ArrayLike) -> Array:
    """Latent codes as contiguous `float32`, of the shape they came in."""
    array = np.asarray(latents)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"latents: real numbers expected, {array.dtype} came")
    return _contiguous(array, _FLOAT32)


def image_leading(shape: tuple[int, ...], height: int, width: int) -> tuple[int, ...]:
    """The leading part of a shape that ends in (height, width) or else in (height * width).

    Raises:
        ShapeError: it ends in neither.
    """
    if len(shape) >= 2 and shape[-2:] == (height, width):
        return shape[:-2]
    if len(shape) >= 1 and shape[-1] == height * width:
        return shape[:-1]
    raise ShapeError(
        f"images: a shape that ends in ({height}, {width}) or ({height * width}) expected, {shape} came"
    )


def code_leading(shape: tuple[int, ...], latent_size: int) -> tuple[int, ...]:
    """The leading part of a shape that ends in (latent_size).

    Raises:
        ShapeError: it does not.
    """
    if len(shape) >= 1 and shape[-1] == latent_size:
        return shape[:-1]
    raise ShapeError(f"latents: a shape that ends in ({latent_size}) expected, {shape} came")


def image_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """What images can be asked for as: `float32` or `uint8`."""
    wanted = np.dtype(dtype)
    if wanted not in (_FLOAT32, _UINT8):
        raise TypeError(f"dtype: float32 or uint8 expected, {wanted} came")
    return wanted


def result(shape: tuple[int, ...], dtype: npt.DTypeLike, out: Array | None, *inputs: Array) -> Array:
    """`out`, once it is seen to fit, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.dtype != np.dtype(dtype):
        came = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out: an array of {np.dtype(dtype)} expected, {came} came")
    if out.shape != shape:
        raise ShapeError(f"out: shape {shape} expected, {out.shape} came")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ArgumentError("out: a contiguous array that can be written to expected")
    if any(np.may_share_memory(out, array) for array in inputs):
        raise ArgumentError("out: must not overlap the input")
    return out


def raw_bytes(data: Any) -> Array:
    """Bytes, or anything that has a contiguous buffer, as an array of `uint8`: no copy."""
    view = memoryview(data)
    if not view.c_contiguous:
        raise ArgumentError("data: a contiguous buffer expected")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


def label_bytes(labels: npt.ArrayLike, count: int) -> Array:
    """One label from 0 to 255 for each of `count` images, of any integer type and shape."""
    array = np.asarray(labels)
    if array.size != count:
        raise ShapeError(f"labels: one for each of {count} images expected, {array.size} came")
    if array.size == 0:
        return np.empty(0, np.uint8)
    if array.dtype.kind not in "iu":
        raise TypeError(f"labels: integers expected, {array.dtype} came")
    if array.min() < 0 or array.max() > 255:
        raise ArgumentError(f"labels: numbers in [0, 255] expected, {array.min()} to {array.max()} came")
    return np.ascontiguousarray(array, np.uint8).reshape(-1)


def total(leading: tuple[int, ...]) -> int:
    """How many images a leading shape holds; 1 for ()."""
    return math.prod(leading)
