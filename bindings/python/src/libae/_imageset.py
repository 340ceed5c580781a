"""Image sets: packed into bytes, opened, and read at random."""

from __future__ import annotations

import ctypes
import operator
import os
import stat
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign, _picture
from ._callbacks import Callbacks
from ._errors import ArgumentError, Error, FileError, FormatError, ModelError, PoorFitWarning, ShapeError
from ._library import Closing, Handle, check, file_path, lib, opened, suggesting
from ._model import Model, default_model, filled

Index = Union[int, slice, Sequence[int], npt.NDArray[Any]]
Bytes = Union[bytes, bytearray, memoryview]
CountFunction = Callable[[int, int], Any]


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
    kept_count: int
    """Images of a "latent" set that are kept as pixels, since the model does badly on them."""


_LAYERS = ("latent", "exact", "near-exact")


@suggesting()
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
    progress: CountFunction | None = None,
) -> bytes:
    """Packs images into an image set (.aez): a few bytes each, close to the originals, not equal.

    With `exact` every pixel comes back, with `max_error` every pixel to within so much; such sets may be
    of images of any size up to 64 x 64. The same input gives the same bytes on every machine.

    Args:
        images: `uint8`, (N, H, W) or (H, W), perhaps with an axis of one channel; of the model's size also
            with other leading axes, or flat, (..., H * W). The set holds them as one sequence. Colour is
            refused.
        model: with a codec; None for the default model.
        exact: keep every pixel.
        max_error: keep every pixel to within so many grey levels, 1 to 32.
        effort: for exact sets, 1 for contexts that adapt (fast, no model) or 2 for scans that the model
            foretells (smallest); None for the strongest there is.
        preview: whether an exact set holds the images' codes, too.
        quality: 1 (smallest) to `model.info.quality_count` (best); None for the model's default.
        labels: a number from 0 to 255 for each image.
        embed_model: put the decoder into the set, which then needs no other file.
        block_images: images in a block, 1 to 65536; None for 500. What is read at random is decoded
            block by block.
        progress: called on this thread some ten times a second with how many images are done and how many
            there are. Returning False, also numpy's, stops within a few images; what it raises stops, too,
            and is raised again here; so is KeyboardInterrupt, with or without it.

    Returns:
        The set, as a file would hold it.

    Raises:
        ArgumentError: `exact` and `max_error` at once, or a number out of range.
        KindError: the model has no encoder or no codec, or not the effort.
        ShapeError: the images are not of the model's size, or have colours.
        StoppedError: `progress` returned False.

    Warns:
        PoorFitWarning: the default model does badly on more than a tenth of the images.
    """
    order = _Order(
        images, model, exact, max_error, effort, preview, quality, labels, embed_model, block_images, progress
    )
    with order.callbacks.running():
        packed = filled(lambda *out: lib.ae_compress(*order.arguments, *out))
    order.warn(packed)
    return packed


@suggesting()
def compress_file(
    path: str | os.PathLike[Any],
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
    progress: CountFunction | None = None,
) -> None:
    """Packs images into a file, replacing what is there, with the care of `Model.save`.

    Args:
        path: where to.
        images, model, exact, max_error, effort, preview, quality, labels, embed_model, block_images,
            progress: as in `compress`.

    Raises:
        FileError: it cannot be written; what was there is as it was.
    """
    target = file_path(path)
    order = _Order(
        images, model, exact, max_error, effort, preview, quality, labels, embed_model, block_images, progress
    )
    with order.callbacks.running():
        check(lib.ae_compress_file(*order.arguments, target), path)
    # What cannot be read again, such as a pipe, is not looked at.
    if os.path.isfile(path):
        order.warn(path)


class _Counting(Callbacks):
    """The C callback of `compress`, and the Python function behind it, if there is one."""

    def __init__(self, progress: CountFunction | None) -> None:
        super().__init__()
        self.progress = progress
        self.c_progress = _foreign.CountCallback(self._on_progress)

    def _on_progress(self, _context: Any, done: int, count: int) -> int:
        return self.stops(lambda: None if self.progress is None else self.progress(done, count))


