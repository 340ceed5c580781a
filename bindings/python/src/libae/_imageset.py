"""Image sets: opened from paths, bytes, file objects and ranges, and read at random."""

from __future__ import annotations

import ctypes
import io
import mmap
import operator
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Callable, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign, _picture
from ._callbacks import Callbacks
from ._context import Context, Held
from ._errors import ArgumentError, CapacityError, Error, FileError, FormatError
from ._library import Closing, Handle, check, file_path, lib, opened
from ._model import Model

Index = Any
"""As of arrays of numpy: an integer, a slice, `...`, None, a list or array of integers or booleans, or a
tuple of these."""
Bytes = Union[bytes, bytearray, memoryview]
ReadFunction = Callable[[int, int], Any]
"""Takes an offset and a count of bytes, and returns these bytes."""


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
    """Bytes of a pixel: 1 (grey), 3 (as RGB) or 4 (as RGBA)."""
    latent_size: int
    """Numbers in a latent code; 0 if the set names no model."""
    quality: int
    """Of 1 to the model's `quality_count`; 0 if the set is not lossy."""
    block_images: int
    """Images in a block; the last one, and those of sets that were concatenated, may have others."""
    has_labels: bool
    has_names: bool
    has_model: bool
    """True if the decoder is embedded."""
    byte_count: int
    """The whole set, all headers counted."""
    model_hash: str
    """Of the model it was made with; zeros if it names none."""
    model_name: str
    mode: str
    """"lossy" (codes), "lossless" (every pixel) or "near-lossless" (every pixel to within `max_error`)."""
    max_error: int
    """The most that a pixel may be off in a near-lossless set; else 0."""
    method: str | None
    """Of a lossless or near-lossless set: "scans" if a block is coded so, else "predicted" likewise, else
    "contexts"; None for a lossy set."""
    needs_model: bool
    """False if every block can be read without a model."""
    kept_count: int
    """Images of a lossy set that are stored as pixels, since the model reconstructs them too poorly."""
    scale_quality: int
    """The quality on the scale over the models that come with libae, as `compress` takes it without a
    model; 0 for other models."""
    needs_predictor: bool
    """Whether a block needs a predictor of pixels, which may be the universal one."""
    predictor_hash: str
    """Of that predictor, 64 hexadecimal digits; zeros if none is needed."""
    predictor_name: str
    """The name of the model that holds it."""


def decompress(
    source: str | os.PathLike[Any] | Bytes,
    model: Model | None = None,
    *,
    context: Context | None = None,
) -> npt.NDArray[np.uint8]:
    """All images of a set: (N, H, W) `uint8`, or (N, H, W, C) of images of 3 or 4 channels.

    Args:
        source: a path, the set's bytes, or an open file.
        model: as in `ImageSet.open`.
        context: as in `ImageSet.open`.

    Raises:
        As `ImageSet.open`, and ChecksumError for a damaged block; `ImageSet` still reads the others.
    """
    with ImageSet.open(source, model, context=context) as images:
        return images[:]


class _Reader(Callbacks):
    """ae_read_callback of one set, and the Python function behind it: called from several threads at once."""

    def __init__(self, read: ReadFunction) -> None:
        super().__init__()
        self.read = read
        self.c_read = _foreign.ReadCallback(self._on_read)

    def _on_read(self, _context: Any, offset: int, count: int, out: int) -> int:
        try:
            # A view of bytes, whatever its items are.
            data = memoryview(self.read(offset, count)).cast("B")
            if data.nbytes != count:
                raise FileError(f"{count} bytes from {offset} on were asked for, {data.nbytes} came")
            if count:
                ctypes.memmove(out, _arrays.address(np.frombuffer(data, np.uint8)), count)
        except BaseException as error:
            self.exception = error
            return 1
        return 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around a call: what the function raised comes through, also where the library makes do without
        the bytes."""
        try:
            with self._signals_put_off():
                yield
        except Error:
            if self.exception is None:
                raise
        raised, self.exception = self.exception, None
        if raised is not None:
            raise raised


class _File:
    """Reads ranges of an open file.

    A plain file is read at offsets, which takes no turns, also not with processes forked from this one. All
    others have one place at a time.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.lock = threading.Lock()
        raw = file.raw if isinstance(file, io.BufferedReader) else file
        self.is_plain = isinstance(raw, io.FileIO) and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)

    def size(self) -> int:
        return int(self.file.seek(0, os.SEEK_END))

    def __call__(self, offset: int, count: int) -> bytes:
        if self.is_plain:
            # Closed, it has no descriptor, and says so.
            descriptor = self.file.fileno()
            return self._whole(count, lambda done, left: os.pread(descriptor, left, offset + done))
        with self.lock:
            self.file.seek(offset)
            return self._whole(count, lambda _, left: self.file.read(left))

    @staticmethod
    def _whole(count: int, read: Callable[[int, int], Any]) -> bytes:
        """As many bytes, or all up to the end, in as many parts as they come."""
        parts, done = [], 0
        while done < count:
            part = read(done, count - done)
            if not part:
                break
            parts.append(bytes(part))
            done += len(part)
        return b"".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _File, (self.file,)


