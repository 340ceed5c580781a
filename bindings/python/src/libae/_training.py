"""Training: a trainer with callbacks whose exceptions come through, and `train` for the common case."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, TypedDict

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign
from ._callbacks import Callbacks
from ._errors import ArgumentError, ShapeError
from ._library import Closing, Handle, check, file_path, lib, opened, suggesting
from ._model import Model, filled

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Options of 64 bits; the others have 31.
_LONG = frozenset({"step_count", "seed", "beta_warmup_steps", "importance_warmup_steps"})


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


ProgressFunction = Callable[[TrainingProgress], Any]
LogFunction = Callable[[str], Any]


class TrainingOptions(TypedDict, total=False):
    """The options of `Trainer`, as `train` hands them on; type checkers know them by this."""

    kind: str
    latent_size: int | None
    hidden: Sequence[int] | None
    loss: str | None
    output: str | None
    schedule: str | None
    batch_size: int | None
    steps: int | None
    seed: int | None
    learning_rate: float | None
    beta: float | None
    beta_warmup_steps: int | None
    noise: float | None
    deformation: float | None
    gradient_clip: float | None
    weight_average: float | None
    importance_samples: int | None
    importance_warmup_steps: int | None
    binarize: bool
    validation_fraction: float | None
    progress_interval: int | None
    name: str | None


def _progress(told: _foreign.Progress) -> TrainingProgress:
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
    """The two C callbacks of a trainer, and the Python functions behind them.

    C keeps their addresses as long as the trainer lives; the functions change from `fit` to `fit`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.progress: ProgressFunction | None = None
        self.log: LogFunction | None = None
        # This object and not the trainer is what C's handle keeps, so a trainer goes when its user lets go.
        self.c_progress = _foreign.ProgressCallback(self._on_progress)
        self.c_log = _foreign.LogCallback(self._on_log)
        self.c_poll = _foreign.PollCallback(self._on_poll)

    def _on_progress(self, _context: Any, told: Any) -> int:
        def call() -> Any:
            return None if self.progress is None else self.progress(_progress(told.contents))

        return self.stops(call)

    def _on_poll(self, _context: Any) -> int:
        return self.stops(lambda: None)

    def _on_log(self, _context: Any, message: bytes) -> None:
        try:
            if self.log is not None and self.exception is None:
                self.log(message.decode("utf-8", "replace"))
        except BaseException as error:
            self.exception = error

    @contextmanager
    def telling(self, progress: ProgressFunction | None, log: LogFunction | None) -> Iterator[None]:
        """Sets the functions for one call, and raises again what they raised."""
        self.progress, self.log = progress, log
        try:
            with self.running():
                yield
        finally:
            self.progress = self.log = None