class _Order:
    """What `compress` is to do, checked and as C takes it."""

    def __init__(
        self,
        images: npt.ArrayLike,
        model: Model | None,
        exact: bool,
        max_error: int | None,
        effort: int | None,
        preview: bool,
        quality: int | None,
        labels: npt.ArrayLike | None,
        embed_model: bool,
        block_images: int | None,
        progress: CountFunction | None,
    ) -> None:
        if exact and max_error is not None:
            raise ArgumentError("exact and max_error exclude each other")
        self.options = options = _foreign.CompressOptions()
        check(lib.ae_compress_options_init(ctypes.byref(options), ctypes.sizeof(options)))
        if exact:
            options.layer = _LAYERS.index("exact")
        elif max_error is not None:
            options.layer = _LAYERS.index("near-exact")
            options.max_error = _arrays.whole(max_error, "max_error", 1, 32)
        if effort is not None:
            options.effort = _arrays.whole(effort, "effort", 1, 9)
        options.preview = 1 if preview else 0
        self.array = _arrays.byte_pixels(images)
        chosen, count = _model_for(self.array.shape, model, options)
        most = max(1, chosen.info.quality_count) if chosen is not None and options.width == 0 else 16
        if quality is not None:
            options.quality = _arrays.whole(quality, "quality", 1, most)
        if block_images is not None:
            options.block_images = _arrays.whole(block_images, "block_images", 1, 65536)
        options.embed_model = 1 if embed_model else 0
        self.callbacks = _Counting(progress)
        options.progress = self.callbacks.c_progress
        self.marks = None if labels is None else _arrays.label_bytes(labels, count)
        if self.marks is not None:
            options.labels = _arrays.address(self.marks)
        # Held, so that closing the model elsewhere meanwhile does not free it.
        self.handle = None if chosen is None else chosen._use()
        self.model = chosen
        self.is_default = model is None
        self.arguments = (
            None if self.handle is None else self.handle.pointer,
            _arrays.address(self.array),
            count,
            ctypes.byref(options),
        )

    def warn(self, packed: str | os.PathLike[Any] | Bytes) -> None:
        """Says if the model that nobody chose does badly on many of the images."""
        if not self.is_default or self.options.layer != 0 or self.model is None:
            return
        information = _information(_open(packed, self.model))
        kept, count = information.kept_count, information.count
        # Of blank images and the like, pixels are smaller than codes; that is nothing to warn of.
        if 10 * kept > count and self._does_badly(self.model):
            warnings.warn(
                f'{kept} of {count} images are kept as pixels: the default model, "{self.model.name}", does '
                "badly on them; train a model of their own (libae.train), or keep every pixel (exact=True)",
                PoorFitWarning,
                stacklevel=4,
            )

    def _does_badly(self, model: Model) -> bool:
        """Whether the model says too little of more than a tenth of some images, evenly spread."""
        images = self.array.reshape(-1, *model.image_shape)
        sample = images[:: max(1, len(images) // 200)]
        pictures = model.decode(model.encode(sample), dtype=np.uint8)
        # The rule by which the library keeps an image.
        error = np.square(pictures.astype(np.float64) - sample).mean(axis=(1, 2))
        variance = sample.var(axis=(1, 2))
        return bool(10 * np.count_nonzero((variance > 0) & (error >= 7 / 8 * variance)) > len(sample))


def _model_for(
    shape: tuple[int, ...], model: Model | None, options: _foreign.CompressOptions
) -> tuple[Model | None, int]:
    """The model to compress with, and the count of images.

    For exact sets of images of another size than the model's, their size is put into the options.
    """
    chosen = model
    if model is None:
        try:
            chosen = default_model()
        except Error:
            if options.layer == 0:
                raise
            # An exact set needs none.
    if chosen is not None:
        name = f'the default model, "{chosen.name}",' if model is None else f'the model "{chosen.name}"'
        size = "{} x {}".format(*chosen.image_shape)
        advice = (
            f", and {name} takes {size}; train a model for these (libae.train), "
            "or keep every pixel (exact=True)"
        )
        try:
            leading = _arrays.image_leading(shape, *chosen.image_shape, advice, is_set=True)
            return chosen, _arrays.total(leading)
        except ShapeError:
            if options.layer == 0:
                raise
    count, height, width = _arrays.image_stack(shape)
    options.height = _arrays.whole(height, "images: a side", 1, 64)
    options.width = _arrays.whole(width, "images: a side", 1, 64)
    return chosen, count


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


class _Blocks:
    """The blocks that were decoded last, so that images asked for at random do not each cost a block.

    It is for one set, and holds no more than `limit` bytes. A thread that finds it taken does without, and
    so does a process that was forked while it was.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: OrderedDict[tuple[str, int], npt.NDArray[Any]] = OrderedDict()
        self._byte_count = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int]) -> npt.NDArray[Any] | None:
        if not self._lock.acquire(blocking=False):
            return None
        try:
            block = self._held.get(key)
            if block is not None:
                self._held.move_to_end(key)
            return block
        finally:
            self._lock.release()

    def put(self, key: tuple[str, int], block: npt.NDArray[Any]) -> None:
        if block.nbytes > self.limit or not self._lock.acquire(blocking=False):
            return
        try:
            old = self._held.pop(key, None)
            self._byte_count += block.nbytes - (0 if old is None else old.nbytes)
            self._held[key] = block
            while self._byte_count > self.limit:
                _, gone = self._held.popitem(last=False)
                self._byte_count -= gone.nbytes
        finally:
            self._lock.release()


_CACHE_BYTES = 64 << 20
# Images that one call decodes: between calls, Python hears Ctrl-C.
_IMAGES_IN_CALL = 16384
# Each of them takes longer.
_EXACT_IMAGES_IN_CALL = 4096


class ImageSet(Closing):
    """An open image set, immutable: any number of threads may read one at the same time.

    It behaves as a sequence of (H, W) `uint8` images. `len(images)` is their count; `images[7]` and
    `images[-1]` give one image; `images[10:20]`, `images[::100]` and `images[[3, 1, 4]]` give
    (n, H, W) and decode only the blocks they touch; `numpy.asarray(images)` gives all. The blocks decoded
    last are kept, so that reading in any order costs little more than reading in order.

    Image sets can be pickled and copied. One from a path is pickled as the path, and what reads it finds the
    same file there, or says that it has changed; one from bytes is pickled as these. The model that was given
    with it goes along.
    """

    def __init__(
        self,
        handle: Handle,
        source: _Source | None = None,
        model: Handle | None = None,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        """For the use of this package; see `ImageSet.open`."""
        self._handle: Handle | None = handle
        self._source = source
        self._model = model
        self._blocks = _Blocks(cache_bytes)
        self._last_missed: tuple[str, int] | None = None
        information = _information(handle)
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
            kept_count=information.kept_count,
        )

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[Any] | Bytes,
        model: Model | None = None,
        *,
        cache_bytes: int = _CACHE_BYTES,
    ) -> ImageSet:
        """Opens an image set (.aez).

        Args:
            source: a path, or the set's bytes, which may go after the call.
            model: the model it was made with; None for the one embedded in it, or else the default
                model. The model may be closed while the set is open.
            cache_bytes: how much memory the blocks decoded last may take; 0 keeps none.

        Raises:
            FileError: it cannot be read.
            FormatError, ChecksumError, VersionError: it is not an image set, or damaged, or too new.
            ModelError: it was made with another model; the message names that one.
        """
        limit = _arrays.whole(cache_bytes, "cache_bytes", 0, 2**63 - 1)
        origin = _Source(source)
        if model is not None:
            return cls(_open(source, model), origin, model._use(), limit)
        try:
            return cls(_open(source, None), origin, None, limit)
        except ModelError as without:
            # The default model may be the one; if it is not, or is not there, the first message stands.
            try:
                fallback = default_model()
            except Error:
                raise without from None
            return cls(_open(source, fallback), origin, None, limit)

    @property
    def info(self) -> ImageSetInfo:
        """What the set is; also after `close`."""
        return self._info

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, H, W), as of the array of all images."""
        return (self._info.count, self._info.height, self._info.width)

    @property
    def ndim(self) -> int:
        """3, as of the array of all images."""
        return 3

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """`uint8`, as of the array of all images."""
        return np.dtype(np.uint8)

    @property
    def size(self) -> int:
        """Pixels of all images."""
        return _arrays.total(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the array of all images; those of the set itself are `info.byte_count`."""
        return self.size

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
        for first, last in self._parts(0, len(self)):
            into = _arrays.address(images[first:last]), _arrays.address(lost[first:last])
            check(lib.ae_imageset_salvage(handle.pointer, first, last - first, *into, None))
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
        self._use()
        count = len(self)
        if isinstance(index, slice):
            positions = range(*index.indices(count))
            if positions.step == 1 and len(positions) >= self._info.block_images:
                return self._read(call, positions.start, len(positions), item_shape, dtype)
            chosen = np.arange(positions.start, positions.stop, positions.step, dtype=np.int64)
        elif isinstance(index, (list, tuple, np.ndarray)) and np.ndim(index) == 1:
            chosen = _positions(index, count)
        else:
            place = _position(index, count)
            number, offset = divmod(place, self._info.block_images)
            block = self._block(call, number, item_shape, dtype, 1)
            one: npt.NDArray[Any]
            if block is not None:
                one = block[offset].copy()
            else:
                one = self._read(call, place, 1, item_shape, dtype)[0]
            return one
        return self._items(call, chosen, item_shape, dtype)

    def _read(
        self, call: Any, first: int, count: int, item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Images or codes `first` to `first + count - 1`, not from the cache."""
        handle = self._use()
        out = np.empty((count, *item_shape), dtype)
        for start, end in self._parts(first, first + count):
            check(call(handle.pointer, start, end - start, _arrays.address(out[start - first : end - first])))
        return out

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges that one call each decodes: of whole blocks, so that none is decoded twice."""
        block = self._info.block_images
        images = _IMAGES_IN_CALL if self._info.layer == "latent" else _EXACT_IMAGES_IN_CALL
        step = max(1, images // block) * block
        while first < last:
            end = min(last, (first // step + 1) * step)
            yield first, end
            first = end

    def _items(
        self, call: Any, chosen: npt.NDArray[np.int64], item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Images or codes at any places, each block decoded once, whatever the order asked for."""
        out = np.empty((chosen.size, *item_shape), dtype)
        size = self._info.block_images
        order = np.argsort(chosen, kind="stable")
        bounds = np.flatnonzero(np.diff(chosen[order] // size)) + 1
        for run in np.split(order, bounds) if order.size else ():
            wanted = chosen[run]
            first = int(wanted[0]) // size * size
            last = int(wanted[-1])
            block = self._block(call, first // size, item_shape, dtype, run.size)
            if block is None:
                first = int(wanted[0])
                block = self._read(call, first, last - first + 1, item_shape, dtype)
            out[run] = block[wanted - first]
        return out

    def _block(
        self, call: Any, index: int, item_shape: tuple[int, ...], dtype: npt.DTypeLike, wanted: int
    ) -> npt.NDArray[Any] | None:
        """A block from the cache, or decoded and put there; None if the images are better read alone."""
        first = index * self._info.block_images
        count = min(self._info.block_images, len(self) - first)
        key = (call.__name__, index)
        block = self._blocks.get(key)
        if block is not None:
            return block
        item_bytes = np.dtype(dtype).itemsize * _arrays.total(item_shape)
        if count * item_bytes > self._blocks.limit:
            return None
        # All of a set that fits will be there in the end. Of a larger one, a block at random is gone before
        # it is asked for again; one that is asked for twice in a row is being read through.
        fits = len(self) * item_bytes <= self._blocks.limit
        if not fits and 2 * wanted < count and self._last_missed != key:
            self._last_missed = key
            return None
        try:
            block = self._read(call, first, count, item_shape, dtype)
        except Error:
            # One image of the block may be damaged, or have no code, and the one wanted be whole.
            return None
        self._blocks.put(key, block)
        return block

    def __reduce__(self) -> tuple[Any, ...]:
        if self._source is None:
            raise TypeError("this ImageSet cannot be pickled: pickle its bytes, and open them again")
        self._use()
        kept, digest = self._source.pickled(self._info.byte_count)
        model = None if self._model is None else Model(self._model)
        return _opened_again, (kept, digest, model, self._info, self._blocks.limit)

    def __copy__(self) -> ImageSet:
        """Another `ImageSet` of the same memory: closing one leaves the other open."""
        return type(self)(self._use(), self._source, self._model, self._blocks.limit)

    def __deepcopy__(self, memo: Any) -> ImageSet:
        return self.__copy__()

    def __enter__(self) -> ImageSet:
        self._use()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self.closed else ""
        return f"<libae.ImageSet: {self._sentence()}{closed}>"

    def _sentence(self) -> str:
        info = self._info
        if info.layer == "exact":
            kept = "every pixel"
        elif info.layer == "near-exact":
            kept = f"every pixel to within {info.max_error}"
        else:
            kept = f"quality {info.quality}"
        return f"{info.count} images of {info.height} x {info.width} pixels, {kept}, {info.byte_count} bytes"

    def _repr_html_(self) -> str:
        """What a notebook shows: the first images, and the sentence of `repr`."""
        if self.closed:
            return _picture.html(None, repr(self))
        try:
            # Of a block at most: a look is to be cheap.
            images = self[: min(_picture.COUNT, self._info.block_images)]
        except Error as error:
            return _picture.html(None, f"{self._sentence()}; {error}")
        return _picture.html(images, self._sentence())


def _information(handle: Handle) -> _foreign.ImageSetInformation:
    information = _foreign.ImageSetInformation(struct_size=ctypes.sizeof(_foreign.ImageSetInformation))
    check(lib.ae_imageset_info(handle.pointer, ctypes.byref(information)))
    return information


class _Source:
    """Where a set came from, as far as it takes to open it again in another process."""

    def __init__(self, source: str | os.PathLike[Any] | Bytes) -> None:
        self.data: bytes | None = None
        self.path: str | bytes | None = None
        self.state: tuple[int, ...] | None = None
        if isinstance(source, (str, os.PathLike)):
            file_path(source)
            self.path = os.path.abspath(os.fspath(source))
            self.state = self._state()
        else:
            # What may still change is copied.
            self.data = source if type(source) is bytes else bytes(memoryview(source))

    def _state(self) -> tuple[int, ...] | None:
        assert self.path is not None
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def pickled(self, byte_count: int) -> tuple[str | bytes | bytearray, bytes]:
        """The path and a digest of its file; or the bytes, as a bytearray, since a path may be bytes."""
        if self.path is None:
            assert self.data is not None
            return bytearray(self.data), b""
        if self.state is None:
            raise TypeError(f"this ImageSet cannot be pickled: {self.path!r} is no file to open again")
        digest = _digest(self.path, byte_count) if self._state() == self.state else b""
        if self._state() != self.state:
            raise FileError(f"{os.fsdecode(self.path)}: has changed since it was opened", 0, self.path)
        return self.path, digest


def _digest(path: str | bytes, byte_count: int) -> bytes:
    import hashlib  # here, since few need it

    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb", buffering=0) as file:
        left = byte_count
        while left > 0:
            part = file.read(min(left, 1 << 20))
            if not part:
                break
            digest.update(part)
            left -= len(part)
    return digest.digest()


def _opened_again(
    kept: str | bytes | bytearray, digest: bytes, model: Model | None, info: ImageSetInfo, cache_bytes: int
) -> ImageSet:
    """What unpickling calls."""
    if isinstance(kept, bytearray):
        return ImageSet.open(bytes(kept), model, cache_bytes=cache_bytes)
    images = ImageSet.open(os.fsdecode(kept), model, cache_bytes=cache_bytes)
    if images.info != info or _digest(kept, info.byte_count) != digest:
        raise FormatError(f"{os.fsdecode(kept)}: is not the image set any more that was pickled")
    return images


def _open(source: str | os.PathLike[Any] | Bytes, model: Model | None) -> Handle:
    # Held here, so that closing the model elsewhere meanwhile does not free it.
    held = None if model is None else model._use()
    pointer = None if held is None else held.pointer
    if isinstance(source, (str, os.PathLike)):
        path = file_path(source)
        return opened(lib.ae_imageset_free, lambda out: lib.ae_imageset_open(path, pointer, out), path=source)
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
