"""The rules by which numpy arrays become C arrays and back, stated once.

Images for the networks: `uint8` (0 to 255) and `float32` ([0, 1]) are handed over as they are; other
floating-point types and `bool` (0 and 1) are converted to `float32`; other types are refused, since
their scale is not known, and so are floats outside [0, 1]. Images to store or train on: `uint8` alone.
Latent codes: any real type, converted to `float32`. Arrays that are not contiguous, not aligned or not in the
machine's byte order are copied, all others are not.
"""

from __future__ import annotations

import ctypes
import math
import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import ArgumentError, KindError, ShapeError

Array = npt.NDArray[Any]

# In the machine's byte order: a type of the other one compares as different.
_UINT8: np.dtype[Any] = np.dtype(np.uint8)
_FLOAT32: np.dtype[Any] = np.dtype(np.float32)

# How far a value may lie outside [0, 1]: what interpolation and half precision leave there.
_ROUNDING = 1e-3
_MOST_BITS: int = int(np.float32(1 + _ROUNDING).view(np.uint32))
# What the last of three axes is when an image has colours: red, green and blue, and transparency.
_COLOURS = (3, 4)


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


def _array(value: Any, name: str) -> Array:
    """Whatever numpy can read as an array: arrays, buffers, nested lists, tensors in the machine's memory.

    Raises:
        TypeError: it cannot, or values are masked: what stands under a mask means nothing.
        ShapeError: nested lists of different lengths.
    """
    if type(value) is np.ndarray:
        return value
    if isinstance(value, bytes):  # numpy would take them for text
        return np.frombuffer(value, np.uint8)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(f"{name}: some values are masked; say what they are with {name}.filled(...)")
    try:
        array = np.asarray(value)
        if array.dtype == object and hasattr(value, "__dlpack__"):
            array = np.from_dlpack(value)
    except MemoryError:
        raise
    except ValueError as error:
        raise ShapeError(f"{name}: cannot be read as an array: {error}") from error
    # Each library has its own way to say that a tensor is on a device or records gradients.
    except Exception as error:
        raise TypeError(f"{name}: cannot be read as an array: {error}") from error
    return array


def _contiguous(array: Array, dtype: np.dtype[Any]) -> Array:
    """The array itself if C can read it as that type, otherwise a copy that it can; the shape is kept."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    # Values beyond float32 become infinite, which the library refuses with a message of its own.
    with np.errstate(over="ignore"):
        return np.array(array, dtype=dtype, order="C", copy=True, subok=False)


def pixels(images: npt.ArrayLike) -> Array:
    """Images as `uint8` or `float32`, contiguous, of the shape they came in.

    Raises:
        TypeError: another type, whose scale is not known.
        ArgumentError: floating-point values outside [0, 1].
    """
    array = _array(images, "images")
    if array.dtype == _UINT8:
        return _contiguous(array, _UINT8)
    if array.dtype.kind not in "fb":
        raise TypeError(
            f"images: uint8 (0 to 255) or floating point ([0, 1]) expected, {array.dtype} came; "
            "say which scale it is with images.astype(numpy.uint8) or images.astype(numpy.float32)"
        )
    array = _contiguous(array, _FLOAT32)
    # One pass where all is well: what is negative, not finite or too large has larger bits than _MOST_BITS.
    if array.size and np.maximum.reduce(array.reshape(-1).view(np.uint32)) > _MOST_BITS:
        low, high = float(array.min()), float(array.max())
        # What is not finite the library refuses, and says where it is.
        outside = low < -_ROUNDING or high > 1 + _ROUNDING
        if outside and math.isfinite(low) and math.isfinite(high):
            advice = (
                "for values of 0 to 255 pass images / 255, or images.astype(numpy.uint8)"
                if low >= 0 and high <= 255
                else "undo what they were normalised with"
            )
            raise ArgumentError(f"images: values in [0, 1] expected, {low:g} to {high:g} came; {advice}")
    return array


def byte_pixels(images: npt.ArrayLike) -> Array:
    """Images as contiguous `uint8`, of the shape they came in."""
    array = _array(images, "images")
    if array.dtype != _UINT8:
        raise TypeError(
            f"images: uint8 (0 to 255) expected, {array.dtype} came; for values in [0, 1] pass "
            "numpy.rint(images * 255).astype(numpy.uint8), for values of 0 to 255 images.astype(numpy.uint8)"
        )
    return _contiguous(array, _UINT8)


def codes(latents: npt.ArrayLike) -> Array:
    """Latent codes as contiguous `float32`, of the shape they came in."""
    array = _array(latents, "latents")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"latents: real numbers expected, {array.dtype} came")
    return _contiguous(array, _FLOAT32)


def _refuse_colour(shape: tuple[int, ...], channels: int, grey: str, advice: str = "") -> None:
    raise ShapeError(
        f"images: shape {shape} looks like colour, {channels} channels, and grey images are expected"
        f"{advice + ', or' if advice else ';'} convert them: {grey}"
    )


def image_leading(
    shape: tuple[int, ...], height: int, width: int, advice: str = "", is_set: bool = False
) -> tuple[int, ...]:
    """The leading part of a shape that ends in (height, width), (height, width, 1) or (height * width).

    Args:
        shape: of the images.
        height: of the model's images.
        width: of the model's images.
        advice: what else could be done with images of another size.
        is_set: all leading axes become one; that of colours must not be among them.

    Raises:
        KindError: the model is a predictor, which has no size.
        ShapeError: it ends in neither, or has colours.
    """
    if height == 0:
        raise KindError("images: the model is a predictor, which has no size and no latent codes")
    if shape[-2:] == (height, width):
        leading = shape[:-2]
        if is_set and len(leading) >= 2 and leading[-1] in _COLOURS:
            _refuse_colour(
                shape, leading[-1], f"images[:, :3].mean(axis={len(shape) - 3}).astype(images.dtype)", advice
            )
        return leading
    if shape[-3:] == (height, width, 1):
        return shape[:-3]
    if len(shape) >= 1 and shape[-1] == height * width:
        return shape[:-1]
    if len(shape) >= 3 and shape[-1] in _COLOURS:
        _refuse_colour(shape, shape[-1], "images[..., :3].mean(axis=-1).astype(images.dtype)", advice)
    raise ShapeError(
        f"images: a shape that ends in ({height}, {width}) or ({height * width}) expected, "
        f"{shape} came{advice}"
    )


def model_leading(
    shape: tuple[int, ...], size: tuple[int, int, int], advice: str = "", is_set: bool = False
) -> tuple[int, ...]:
    """The leading part of a shape of images for a model of (H, W, C), as `image_leading` of a grey one.

    Raises:
        KindError: the model is a predictor, which has no size.
        ShapeError: they are not of that size, or have other channels.
    """
    height, width, channels = size
    if channels <= 1:
        return image_leading(shape, height, width, advice, is_set)
    if shape[-3:] == size:
        return shape[:-3]
    if len(shape) >= 1 and shape[-1] == height * width * channels:
        return shape[:-1]
    if shape[-3:] == (channels, height, width):
        raise ShapeError(
            f"images: a shape that ends in {size} expected, {shape} came, with channels first: "
            "numpy.moveaxis(images, -3, -1)"
        )
    raise ShapeError(
        f"images: a shape that ends in {size} or ({height * width * channels}) expected, {shape} came{advice}"
    )


def image_stack(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(N, H, W) of images whose size nobody else knows.

    Their shape is (N, H, W), (H, W), or has an axis of one channel, (N, H, W, 1) or (N, 1, H, W).

    Raises:
        ShapeError: it is another one: which axes are rows and columns would be a guess.
    """
    if len(shape) == 2:
        return (1, *shape)
    if len(shape) == 4 and shape[3] == 1:
        return shape[:3]
    if len(shape) == 4 and shape[1] == 1:
        return (shape[0], *shape[2:])
    # A row of 3 or 4 pixels is no picture: what has such rows is one picture in colour.
    if len(shape) >= 3 and shape[-1] in _COLOURS and (len(shape) > 3 or shape[-2] > 4):
        _refuse_colour(shape, shape[-1], "images[..., :3].mean(axis=-1).astype(numpy.uint8)")
    if len(shape) == 4 and shape[1] in _COLOURS:
        _refuse_colour(shape, shape[1], "images[:, :3].mean(axis=1).astype(numpy.uint8)")
    if len(shape) != 3:
        advice = ""
        if len(shape) > 3:
            advice = f"; images.reshape(-1, {shape[-2]}, {shape[-1]}) makes one set of them"
        raise ShapeError(f"images: shape (N, H, W) or (H, W) expected, {shape} came{advice}")
    return shape


