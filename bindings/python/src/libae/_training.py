"""Training: a trainer with callbacks whose exceptions come through, and `train` for the common case."""

from __future__ import annotations

import ctypes
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Union

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign, _options, _picture, _progress
from ._callbacks import Callbacks
from ._context import Context, Held
from ._errors import ArgumentError, ShapeError
from ._library import Closing, Handle, check, file_path, lib, opened, suggesting
from ._model import Model, filled
from ._options import TRAINING, taking
from ._progress import Bar

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import TrainingOptions


@dataclass(frozen=True)
class TrainingProgress:
    """What a progress callback is told."""

    step: int
    """Steps done."""
    step_count: int
    """Steps in all."""
    loss: float
    """Mean of the loss that is minimised, over the steps since the last call."""
    mse: float
    """Mean squared error per pixel, on the [0, 1] scale, over the same steps."""
    psnr: float
    """Of that, in dB."""
    validation_mse: float | None
    """On the validation split; None if it was not measured at this call."""
    learning_rate: float
    seconds: float
    """Since training began."""


    def _repr_html_(self) -> str:
        """What a notebook shows: a table."""
        return _picture.html(None, repr(self).partition("(")[0], _facts(self))


def _facts(progress: TrainingProgress) -> dict[str, str]:
    """A report in words."""
    validation = progress.validation_mse
    return {
        "steps": f"{progress.step} of {progress.step_count}",
        "loss": f"{progress.loss:.6g}",
        "mean squared error": f"{progress.mse:.5f}, {progress.psnr:.2f} dB",
        **({} if validation is None else {"of the validation split": f"{validation:.5f}"}),
        "learning rate": f"{progress.learning_rate:.3g}",
        "time": f"{progress.seconds:.1f} s",
    }


ProgressFunction = Callable[[TrainingProgress], Any]
Progress = Union[ProgressFunction, bool, None]
"""What `progress` may be: a function of a `TrainingProgress`; True for a bar; False or None for nothing."""
LogFunction = Callable[[str], Any]


def _told(told: _foreign.Progress) -> TrainingProgress:
    return TrainingProgress(
        step=told.step,
        step_count=told.step_count,
        loss=told.loss,
        mse=told.mse,
        psnr=told.psnr,
        validation_mse=None if told.validation_mse < 0 else told.validation_mse,
        learning_rate=told.learning_rate,
        seconds=told.seconds,
    )


