"""scikit-learn's estimators over libae's autoencoders: `Autoencoder` and `VariationalAutoencoder`.

They are transformers as `sklearn.decomposition.PCA` is one: `transform` gives the latent codes of rows or
images, `inverse_transform` what the decoder makes of codes. All work is done by `libae.Trainer` and
`libae.Model`; what stands here is scikit-learn's conventions, and `_rows` has how values of any range become
the engine's.

Both pass `sklearn.utils.estimator_checks.check_estimator` with no expected failures. This module is imported
by itself (`import libae.sklearn`): `import libae` needs no scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _rows
from ._arrays import Array, whole
from ._context import Context
from ._errors import ArgumentError, KindError, ShapeError
from ._model import Model
from ._options import TRAINING, documented, taking
from ._training import Trainer, TrainingProgress

try:
    from sklearn.base import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        TransformerMixin,
    )
    from sklearn.utils import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        check_array,
        check_random_state,
    )
    from sklearn.utils.validation import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        check_is_fitted,
        validate_data,
    )
except ImportError as error:
    raise ImportError(
        "libae.sklearn needs scikit-learn 1.6 or later: pip install 'libae[sklearn]'"
    ) from error

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._option_types import TrainingOptions

__all__ = ["Autoencoder", "VariationalAutoencoder"]

# Options of training that are no parameters: random_state stands for the one, and scikit-learn has its own
# ways to hold samples out.
_WITHOUT = ("seed", "validation_fraction")
_OPTIONS = tuple(option.key for option in TRAINING.keywords if option.key not in _WITHOUT)
_VARIATIONAL = ("vae", "conv-vae", "residual-vae")
_CONVOLUTIONAL = ("conv-vae", "residual-vae")
# What only `Trainer.fit` does, which draws its batches of bytes.
_OF_BYTES = ("binarize", "deformation")
# Points of a loss curve.
_POINTS = 100
# What seeds are drawn from.
_SEEDS = 2**31 - 1


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc,unused-ignore]
    """An autoencoder as a transformer of scikit-learn: samples to latent codes and back.

    Samples are rows, (n_samples, n_features), or images, (n_samples, H, W) or (n_samples, H, W, C) with 1, 3
    or 4 channels. The network sees values in [0, 1]: `fit` learns which range they stand for (see `scaling`).
    What lies outside that range is clipped to it by `transform`, and reconstructions lie within it.

    Floats are trained on in float32. Bytes (`uint8`) are trained on as they are, which takes a quarter of the
    memory. `kind="pca"` is computed of bytes in any case, of values rounded to 256 steps of the range: for
    exact components there is `sklearn.decomposition.PCA`.

    With the same data and an integer `random_state` the weights come out the same, bit for bit, on the same
    kind of processor, whatever the number of threads.

    Args:
        image_shape: (H, W) or (H, W, C), sides of 1 to 256, of rows that are flat images; convolutions need
            it. None for rows that are no images, and for images whose shape X has.
        scaling: "auto" for one range for all values: 0 to 255 of bytes, and otherwise from the least to the
            greatest in `fit`; "feature" for each feature's own; or (low, high), one range that you know.
        preset: options by name, see `libae.presets()`, which those that are given override; None for none.
            "quick" is 3,000 steps.
        threads: that a call may use, 1 to 256; None for as many as `libae.set_threads` says.
        random_state: of the weights, the batches and all noise: an int, a `numpy.random.RandomState`, or
            None for numpy's own.
        verbose: print the loss ten times in `fit`.
        {options}

    None stands for what the preset says, or else for the default. Values are checked by `fit`.

    Attributes:
        model_: the trained `libae.Model`, which takes and gives values in [0, 1]: `model_.save("mine.aew")`
            writes a weight file, and `model_.quantize(images)` makes a model that packs image sets.
        data_min_: what 0 stands for: a float, or with scaling="feature" (n_features) float64.
        scale_: how far 1 is from it, likewise: a sample is `data_min_ + scale_ * values`.
        options_: all options of the training run, as they held.
        loss_curve_: what training minimised, in the mean over equal runs of steps: at most 100 floats.
        n_features_in_: numbers of a sample.
        feature_names_in_: names of the features, if X had any.
    """

    @taking(TRAINING, _WITHOUT, are_unset=True)
    def __init__(
        self,
        *,
        image_shape: tuple[int, ...] | None = None,
        scaling: _rows.Scaling = "auto",
        preset: str | None = "quick",
        threads: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
        **options: Unpack[TrainingOptions],
    ) -> None:
        self.image_shape = image_shape
        self.scaling = scaling
        self.preset = preset
        self.threads = threads
        self.random_state = random_state
        self.verbose = verbose
        for key in _OPTIONS:
            setattr(self, key, options.get(key))

    def fit(self, X: Any, y: Any = None) -> Self:
        """Trains a network, and learns the range of values.

        Args:
            X: (n_samples, n_features), (n_samples, H, W) or (n_samples, H, W, C): real numbers, all finite.
            y: not looked at.

        Raises:
            ArgumentError: a parameter out of range, or parameters that do not go together.
            ShapeError: X is not of `image_shape`, or has more numbers than an image may.
            DivergedError: the loss is not finite any more: try a lower learning rate or a `gradient_clip`.
        """
        rows, shape = self._checked(X, reset=True)
        scale = _rows.Scale.learned(rows, self.scaling)
        random = check_random_state(self.random_state)
        options = self._options()
        options["seed"] = int(random.randint(_SEEDS))
        told = TRAINING.handle(options, self.preset)
        kind, steps, size = (TRAINING.get(told, key) for key in ("kind", "steps", "batch_size"))
        if kind in _CONVOLUTIONAL and self.image_shape is None and len(shape) == 1:
            raise ArgumentError(
                f"kind: {kind!r} is of images: image_shape=(H, W) or (H, W, C) expected, or X of shape "
                f"(n_samples, H, W) or (n_samples, H, W, C); rows of {shape[0]} features came"
            )
        as_bytes = rows.dtype == np.uint8 and scale.is_bytes
        if kind != "pca" and not as_bytes:
            for key in _OF_BYTES:
                if TRAINING.get(told, key):
                    raise ArgumentError(
                        f"{key}: is done to images in bytes alone: X of type uint8, scaled from 0 to 255, "
                        f"expected; {rows.dtype}, scaling={self.scaling!r}, came"
                    )
        curve = _Curve(steps, type(self).__name__ if self.verbose else "")
        with Trainer(
            self._engine_shape(shape, rows.shape[1]),
            preset=self.preset,
            progress_interval=curve.interval,
            context=self._context(),
            **options,
        ) as trainer:
            if as_bytes or kind == "pca":
                values = rows if as_bytes else np.rint(255 * scale.to_unit(rows)).astype(np.uint8)
                trainer.fit(_rows.as_images(values, trainer.image_shape), curve.add)
            else:
                unit = scale.to_unit(rows)
                for indices in _batches(random, len(unit), size, steps):
                    curve.add_step(trainer.step(_rows.as_images(unit[indices], trainer.image_shape)))
            self.options_: dict[str, Any] = trainer.options
            self.model_: Model = trainer.model()
        self.data_min_, self.scale_ = scale.low, scale.span
        self.loss_curve_: list[float] = curve.losses
        self._sample_shape = shape
        return self

    def transform(self, X: Any) -> Any:
        """The latent codes of samples; of a variational network, the means.

        Args:
            X: samples as in `fit`, as rows or as images.

        Returns:
            (n_samples, latent_size): float32 if X is of float32 or narrower, or of bytes, else float64.
        """
        check_is_fitted(self)
        rows, _ = self._checked(X)
        return self.model_.encode(self._images(rows)).astype(_float_type(rows), copy=False)

    def inverse_transform(self, X: Any) -> Array:
        """What the decoder makes of latent codes.

        Args:
            X: (n_samples, latent_size) real numbers.

        Returns:
            Samples as `fit` saw them, rows or images, in the range that it learned: float32 of float32, else
            float64.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=(np.float64, np.float32), estimator=self, input_name="X")
        if codes.shape[1] != self.model_.latent_size:
            raise ShapeError(
                f"X: latent codes of {self.model_.latent_size} numbers expected, {codes.shape[1]} came"
            )
        return self._samples(self.model_.decode(codes), codes.dtype)

    def score(self, X: Any, y: Any = None) -> float:
        """The negative mean squared error of reconstructions, over all values, in X's own units.

        Higher is better, and 0 the best, so that a search over parameters finds the least error.

        Args:
            X: samples as in `fit`.
            y: not looked at.
        """
        check_is_fitted(self)
        rows, _ = self._checked(X)
        again = self._values(self.model_.decode(self.model_.encode(self._images(rows))), np.float64)
        again -= rows
        return -float(np.mean(np.square(again, out=again)))

    @property
    def _n_features_out(self) -> int:
        """What names of outputs are made of."""
        return self.model_.latent_size

    def _options(self) -> dict[str, Any]:
        """The options of training that are given."""
        given = {key: getattr(self, key) for key in _OPTIONS}
        return {key: value for key, value in given.items() if value is not None}

    def _context(self) -> Context | None:
        return None if self.threads is None else Context(threads=self.threads)

    def _checked(self, X: Any, reset: bool = False) -> tuple[Array, tuple[int, ...]]:
        """Samples as (n_samples, n_features), checked, and the shape of one as it came."""
        if isinstance(X, (list, tuple)):
            # Lists of different lengths scikit-learn refuses with a message of its own.
            with suppress(ValueError):
                X = np.asarray(X)
        shape = tuple(getattr(X, "shape", ()))
        is_images = len(shape) > 2
        if is_images:
            X = np.asarray(X).reshape(shape[0], math.prod(shape[1:]))
        rows = validate_data(self, X, reset=reset, dtype="numeric")
        if rows.dtype.kind not in "fiub":
            raise TypeError(f"X: real numbers expected, {rows.dtype} came")
        if not is_images:
            return rows, (rows.shape[1],)
        if not reset and _rows.bare(shape[1:]) != self.model_.image_shape:
            raise ShapeError(
                f"X: rows of {self.n_features_in_} features or images of {self.model_.image_shape} expected, "
                f"as in fit; images of {shape[1:]} came"
            )
        return rows, shape[1:]

    def _engine_shape(self, shape: tuple[int, ...], features: int) -> tuple[int, ...]:
        """(H, W) or (H, W, C) of what the engine sees of samples of a shape."""
        if self.image_shape is not None:
            wanted = _rows.checked_shape(self.image_shape, "image_shape")
            if math.prod(wanted) != features or (len(shape) > 1 and _rows.bare(shape) != wanted):
                came = f"images of {shape}" if len(shape) > 1 else f"rows of {features} features"
                raise ShapeError(
                    f"X: images of image_shape={wanted}, or rows of {math.prod(wanted)} features, expected; "
                    f"{came} came"
                )
            return wanted
        return _rows.row_shape(features) if len(shape) == 1 else _rows.checked_shape(shape, "X: images")

    @property
    def _scale(self) -> _rows.Scale:
        return _rows.Scale(self.data_min_, self.scale_)

    def _images(self, rows: Array) -> Array:
        """Rows as the model takes them."""
        scale = self._scale
        values = rows if rows.dtype == np.uint8 and scale.is_bytes else scale.to_unit(rows)
        return _rows.as_images(values, self.model_.image_shape)

    def _values(self, images: Array, dtype: npt.DTypeLike) -> Array:
        """What the model gives as rows in the range of X."""
        return self._scale.from_unit(_rows.as_rows(images, self.n_features_in_), dtype)

    def _samples(self, images: Array, dtype: npt.DTypeLike) -> Array:
        """What the model gives as samples of the shape that `fit` saw."""
        values: Array = self._values(images, dtype).reshape(len(images), *self._sample_shape)
        return values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # The weight file itself, and not a call that opens it: skops writes state, and no calls.
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = self.model_.to_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(state.get("model_"), bytes):
            self.model_ = Model.open(state["model_"], context=self._context())


