"""Models: opened, asked, saved; and the default model that comes with the package."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign, _picture
from ._arrays import Array
from ._errors import MissingFileError
from ._library import Closing, Handle, beside_package, check, file_path, lib, opened


@dataclass(frozen=True)
class ModelInfo:
    """What a model is."""

    kind: str
    """"pca", "linear", "sigmoid", "relu", "elu", "vae" or "conv-vae"."""
    storage: str
    """How its numbers are stored: "float32", "float16" or "int8"."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    channels: int
    latent_size: int
    """Numbers in a latent code."""
    has_encoder: bool
    """False for a decoder alone."""
    is_variational: bool
    """True if `posterior`, `prior` and `sample` work."""
    has_codec: bool
    """True if `compress` and image sets work."""
    quality_count: int
    """`compress` takes qualities from 1 to this; 0 without codec."""
    parameter_count: int
    """Weights and biases."""
    hash: str
    """What image sets name the model by: 64 hex digits, "" without codec."""
    name: str


def filled(fill: Callable[[int | None, int, Any], int]) -> bytes:
    """The bytes of a call that takes (out, capacity, size): asked for a capacity first, then to fill it."""
    size = ctypes.c_size_t()
    check(fill(None, 0, ctypes.byref(size)))
    out = np.empty(size.value, np.uint8)
    check(fill(_arrays.address(out), out.size, ctypes.byref(size)))
    return out[: size.value].tobytes()


_OTHER_SIZE = "; train a model for images of that size (libae.train)"

# Images that one call takes: between calls, Python hears Ctrl-C.
_IMAGES_IN_CALL = 16384


def _in_parts(call: Callable[..., int], handle: Handle, count: int, *arrays: Array) -> None:
    """A call for `count` images, some at a time: each array holds as many rows."""
    flat = [array.reshape(count, -1) for array in arrays] if count else []
    for first in range(0, count, _IMAGES_IN_CALL):
        last = min(count, first + _IMAGES_IN_CALL)
        source, *targets = (_arrays.address(array[first:last]) for array in flat)
        check(call(handle.pointer, source, last - first, *targets))
    if count == 0:
        # What the model cannot do it says of nothing, too.
        source, *targets = (_arrays.address(array) for array in arrays)
        check(call(handle.pointer, source, 0, *targets))


def _image_call(
    images: Array, float_call: Callable[..., int], byte_call: Callable[..., int]
) -> Callable[..., int]:
    return byte_call if images.dtype == np.uint8 else float_call


