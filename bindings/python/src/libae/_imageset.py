"""Image sets: packed into bytes, opened, and read at random."""

from __future__ import annotations

import ctypes
import operator
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign
from ._errors import ArgumentError, Error, ModelError, ShapeError
from ._library import Closing, Handle, check, file_path, lib, opened
from ._model import Model, default_model, filled

Index = Union[int, slice, Sequence[int], npt.NDArray[Any]]
Bytes = Union[bytes, bytearray, memoryview]


@dataclass(frozen=True)
class ImageSetInfo:
    """What an image set is."""

    count: int
    """Images."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    channels: int
    latent_size: int
    """Numbers in a latent code; 0 if the set names no model."""
    quality: int
    """As it was compressed; 0 without codes."""
    block_images: int
    """Images in a block; the last block may have fewer."""
    has_labels: bool
    has_names: bool
    has_model: bool
    """True if the decoder is embedded."""
    byte_count: int
    """The whole set, all headers counted."""
    model_hash: str
    """Of the model it was made with; zeros if it names none."""
    model_name: str
    layer: str
    """"latent" (codes), "exact" (every pixel) or "near-exact" (every pixel to within `max_error`)."""
    max_error: int
    """The most that a pixel may be off in a near-exact set; else 0."""
    effort: int
    """How exact blocks are coded: 1 by contexts that adapt, 2 by scans; 0 for codes."""
    needs_model: bool
    """False if every block can be read without a model."""


_LAYERS = ("latent", "exact", "near-exact")


def compress(
    images: npt.ArrayLike,
    model: Model | None = None,
    *,
    exact: bool = False,
    max_error: int | None = None,
    effort: int | None = None,
    preview: bool = False,
    quality: int | None = None,
    labels: npt.ArrayLike | None = None,
    embed_model: bool = False,
    block_images: int | None = None,
) -> bytes:
    """Packs images into an image set (.aez): a few bytes each, close to the originals, not equal.

    With `exact` every pixel comes back, with `max_error` every pixel to within so much; such sets may be
    of images of any size up to 64 x 64. The same input gives the same bytes on every machine.

    Args:
        images: (..., H, W) or, of the model's size, (..., H * W) `uint8`; the set holds them as one sequence.
        model: with a codec; None for the default model.
        exact: keep every pixel.
        max_error: keep every pixel to within so many grey levels, 1 to 32.
        effort: for exact sets, 1 for contexts that adapt (fast, no model) or 2 for scans that the model
            foretells (smallest); None for the strongest there is.
        preview: whether an exact set holds the images' codes, too.
        quality: 1 (smallest) to `model.info.quality_count` (best); None for the model's default.
        labels: a number from 0 to 255 for each image.
        embed_model: put the decoder into the set, which then needs no other file.
        block_images: images in a block, 1 to 65536; None for 512. What is read at random is decoded
            block by block.

    Returns:
        The set, as a file would hold it.

    Raises:
        ArgumentError: `exact` and `max_error` at once, or a number out of range.
        KindError: the model has no encoder or no codec, or not the effort.
        ShapeError: the images are not of the model's size.
    """
    if exact and max_error is not None:
        raise ArgumentError("exact and max_error exclude each other")
    options = _foreign.CompressOptions()
    check(lib.ae_compress_options_init(ctypes.byref(options), ctypes.sizeof(options)))
    if exact:
        options.layer = _LAYERS.index("exact")
    elif max_error is not None:
        options.layer = _LAYERS.index("near-exact")
        options.max_error = _arrays.whole(max_error, "max_error", 1, 32)
    if effort is not None:
        options.effort = _arrays.whole(effort, "effort", 1, 9)
    options.preview = 1 if preview else 0
    array = _arrays.byte_pixels(images)
    chosen = _model_for(array.shape, model, options)
    handle = None if chosen is None else chosen._use()
    if chosen is not None and options.width == 0:
        count = _arrays.total(_arrays.image_leading(array.shape, *chosen.image_shape))
        most = max(1, chosen.info.quality_count)
    else:
        count, most = _arrays.total(array.shape[:-2]), 16
    if quality is not None:
        options.quality = _arrays.whole(quality, "quality", 1, most)
    if block_images is not None:
        options.block_images = _arrays.whole(block_images, "block_images", 1, 65536)
    options.embed_model = 1 if embed_model else 0
    if labels is not None:
        marks = _arrays.label_bytes(labels, count)
        options.labels = _arrays.address(marks)
    return filled(
        lambda out, capacity, size: lib.ae_compress(
            None if handle is None else handle.pointer,
            _arrays.address(array),
            count,
            ctypes.byref(options),
            out,
            capacity,
            size,
        )
    )


def _model_for(
    shape: tuple[int, ...], model: Model | None, options: _foreign.CompressOptions
) -> Model | None:
    """The model to compress with; for exact sets of images of another size, their size in the options."""
    if options.layer == 0:
        return default_model() if model is None else model
    try:
        chosen = default_model() if model is None else model
    except Error:
        chosen = None  # an exact set needs none
    if chosen is not None:
        try:
            _arrays.image_leading(shape, *chosen.image_shape)
            return chosen
        except ShapeError:
            if len(shape) < 2:
                raise
    elif len(shape) < 2:
        raise ShapeError(f"images: a shape that ends in (H, W) expected, {shape} came")
    options.height, options.width = (_arrays.whole(side, "images: a side", 1, 64) for side in shape[-2:])
    return chosen


def decompress(source: str | os.PathLike[Any] | Bytes, model: Model | None = None) -> npt.NDArray[np.uint8]:
    """All images of a set: (N, H, W) `uint8`.

    Args:
        source: a path, or the set's bytes.
        model: as in `ImageSet.open`.

    Raises:
        As `ImageSet.open`, and ChecksumError for a damaged block; `ImageSet` still reads the others.
    """
    with ImageSet.open(source, model) as images:
        return images[:]


class ImageSet(Closing):
    """An open image set, immutable: any number of threads may read one at the same time.

    It behaves as a sequence of (H, W) `uint8` images. `len(images)` is their count; `images[7]` and
    `images[-1]` give one image; `images[10:20]`, `images[::100]` and `images[[3, 1, 4]]` give
    (n, H, W) and decode only the blocks they touch; `numpy.asarray(images)` gives all. Image sets cannot be
    pickled: pickle the bytes, and open them again.
    """

    def __init__(self, handle: Handle) -> None:
        """For the use of this package; see `ImageSet.open`."""
        self._handle: Handle | None = handle
        information = _foreign.ImageSetInformation(struct_size=ctypes.sizeof(_foreign.ImageSetInformation))
        check(lib.ae_imageset_info(handle.pointer, ctypes.byref(information)))
        self._info = ImageSetInfo(
            count=information.count,
            width=information.width,
            height=information.height,
            channels=information.channels,
            latent_size=information.latent_size,
            quality=information.quality,
            block_images=information.block_images,
            has_labels=bool(information.has_labels),
            has_names=bool(information.has_names),
            has_model=bool(information.has_model),
            byte_count=information.byte_count,
            model_hash=information.model_hash.decode("ascii"),
            model_name=information.model_name.decode("utf-8", "replace"),
            layer=_LAYERS[information.layer],
            max_error=information.max_error,
            effort=information.effort,
            needs_model=bool(information.needs_model),
        )

    @classmethod
    def open(cls, source: str | os.PathLike[Any] | Bytes, model: Model | None = None) -> ImageSet:
        """Opens an image set (.aez).

        Args:
            source: a path, or the set's bytes, which may go after the call.
            model: the model it was made with; None for the one embedded in it, or else the default
                model. The model may be closed while the set is open.

        Raises:
            FileError: it cannot be read.
            FormatError, ChecksumError, VersionError: it is not an image set, or damaged, or too new.
            ModelError: it was made with another model; the message names that one.
        """
        if model is not None:
            return cls(_open(source, model))
        try:
            return cls(_open(source, None))
        except ModelError as without:
            # The default model may be the one; if it is not, or is not there, the first message stands.
            try:
                fallback = default_model()
            except Error:
                raise without from None
            return cls(_open(source, fallback))

    @property
    def info(self) -> ImageSetInfo:
        """What the set is; also after `close`."""
        return self._info

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, H, W), as of the array of all images."""
        return (self._info.count, self._info.height, self._info.width)

    def __len__(self) -> int:
        return self._info.count

    def __getitem__(self, index: Index) -> npt.NDArray[np.uint8]:
        return self._gather(index, lib.ae_imageset_read, self.shape[1:], np.uint8)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Goes through the images, a block at a time."""
        block = self._info.block_images
        for first in range(0, len(self), block):
            yield from self[first : first + block]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("an image set becomes an array by decoding it, which is a copy")
        images = self[:]
        return images if dtype is None else images.astype(dtype, copy=False)

    def salvage(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """All images of a set that may be damaged, and which of them are lost.

        Returns:
            The images, (N, H, W) `uint8`, those that are lost black; and (N) `bool`, True for those.
        """
        handle = self._use()
        images = np.empty(self.shape, np.uint8)
        lost = np.empty(len(self), np.uint8)
        check(
            lib.ae_imageset_salvage(
                handle.pointer, 0, len(self), _arrays.address(images), _arrays.address(lost), None
            )
        )
        return images, lost.astype(np.bool_)

    def codes(self, index: Index) -> npt.NDArray[np.float32]:
        """Latent codes, without decoding pixels, indexed as the images are: (d) or (n, d) `float32`.

        Raises:
            KindError: one of them is kept as pixels, since the model does badly on it, and has no code.
        """
        return self._gather(index, lib.ae_imageset_latents, (self._info.latent_size,), np.float32)

    @property
    def latents(self) -> npt.NDArray[np.float32]:
        """The latent codes of all images, (N, d) `float32`: what `Model.decode` takes. See `codes`."""
        return self.codes(slice(None))

    @property
    def labels(self) -> npt.NDArray[np.uint8] | None:
        """The labels, (N) `uint8`, or None if the set has none."""
        handle = self._use()
        if not self._info.has_labels:
            return None
        marks = np.empty(len(self), np.uint8)
        check(lib.ae_imageset_labels(handle.pointer, 0, marks.size, _arrays.address(marks)))
        return marks

    @property
    def names(self) -> list[str] | None:
        """The images' file names, or None if the set has none."""
        handle = self._use()
        if not self._info.has_names:
            return None
        names = []
        room = ctypes.create_string_buffer(1024)
        size = ctypes.c_size_t()
        for index in range(len(self)):
            arguments = (handle.pointer, index)
            status = lib.ae_imageset_name(*arguments, room, len(room), ctypes.byref(size))
            if status == _foreign.STATUS_BUFFER:
                room = ctypes.create_string_buffer(size.value)
                status = lib.ae_imageset_name(*arguments, room, len(room), ctypes.byref(size))
            check(status)
            names.append(room.value.decode("utf-8"))
        return names

    def _gather(
        self, index: Any, call: Any, item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        handle = self._use()
        count = len(self)
        out: npt.NDArray[Any]
        if isinstance(index, slice):
            positions = range(*index.indices(count))
            out = np.empty((len(positions), *item_shape), dtype)
            if positions.step == 1:
                check(call(handle.pointer, positions.start, len(positions), _arrays.address(out)))
                return out
            chosen = np.arange(positions.start, positions.stop, positions.step, dtype=np.int64)
        elif isinstance(index, (list, tuple, np.ndarray)) and np.ndim(index) == 1:
            chosen = _positions(index, count)
            out = np.empty((chosen.size, *item_shape), dtype)
        else:
            out = np.empty((1, *item_shape), dtype)
            check(call(handle.pointer, _position(index, count), 1, _arrays.address(out)))
            return out.reshape(item_shape)

        # Block by block, so that each is decoded once, whatever the order asked for.
        order = np.argsort(chosen, kind="stable")
        bounds = np.flatnonzero(np.diff(chosen[order] // self._info.block_images)) + 1
        for run in np.split(order, bounds) if order.size else ():
            wanted = chosen[run]
            first, last = int(wanted[0]), int(wanted[-1])
            items = np.empty((last - first + 1, *item_shape), dtype)
            check(call(handle.pointer, first, len(items), _arrays.address(items)))
            out[run] = items[wanted - first]
        return out

    def __reduce__(self) -> Any:
        raise TypeError("an ImageSet cannot be pickled: pickle its bytes, and open them again")

    def __enter__(self) -> ImageSet:
        self._use()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self._info
        closed = ", closed" if self.closed else ""
        return (
            f"<libae.ImageSet: {info.count} images of {info.height} x {info.width} pixels, "
            f"quality {info.quality}, {info.byte_count} bytes{closed}>"
        )


def _open(source: str | os.PathLike[Any] | Bytes, model: Model | None) -> Handle:
    # Held here, so that closing the model elsewhere meanwhile does not free it.
    held = None if model is None else model._use()
    pointer = None if held is None else held.pointer
    if isinstance(source, (str, os.PathLike)):
        path = file_path(source)
        return opened(lib.ae_imageset_free, lambda out: lib.ae_imageset_open(path, pointer, out))
    data = _arrays.raw_bytes(source)
    return opened(
        lib.ae_imageset_free,
        lambda out: lib.ae_imageset_open_memory(_arrays.address(data), data.size, pointer, out),
    )


def _position(index: Any, count: int) -> int:
    try:
        position = operator.index(index)
    except TypeError:
        raise TypeError(
            "an image set is indexed by an integer, a slice, or a list or 1-D array of integers; "
            f"{type(index).__name__} came"
        ) from None
    if not -count <= position < count:
        raise IndexError(f"image {position} of a set of {count}")
    return position + count if position < 0 else position


def _positions(index: Any, count: int) -> npt.NDArray[np.int64]:
    array = np.asarray(index)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind == "b":
        if array.size != count:
            raise IndexError(f"a mask of {array.size} for a set of {count}")
        chosen: npt.NDArray[np.int64] = np.flatnonzero(array)
        return chosen
    if array.dtype.kind not in "iu":
        raise TypeError(f"an image set is indexed by integers, {array.dtype} came")
    outside = array[(array < -count) | (array >= count)] if array.dtype.kind == "i" else array[array >= count]
    if outside.size:
        raise IndexError(f"image {outside[0]} of a set of {count}")
    positions: npt.NDArray[np.int64] = array.astype(np.int64)
    positions[positions < 0] += count
    return positions