class _Callbacks(Callbacks):
    """The C callbacks of a trainer, and the Python functions behind them.

    C keeps their addresses as long as the trainer lives; the functions change from `fit` to `fit`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.progress: ProgressFunction | None = None
        self.log: LogFunction | None = None
        self.bar: Bar | None = None
        # What was told last, also to nobody.
        self.last: TrainingProgress | None = None
        # This object and not the trainer is what C's handle keeps, so a trainer goes when its user lets go.
        self.c_progress = _foreign.ProgressCallback(self._on_progress)
        self.c_log = _foreign.LogCallback(self._on_log)
        self.c_poll = _foreign.PollCallback(self._on_poll)

    def connect(self, handle: Handle, progress_interval: int | None) -> None:
        """Lets C call these."""
        told = _foreign.TrainerCallbacks(struct_size=ctypes.sizeof(_foreign.TrainerCallbacks))
        told.progress, told.log, told.poll = self.c_progress, self.c_log, self.c_poll
        if progress_interval is not None:
            told.progress_interval = _arrays.whole(progress_interval, "progress_interval", 1, 2**64 - 1)
        check(lib.ae_trainer_set_callbacks(handle.pointer, ctypes.byref(told)))

    def _on_progress(self, _context: Any, told: Any) -> int:
        def call() -> Any:
            self.last = _told(told.contents)
            return None if self.progress is None else self.progress(self.last)

        return self.stops(call)

    def _on_poll(self, _context: Any) -> int:
        return self.stops(lambda: None if self.bar is None else self.bar.tick())

    def _on_log(self, _context: Any, message: bytes) -> None:
        try:
            if self.log is not None and self.exception is None:
                self.log(message.decode("utf-8", "replace"))
        except BaseException as error:
            self.exception = error

    @contextmanager
    def telling(
        self, progress: ProgressFunction | None, log: LogFunction | None, bar: Bar | None
    ) -> Iterator[None]:
        """Sets the functions for one call, and raises again what they raised."""
        self.progress, self.log, self.bar = progress, log, bar
        try:
            with self.running():
                yield
        finally:
            self.progress = self.log = self.bar = None


class Trainer(Closing):
    """A network in training. It is used by one thread at a time; a second one gets `ArgumentError`.

    With the same options, data and seed the weights come out the same, bit for bit, on the same kind of
    processor, whatever the number of threads. Trainers are pickled and copied as checkpoints.

    Args:
        image_shape: (H, W) or, of 1, 3 or 4 channels, (H, W, C), sides of 1 to 256; None for (28, 28), or
            that of `start`.
        start: a model in floats whose weights the trainer starts from, for images of its own or for more
            steps; which network it is that model says.
        preset: options by name, see `libae.presets()`; those that are given beside it override it.
        progress_interval: steps between progress calls; None for 500.
        context: to work with.
        {options}

    None stands for the default everywhere.

    Raises:
        ArgumentError: an option out of range, or options that do not go together, or not with `start`.
        KindError: `start` is stored as int8.
    """

    @taking(TRAINING)
    def __init__(
        self,
        image_shape: tuple[int, ...] | None = None,
        *,
        start: Model | None = None,
        preset: str | None = None,
        progress_interval: int | None = None,
        context: Context | None = None,
        **options: Unpack[TrainingOptions],
    ) -> None:
        self._handle: Handle | None = None
        self._callbacks = _Callbacks()
        self._busy = threading.Lock()
        self._progress_interval = progress_interval
        self._starts_at_zero = True
        self._held = held = Held(context)
        given = TRAINING.handle(options, preset)
        model = None if start is None else start._use()
        if image_shape is None and start is not None:
            image_shape = start.image_shape
        if image_shape is not None:
            if len(image_shape) not in (2, 3):
                raise ShapeError(f"image_shape: (H, W) or (H, W, C) expected, {tuple(image_shape)} came")
            for key, side in zip(("height", "width", "channels"), (*image_shape, 1)):
                TRAINING.set(given, key, TRAINING.options[key].text(side))

        def create(out: Any) -> int:
            if model is None:
                return int(lib.ae_trainer_create(held.pointer, given.pointer, out))
            return int(lib.ae_trainer_create_from(held.pointer, model.pointer, given.pointer, out))

        self._begin(opened(lib.ae_trainer_free, create, self._callbacks))

    def _begin(self, handle: Handle) -> None:
        """Takes over a C trainer."""
        self._callbacks.connect(handle, self._progress_interval)
        self._handle = handle
        options = self.options
        self._size = (options["height"], options["width"], options["channels"])

    @classmethod
    @suggesting()
    def resume(
        cls,
        source: str | os.PathLike[Any] | bytes | bytearray | memoryview,
        *,
        progress_interval: int | None = None,
        context: Context | None = None,
    ) -> Trainer:
        """The trainer of a checkpoint, with its options: `fit` goes on where it stopped.

        Args:
            source: a path, or the checkpoint's bytes.
            progress_interval: steps between progress calls; None for 500.
            context: to work with.

        Raises:
            FileError: it cannot be read.
            FormatError, ChecksumError, VersionError: it is not a checkpoint, or damaged, or too new.
        """
        trainer = cls.__new__(cls)
        trainer._handle = None
        trainer._callbacks = _Callbacks()
        trainer._busy = threading.Lock()
        trainer._progress_interval = progress_interval
        trainer._starts_at_zero = False
        trainer._held = held = Held(context)
        if isinstance(source, (str, os.PathLike)):
            path = file_path(source)
            handle = opened(
                lib.ae_trainer_free,
                lambda out: lib.ae_trainer_resume_file(held.pointer, path, out),
                trainer._callbacks,
                path=source,
            )
        else:
            data = _arrays.raw_bytes(source)
            handle = opened(
                lib.ae_trainer_free,
                lambda out: lib.ae_trainer_resume(held.pointer, _arrays.address(data), data.size, out),
                trainer._callbacks,
            )
        trainer._begin(handle)
        return trainer

    @property
    def options(self) -> dict[str, Any]:
        """All options of the run, as they hold; None for one that follows from others."""
        handle = self._use()
        copied = opened(
            lib.ae_options_free, lambda out: lib.ae_trainer_get_options(handle.pointer, out)
        )
        return TRAINING.values(copied)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W), in pixels; (H, W, C) in colour, with 3 or 4 channels."""
        return self._size if self._size[2] > 1 else self._size[:2]

    def fit(
        self,
        images: npt.ArrayLike,
        progress: Progress = None,
        log: LogFunction | None = None,
    ) -> bool:
        """Trains until all steps are done. Called again after a stop, it goes on where it stopped.

        Args:
            images: (..., H, W) or (..., H * W) `uint8`; in colour (..., H, W, C).
            progress: called with a `TrainingProgress` every `progress_interval` steps, on this thread.
                Returning False, also numpy's, stops training cleanly; None and all else goes on. What it
                raises stops training, too, and is raised again here; so is KeyboardInterrupt. It must not use
                this trainer: stop, then save. True shows a bar, by tqdm if it is installed
                (`pip install 'libae[progress]'`) and else in lines on standard error, which goes on 100
                times, or as often as `progress_interval` says.
            log: called with lines of text.

        Returns:
            True when all steps are done, False if `progress` stopped it.

        Raises:
            DivergedError: the loss is not finite any more; the trainer holds the last good state.
        """
        array = _arrays.byte_pixels(images)
        count = _arrays.total(_arrays.model_leading(array.shape, self._size, is_set=True))
        told = _progress.checked(progress)
        bar = Bar("train", "step") if told is True else None
        with self._alone() as handle:
            try:
                if bar is not None:
                    told = self._reports_to(bar, handle)
                with self._callbacks.telling(told, log, bar):
                    status = lib.ae_trainer_fit(handle.pointer, _arrays.address(array), count)
                    if status != _foreign.STATUS_STOPPED:
                        check(status)
            finally:
                if bar is not None:
                    bar.close()
                    self._callbacks.connect(handle, self._progress_interval)
        return bool(status != _foreign.STATUS_STOPPED)

    def _reports_to(self, bar: Bar, handle: Handle) -> ProgressFunction:
        """Lets a bar go on often enough for it to move."""
        steps = int(self.options["steps"])
        interval = self._progress_interval
        if interval is None:
            interval = min(500, max(1, steps // 100))
            self._callbacks.connect(handle, interval)
        last = self.last_progress
        if last is not None:
            bar.report(last.step, steps, first=last.step)
        elif self._starts_at_zero:
            bar.report(0, steps)

        def report(progress: TrainingProgress) -> None:
            loss = f"loss {progress.loss:.4g}, {progress.psnr:.1f} dB"
            if progress.validation_mse is not None:
                loss += f", validation {-10 * math.log10(max(progress.validation_mse, 1e-30)):.1f} dB"
            # Of a run that was resumed it is not known before where it stood.
            first = max(0, progress.step - interval)
            bar.report(progress.step, progress.step_count, loss, first)

        return report

    @property
    def last_progress(self) -> TrainingProgress | None:
        """What `progress` was told last, or `step` gave; also if nobody asked. None before the first
        report."""
        return self._callbacks.last

    def step(self, images: npt.ArrayLike) -> TrainingProgress:
        """Makes one step on one batch of the caller's.

        Args:
            images: (..., H, W) or (..., H * W): floating point in [0, 1], or `uint8`, divided by 255.

        Returns:
            The loss and the error of this batch.

        Raises:
            KindError: the kind is PCA, which has no steps.
        """
        array = _arrays.pixels(images)
        count = _arrays.total(_arrays.model_leading(array.shape, self._size, is_set=True))
        if array.dtype == np.uint8:
            array = array / np.float32(255)
        told = _foreign.Progress(struct_size=ctypes.sizeof(_foreign.Progress))
        with self._alone() as handle:
            check(lib.ae_trainer_step(handle.pointer, _arrays.address(array), count, ctypes.byref(told)))
        self._callbacks.last = _told(told)
        return self._callbacks.last

    def model(self, images: npt.ArrayLike | None = None) -> Model:
        """A model with the weights as they are now.

        Args:
            images: as in `fit`; a few thousand are enough. They fit the ranges of its integer form and
                the probability tables of its codes. With None the model has no codec: it encodes and
                decodes, but does not compress.
        """
        if images is None:
            array, count = np.empty(0, np.uint8), 0
        else:
            array = _arrays.byte_pixels(images)
            count = _arrays.total(_arrays.model_leading(array.shape, self._size, is_set=True))
        address = _arrays.address(array) if count else None
        with self._alone() as handle:
            return Model(
                opened(
                    lib.ae_model_free,
                    lambda out: lib.ae_trainer_model(handle.pointer, address, count, out),
                ),
                self._held,
            )

    def to_bytes(self) -> bytes:
        """A checkpoint: weights, optimiser, step. `resume` takes it."""
        with self._alone() as handle:
            return filled(
                lambda out, capacity, size: lib.ae_trainer_save(handle.pointer, out, capacity, size)
            )

    def save(self, path: str | os.PathLike[Any]) -> None:
        """Writes a checkpoint, replacing what is there, with the care of `Model.save`.

        Raises:
            FileError: it cannot be written; what was there is as it was.
        """
        target = file_path(path)
        with self._alone() as handle:
            check(lib.ae_trainer_save_file(handle.pointer, target), path)

    @contextmanager
    def _alone(self) -> Iterator[Handle]:
        handle = self._use()
        if not self._busy.acquire(blocking=False):
            raise ArgumentError(
                "this Trainer is in use: by another thread, or by the fit whose callback this is; "
                "return False from the callback, save, and call fit again"
            )
        try:
            yield handle
        finally:
            self._busy.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return _resumed, (self.to_bytes(), self._progress_interval, self._held.context)

    def __enter__(self) -> Trainer:
        self._use()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self.closed else ""
        return f"<libae.Trainer for {' x '.join(map(str, self.image_shape))} pixels{closed}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: what is trained, and how far it is."""
        if self.closed:
            return _picture.html(None, repr(self))
        options = self.options
        told = ("kind", "latent_size", "hidden", "steps", "batch_size", "learning_rate", "schedule", "seed")
        facts = {key.replace("_", " "): _words(options[key]) for key in told if options.get(key) is not None}
        if self.last_progress is not None:
            facts.update(_facts(self.last_progress))
        return _picture.html(None, repr(self), facts)


def _words(value: Any) -> str:
    """The value of an option, as a notebook shows it."""
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


Trainer.__doc__ = _options.documented(Trainer.__doc__, TRAINING)


def _resumed(data: bytes, progress_interval: int | None, context: Context | None) -> Trainer:
    """What unpickling calls."""
    return Trainer.resume(data, progress_interval=progress_interval, context=context)


# More would fit the codec's tables no better, and take its time.
_CODEC_IMAGES = 10_000


@taking(TRAINING)
def train(
    images: npt.ArrayLike,
    *,
    image_shape: tuple[int, int] | None = None,
    start: Model | None = None,
    preset: str | None = None,
    codec: bool = True,
    progress: Progress = None,
    progress_interval: int | None = None,
    log: LogFunction | None = None,
    context: Context | None = None,
    **options: Unpack[TrainingOptions],
) -> Model:
    """Trains a model on a set of images.

    Args:
        images: (N, H, W) `uint8`, perhaps with an axis of one channel, or (N, H, W, C) with 3 or 4; (N, 784)
            is taken for 28 x 28.
        image_shape: (H, W) or (H, W, C), for images that come flat in another size, or with other leading
        axes. start, preset, progress_interval, context: as in `Trainer`.
        codec: fit what `compress` needs, too.
        progress, log: as in `Trainer.fit`; if `progress` returns False, the model is the one so far.
        {options}

    None stands for the default everywhere.

    Returns:
        The model, stored as float32.
    """
    array = _arrays.byte_pixels(images)
    if image_shape is not None:
        if len(image_shape) not in (2, 3):
            raise ShapeError(f"image_shape: (H, W) or (H, W, C) expected, {tuple(image_shape)} came")
        shape = (image_shape[0], image_shape[1], image_shape[2] if len(image_shape) == 3 else 1)
        count = _arrays.total(_arrays.model_leading(array.shape, shape, is_set=True))
    elif array.ndim == 2 and array.shape[1] == 784:
        shape, count = (28, 28, 1), len(array)
    elif array.ndim < 3:
        raise ShapeError(
            f"images: shape (N, H, W) expected, or image_shape for flat ones, {array.shape} came"
        )
    else:
        count, *sides = _arrays.set_stack(array.shape)
        shape = (sides[0], sides[1], sides[2])
    array = array.reshape(count, *(shape if shape[2] > 1 else shape[:2]))
    with Trainer(
        shape,
        start=start,
        preset=preset,
        progress_interval=progress_interval,
        context=context,
        **options,
    ) as trainer:
        trainer.fit(array, progress, log)
        if not codec:
            return trainer.model()
        # Evenly spread, since sets are often sorted.
        stride = max(1, -(-len(array) // _CODEC_IMAGES))
        return trainer.model(array[::stride])
