"""Image sets, written: at once, as images come, onto what is there, and by copying blocks."""

from __future__ import annotations

import ctypes
import io
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign, _options
from ._arrays import Array
from ._callbacks import Counting
from ._context import Context, Held
from ._errors import ArgumentError, Error, PoorFitWarning, ShapeError
from ._imageset import Bytes, ImageSet
from ._library import Closing, Handle, check, file_path, lib, opened
from ._model import Model, default_model
from ._options import COMPRESSION, taking
from ._progress import CountProgress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import CompressionOptions

Target = Union[str, "os.PathLike[Any]", Callable[[bytes], Any], Any]

_LOSSY, _LOSSLESS, _ = _foreign.MODES
# Of images whose size no model says.
_LARGEST_SIDE = 256
_LARGEST_BYTES = 256 * 256 * 3


class _Plan:
    """What a set is to be: options and model, checked, and the size of its images once it is known."""

    def __init__(
        self, model: Model | None, exact: bool, image_shape: tuple[int, ...] | None, held: Held, options: Any
    ) -> None:
        # One word for two options that go together.
        if exact:
            if options.get("max_error"):
                raise ArgumentError("exact and max_error exclude each other")
            if options.get("mode") not in (None, _LOSSLESS):
                raise ArgumentError(f"exact and mode={options['mode']!r} exclude each other")
            options["mode"] = _LOSSLESS
        self.held = held
        self.model = model
        # Held, so that closing the model elsewhere meanwhile does not free it.
        self.model_handle = None if model is None else model._use()
        self.options = COMPRESSION.handle(options)
        # Without a mode it follows from max_error.
        mode = COMPRESSION.get(self.options, "mode")
        self.is_lossy = mode == _LOSSY or (mode is None and not COMPRESSION.get(self.options, "max_error"))
        # (H, W, C)
        self.size: tuple[int, int, int] | None = None
        if image_shape is not None:
            if len(image_shape) not in (2, 3):
                raise ShapeError(f"image_shape: (H, W) or (H, W, C) expected, {tuple(image_shape)} came")
            height, width, *channels = image_shape
            self._take((height, width, channels[0] if channels else 1))

    def _take(self, size: tuple[int, int, int]) -> None:
        """Tells the library the images' size."""
        for key, number in zip(("height", "width", "channels"), size):
            COMPRESSION.set(self.options, key, COMPRESSION.options[key].text(number))
        self.size = (int(size[0]), int(size[1]), int(size[2]))

    def take_set(self, shape: tuple[int, int, int]) -> None:
        """Settles the images' size by those of a set, (H, W, C)."""
        if self.size is None and not self.is_lossy:
            self._take(shape)
        elif shape != self.size:
            self.count((0, *shape) if shape[2] > 1 else (0, *shape[:2]))

    def count(self, shape: tuple[int, ...]) -> int:
        """How many images an array of that shape holds. The first one settles their size."""
        if self.size is not None:
            return _arrays.total(_arrays.set_leading(shape, self.size))
        size, count = self._measured(shape)
        self._take(size)
        return count

    def _measured(self, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
        first: ShapeError | None = None
        sized = self.model is not None and self.model.info.kind != "predictor"
        if not self.is_lossy and not sized:
            # Any size will do, and no model says one.
            try:
                count, *sides = _arrays.set_stack(shape)
                if max(sides) <= _LARGEST_SIDE and _arrays.total(tuple(sides)) <= _LARGEST_BYTES:
                    return (sides[0], sides[1], sides[2]), count
                came = f"{sides[0]} x {sides[1]}" + (f" x {sides[2]}" if sides[2] > 1 else "")
                first = ShapeError(
                    f"images: sides of 1 to {_LARGEST_SIDE} pixels and at most {_LARGEST_BYTES} bytes an "
                    f"image expected, {came} came"
                )
            except ShapeError as error:
                first = error
        try:
            model = self.model if self.model and sized else default_model(context=self.held.context)
        except Error:
            raise first or ShapeError(
                "images: their size must be told with image_shape where no model says it"
            ) from None
        name = f'the model "{model.name}"' if sized else "those that come with libae"
        takes = "takes" if sized else "take"
        size = model.size
        advice = (
            f", and {name} {takes} {' x '.join(map(str, model.image_shape))}; train a model for these "
            "(libae.train), or keep every pixel (exact=True)"
        )
        try:
            return size, _arrays.total(_arrays.model_leading(shape, size, advice, is_set=True))
        except ShapeError:
            if first is not None:
                raise first from None
            if self.is_lossy:
                raise
        count, height, width, channels = _arrays.set_stack(shape)
        return (height, width, channels), count

    @property
    def arguments(self) -> tuple[int | None, int | None, int]:
        """Context, model and options, as C takes them."""
        model = None if self.model_handle is None else self.model_handle.pointer
        return self.held.pointer, model, self.options.pointer

    def warn(self, packed: str | os.PathLike[Any] | Bytes, images: Array) -> None:
        """Says if the model, or those that come with libae, reconstruct many of the images too poorly."""
        if not self.is_lossy:
            return
        with ImageSet.open(packed, self.model, context=self.held.context) as written:
            kept, count = written.info.kept_count, written.info.count
        # Of blank images and the like, pixels are smaller than codes; that is nothing to warn of.
        if 10 * kept > count and self._is_poor(images):
            named = "the models that come with libae reconstruct"
            if self.model:
                named = f'the model "{self.model.name}" reconstructs'
            warnings.warn(
                f"{kept} of {count} images are stored as pixels: {named} "
                "them too poorly; train a model of their own (libae.train), or keep every pixel (exact=True)",
                PoorFitWarning,
                stacklevel=4,
            )

    def _is_poor(self, images: Array) -> bool:
        """Whether more than a tenth of some images, evenly spread, are reconstructed too poorly."""
        model = self.model or default_model(context=self.held.context)
        images = images.reshape(-1, *model.image_shape)
        sample = images[:: max(1, len(images) // 200)]
        pictures = model.decode(model.encode(sample), dtype=np.uint8)
        # The rule by which the library stores an image as pixels.
        axes = tuple(range(1, sample.ndim))
        error = np.square(pictures.astype(np.float64) - sample).mean(axis=axes)
        variance = sample.var(axis=axes)
        return bool(10 * np.count_nonzero((variance > 0) & (error >= 7 / 8 * variance)) > len(sample))


class _Writing(Counting):
    """The C callbacks of a writer, and the Python functions behind them."""

    def __init__(self, progress: CountProgress, write: Callable[[Any], Any] | None) -> None:
        super().__init__(progress, "compress", "image")
        self.write = write
        # Images that there will be, where that is known; the library does not know it.
        self.total = 0
        self.c_write = _foreign.WriteCallback(self._on_write)

    def _on_progress(self, context: Any, done: int, count: int) -> int:
        return super()._on_progress(context, done, count or self.total)

    def _on_write(self, _context: Any, address: int, count: int) -> int:
        def call() -> None:
            assert self.write is not None
            self.write(ctypes.string_at(address, count) if count else b"")

        return self.stops(call)


def _writes(target: Any) -> Callable[[Any], Any] | None:
    """What takes the bytes of a set; None if the target is a path."""
    if isinstance(target, (str, os.PathLike)):
        return None
    write = getattr(target, "write", None)
    if write is None:
        if callable(target):
            take: Callable[[Any], Any] = target
            return take
        raise TypeError(
            f"target: a path, a binary file or a function of bytes expected, {type(target).__name__} came"
        )

    def whole(data: bytes) -> None:
        # A raw file may take a part.
        view = memoryview(data)
        while view.nbytes:
            written = write(view)
            if not isinstance(written, int):
                if written is None and isinstance(target, io.RawIOBase):
                    raise BlockingIOError("the file takes no bytes now")
                return
            view = view[written:]

    return whole


def _c_names(names: Sequence[str] | None, count: int) -> Any:
    """File names as C takes them, or None."""
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError("names: a sequence of str expected, one str came")
    if len(names) != count:
        raise ShapeError(f"names: one for each of {count} images expected, {len(names)} came")
    return (ctypes.c_char_p * max(1, count))(*[_options.encoded(name, "names") for name in names])


class ImageSetWriter(Closing):
    """Writes an image set (.aez) as images come: memory stays small, however many they are.

    The bytes are those that `compress` gives for all images at once. Used with `with`, it is finished at
    the end of the block; if the block ends with an exception, nothing is written to a path, and what is
    there stays as it was.

        with libae.ImageSetWriter("digits.aez", quality=3) as writer:
            for images, labels in batches:
                writer.add(images, labels)

    A writer is used by one thread at a time; a second one gets `ArgumentError`.

    Args:
        target: a path, whose file is replaced once all is written, with the care of `Model.save`; a binary
            file; or a function that takes bytes, as of a socket or an upload. These get the bytes front to
            back.
        model: with a codec; None for those that come with libae, over which `quality` is one scale.
        exact: keep every pixel: the same as mode="lossless".
        image_shape: (H, W), or (H, W, C) for 3 or 4 channels; None for the model's, or that of the first
            images.
        progress: called some ten times a second, on the thread that adds, with how many images are done and
            how many there are, or 0. Returning False, also numpy's, stops within a few images; what it
            raises stops, too, and is raised again; so is KeyboardInterrupt, with or without it. True shows a
            bar, as in `train`.
        context: to work with.
        {options}

    None stands for the default everywhere.

    Raises:
        ArgumentError: `exact` and `max_error` at once, or a number out of range.
        FileError: the file cannot be written.
        KindError: the model has no encoder or no codec, or cannot do the method.
    """

    _plan: _Plan | None = None

    @taking(COMPRESSION)
    def __init__(
        self,
        target: Target,
        model: Model | None = None,
        *,
        exact: bool = False,
        image_shape: tuple[int, int] | tuple[int, int, int] | None = None,
        progress: CountProgress = None,
        context: Context | None = None,
        **options: Unpack[CompressionOptions],
    ) -> None:
        held = Held(context)
        self._start(target, progress, held)
        self._plan = _Plan(model, exact, image_shape, held, dict(options))
        if image_shape is not None:
            self._create()

    def _start(self, target: Target, progress: CountProgress, held: Held) -> None:
        self._handle: Handle | None = None
        self._is_open = True
        self._busy = threading.Lock()
        self._held = held
        self._count = 0
        self._size: tuple[int, int, int] | None = None
        self._path = target if isinstance(target, (str, os.PathLike)) else None
        self._path_bytes = None if self._path is None else file_path(self._path)
        # Whether the next images are all that there will be.
        self._is_last = False
        self._callbacks = _Writing(progress, _writes(target))

    @classmethod
    def append(
        cls,
        path: str | os.PathLike[Any],
        model: Model | None = None,
        *,
        progress: CountProgress = None,
        context: Context | None = None,
    ) -> ImageSetWriter:
        """A writer that goes on with the set in a file, whose blocks are copied, with that set's options.

        Args:
            path: the set's file, which is replaced once the writer is finished.
            model: as in `ImageSet.open`.
            progress, context: as in `ImageSetWriter`.
        """
        writer = cls.__new__(cls)
        writer._start(path, progress, Held(context))
        given = None if model is None else model._use()
        pointer = None if given is None else given.pointer
        with ImageSet.open(path, model, context=context) as images:
            writer._size = (images.info.height, images.info.width, images.info.channels)
            writer._count = images.info.count
        writer._take(
            lambda out: lib.ae_writer_append_file(writer._held.pointer, writer._path_bytes, pointer, out)
        )
        return writer

    @classmethod
    def like(
        cls,
        images: ImageSet,
        target: Callable[[bytes], Any] | Any,
        *,
        progress: CountProgress = None,
        context: Context | None = None,
    ) -> ImageSetWriter:
        """A writer with the options of a set, so that `add_set` may copy its blocks.

        Args:
            images: the set.
            target: a binary file, or a function that takes bytes.
            progress, context: as in `ImageSetWriter`.
        """
        writer = cls.__new__(cls)
        writer._start(target, progress, Held(context))
        if writer._path is not None:
            raise TypeError("target: a binary file or a function of bytes expected, a path came")
        writer._size = (images.info.height, images.info.width, images.info.channels)
        handle = images._use()
        calls = writer._callbacks
        writer._take(
            lambda out: lib.ae_writer_create_like(
                writer._held.pointer, handle.pointer, calls.c_write, None, out
            )
        )
        return writer

    def _take(self, call: Callable[[Any], int]) -> None:
        """Makes the C writer."""
        with self._callbacks.running():
            self._handle = opened(lib.ae_writer_free, call, self._callbacks, path=self._path)
            check(lib.ae_writer_set_progress(self._handle.pointer, self._callbacks.c_progress, None))

    def _create(self) -> None:
        assert self._plan is not None
        arguments = self._plan.arguments
        if self._path_bytes is not None:
            self._take(lambda out: lib.ae_writer_create_file(*arguments, self._path_bytes, out))
        else:
            self._take(lambda out: lib.ae_writer_create(*arguments, self._callbacks.c_write, None, out))
        self._size = self._plan.size

    @property
    def closed(self) -> bool:
        """True after `finish` and `close`."""
        return not self._is_open

    @property
    def count(self) -> int:
        """Images that the set holds so far."""
        return self._count

    def add(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        """Adds images, any number at a time.

        Args:
            images: `uint8`, (N, H, W) or (H, W), perhaps with an axis of one channel, or flat, (N, H * W);
                with a known size also with other leading axes; and, in lossless and near-lossless sets,
                (N, H, W, 3) or (N, H, W, 4).
            labels: a number from 0 to 255 for each image; for all images of a set or for none.
            names: a file name for each; likewise.

        Raises:
            ShapeError: the images are not of the set's size, or have other channels; too few or many labels
            or names.
            StoppedError: `progress` returned False.
        """
        array = _arrays.byte_pixels(images)
        with self._alone():
            if self._handle is None:
                assert self._plan is not None
                count = self._plan.count(array.shape)
                self._create()
            else:
                assert self._size is not None
                count = _arrays.total(_arrays.set_leading(array.shape, self._size))
            marks = None if labels is None else _arrays.label_bytes(labels, count)
            strings = _c_names(names, count)
            assert self._handle is not None
            self._callbacks.total = self._count + count if self._is_last else 0
            with self._callbacks.running():
                check(
                    lib.ae_writer_add(
                        self._handle.pointer,
                        _arrays.address(array),
                        count,
                        None if marks is None else _arrays.address(marks),
                        strings,
                    ),
                    self._path,
                )
            self._count += count

    def add_set(self, images: ImageSet, first: int = 0, count: int | None = None) -> None:
        """Adds images of another set by copying their blocks: nothing is decoded.

        Args:
            images: the set, of the same mode, quality and model.
            first, count: which of its images; None for all that follow. Both ends must be ends of blocks,
                or of the set.

        Raises:
            ArgumentError: an end lies inside a block; the message names the nearest.
            ShapeError, ModelError: the sets do not go together.
        """
        start = _arrays.whole(first, "first", 0, len(images))
        left = len(images) - start
        number = left if count is None else _arrays.whole(count, "count", 0, left)
        source = images._use()
        with self._alone():
            if self._handle is None:
                assert self._plan is not None
                self._plan.take_set((images.info.height, images.info.width, images.info.channels))
                self._create()
            assert self._handle is not None
            with self._callbacks.running(), images._reading():
                check(
                    lib.ae_writer_add_set(self._handle.pointer, source.pointer, start, number), self._path
                )
            self._count += number

    def finish(self) -> None:
        """Writes what is left, and closes the writer."""
        with self._alone():
            if self._handle is None:
                self._create()
            assert self._handle is not None
            with self._callbacks.running():
                check(lib.ae_writer_finish(self._handle.pointer), self._path)
            self._callbacks.finish(self._count)
        self.close()

    def close(self) -> None:
        """Gives up what was not finished: the file stays as it was. Closing twice does nothing."""
        self._is_open = False
        self._handle = None
        self._callbacks.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._is_open:
            raise ArgumentError("this ImageSetWriter is closed")
        if not self._busy.acquire(blocking=False):
            raise ArgumentError(
                "this ImageSetWriter is in use: by another thread, or by the call whose callback this is"
            )
        try:
            yield
        finally:
            self._busy.release()

    def __enter__(self) -> ImageSetWriter:
        if not self._is_open:
            raise ArgumentError("this ImageSetWriter is closed")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self._is_open:
                self.finish()
        finally:
            self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self.closed else ""
        target = "bytes" if self._path is None else repr(os.fspath(self._path))
        return f"<libae.ImageSetWriter to {target}: {self._count} images{closed}>"


ImageSetWriter.__doc__ = _options.documented(ImageSetWriter.__doc__, COMPRESSION)


@taking(COMPRESSION)
def compress(
    images: npt.ArrayLike,
    model: Model | None = None,
    *,
    exact: bool = False,
    image_shape: tuple[int, int] | tuple[int, int, int] | None = None,
    labels: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
    progress: CountProgress = None,
    context: Context | None = None,
    **options: Unpack[CompressionOptions],
) -> bytes:
    """Packs images into an image set (.aez).

    A lossy set, the default, takes a few bytes an image, and its images are close to the originals. With
    `exact` every pixel comes back, with `max_error` every pixel to within so much; such sets may be of any
    images of 1, 3 or 4 channels and sides to 256, of at most 196608 bytes each. Images of a lossy set are of
    the model's shape. The same images, model and options give the same bytes as `aez compress` and the C
    interface, on every machine.

    Args:
        images: `uint8`, (N, H, W) or (H, W), perhaps with an axis of one channel; of the model's size also
            with other leading axes, or flat, (..., H * W). The set holds them as one sequence of (H, W).
            Lossless and near-lossless sets, and models in colour, take (N, H, W, 3) and (N, H, W, 4), as of
            RGB and RGBA, and give them back so. One colour image is images[None]; shapes that could be two of
            these are refused.
        model: with a codec; None for those that come with libae, over which `quality` is one scale.
        exact: keep every pixel: the same as mode="lossless".
        image_shape: (H, W), or (H, W, C), for images that come flat, or with other leading axes; None for the
            model's, or the last axes.
        labels: a number from 0 to 255 for each image.
        names: a file name for each image.
        progress: called on this thread some ten times a second with how many images are done and how many
            there are. Returning False, also numpy's, stops within a few images; what it raises stops, too,
            and is raised again here; so is KeyboardInterrupt, with or without it. True shows a bar, as in
            `train`.
        context: to work with.
        {options}

    None stands for the default everywhere.

    Returns:
        The set, as a file would hold it.

    Raises:
        ArgumentError: `exact` and `max_error` at once, or a number out of range.
        KindError: the model has no encoder or no codec, or cannot do the method.
        ShapeError: the images are not of the model's shape.
        StoppedError: `progress` returned False.

    Warns:
        PoorFitWarning: the model, or those that come with libae, reconstruct more than a tenth of the images
            too poorly.
    """
    parts: list[bytes] = []
    array = _arrays.byte_pixels(images)
    writer = ImageSetWriter(
        parts.append,
        model,
        exact=exact,
        image_shape=image_shape,
        progress=progress,
        context=context,
        **options,
    )
    with writer:
        writer._is_last = True
        writer.add(array, labels, names)
    packed = b"".join(parts)
    assert writer._plan is not None
    writer._plan.warn(packed, array)
    return packed


@taking(COMPRESSION)
def compress_file(
    path: str | os.PathLike[Any],
    images: npt.ArrayLike,
    model: Model | None = None,
    *,
    exact: bool = False,
    image_shape: tuple[int, int] | tuple[int, int, int] | None = None,
    labels: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
    progress: CountProgress = None,
    context: Context | None = None,
    **options: Unpack[CompressionOptions],
) -> None:
    """Packs images into a file, replacing what is there, with the care of `Model.save`.

    Args:
        path: where to.
        images, model, exact, image_shape, labels, names, progress, context: as in `compress`.
        {options}

    Raises:
        FileError: it cannot be written; what was there is as it was.
    """
    array = _arrays.byte_pixels(images)
    file_path(path)
    writer = ImageSetWriter(
        path,
        model,
        exact=exact,
        image_shape=image_shape,
        progress=progress,
        context=context,
        **options,
    )
    with writer:
        writer._is_last = True
        writer.add(array, labels, names)
    # What cannot be read again, such as a pipe, is not looked at.
    if os.path.isfile(path):
        assert writer._plan is not None
        writer._plan.warn(path, array)


def append(
    path: str | os.PathLike[Any],
    images: npt.ArrayLike,
    model: Model | None = None,
    *,
    labels: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
    progress: CountProgress = None,
    context: Context | None = None,
) -> None:
    """Adds images to the set in a file, with that set's options; its blocks are copied, not decoded.

    Args:
        path: the set's file, which is replaced.
        images: as in `ImageSetWriter.add`.
        model: as in `ImageSet.open`.
        labels, names: as in `ImageSetWriter.add`, if the set has them.
        progress, context: as in `ImageSetWriter`.

    Raises:
        FileError: it cannot be read or written; what was there is as it was.
        ModelError: it was made with another model.
    """
    with ImageSetWriter.append(path, model, progress=progress, context=context) as writer:
        writer._is_last = True
        writer.add(images, labels, names)


def concatenate(
    paths: Sequence[str | os.PathLike[Any]],
    out: str | os.PathLike[Any],
    *,
    context: Context | None = None,
) -> None:
    """Writes the images of sets, one set after the other, as one, by copying blocks: nothing is decoded.

    Of shards whose counts are whole blocks it makes the bytes of one run over all.

    Args:
        paths: the sets' files, of one mode, quality and model.
        out: where to, replacing what is there.
        context: to work with.

    Raises:
        ArgumentError, ShapeError, ModelError: the sets do not go together; the message says in what they
        differ.
        FileError: one cannot be read, or `out` not be written.
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError("paths: a sequence of paths expected, one path came")
    held = Held(context)
    encoded = [file_path(path) for path in paths]
    array = (ctypes.c_char_p * max(1, len(encoded)))(*encoded)
    check(lib.ae_concatenate_files(held.pointer, array, len(encoded), file_path(out)), out)


def split(
    path: str | os.PathLike[Any],
    first: int,
    count: int,
    out: str | os.PathLike[Any],
    *,
    context: Context | None = None,
) -> None:
    """Writes images `first` to `first + count - 1` of a set as a set, by copying blocks: nothing is decoded.

    Args:
        path: the set's file.
        first, count: both ends must be ends of blocks, or of the set.
        out: where to, replacing what is there.
        context: to work with.

    Raises:
        ArgumentError: an end lies inside a block; the message names the nearest.
        FileError: the set cannot be read, or `out` not be written.
    """
    held = Held(context)
    start = _arrays.whole(first, "first", 0, 2**64 - 1)
    number = _arrays.whole(count, "count", 0, 2**64 - 1)
    check(lib.ae_split_file(held.pointer, file_path(path), start, number, file_path(out)), path)