class VariationalAutoencoder(Autoencoder):
    """A variational autoencoder as a transformer of scikit-learn: an `Autoencoder` that draws samples, too.

    `transform` gives the means of the posteriors. Parameters and attributes are those of `Autoencoder`;
    `kind` is a variational one, "vae" unless told, or "custom" with variational=True. The loss is that of
    values seen as probabilities unless told. `loss="mse"` is a Gaussian likelihood of variance 1/2 on the
    [0, 1] scale, which is wide: few features then need a `beta` far below 1, or no latent is used.

    Args:
        image_shape, scaling, preset, threads, random_state, verbose: as in `Autoencoder`.
        {options}
    """

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Draws codes from the prior, a unit Gaussian in each latent, and decodes them.

        Args:
            n_samples: how many.
            random_state: of the draw, as in the class; None draws others each time.

        Returns:
            Samples as `fit` saw them, float64: the decoder's means, without noise.
        """
        check_is_fitted(self)
        count = whole(n_samples, "n_samples", 1, 2**31 - 1)
        seed = int(check_random_state(random_state).randint(_SEEDS))
        return self._samples(self.model_.sample(count, seed), np.float64)

    def posterior(self, X: Any) -> tuple[Array, Array]:
        """The Gaussian posterior of each sample.

        Args:
            X: samples as in `fit`.

        Returns:
            (mean, log_variance), (n_samples, latent_size) each, types as in `transform`; the latter is the
            natural logarithm.
        """
        check_is_fitted(self)
        rows, _ = self._checked(X)
        mean, log_variance = self.model_.posterior(self._images(rows))
        dtype = _float_type(rows)
        return mean.astype(dtype, copy=False), log_variance.astype(dtype, copy=False)

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        told = TRAINING.handle(options, self.preset)
        kind = TRAINING.get(told, "kind")
        if kind in _VARIATIONAL or (kind == "custom" and TRAINING.get(told, "variational")):
            return options
        if "kind" in options:
            kinds = ", ".join(map(repr, _VARIATIONAL))
            raise KindError(
                f"kind: a variational one expected, {kinds} or 'custom' with variational=True; {kind!r} came"
            )
        return {**options, "kind": "vae"}


for _class in (Autoencoder, VariationalAutoencoder):
    _class.__doc__ = documented(_class.__doc__, TRAINING, _WITHOUT)


def _float_type(rows: Array) -> np.dtype[Any]:
    """The type of codes: the engine's, float32, unless samples are of more."""
    is_narrow = rows.dtype == np.uint8 or (rows.dtype.kind == "f" and rows.dtype.itemsize <= 4)
    return np.dtype(np.float32 if is_narrow else np.float64)


