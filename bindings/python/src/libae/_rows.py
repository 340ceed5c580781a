"""How arrays of any range and shape become what the engine takes, images of values in [0, 1], and back.

`libae.sklearn` stands on it: rows of features become images, and a `Scale` moves values to [0, 1].
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._arrays import Array
from ._errors import ArgumentError, ShapeError

# What the engine takes of an image: the longest side, and the numbers of a pixel.
_SIDE = 256
_CHANNELS = (1, 3, 4)
_VALUES_IN_PART = 1 << 20

Scaling = Union[str, Sequence[float]]
SCALINGS = ("auto", "feature")


@dataclass(frozen=True)
class Scale:
    """The range of values that [0, 1] stands for: one for all values, or one for each feature."""

    low: Any
    """A float, or (features) float64."""
    span: Any
    """Likewise, at least 0; where it is 0, the value is always `low`."""

    @classmethod
    def learned(cls, rows: Array, scaling: Scaling) -> Scale:
        """The scale of (N, features) real numbers.

        Args:
            rows: all finite.
            scaling: "auto" for 0 to 255 if they are bytes, else for the least and the greatest of all values;
                "feature" for those of each feature; or (low, high).

        Raises:
            ArgumentError: `scaling` is none of these, or the values are too far apart.
        """
        low: Any
        high: Any
        if isinstance(scaling, str):
            if scaling not in SCALINGS:
                raise ArgumentError(f"scaling: 'auto', 'feature' or (low, high) expected, {scaling!r} came")
            if scaling == "auto" and rows.dtype == np.uint8:
                low, high = 0.0, 255.0
            else:
                axis = 0 if scaling == "feature" else None
                low, high = rows.min(axis=axis), rows.max(axis=axis)
        else:
            low, high = _bounds(scaling)
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        with np.errstate(over="ignore"):
            span = high - low
        if not np.isfinite(span).all():
            raise ArgumentError("X: values too far apart for float64: their range is not finite")
        return cls(float(low), float(span)) if low.ndim == 0 else cls(low, span)

    @property
    def is_bytes(self) -> bool:
        """True if bytes need not be scaled: 0 to 255."""
        return bool(np.all(self.low == 0) and np.all(self.span == 255))

    def to_unit(self, rows: Array) -> npt.NDArray[np.float32]:
        """Values in [0, 1]; what lies outside the range becomes 0 or 1."""
        unit = np.zeros(rows.shape, np.float32)
        for part in _parts(rows):
            with np.errstate(over="ignore"):
                values = np.subtract(rows[part], self.low, dtype=np.float64)
                # Where the range is 0, the value stays 0, whatever comes.
                np.divide(values, self.span, out=values, where=np.greater(self.span, 0))
            np.clip(values, 0, 1, out=values)
            np.copyto(unit[part], values, where=np.greater(self.span, 0), casting="same_kind")
        return unit

    def from_unit(self, unit: Array, dtype: npt.DTypeLike) -> Array:
        """What (N, features) values in [0, 1] stand for."""
        result: Array = np.empty(unit.shape, dtype)
        for part in _parts(unit):
            values = np.multiply(unit[part], self.span, dtype=np.float64)
            values += self.low
            result[part] = values
        return result


def _parts(rows: Array) -> Iterator[slice]:
    """Some rows at a time, so that what is computed in float64 on the way takes little memory."""
    step = max(1, _VALUES_IN_PART // max(1, rows.shape[1]))
    return (slice(first, first + step) for first in range(0, len(rows), step))


def _bounds(pair: Any) -> tuple[float, float]:
    """(low, high) of a pair that a caller gave."""
    try:
        low, high = (float(bound) for bound in pair)
    except (TypeError, ValueError):
        raise ArgumentError(f"scaling: 'auto', 'feature' or (low, high) expected, {pair!r} came") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ArgumentError(f"scaling: (low, high) with low < high expected, {pair!r} came")
    return low, high


def bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape of images without an axis of one channel."""
    return shape[:2] if len(shape) == 3 and shape[2] == 1 else shape


def checked_shape(shape: Any, name: str) -> tuple[int, ...]:
    """(H, W) or (H, W, C) as such a tuple; one channel is left out.

    Raises:
        ShapeError: it is neither, or no shape that images may have; the message begins with `name`.
    """
    if not isinstance(shape, (tuple, list, np.ndarray)) or len(shape) not in (2, 3):
        raise ShapeError(f"{name}: (H, W) or (H, W, C) expected, {shape!r} came")
    try:
        sides = tuple(operator.index(side) for side in shape)
    except TypeError:
        raise ShapeError(f"{name}: integers expected, {shape!r} came") from None
    if not all(1 <= side <= _SIDE for side in sides[:2]):
        raise ShapeError(f"{name}: sides of 1 to {_SIDE} expected, {sides} came")
    if len(sides) == 3 and sides[2] not in _CHANNELS:
        advice = ""
        if sides[0] in _CHANNELS:
            advice = "; channels go last: numpy.moveaxis(images, 1, -1)"
        raise ShapeError(f"{name}: 1, 3 or 4 channels in the last place expected, {sides} came{advice}")
    return bare(sides)


def row_shape(features: int) -> tuple[int, int]:
    """(H, W) of the image that a row of features becomes: sides to 256, as few pixels more as can be.

    Raises:
        ShapeError: there are more features than an image has pixels.
    """
    if features <= _SIDE:
        return 1, features
    if features > _SIDE * _SIDE:
        raise ShapeError(
            f"X: at most {_SIDE * _SIDE} features expected, {features} came; images in colour may have more, "
            "with image_shape=(H, W, C)"
        )
    for height in range(math.isqrt(features), 1, -1):
        if features % height == 0 and features // height <= _SIDE:
            return height, features // height
    height = -(-features // _SIDE)
    return height, -(-features // height)


def as_images(unit: Array, shape: tuple[int, ...]) -> Array:
    """(N, features) as (N, *shape), with zeros behind the features where the image has more pixels."""
    pixels = math.prod(shape)
    if unit.shape[1] < pixels:
        wider = np.zeros((len(unit), pixels), unit.dtype)
        wider[:, : unit.shape[1]] = unit
        unit = wider
    return unit.reshape(len(unit), *shape)


def as_rows(images: Array, features: int) -> Array:
    """(N, *shape) as (N, features): the way back of `as_images`."""
    return images.reshape(len(images), -1)[:, :features]