class Model(Closing):
    """A trained network, immutable: any number of threads may use one at the same time.

    Made by `Model.open`, `default_model`, `train` or `Trainer.model`. Models can be pickled and copied:
    that writes and reads a weight file in memory.

    In the shapes below, `...` stands for any leading shape, also none, (H, W) for the height and width of
    the model's images, and d for its `latent_size`. Images may come flat, as (..., H * W), too; they
    always go out as (..., H, W).
    """

    def __init__(self, handle: Handle) -> None:
        """For the use of this package; see `Model.open`."""
        self._handle: Handle | None = handle
        information = _foreign.ModelInformation(struct_size=ctypes.sizeof(_foreign.ModelInformation))
        check(lib.ae_model_info(handle.pointer, ctypes.byref(information)))
        self._info = ModelInfo(
            kind=_foreign.KINDS[information.kind],
            storage=_foreign.STORAGES[information.storage],
            width=information.width,
            height=information.height,
            channels=information.channels,
            latent_size=information.latent_size,
            has_encoder=bool(information.has_encoder),
            is_variational=bool(information.is_variational),
            has_codec=bool(information.has_codec),
            quality_count=information.quality_count,
            parameter_count=information.parameter_count,
            hash=information.hash.decode("ascii"),
            name=information.name.decode("utf-8", "replace"),
        )

    @classmethod
    def open(cls, source: str | os.PathLike[Any] | bytes | bytearray | memoryview) -> Model:
        """Opens a weight file (.aew).

        Args:
            source: a path, or the file's bytes, which may go after the call.

        Raises:
            FileError: it cannot be read.
            FormatError, ChecksumError, VersionError: it is not a weight file, or damaged, or too new.
        """
        if isinstance(source, (str, os.PathLike)):
            path = file_path(source)
            return cls(opened(lib.ae_model_free, lambda out: lib.ae_model_open(path, out), path=source))
        data = _arrays.raw_bytes(source)
        return cls(
            opened(
                lib.ae_model_free,
                lambda out: lib.ae_model_open_memory(_arrays.address(data), data.size, out),
            )
        )

    @property
    def info(self) -> ModelInfo:
        """What the model is; also after `close`."""
        return self._info

    @property
    def name(self) -> str:
        """The model's name."""
        return self._info.name

    @property
    def latent_size(self) -> int:
        """Numbers in a latent code."""
        return self._info.latent_size

    @property
    def image_shape(self) -> tuple[int, int]:
        """(H, W), in pixels."""
        return (self._info.height, self._info.width)

    def encode(self, images: npt.ArrayLike, out: Array | None = None) -> npt.NDArray[np.float32]:
        """Encodes images; a variational model gives the mean.

        Args:
            images: (..., H, W), (..., H, W, 1) or (..., H * W): `uint8`, or floating point in [0, 1].
            out: (..., d) `float32` to write to instead of a new array.

        Returns:
            (..., d) `float32`.

        Raises:
            ShapeError: the images are not of the model's size.
            ArgumentError: a value is not in [0, 1].
            KindError: the model is a decoder alone.
        """
        handle = self._use()
        array = _arrays.pixels(images)
        leading = _arrays.image_leading(array.shape, *self.image_shape, _OTHER_SIZE)
        latents = _arrays.result((*leading, self.latent_size), np.float32, out, array)
        call = _image_call(array, lib.ae_encode, lib.ae_encode_u8)
        _in_parts(call, handle, _arrays.total(leading), array, latents)
        return latents

    def decode(
        self, latents: npt.ArrayLike, dtype: npt.DTypeLike = np.float32, out: Array | None = None
    ) -> Array:
        """Decodes latent codes.

        Args:
            latents: (..., d) real numbers.
            dtype: `float32` for values in [0, 1], or `uint8` for 0 to 255, rounded to nearest.
            out: (..., H, W) of that type to write to instead of a new array.

        Returns:
            (..., H, W) of that type.

        Raises:
            ShapeError: the codes are not of the model's size.
            ArgumentError: a value is not finite.
        """
        handle = self._use()
        kind = _arrays.image_dtype(dtype)
        array = _arrays.codes(latents)
        leading = _arrays.code_leading(array.shape, self.latent_size)
        images = _arrays.result((*leading, *self.image_shape), kind, out, array)
        call = _image_call(images, lib.ae_decode, lib.ae_decode_u8)
        _in_parts(call, handle, _arrays.total(leading), array, images)
        return images

    def posterior(self, images: npt.ArrayLike) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Gives the Gaussian posterior of each image.

        Args:
            images: as in `encode`.

        Returns:
            (mean, log_variance), (..., d) `float32` each; the latter is the natural logarithm.

        Raises:
            KindError: the model is not variational, or is a decoder alone.
        """
        handle = self._use()
        array = _arrays.pixels(images)
        leading = _arrays.image_leading(array.shape, *self.image_shape, _OTHER_SIZE)
        mean = np.empty((*leading, self.latent_size), np.float32)
        log_variance = np.empty_like(mean)
        call = _image_call(array, lib.vae_encode, lib.vae_encode_u8)
        _in_parts(call, handle, _arrays.total(leading), array, mean, log_variance)
        return mean, log_variance

    def prior(self, count: int, seed: int = 0) -> npt.NDArray[np.float32]:
        """Draws latent codes from the prior, a unit Gaussian in each latent.

        A seed gives the same codes on every machine, and a longer draw begins with a shorter one.

        Args:
            count: how many.
            seed: 0 to 2**64 - 1.

        Returns:
            (count, d) `float32`.
        """
        handle = self._use()
        number = _arrays.count_of(count, 4 * self.latent_size)
        latents = np.empty((number, self.latent_size), np.float32)
        check(lib.vae_prior(handle.pointer, number, _arrays.seed_of(seed), _arrays.address(latents)))
        return latents

    def sample(self, count: int, seed: int = 0, dtype: npt.DTypeLike = np.float32) -> Array:
        """Draws codes as `prior` does and decodes them: the images are the decoder's means.

        Args:
            count: how many.
            seed: 0 to 2**64 - 1.
            dtype: `float32` or `uint8`, as in `decode`.

        Returns:
            (count, H, W) of that type.

        Raises:
            KindError: the model is not variational.
        """
        handle = self._use()
        kind = _arrays.image_dtype(dtype)
        height, width = self.image_shape
        number = _arrays.count_of(count, kind.itemsize * height * width)
        images = np.empty((number, height, width), kind)
        call = _image_call(images, lib.vae_sample, lib.vae_sample_u8)
        check(call(handle.pointer, number, _arrays.seed_of(seed), _arrays.address(images)))
        return images

    def _save_arguments(self, storage: str | None, decoder_only: bool) -> tuple[int, int]:
        chosen = self._info.storage if storage is None else storage
        number = _arrays.choice(chosen, "storage", _foreign.STORAGES)
        return number, _foreign.SAVE_DECODER_ONLY if decoder_only else 0

    def save(
        self, path: str | os.PathLike[Any], storage: str | None = None, decoder_only: bool = False
    ) -> None:
        """Writes a weight file, replacing what is there: beside it first, then renamed.

        A file that is replaced passes its permissions on; of a symbolic link, what it points at is replaced;
        a device or a pipe is written to as it is.

        Args:
            path: where to.
            storage: "float32", "float16" or "int8"; None for the model's own.
            decoder_only: leave the encoder out.

        Raises:
            FileError: it cannot be written.
            KindError: the model cannot be stored like that.
        """
        handle = self._use()
        number, flags = self._save_arguments(storage, decoder_only)
        check(lib.ae_model_save_file(handle.pointer, number, flags, file_path(path)), path)

    def to_bytes(self, storage: str | None = None, decoder_only: bool = False) -> bytes:
        """The weight file that `save` would write."""
        handle = self._use()
        number, flags = self._save_arguments(storage, decoder_only)
        return filled(
            lambda out, capacity, size: lib.ae_model_save(handle.pointer, number, flags, out, capacity, size)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Model.open, (self.to_bytes(decoder_only=not self._info.has_encoder),)

    def __copy__(self) -> Model:
        """Another `Model` of the same memory: closing one leaves the other open."""
        return type(self)(self._use())

    def __deepcopy__(self, memo: Any) -> Model:
        return self.__copy__()

    def __enter__(self) -> Model:
        self._use()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self._info
        closed = ", closed" if self.closed else ""
        return (
            f"<libae.Model {info.name!r}: {info.kind}, {info.height} x {info.width} pixels, "
            f"{info.latent_size} latents, {info.storage}{closed}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: `repr`, and images drawn from a variational model."""
        if self.closed or not self._info.is_variational:
            return _picture.html(None, repr(self))
        return _picture.html(self.sample(_picture.COUNT, dtype=np.uint8), repr(self))


_default_lock = threading.Lock()
_default_handle: list[Handle] = []


def default_model() -> Model:
    """The model that comes with the package: handwritten digits, 28 x 28.

    It is read once; closing what this returns leaves it there for the next call.

    Raises:
        FileError: it is neither in the package nor where LIBAE_DEFAULT_MODEL says.
    """
    with _default_lock:
        if not _default_handle:
            beside = beside_package("default.aew")
            named = os.environ.get("LIBAE_DEFAULT_MODEL")
            path = beside if os.path.exists(beside) or not named else named
            if not os.path.exists(path):
                raise MissingFileError(
                    f"no default model: looked at {beside} and LIBAE_DEFAULT_MODEL ({named or 'not set'})",
                    errno.ENOENT,
                    path,
                )
            _default_handle.append(Model.open(path)._use())
        return Model(_default_handle[0])