def _batches(random: Any, count: int, size: int, steps: int) -> Iterator[Array]:
    """Indices of a batch for each step: epochs in new orders; what is less than a batch is left out."""
    size = min(size, count)
    first, order = count, np.empty(0, np.intp)
    for _ in range(steps):
        if first + size > count:
            first, order = 0, random.permutation(count)
        yield order[first : first + size]
        first += size


class _Curve:
    """A loss curve of at most 100 points, printed ten times if it has a title."""

    def __init__(self, steps: int, title: str) -> None:
        self.losses: list[float] = []
        self.interval = max(1, -(-steps // _POINTS))
        self._every = max(1, -(-steps // self.interval) // 10)
        self._title = title
        self._sums = [0.0, 0.0]
        self._count = 0

    def add(self, progress: TrainingProgress) -> None:
        """A point: what `Trainer.fit` tells."""
        self._point(progress, progress.loss, progress.mse)

    def add_step(self, progress: TrainingProgress) -> None:
        """A step; those of an interval, the last of which may be shorter, are a point."""
        self._sums[0] += progress.loss
        self._sums[1] += progress.mse
        self._count += 1
        if self._count == self.interval or progress.step == progress.step_count:
            self._point(progress, *(each / self._count for each in self._sums))
            self._sums, self._count = [0.0, 0.0], 0

    def _point(self, progress: TrainingProgress, loss: float, mse: float) -> None:
        self.losses.append(loss)
        if self._title and (len(self.losses) % self._every == 0 or progress.step == progress.step_count):
            print(
                f"[{self._title}] step {progress.step} of {progress.step_count}: loss {loss:.6g}, "
                f"mean squared error {mse:.6g} on the [0, 1] scale"
            )