def set_stack(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(N, H, W, C) of images of a set whose size nobody else knows.

    Their shape is (N, H, W, C) with 1, 3 or 4 channels, or one of grey images as `image_stack` takes them.

    Raises:
        ShapeError: it is another one, or may be two of these.
    """
    if len(shape) == 4 and shape[3] in _COLOURS:
        if shape[1] == 1:
            raise ShapeError(
                f"images: shape {shape} is that of images of 1 x {shape[2]} in {shape[3]} channels, or of "
                f"grey ones of {shape[2]} x {shape[3]}; say which with image_shape=(1, {shape[2]}, "
                f"{shape[3]}), or with images[:, 0, :, :, None]"
            )
        return (shape[0], shape[1], shape[2], shape[3])
    if len(shape) == 3 and shape[2] in _COLOURS and shape[1] > 4:
        raise ShapeError(
            f"images: shape {shape} looks like colour, one image of {shape[0]} x {shape[1]} in {shape[2]} "
            f"channels, or is that of {shape[0]} grey images of {shape[1]} x {shape[2]}: shape (N, H, W, C) "
            "expected; say which with images[None] for the one, or images[..., None] for the grey ones"
        )
    if len(shape) == 4 and shape[1] in _COLOURS:
        raise ShapeError(
            f"images: shape {shape} looks like colour, {shape[1]} channels before rows and columns: shape "
            "(N, H, W, C) expected; convert them: numpy.moveaxis(images, 1, -1)"
        )
    if len(shape) > 4 or (len(shape) == 4 and shape[3] != 1 and shape[1] != 1):
        axes = shape[-3:] if len(shape) > 4 and shape[-1] in _COLOURS else shape[-2:]
        raise ShapeError(
            f"images: shape (N, H, W), (H, W), or (N, H, W, C) with 1, 3 or 4 channels expected, {shape} "
            f"came; images.reshape(-1, {', '.join(map(str, axes))}) makes one set of them"
        )
    return (*image_stack(shape), 1)


def set_leading(shape: tuple[int, ...], size: tuple[int, int, int]) -> tuple[int, ...]:
    """The leading part of a shape of images of a set of (H, W, C).

    Raises:
        ShapeError: they are not of that size, or have other channels.
    """
    height, width, channels = size
    if channels == 1:
        return image_leading(shape, height, width, is_set=True)
    if shape[-3:] == size:
        return shape[:-3]
    if len(shape) in (1, 2) and shape[-1] == height * width * channels:
        return shape[:-1]
    raise ShapeError(
        f"images: a shape that ends in ({height}, {width}, {channels}) or "
        f"({height * width * channels}) expected, {shape} came"
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
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ArgumentError("out: a contiguous, aligned array that can be written to expected")
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
    array = _array(labels, "labels")
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