@dataclass
class _Held:
    """A block that is kept, and when it was asked for, in askings of the set."""

    block: npt.NDArray[Any]
    first: int
    last: int
    count: int = 0
    """How often it was asked for since."""


@dataclass
class _Whole:
    """All images of a set, or all codes: those of blocks that were decoded, and room for the others."""

    items: npt.NDArray[Any]
    known: npt.NDArray[np.bool_]
    """Of each block."""

    @classmethod
    def empty(cls, shape: tuple[int, ...], dtype: npt.DTypeLike, block_count: int) -> _Whole:
        """Nothing decoded yet, in memory that processes forked from this one share: what one has decoded the
        others find."""
        return cls(_shared(shape, dtype), _shared((block_count,), np.bool_))


def _shared(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Zeros, in memory that forked processes share, and that is taken as it is written to."""
    byte_count = np.dtype(dtype).itemsize * _arrays.total(shape)
    if byte_count == 0:
        return np.zeros(shape, dtype)
    try:
        return np.frombuffer(mmap.mmap(-1, byte_count), dtype).reshape(shape)
    except OSError:
        # Systems may bound what is shared.
        return np.zeros(shape, dtype)


class _Blocks:
    """The blocks that were decoded last, so that images asked for at random do not each cost a block.

    It is for one set, and holds no more than `limit` bytes. A set that fits is held as one array, which any
    number of images are taken of at once; memory for it is taken as blocks are decoded. Of a larger one the
    blocks are held one by one. A thread that finds it taken does without, and so does a process that was
    forked while it was.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._wholes: dict[str, _Whole] = {}
        self._whole_bytes = 0
        # Those that were asked for last come last.
        self._held: OrderedDict[tuple[str, int], _Held] = OrderedDict()
        self._byte_count = 0
        self._asked = 0
        self._last_missed: tuple[str, int] | None = None
        self._lock = threading.Lock()

    @property
    def byte_count(self) -> int:
        """What is held, or has room."""
        return self._whole_bytes + self._byte_count

    def whole(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike, size: int) -> _Whole | None:
        """All items of the set, in blocks of `size`, if they fit."""
        whole = self._wholes.get(name)
        if whole is not None:
            return whole
        byte_count = np.dtype(dtype).itemsize * _arrays.total(shape)
        if byte_count > self.limit - self._whole_bytes or not self._lock.acquire(blocking=False):
            return None
        try:
            # Another thread may have been here meanwhile.
            if name not in self._wholes and byte_count <= self.limit - self._whole_bytes:
                whole = _Whole.empty(shape, dtype, -(-shape[0] // size))
                self._whole_bytes += byte_count
                self._trim()
                self._wholes[name] = whole
            return self._wholes.get(name)
        finally:
            self._lock.release()

    def has_all(self, name: str) -> bool:
        """Whether all items of the set are held."""
        whole = self._wholes.get(name)
        return whole is not None and bool(whole.known.all())

    def _trim(self) -> None:
        while self._byte_count > self.limit - self._whole_bytes:
            _, gone = self._held.popitem(last=False)
            self._byte_count -= gone.block.nbytes

    def get(self, key: tuple[str, int]) -> npt.NDArray[Any] | None:
        if not self._lock.acquire(blocking=False):
            return None
        try:
            self._asked += 1
            held = self._held.get(key)
            if held is None:
                return None
            self._held.move_to_end(key)
            held.last = self._asked
            held.count += 1
            return held.block
        finally:
            self._lock.release()

    def put(self, key: tuple[str, int], block: npt.NDArray[Any]) -> None:
        if block.nbytes > self.limit - self._whole_bytes or not self._lock.acquire(blocking=False):
            return
        try:
            old = self._held.pop(key, None)
            self._byte_count += block.nbytes - (0 if old is None else old.block.nbytes)
            self._held[key] = _Held(block, self._asked, self._asked)
            self._trim()
        finally:
            self._lock.release()

    def has_place(self, key: tuple[str, int], byte_count: int, block_count: int) -> bool:
        """Whether a block is worth keeping in a cache that is too small for all `block_count`.

        It is where there is room, where it is asked for twice in a row, as by who reads in order, and where
        what would go is no longer asked for: not for ten times as long as it was between two askings. Of
        blocks in random order, those that are held stay, and each is as good as any other.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            missed, self._last_missed = self._last_missed, key
            if self.byte_count + byte_count <= self.limit or missed == key:
                return True
            oldest = next(iter(self._held.values()), None)
            if oldest is None:
                return False
            # Who was asked for a few times may have been so by chance.
            usual = (oldest.last - oldest.first + block_count) / (oldest.count + 1)
            return self._asked - oldest.last > 10 * usual
        finally:
            self._lock.release()


_CACHE_BYTES = 64 << 20
# Images that one call decodes: between calls, Python hears Ctrl-C.
_IMAGES_IN_CALL = 16384
# Each of them takes longer.
_LOSSLESS_IMAGES_IN_CALL = 4096
_LOSSLESS_BYTES_IN_CALL = 16 << 20
# Of images of which parts are wanted.
_BYTES_AT_A_TIME = 16 << 20


class ImageSet(Closing):
    """An open image set, immutable: any number of threads may read one at the same time.

    It reads as an array of `uint8`, (N, H, W), or (N, H, W, C) with 3 or 4 channels, and gives arrays of
    numpy: `images[7]` and `images[-1]` one image; `images[10:20]`, `images[::-100]` and `images[[3, 1, 4]]`
    (n, H, W) or (n, H, W, C); `images[3, 4:8]`, `images[..., 0]` and `images[labels == 7]` what they give of
    an array; `numpy.asarray(images)` all. Only the blocks that are touched are decoded. What makes arrays of
    such objects, as `dask.array.from_array` does, takes it, and finds `chunks` of whole blocks.

    The blocks decoded last are kept, up to `cache_bytes`. Images of a set that fits in there decoded
    (`nbytes`) cost little more in any order than in order. Of a larger set, an image at random costs its
    block unless that is there: raise `cache_bytes`, or read in the order that `shuffled` gives.

    Image sets can be pickled and copied. One from a path is pickled as the path, and what reads it finds the
    same file there, or says that it has changed; one from bytes is pickled as these, one from an open file
    or a function as that, if it can be. The model that was given with it goes along.
    """

    def __init__(
        self,
        handle: Handle,
        source: _Source | None = None,
        model: Handle | None = None,
        cache_bytes: int = _CACHE_BYTES,
        held: Held | None = None,
        reader: _Reader | None = None,
    ) -> None:
        """For the use of this package; see `ImageSet.open`."""
        self._handle: Handle | None = handle
        self._source = source
        self._model = model
        self._held = held or Held(None)
        self._reader = reader
        self._blocks = _Blocks(cache_bytes)
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
            mode=_foreign.MODES[information.mode],
            max_error=information.max_error,
            method=_foreign.METHODS[information.method] if information.method else None,
            needs_model=bool(information.needs_model),
            kept_count=information.kept_count,
            scale_quality=information.scale_quality,
            needs_predictor=bool(information.needs_predictor),
            predictor_hash=information.predictor_hash.decode("ascii"),
            predictor_name=information.predictor_name.decode("utf-8", "replace"),
        )

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[Any] | Bytes | Any,
        model: Model | None = None,
        *,
        byte_count: int | None = None,
        cache_bytes: int = _CACHE_BYTES,
        context: Context | None = None,
    ) -> ImageSet:
        """Opens an image set (.aez).

        Args:
            source: a path; the set's bytes, which may go after the call; an open binary file with `read`
                and `seek`; or a function of an offset and a count that returns so many bytes, as of an
                object store. Of a file, blocks are read as they are asked for; a function is called from
                several threads, at once.
            model: the model it was made with, which may be closed while the set is open. None for the one
                embedded in it, one that comes with libae, or one on the model path of the context or of the
                environment's AE_MODEL_PATH.
            byte_count: of the whole set, where `source` is a function.
            cache_bytes: how much memory the blocks decoded last may take: 64 MiB unless told; 0 keeps none.
                With `nbytes` of the set or more, nothing is decoded twice, and forked processes share it.
            context: that reading works with.

        Raises:
            FileError: it cannot be read. What a function or a file raises comes through.
            FormatError, ChecksumError, VersionError: it is not an image set, or damaged, or too new.
            ModelError: it was made with another model; the message names that one.
        """
        limit = _arrays.whole(cache_bytes, "cache_bytes", 0, 2**63 - 1)
        held = Held(context)
        origin = _Source(source, byte_count)
        given = None if model is None else model._use()
        handle, reader = _open(origin, source, given, held)
        return cls(handle, origin, given, limit, held, reader)

    @property
    def info(self) -> ImageSetInfo:
        """What the set is; also after `close`."""
        return self._info

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W), or (N, H, W, C) of images of 3 or 4 channels, as of the array of all images."""
        info = self._info
        grey = (info.count, info.height, info.width)
        return grey if info.channels == 1 else (*grey, info.channels)

    @property
    def ndim(self) -> int:
        """3, or 4 of images of 3 or 4 channels, as of the array of all images."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """`uint8`, as of the array of all images."""
        return np.dtype(np.uint8)

    @property
    def size(self) -> int:
        """Values of the array of all images."""
        return _arrays.total(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the array of all images, decoded; those of the set itself are `info.byte_count`."""
        return self.size

    @property
    def chunks(self) -> tuple[int, ...]:
        """(n, H, W) or (n, H, W, C): what is decoded at a time, n images that make a block. Arrays that are
        read by chunks, such as Dask's, are best cut where blocks end."""
        return (max(1, min(self._info.block_images, len(self))), *self.shape[1:])

    def __len__(self) -> int:
        return self._info.count

    def __getitem__(self, index: Index) -> npt.NDArray[np.uint8]:
        return self._gather(index, lib.ae_imageset_read, self.shape[1:], np.uint8)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Goes through the images, a block at a time."""
        block = self._info.block_images
        for first in range(0, len(self), block):
            yield from self[first : first + block]

    def shuffled(self, seed: int = 0) -> npt.NDArray[np.int64]:
        """A random order of all images for an epoch that decodes each block once, whatever the cache holds.

        Of a set that fits into the cache, it is a random permutation. Of a larger one, blocks are drawn in
        random order, as many at a time as half the cache holds, and the images of these in random order.

        Args:
            seed: 0 to 2**64 - 1.

        Returns:
            (N) `int64`, each image once.
        """
        random = np.random.default_rng(_arrays.seed_of(seed))
        count, size = len(self), self._info.block_images
        if self.nbytes <= self._blocks.limit:
            return random.permutation(count)
        # In the other half are those before, until it shows that they are no longer asked for.
        held = max(1, self._blocks.limit // 2 // (size * _arrays.total(self.shape[1:])))
        blocks = random.permutation(-(-count // size))
        order = []
        for first in range(0, len(blocks), held):
            places = blocks[first : first + held, None] * size + np.arange(size)
            order.append(random.permutation(places[places < count]))
        return np.concatenate(order) if order else np.empty(0, np.int64)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("an image set becomes an array by decoding it, which is a copy")
        images = self[:]
        return images if dtype is None else images.astype(dtype, copy=False)

    def salvage(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """All images of a set that may be damaged, and which of them are lost.

        Returns:
            The images, `uint8` of `shape`, those that are lost 0; and (N) `bool`, True for those.
        """
        self._use()
        images = np.empty(self.shape, np.uint8)
        lost = np.empty(len(self), np.uint8)
        for first, last in self._parts(0, len(self)):
            into = _arrays.address(images[first:last]), _arrays.address(lost[first:last])
            self._call(lib.ae_imageset_salvage, first, last - first, *into, None)
        return images, lost.astype(np.bool_)

    def codes(self, index: Index) -> npt.NDArray[np.float32]:
        """Latent codes, without decoding pixels, indexed as the images are: (d) or (n, d) `float32`.

        Raises:
            KindError: one of them is stored as pixels, since the model reconstructs it too poorly, and has
                no code.
        """
        return self._gather(index, lib.ae_imageset_latents, (self._info.latent_size,), np.float32)

    @property
    def latents(self) -> npt.NDArray[np.float32]:
        """The latent codes of all images, (N, d) `float32`: what `Model.decode` takes. See `codes`."""
        return self.codes(slice(None))

    @property
    def labels(self) -> npt.NDArray[np.uint8] | None:
        """The labels, (N) `uint8`, or None if the set has none."""
        self._use()
        if not self._info.has_labels:
            return None
        marks = np.empty(len(self), np.uint8)
        self._call(lib.ae_imageset_labels, 0, marks.size, _arrays.address(marks))
        return marks

    @property
    def names(self) -> list[str] | None:
        """The images' file names, or None if the set has none."""
        self._use()
        if not self._info.has_names:
            return None
        names = []
        room = ctypes.create_string_buffer(1024)
        size = ctypes.c_size_t()
        for index in range(len(self)):
            try:
                self._call(lib.ae_imageset_name, index, room, len(room), ctypes.byref(size))
            except CapacityError:
                room = ctypes.create_string_buffer(size.value)
                self._call(lib.ae_imageset_name, index, room, len(room), ctypes.byref(size))
            names.append(room.value.decode("utf-8"))
        return names

    def _call(self, function: Any, *arguments: Any) -> None:
        """Calls C with this set's handle, and raises what went wrong."""
        handle = self._use()
        with self._reading():
            check(function(handle.pointer, *arguments))

    def _reading(self) -> AbstractContextManager[None]:
        """Around every call that reads from the set."""
        return nullcontext() if self._reader is None else self._reader.reading()

    def _gather(
        self, index: Any, call: Any, item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        self._use()
        count = len(self)
        if isinstance(index, slice):
            return self._range(call, range(*index.indices(count)), item_shape, dtype)
        if isinstance(index, (list, np.ndarray)) and np.ndim(index) == 1:
            return self._items(call, _positions(index, count), item_shape, dtype)
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
            return self._one(call, _position(index, count), item_shape, dtype)
        key, is_basic = _key(index, (count, *item_shape))
        axis = next(number for number, entry in enumerate(key) if not _is_new(entry))
        first = key[axis]
        if isinstance(first, slice):
            wanted = range(*first.indices(count))
            if is_basic:
                return self._basic(call, wanted, key, axis, item_shape, dtype)
            images, key[axis] = self._range(call, wanted, item_shape, dtype), slice(None)
        elif isinstance(first, int):
            images, key[axis] = self._one(call, _position(first, count), item_shape, dtype)[None], 0
        else:
            places, back = np.unique(_positions(first.reshape(-1), count), return_inverse=True)
            images, key[axis] = self._items(call, places, item_shape, dtype), back.reshape(first.shape)
        # The caller's own, and no more of it than was asked for.
        result: npt.NDArray[Any] = images[tuple(key)]
        return result.copy() if is_basic else result

    def _one(
        self, call: Any, place: int, item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """One image or code, the caller's own."""
        number, offset = divmod(place, self._info.block_images)
        block = self._block(call, number, item_shape, dtype, 1)
        one: npt.NDArray[Any]
        if block is not None:
            one = block[offset].copy()
        else:
            one = self._read(call, place, 1, item_shape, dtype)[0]
        return one

    def _range(
        self, call: Any, wanted: range, item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Images or codes of a slice."""
        if self._blocks.has_all(call.__name__):
            return self._items(call, np.arange(wanted.start, wanted.stop, wanted.step), item_shape, dtype)
        if len(wanted) >= self._info.block_images and abs(wanted.step) == 1:
            images = self._read(call, min(wanted[0], wanted[-1]), len(wanted), item_shape, dtype)
            return images if wanted.step == 1 else np.ascontiguousarray(images[::-1])
        chosen = np.arange(wanted.start, wanted.stop, wanted.step, dtype=np.int64)
        return self._items(call, chosen, item_shape, dtype)

    def _basic(
        self,
        call: Any,
        wanted: range,
        key: list[Any],
        axis: int,
        item_shape: tuple[int, ...],
        dtype: npt.DTypeLike,
    ) -> npt.NDArray[Any]:
        """Parts of the images of a slice: some images at a time, since the parts may be small."""
        key[axis] = slice(None)
        like = np.broadcast_to(np.zeros((), dtype), (len(wanted), *item_shape))
        out = np.empty(like[tuple(key)].shape, dtype)
        if out.size == 0:
            return out
        item_bytes = np.dtype(dtype).itemsize * _arrays.total(item_shape)
        size = self._info.block_images
        step = max(1, _BYTES_AT_A_TIME // (item_bytes * size)) * size
        first = 0
        while first < len(wanted):
            last = first + step
            if wanted.step == 1:
                # Up to the end of a block.
                last -= wanted[first] % size
            images = self._range(call, wanted[first:last], item_shape, dtype)
            out[(*(slice(None),) * axis, slice(first, last))] = images[tuple(key)]
            first = last
        return out

    def _read(
        self, call: Any, first: int, count: int, item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Images or codes `first` to `first + count - 1`, not from the cache."""
        out = np.empty((count, *item_shape), dtype)
        for start, end in self._parts(first, first + count):
            self._call(call, start, end - start, _arrays.address(out[start - first : end - first]))
        return out

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges that one call each decodes: of whole blocks, so that none is decoded twice."""
        block = self._info.block_images
        images = _IMAGES_IN_CALL
        if self._info.mode != "lossy":
            largest = max(1, _LOSSLESS_BYTES_IN_CALL // _arrays.total(self.shape[1:]))
            images = min(_LOSSLESS_IMAGES_IN_CALL, largest)
        step = max(1, images // block) * block
        while first < last:
            end = min(last, (first // step + 1) * step)
            yield first, end
            first = end

    def _items(
        self, call: Any, chosen: npt.NDArray[np.int64], item_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Images or codes at any places, each block decoded once, whatever the order asked for."""
        size = self._info.block_images
        whole = self._blocks.whole(call.__name__, (len(self), *item_shape), dtype, size)
        if whole is not None and self._completed(call, whole, chosen):
            return whole.items.take(chosen, axis=0)
        out = np.empty((chosen.size, *item_shape), dtype)
        order = np.argsort(chosen, kind="stable")
        bounds = np.flatnonzero(np.diff(chosen[order] // size)) + 1
        for run in np.split(order, bounds) if order.size else ():
            wanted = chosen[run]
            first = int(wanted[0]) // size * size
            last = int(wanted[-1])
            span = last - int(wanted[0]) + 1
            block = self._block(call, first // size, item_shape, dtype, span)
            if block is None:
                first = int(wanted[0])
                block = self._read(call, first, last - first + 1, item_shape, dtype)
            out[run] = block[wanted - first]
        return out

    def _make_room(self) -> None:
        """Makes room for all images, if they fit, which processes that are forked from now on share."""
        self._blocks.whole(
            lib.ae_imageset_read.__name__, self.shape, self.dtype, self._info.block_images
        )

    def _completed(self, call: Any, whole: _Whole, chosen: npt.NDArray[np.int64]) -> bool:
        """Decodes the blocks that some images are of, unless they are decoded; False if one cannot be."""
        if whole.known.all():
            return True
        numbers = np.unique(chosen // self._info.block_images)
        return all(self._filled(call, whole, number) for number in numbers[~whole.known[numbers]].tolist())

    def _filled(self, call: Any, whole: _Whole, number: int) -> bool:
        """Decodes a block into its place; False if it cannot be."""
        first = number * self._info.block_images
        place = whole.items[first : first + self._info.block_images]
        try:
            # By several threads or processes perhaps, which all write the same.
            self._call(call, first, len(place), _arrays.address(place))
        except Error:
            # One image of the block may be damaged, or have no code, and the one wanted be whole.
            return False
        whole.known[number] = True
        return True

    def _block(
        self, call: Any, index: int, item_shape: tuple[int, ...], dtype: npt.DTypeLike, span: int
    ) -> npt.NDArray[Any] | None:
        """A block from the cache, or decoded and put there; None if `span` images of it are better read
        alone."""
        first = index * self._info.block_images
        count = min(self._info.block_images, len(self) - first)
        whole = self._blocks.whole(
            call.__name__, (len(self), *item_shape), dtype, self._info.block_images
        )
        if whole is not None:
            if not whole.known[index] and not self._filled(call, whole, index):
                return None
            return whole.items[first : first + count]
        key = (call.__name__, index)
        block = self._blocks.get(key)
        if block is not None:
            return block
        item_bytes = np.dtype(dtype).itemsize * _arrays.total(item_shape)
        if count * item_bytes > self._blocks.limit:
            return None
        # An image alone is decoded sooner only where a network makes it: what is coded in a row is decoded in
        # a row, codes and pixels.
        block_count = -(-len(self) // self._info.block_images)
        is_network = self._info.mode == "lossy" and call.__name__ == "ae_imageset_read"
        if is_network and 2 * span < count:
            if not self._blocks.has_place(key, count * item_bytes, block_count):
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
        return _opened_again, (kept, digest, model, self._info, self._blocks.limit, self._held.context)

    def __copy__(self) -> ImageSet:
        """Another `ImageSet` of the same memory: closing one leaves the other open."""
        return type(self)(
            self._use(), self._source, self._model, self._blocks.limit, self._held, self._reader
        )

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
        kept: str = info.mode
        if info.mode == "lossy":
            # Of the scale, where there is one: that is what `compress` was told.
            kept += f", quality {info.scale_quality or info.quality}"
        elif info.mode == "near-lossless":
            kept += f" to within {info.max_error}"
        if info.method is not None:
            kept += f", by {info.method}"
        channels = f" in {info.channels} channels" if info.channels > 1 else ""
        pixels = f"{info.height} x {info.width} pixels{channels}"
        return f"{info.count} images of {pixels}, {kept}, {info.byte_count} bytes"

    def _repr_html_(self) -> str:
        """What a notebook shows: the first images, the sentence of `repr`, and facts."""
        if self.closed:
            return _picture.html(None, repr(self))
        try:
            # Of a block at most: a look is to be cheap.
            images = self[: min(_picture.count(self._info.width), self._info.block_images)]
        except Error as error:
            return _picture.html(None, f"{self._sentence()}; {error}", self._facts())
        return _picture.html(images, self._sentence(), self._facts())

    def _facts(self) -> dict[str, str]:
        info = self._info
        facts = {"shape": f"{self.shape}, {self.dtype}", "bytes decoded": f"{self.nbytes:,}"}
        facts["bytes"] = f"{info.byte_count:,}"
        if info.count:
            each = info.byte_count / info.count
            facts["bytes"] += f", {each:.4g} an image, {info.byte_count / self.nbytes:.2%} of the pixels"
        facts["blocks"] = f"of {info.block_images} images"
        if info.kept_count:
            facts["stored as pixels"] = f"{info.kept_count} images"
        beside = [word for word in ("labels", "names") if getattr(info, f"has_{word}")]
        facts["beside the images"] = " and ".join(beside) or "nothing"
        if info.model_name:
            facts["model"] = info.model_name + (", embedded" if info.has_model else "")
        if info.predictor_name:
            facts["predictor"] = info.predictor_name
        return facts

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """What Dask names the set by: the same for the same file, without reading it."""
        import uuid  # here, since few need it

        token = None if self._source is None else self._source.token()
        # What cannot be told is another one each time.
        return "libae.ImageSet", self._info.byte_count, self._info.model_hash, token or uuid.uuid4().hex


def _information(handle: Handle) -> _foreign.ImageSetInformation:
    information = _foreign.ImageSetInformation(struct_size=ctypes.sizeof(_foreign.ImageSetInformation))
    check(lib.ae_imageset_info(handle.pointer, ctypes.byref(information)))
    return information


class _Source:
    """Where a set came from, as far as it takes to open it again in another process."""

    def __init__(self, source: Any, byte_count: int | None = None) -> None:
        self.data: bytes | None = None
        self.path: str | bytes | None = None
        self.state: tuple[int, ...] | None = None
        self.read: ReadFunction | None = None
        self.byte_count = 0
        if isinstance(source, (str, os.PathLike)):
            file_path(source)
            self.path = os.path.abspath(os.fspath(source))
            self.state = self._state()
        elif hasattr(source, "read") and hasattr(source, "seek"):
            file = _File(source)
            self.read, self.byte_count = file, file.size()
        elif callable(source):
            self.read = source
            if byte_count is None:
                raise ArgumentError("byte_count: how many bytes the set has must be told beside a function")
            self.byte_count = _arrays.whole(byte_count, "byte_count", 0, 2**63 - 1)
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

    def token(self) -> tuple[Any, ...] | None:
        """What is different for a source of other bytes; None if that cannot be told."""
        if self.path is not None:
            return None if self.state is None else (os.fsdecode(self.path), *self.state)
        if self.data is None:
            return None
        import hashlib  # here, since few need it

        return (hashlib.blake2b(self.data, digest_size=16).hexdigest(),)

    def pickled(self, byte_count: int) -> tuple[Any, bytes]:
        """The path and a digest of its file; the bytes, as a bytearray, since a path may be bytes; or what
        reads."""
        if self.read is not None:
            return (self.read, self.byte_count), b""
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
    kept: Any,
    digest: bytes,
    model: Model | None,
    info: ImageSetInfo,
    cache_bytes: int,
    context: Context | None,
) -> ImageSet:
    """What unpickling calls."""
    if isinstance(kept, bytearray):
        return ImageSet.open(bytes(kept), model, cache_bytes=cache_bytes, context=context)
    if isinstance(kept, tuple):
        read, byte_count = kept
        source = read.file if isinstance(read, _File) else read
        return ImageSet.open(source, model, byte_count=byte_count, cache_bytes=cache_bytes, context=context)
    images = ImageSet.open(os.fsdecode(kept), model, cache_bytes=cache_bytes, context=context)
    if images.info != info or _digest(kept, info.byte_count) != digest:
        raise FormatError(f"{os.fsdecode(kept)}: is not the image set any more that was pickled")
    return images


def _open(
    origin: _Source, source: Any, model: Handle | None, held: Held
) -> tuple[Handle, _Reader | None]:
    """The handle of a set. `model` is held here, so that closing it elsewhere meanwhile does not free it."""
    pointer = None if model is None else model.pointer
    free = lib.ae_imageset_free
    if origin.path is not None:
        path = file_path(source)
        return (
            opened(free, lambda out: lib.ae_imageset_open(held.pointer, path, pointer, out), path=source),
            None,
        )
    if origin.read is None:
        data = _arrays.raw_bytes(origin.data)
        return (
            opened(
                free,
                lambda out: lib.ae_imageset_open_memory(
                    held.pointer, _arrays.address(data), data.size, pointer, out
                ),
            ),
            None,
        )
    reader = _Reader(origin.read)
    with reader.reading():
        handle = opened(
            free,
            lambda out: lib.ae_imageset_open_callback(
                held.pointer, reader.c_read, None, origin.byte_count, pointer, out
            ),
            reader,
        )
    return handle, reader


def _position(index: Any, count: int) -> int:
    """Where an image is, counted from the start."""
    position = operator.index(index)
    if not -count <= position < count:
        raise IndexError(f"image {position} of a set of {count}")
    return position + count if position < 0 else position


def _integers(index: Any) -> npt.NDArray[Any]:
    """An index that is an array, of integers or booleans."""
    array = np.asarray(index)
    # An empty list has no type of its own.
    if array.size == 0 and not isinstance(index, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        what = f"an array of {array.dtype}" if array.ndim else type(index).__name__
        raise TypeError(
            "an image set is indexed as an array is, by integers, slices, `...`, None, and lists or arrays "
            f"of integers or booleans; {what} came"
        )
    return array


def _positions(index: Any, count: int) -> npt.NDArray[np.int64]:
    """Where images are, counted from the start, of a list or an array, 1-D."""
    array = _integers(index)
    if array.dtype.kind == "b":
        if array.size != count:
            raise IndexError(f"a mask of {array.size} for a set of {count}")
        chosen: npt.NDArray[np.int64] = np.flatnonzero(array)
        return chosen
    outside = array[(array < -count) | (array >= count)] if array.dtype.kind == "i" else array[array >= count]
    if outside.size:
        raise IndexError(f"image {outside[0]} of a set of {count}")
    positions: npt.NDArray[np.int64] = array.astype(np.int64)
    positions[positions < 0] += count
    return positions


def _is_new(entry: Any) -> bool:
    """Whether a part of an index reads no axis, but makes one."""
    return entry is None or isinstance(entry, np.bool_)


def _key(index: Any, shape: tuple[int, ...]) -> tuple[list[Any], bool]:
    """An index as numpy has it, one entry for each axis that there is and each that is made: `int`, `slice`,
    an array of integers, None or `numpy.bool_`. And whether it is without arrays.

    Raises:
        IndexError: it is for more axes, or a mask of another shape.
        TypeError: it is none.
    """
    entries: list[Any] = []
    axes = 0
    ellipsis: int | None = None
    for each in index if isinstance(index, tuple) else (index,):
        if each is Ellipsis:
            if ellipsis is not None:
                raise IndexError("an index can only have one `...`")
            ellipsis = len(entries)
            continue
        if isinstance(each, (bool, np.bool_)):
            each = np.bool_(each)
        elif each is not None and not isinstance(each, slice):
            array = _integers(each)
            if array.ndim == 0:
                each = np.bool_(array) if array.dtype.kind == "b" else int(array)
            else:
                each = array
                axes += array.ndim - 1 if array.dtype.kind == "b" else 0
        axes += not _is_new(each)
        entries.append(each)
    if axes > len(shape):
        raise IndexError(f"too many indices: {axes} for an array of {len(shape)} axes")
    place = len(entries) if ellipsis is None else ellipsis
    entries[place:place] = [slice(None)] * (len(shape) - axes)
    key: list[Any] = []
    for entry in entries:
        axis = sum(not _is_new(each) for each in key)
        if isinstance(entry, np.ndarray) and entry.dtype.kind == "b":
            wanted = shape[axis : axis + entry.ndim]
            if entry.shape != wanted:
                raise IndexError(f"a mask of shape {entry.shape} for axes of {wanted}")
            key.extend(np.nonzero(entry))
        else:
            key.append(entry)
    return key, all(entry is None or isinstance(entry, (int, slice)) for entry in key)