class Trainer(Closing):
    """A network in training. It is used by one thread at a time; a second one gets `ArgumentError`.

    With the same options, data and seed the weights come out the same, bit for bit, on the same kind of
    processor, whatever the number of threads. Trainers are pickled and copied as checkpoints.

    Args:
        image_shape: (H, W), in pixels, 1 to 64 each.
        kind: "pca", "linear", "sigmoid", "relu", "elu", "vae" or "conv-vae".
        latent_size: numbers in a latent code, 1 to 1024; None for 5, or 20 for variational kinds.
        hidden: widths of the encoder's hidden layers, up to 8 of them, 1 to 4096 each; the decoder
            mirrors them; None for (500, 500), for "conv-vae" (32, 64, 256). Of a "conv-vae" all but the last
            are channels of convolutions, at most 1024: one with as many channels as the one before it keeps
            the picture's size, any other halves it.
        loss: "mse" or "bernoulli"; None for MSE, or Bernoulli for variational kinds.
        output: activation of the output layer, "linear" or "sigmoid"; None for linear with MSE, sigmoid
            with Bernoulli.
        schedule: course of the learning rate, "constant", "cosine" or "one-cycle".
        batch_size: images in a batch.
        steps: steps to make; PCA needs none.
        seed: fixes the weights' start, the batches and all noise.
        learning_rate: its peak.
        beta: weight of the KL term.
        beta_warmup_steps: steps over which that weight rises from 0.
        noise: standard deviation of the Gaussian noise on the input.
        deformation: standard deviation of the entries of a random linear map that every image of a set
            goes through, up to 0.5: slants, turns and sizes that the set does not hold.
        gradient_clip: largest norm of the gradient; 0 for none.
        weight_average: decay of the running average of the weights that the model gets, in [0, 1);
            0 for the last weights.
        importance_samples: draws of the latent for each image of a variational kind, 1 to 64.
        importance_warmup_steps: steps at first that draw once all the same, which is faster.
        binarize: draw every batch's pixels as 0 or 1, with their value as probability.
        validation_fraction: share of the images held out, up to 0.5.
        progress_interval: steps between progress calls.
        name: the model's name, at most 64 bytes of UTF-8; None for the kind's name.

    None stands for the library's default everywhere.
    """

    @suggesting()
    def __init__(
        self,
        image_shape: tuple[int, int] = (28, 28),
        *,
        kind: str = "elu",
        latent_size: int | None = None,
        hidden: Sequence[int] | None = None,
        loss: str | None = None,
        output: str | None = None,
        schedule: str | None = None,
        batch_size: int | None = None,
        steps: int | None = None,
        seed: int | None = None,
        learning_rate: float | None = None,
        beta: float | None = None,
        beta_warmup_steps: int | None = None,
        noise: float | None = None,
        deformation: float | None = None,
        gradient_clip: float | None = None,
        weight_average: float | None = None,
        importance_samples: int | None = None,
        importance_warmup_steps: int | None = None,
        binarize: bool = False,
        validation_fraction: float | None = None,
        progress_interval: int | None = None,
        name: str | None = None,
    ) -> None:
        self._handle: Handle | None = None
        self._callbacks = _Callbacks()
        self._busy = threading.Lock()
        self._progress_interval = progress_interval
        options = _options(self._callbacks, progress_interval)

        def number(field: str, value: Any, argument: str | None = None) -> None:
            if value is not None:
                limit = 2**64 - 1 if field in _LONG else 2**31 - 1
                setattr(options, field, _arrays.whole(value, argument or field, 0, limit))

        def word(field: str, value: str | None, choices: tuple[str, ...]) -> None:
            if value is not None:
                setattr(options, field, _arrays.choice(value, field, choices))

        height, width = image_shape
        number("height", height)
        number("width", width)
        word("kind", kind, _foreign.KINDS)
        # 0 asks for the kind's own default.
        options.latent_size = 0 if kind in {"vae", "conv-vae"} else options.latent_size
        number("latent_size", latent_size)
        if hidden is not None:
            widths = [_arrays.whole(value, "hidden", 0, 2**31 - 1) for value in hidden]
            options.hidden = (ctypes.c_int32 * max(len(widths), 1))(*widths)
            options.hidden_count = len(widths)
        word("loss", loss, _foreign.LOSSES)
        word("output", output, _foreign.OUTPUTS)
        word("schedule", schedule, _foreign.SCHEDULES)
        number("batch_size", batch_size)
        number("step_count", steps, "steps")
        number("seed", seed)
        number("beta_warmup_steps", beta_warmup_steps)
        number("importance_samples", importance_samples)
        number("importance_warmup_steps", importance_warmup_steps)
        for field, value in (
            ("learning_rate", learning_rate),
            ("beta", beta),
            ("noise", noise),
            ("deformation", deformation),
            ("gradient_clip", gradient_clip),
            ("weight_average", weight_average),
            ("validation_fraction", validation_fraction),
        ):
            if value is not None:
                setattr(options, field, float(value))
        options.binarize = 1 if binarize else 0
        if name is not None:
            encoded = name.encode("utf-8")
            if b"\0" in encoded:
                raise ArgumentError(f"name {name!r} holds a NUL")
            options.name = encoded

        self._image_shape = (int(height), int(width))
        self._handle = opened(
            lib.ae_trainer_free,
            lambda out: lib.ae_trainer_create(ctypes.byref(options), out),
            self._callbacks,
        )

    @classmethod
    @suggesting()
    def resume(
        cls,
        source: str | os.PathLike[Any] | bytes | bytearray | memoryview,
        *,
        progress_interval: int | None = None,
    ) -> Trainer:
        """The trainer of a checkpoint. A run resumed from it ends with the weights of the unbroken run.

        Args:
            source: a path, or the checkpoint's bytes. All options are the checkpoint's.
            progress_interval: steps between progress calls.
        """
        trainer = cls.__new__(cls)
        trainer._handle = None
        trainer._callbacks = _Callbacks()
        trainer._busy = threading.Lock()
        trainer._progress_interval = progress_interval
        options = _options(trainer._callbacks, progress_interval)
        if isinstance(source, (str, os.PathLike)):
            path = file_path(source)
            trainer._handle = opened(
                lib.ae_trainer_free,
                lambda out: lib.ae_trainer_resume_file(path, ctypes.byref(options), out),
                trainer._callbacks,
                path=source,
            )
        else:
            data = _arrays.raw_bytes(source)
            trainer._handle = opened(
                lib.ae_trainer_free,
                lambda out: lib.ae_trainer_resume(
                    _arrays.address(data), data.size, ctypes.byref(options), out
                ),
                trainer._callbacks,
            )
        with trainer.model() as model:
            trainer._image_shape = model.image_shape
        return trainer

    @property
    def image_shape(self) -> tuple[int, int]:
        """(H, W), in pixels."""
        return self._image_shape

    def fit(
        self,
        images: npt.ArrayLike,
        progress: ProgressFunction | None = None,
        log: LogFunction | None = None,
    ) -> bool:
        """Trains until all steps are done. Called again after a stop, it goes on where it stopped.

        Args:
            images: (..., H, W) or (..., H * W) `uint8`.
            progress: called with a `TrainingProgress` every `progress_interval` steps, on this thread.
                Returning False, also numpy's, stops training cleanly; None and all else goes on. What it
                raises stops training, too, and is raised again here; so is KeyboardInterrupt. It must not use
                this trainer: stop, then save.
            log: called with lines of text.

        Returns:
            True when all steps are done, False if `progress` stopped it.

        Raises:
            DivergedError: the loss is not finite any more; the trainer holds the last good state.
        """
        array = _arrays.byte_pixels(images)
        count = _arrays.total(_arrays.image_leading(array.shape, *self._image_shape, is_set=True))
        with self._alone() as handle, self._callbacks.telling(progress, log):
            status = lib.ae_trainer_fit(handle.pointer, _arrays.address(array), count)
            if status != _foreign.STATUS_STOPPED:
                check(status)
        return bool(status != _foreign.STATUS_STOPPED)

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
        count = _arrays.total(_arrays.image_leading(array.shape, *self._image_shape, is_set=True))
        if array.dtype == np.uint8:
            array = array / np.float32(255)
        told = _foreign.Progress(struct_size=ctypes.sizeof(_foreign.Progress))
        with self._alone() as handle:
            check(lib.ae_trainer_step(handle.pointer, _arrays.address(array), count, ctypes.byref(told)))
        return _progress(told)

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
            count = _arrays.total(_arrays.image_leading(array.shape, *self._image_shape, is_set=True))
        address = _arrays.address(array) if count else None
        with self._alone() as handle:
            return Model(
                opened(
                    lib.ae_model_free,
                    lambda out: lib.ae_trainer_model(handle.pointer, address, count, out),
                )
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
        return _resumed, (self.to_bytes(), self._progress_interval)

    def __enter__(self) -> Trainer:
        self._use()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        height, width = self._image_shape
        closed = ", closed" if self.closed else ""
        return f"<libae.Trainer for {height} x {width} pixels{closed}>"


def _resumed(data: bytes, progress_interval: int | None) -> Trainer:
    """What unpickling calls."""
    return Trainer.resume(data, progress_interval=progress_interval)


def _options(callbacks: _Callbacks, progress_interval: int | None) -> _foreign.TrainerOptions:
    options = _foreign.TrainerOptions()
    check(lib.ae_trainer_options_init(ctypes.byref(options), ctypes.sizeof(options)))
    options.progress = callbacks.c_progress
    options.log = callbacks.c_log
    options.poll = callbacks.c_poll
    if progress_interval is not None:
        options.progress_interval = _arrays.whole(progress_interval, "progress_interval", 1, 2**64 - 1)
    return options


# More would fit the codec's tables no better, and take its time.
_CODEC_IMAGES = 10_000


@suggesting(TrainingOptions.__annotations__)
def train(
    images: npt.ArrayLike,
    *,
    image_shape: tuple[int, int] | None = None,
    codec: bool = True,
    progress: ProgressFunction | None = None,
    log: LogFunction | None = None,
    **options: Unpack[TrainingOptions],
) -> Model:
    """Trains a model on a set of images.

    Args:
        images: (N, H, W) `uint8`, perhaps with an axis of one channel; (N, 784) is taken for 28 x 28.
            Colour is refused.
        image_shape: (H, W), for images that come flat in another size, or with other leading axes.
        codec: fit what `compress` needs, too.
        progress, log: as in `Trainer.fit`; if `progress` returns False, the model is the one so far.
        options: as in `Trainer`: kind, latent_size, hidden, steps, seed, ...

    Returns:
        The model, stored as float32.
    """
    array = _arrays.byte_pixels(images)
    if image_shape is not None:
        shape = (image_shape[0], image_shape[1])
        count = _arrays.total(_arrays.image_leading(array.shape, *shape, is_set=True))
    elif array.ndim == 2 and array.shape[1] == 784:
        shape, count = (28, 28), len(array)
    elif array.ndim < 3:
        raise ShapeError(
            f"images: shape (N, H, W) expected, or image_shape for flat ones, {array.shape} came"
        )
    else:
        count, *sides = _arrays.image_stack(array.shape)
        shape = (sides[0], sides[1])
    array = array.reshape(count, *shape)
    with Trainer(shape, **options) as trainer:
        trainer.fit(array, progress, log)
        if not codec:
            return trainer.model()
        # Evenly spread, since sets are often sorted.
        stride = max(1, -(-len(array) // _CODEC_IMAGES))
        return trainer.model(array[::stride])
