"""Models: opened, made of arrays, asked, quantised, saved; and those that come with libae."""

from __future__ import annotations

import ctypes
import math
import os
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign, _lists, _options, _picture, _safetensors, _to_onnx
from ._arrays import Array
from ._callbacks import Counting
from ._context import Context, Held
from ._errors import ArgumentError
from ._library import Closing, Handle, check, file_path, lib, opened
from ._options import LOSSLESS, QUANTIZATION, SHRINKING, TRAINING, taking
from ._progress import CountProgress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import LosslessOptions, QuantizationOptions, ShrinkingOptions


@dataclass(frozen=True)
class ModelInfo:
    """What a model is."""

    kind: str
    """"pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae", "residual-vae" or "custom"; or
    "predictor", which is no autoencoder and has no size: `width`, `height`, `channels` and `latent_size` are
    0."""
    storage: str
    """How its numbers are stored: "float32", "float16" or "int8"."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    channels: int
    """Numbers of a pixel: 1 (grey), 3 (RGB) or 4 (RGB and alpha)."""
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
    has_lossless: bool
    """True if it holds a network for lossless coding: see `Model.fit_lossless`."""
    default_quality: int
    """The quality that `compress` takes unless told; 0 without codec."""
    has_predictor: bool
    """True if it holds a predictor of pixels: see `train_predictor`."""


@dataclass(frozen=True)
class PredictorReport:
    """What a predictor gains on images held out of its training, in bits for a value."""

    contexts_bits: float
    """Coded in one block without a predictor."""
    float_bits: float
    """What the network says in floats, before its weights are rounded to integers."""
    integer_bits: float
    """The same in integers."""
    coded_bits: float
    """Coded in one block with the predictor."""
    held_out_count: int
    """Images that were measured on."""


@dataclass(frozen=True)
class ShrinkReport:
    """What `Model.shrink` found."""

    density: float
    """The share of weights that stay."""
    loss: float
    """In dB: the mean difference of the PSNR at equal bytes, on images held out of training."""
    held_out_count: int
    """Images that were measured on."""


@dataclass(frozen=True)
class Quality:
    """What `compress` gives at a quality, on the images that the model was fitted to."""

    quality: int
    """1 (smallest) to `quality_count` (best)."""
    bytes_per_image: float | None
    """In the mean; None if the model does not say."""
    psnr: float | None
    """Of the mean squared error, in dB; None if the model does not say."""
    model_name: str
    """The model that codes at this quality."""
    is_default: bool
    """True for the quality that is taken unless told."""


def qualities(model: Model | None = None) -> list[Quality]:
    """What there is of qualities, from the smallest files to the best images.

    Args:
        model: None for the scale over the models that come with libae, which `compress` takes without a
            model.

    Returns:
        One `Quality` for each; none for a model without codec.

    Raises:
        ModelError: the models that come with libae are not found.
    """
    handle = None if model is None else model._use()
    pointer = None if handle is None else handle.pointer
    found = []
    for number in range(1, lib.ae_quality_count(None, pointer) + 1):
        told = _foreign.QualityInformation(struct_size=ctypes.sizeof(_foreign.QualityInformation))
        check(lib.ae_quality_info(None, pointer, number, ctypes.byref(told)))
        found.append(
            Quality(
                quality=number,
                bytes_per_image=told.bytes_per_image or None,
                psnr=told.psnr or None,
                model_name=told.model_name.decode("utf-8", "replace"),
                is_default=bool(told.is_default),
            )
        )
    return found


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


def _in_parts(
    call: Callable[..., int], held: Held, handle: Handle, count: int, *arrays: Array
) -> None:
    """A call for `count` images, some at a time: each array holds as many rows."""
    if count <= _IMAGES_IN_CALL:
        # What the model cannot do it says of nothing, too.
        source, *targets = [_arrays.address(array) for array in arrays]
        check(call(held.pointer, handle.pointer, source, count, *targets))
        return
    flat = [array.reshape(count, -1) for array in arrays]
    for first in range(0, count, _IMAGES_IN_CALL):
        last = min(count, first + _IMAGES_IN_CALL)
        source, *targets = (_arrays.address(array[first:last]) for array in flat)
        check(call(held.pointer, handle.pointer, source, last - first, *targets))


def _image_call(
    images: Array, float_call: Callable[..., int], byte_call: Callable[..., int]
) -> Callable[..., int]:
    return byte_call if images.dtype == np.uint8 else float_call


class Model(Closing):
    """A trained network, immutable: any number of threads may use one at the same time.

    Made by `Model.open`, `default_model`, `Model.from_tensors`, `train` or `Trainer.model`. Models can be
    pickled and copied: that writes and reads a weight file in memory.

    Calls work with the context that the model was made with, or with the `context=` that they are given.

    In the shapes below, `...` stands for any leading shape, also none, (H, W) for the height and width of
    the model's images, and d for its `latent_size`. Images may come flat, as (..., H * W), too; they
    always go out as (..., H, W). Of a model in colour (H, W) stands for (H, W, C).
    """

    def __init__(self, handle: Handle, held: Held | None = None) -> None:
        """For the use of this package; see `Model.open`."""
        self._handle: Handle | None = handle
        self._held = held or Held(None)
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
            has_lossless=bool(information.has_lossless),
            default_quality=information.default_quality,
            has_predictor=bool(information.has_predictor),
        )
        self._predictor_report: PredictorReport | None = None
        self._shrink_report: ShrinkReport | None = None

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[Any] | bytes | bytearray | memoryview,
        *,
        context: Context | None = None,
    ) -> Model:
        """Opens a weight file (.aew).

        Args:
            source: a path, or the file's bytes, which may go after the call.
            context: that it is opened with, and works with.

        Raises:
            FileError: it cannot be read.
            FormatError, ChecksumError, VersionError: it is not a weight file, or damaged, or too new.
        """
        held = Held(context)
        if isinstance(source, (str, os.PathLike)):
            path = file_path(source)
            handle = opened(
                lib.ae_model_free, lambda out: lib.ae_model_open(held.pointer, path, out), path=source
            )
        else:
            data = _arrays.raw_bytes(source)
            handle = opened(
                lib.ae_model_free,
                lambda out: lib.ae_model_open_memory(held.pointer, _arrays.address(data), data.size, out),
            )
        return cls(handle, held)

    @classmethod
    def from_tensors(
        cls,
        description: str | Mapping[str, Any],
        tensors: Mapping[str, npt.ArrayLike],
        *,
        context: Context | None = None,
    ) -> Model:
        """Makes a model of arrays, as of a network that was trained elsewhere.

        It encodes and decodes, but has no codec: `quantize` adds one. `tensors` and `description` of a
        model are what makes the same model.

        Args:
            description: which network it is, in options of training (`libae.options("training")`): text as
                `Model.description` has it, such as "kind=elu width=28 height=28 latent_size=8 hidden=500,500
                output_activation=linear name=mine", or a mapping such as {"kind": "elu", "width": 28,
                "height": 28, "latent_size": 8, "hidden": (500, 500)}. What it does not say has its default.
            tensors: each by its name, "encoder.0.weight", "encoder.0.bias", ..., "decoder.2.bias": real
                numbers, weights (outputs, inputs), biases (outputs), which are copied to `float32`. A layer
                computes activation(weight @ x + bias), as PyTorch's Linear does.
            context: that the model works with.

        Raises:
            ArgumentError: the description is not one.
            ShapeError: a tensor is missing, or of another size; the message names it.
        """
        held = Held(context)
        if not isinstance(description, str):
            description = _described(description)
        arrays = {}
        for name, values in tensors.items():
            array = np.asarray(values)
            if array.dtype.kind not in "fiub":
                raise TypeError(f"{name}: real numbers expected, {array.dtype} came")
            arrays[name] = np.ascontiguousarray(array, np.float32)
        given = (_foreign.Tensor * max(1, len(arrays)))()
        for slot, (name, array) in zip(given, arrays.items()):
            slot.struct_size = ctypes.sizeof(_foreign.Tensor)
            slot.name = _options.encoded(name, "tensors: a name")
            slot.values = _arrays.address(array)
            slot.count = array.size
        text = _options.encoded(description, "description")
        return cls(
            opened(
                lib.ae_model_free,
                lambda out: lib.ae_model_create(held.pointer, text, given, len(arrays), out),
            ),
            held,
        )

    @property
    def description(self) -> str:
        """Which network it is, as text that `from_tensors` takes."""
        handle = self._use()
        text = filled(
            lambda out, capacity, size: lib.ae_model_description(handle.pointer, out, capacity, size)
        )
        return text.rstrip(b"\0").decode("utf-8")

    def tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """The model's weights and biases by name, in the order of its weight file.

        Returns:
            `float32` arrays, biases (outputs) and weights (outputs, inputs), of convolutions (outputs, k, k,
            inputs), of transposed ones (k, k, outputs, inputs): views of the model's memory, which can be
            read and not written, and which keep it.

        Raises:
            KindError: the model is stored as int8, and has no floats.
        """
        handle = self._use()
        found: dict[str, npt.NDArray[np.float32]] = {}
        told = _foreign.Tensor(struct_size=ctypes.sizeof(_foreign.Tensor))
        while True:
            status = lib.ae_model_tensor(handle.pointer, len(found), ctypes.byref(told))
            if status == _foreign.STATUS_ARGUMENT and found:
                break
            check(status)
            view = _View(handle, told.values, told.count)
            found[told.name.decode("utf-8")] = np.asarray(view)
        options = _lists.options_of(self.description)
        entries = ((self._info.height, self._info.width, self._info.channels), (1, 1, self._info.latent_size))
        for half, nodes, entry in zip(("encoder", "decoder"), _lists.halves(options), entries):
            for index in range(len(nodes)):
                name = f"{half}.{index}.weight"
                if name in found:
                    found[name] = found[name].reshape(_lists.tensor_shape(nodes, index, entry))
        return found

    def to_safetensors(self, path: str | os.PathLike[Any]) -> None:
        """Writes `tensors` and `description` to a safetensors file, which `from_safetensors` reads.

        Args:
            path: where to.

        Raises:
            ImportError: safetensors is not installed.
            KindError: the model is stored as int8, and has no floats.
        """
        _safetensors.write(self, path)

    def to_onnx(self, folder: str | os.PathLike[Any] | None = None) -> dict[str, Any]:
        """The networks in floats as ONNX graphs, opset 17, which `from_onnx` reads.

        Images are (N, C, H, W) `float32` in [0, 1], codes (N, d); a variational encoder gives (N, 2 d), means
        and then log-variances.

        Args:
            folder: where encoder.onnx and decoder.onnx are written, and which is made if it is not there;
                None to write nothing.

        Returns:
            {"encoder": onnx.ModelProto, "decoder": onnx.ModelProto}; a decoder alone has no "encoder".

        Raises:
            ImportError: onnx is not installed.
            KindError: the model is stored as int8, and has no floats.
        """
        found = _to_onnx.graphs(self.description, self.tensors())
        if folder is not None:
            _to_onnx.write(found, os.fspath(folder))
        return found

    @taking(QUANTIZATION)
    def quantize(
        self,
        images: npt.ArrayLike,
        *,
        context: Context | None = None,
        **options: Unpack[QuantizationOptions],
    ) -> Model:
        """Gives the model with integer networks and a codec, fitted to images: what image sets need.

        That is post-training quantisation. `train` and `Trainer.model` do it for a network just trained.

        Args:
            images: (..., H, W) or (..., H * W) `uint8`; a few thousand are enough.
            context: to work with.
        {options}

        Returns:
            Another model; what this one has of integers and codec is replaced in it.

        Raises:
            KindError: the model is stored as int8, or is a decoder alone.
        """
        handle, held = self._use(), self._with(context)
        array = _arrays.byte_pixels(images)
        count = _arrays.total(_arrays.model_leading(array.shape, self.size, _OTHER_SIZE, is_set=True))
        how = QUANTIZATION.handle(options)
        return type(self)(
            opened(
                lib.ae_model_free,
                lambda out: lib.ae_model_quantize(
                    held.pointer, handle.pointer, _arrays.address(array), count, how.pointer, out
                ),
            ),
            held,
        )

    @taking(LOSSLESS)
    def fit_lossless(
        self,
        images: npt.ArrayLike,
        *,
        progress: CountProgress = None,
        context: Context | None = None,
        **options: Unpack[LosslessOptions],
    ) -> Model:
        """Gives the model with a network for lossless coding, trained on images drawn from bilevel scans.

        Args:
            images: (..., H, W) or (..., H * W) `uint8`, drawn from bilevel scans, as MNIST's were.
            progress: called on this thread with how many images are done, then how many steps, and how many
                there are. Returning False stops; what it raises stops, too, and is raised again here. True
                shows bars, as in `train`.
            context: to work with.
        {options}

        Returns:
            Another model, by which lossless sets of such images are smaller.

        Raises:
            KindError: the model has no codec, or hardly any image has a scan.
            StoppedError: `progress` returned False.
        """
        handle, held = self._use(), self._with(context)
        array = _arrays.byte_pixels(images)
        count = _arrays.total(_arrays.model_leading(array.shape, self.size, _OTHER_SIZE, is_set=True))
        how = LOSSLESS.handle(options)
        counting = Counting(progress, "fit_lossless", "step")
        with closing(counting), counting.running():
            fitted = opened(
                lib.ae_model_free,
                lambda out: lib.ae_model_fit_lossless(
                    held.pointer,
                    handle.pointer,
                    _arrays.address(array),
                    count,
                    how.pointer,
                    counting.c_progress,
                    None,
                    out,
                ),
            )
            counting.finish()
        return type(self)(fitted, held)

    @taking(SHRINKING)
    def shrink(
        self,
        images: npt.ArrayLike | None = None,
        *,
        progress: CountProgress = None,
        context: Context | None = None,
        **options: Unpack[ShrinkingOptions],
    ) -> Model:
        """Gives a model of few bytes: most weights pruned to 0, the others quantised to 4 bits.

        The networks are trained on meanwhile, as far as `target_loss` allows; `shrink_report` says what was
        lost. It takes minutes: some five times `steps` of training. Save it with `storage="int8"`.

        Args:
            images: (..., H, W) or (..., H * W) `uint8`, at least 20, which the model was trained on, or
                others like them; a tenth is held out and measured on. None: images that the model draws
                itself, of codes as its tables have them.
            progress: called on this thread with how many steps of the density that is tried are done and how
                many there are. Returning False stops; what it raises stops, too, and is raised again here.
                True shows bars, as in `train`.
            context: to work with.
        {options}

        Returns:
            Another model, with integer networks and a codec of its own.

        Raises:
            KindError: the model is a decoder alone, a pca or a predictor, or is stored as int8 and has nodes
                that hold tables and no weights.
            StoppedError: `progress` returned False.
        """
        handle, held = self._use(), self._with(context)
        array, count = None, 0
        if images is not None:
            array = _arrays.byte_pixels(images)
            count = _arrays.total(_arrays.model_leading(array.shape, self.size, _OTHER_SIZE, is_set=True))
        how = SHRINKING.handle(options)
        counting = Counting(progress, "shrink", "step")
        told = _foreign.ShrinkReport(struct_size=ctypes.sizeof(_foreign.ShrinkReport))
        with closing(counting), counting.running():
            made = opened(
                lib.ae_model_free,
                lambda out: lib.ae_model_shrink(
                    held.pointer,
                    handle.pointer,
                    None if array is None else _arrays.address(array),
                    count,
                    how.pointer,
                    counting.c_progress,
                    None,
                    ctypes.byref(told),
                    out,
                ),
            )
            counting.finish()
        model = type(self)(made, held)
        model._shrink_report = ShrinkReport(told.density, told.loss, told.held_out_count)
        return model

    @property
    def shrink_report(self) -> ShrinkReport | None:
        """What `shrink` found; None of a model that came otherwise, as from a file or a copy."""
        return self._shrink_report

    def _with(self, context: Context | None) -> Held:
        return self._held if context is None else Held(context)

    @property
    def qualities(self) -> list[Quality]:
        """What `compress` gives with this model at each quality; see `libae.qualities`."""
        return qualities(self)

    @property
    def info(self) -> ModelInfo:
        """What the model is; also after `close`."""
        return self._info

    @property
    def has_predictor(self) -> bool:
        """True if it holds a predictor of pixels, with which lossless sets are smaller."""
        return self._info.has_predictor

    @property
    def predictor_report(self) -> PredictorReport | None:
        """What `train_predictor` measured; None of a model that came otherwise, as from a file or a copy."""
        return self._predictor_report

    @property
    def name(self) -> str:
        """The model's name."""
        return self._info.name

    @property
    def latent_size(self) -> int:
        """Numbers in a latent code."""
        return self._info.latent_size

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W), in pixels; (H, W, C) of a model in colour, with 3 or 4 channels."""
        return self.size if self._info.channels > 1 else self.size[:2]

    @property
    def size(self) -> tuple[int, int, int]:
        """(H, W, C), in pixels and channels: 1 of a grey model."""
        return (self._info.height, self._info.width, self._info.channels)

    def encode(
        self, images: npt.ArrayLike, out: Array | None = None, *, context: Context | None = None
    ) -> npt.NDArray[np.float32]:
        """Encodes images; a variational model gives the mean.

        Args:
            images: (..., H, W), (..., H, W, 1) or (..., H * W): `uint8`, or floating point in [0, 1].
            out: (..., d) `float32` to write to instead of a new array.
            context: to work with.

        Returns:
            (..., d) `float32`.

        Raises:
            ShapeError: the images are not of the model's size.
            ArgumentError: a value is not in [0, 1].
            KindError: the model is a decoder alone.
        """
        handle = self._use()
        array = _arrays.pixels(images)
        leading = _arrays.model_leading(array.shape, self.size, _OTHER_SIZE)
        latents = _arrays.result((*leading, self.latent_size), np.float32, out, array)
        call = _image_call(array, lib.ae_encode, lib.ae_encode_u8)
        _in_parts(call, self._with(context), handle, _arrays.total(leading), array, latents)
        return latents

    def decode(
        self,
        latents: npt.ArrayLike,
        dtype: npt.DTypeLike = np.float32,
        out: Array | None = None,
        *,
        context: Context | None = None,
    ) -> Array:
        """Decodes latent codes.

        Args:
            latents: (..., d) real numbers.
            dtype: `float32` for values in [0, 1], or `uint8` for 0 to 255, rounded to nearest.
            out: (..., H, W) of that type to write to instead of a new array.
            context: to work with.

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
        _in_parts(call, self._with(context), handle, _arrays.total(leading), array, images)
        return images

    def posterior(
        self, images: npt.ArrayLike, *, context: Context | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Gives the Gaussian posterior of each image.

        Args:
            images: as in `encode`.
            context: to work with.

        Returns:
            (mean, log_variance), (..., d) `float32` each; the latter is the natural logarithm.

        Raises:
            KindError: the model is not variational, or is a decoder alone.
        """
        handle = self._use()
        array = _arrays.pixels(images)
        leading = _arrays.model_leading(array.shape, self.size, _OTHER_SIZE)
        mean = np.empty((*leading, self.latent_size), np.float32)
        log_variance = np.empty_like(mean)
        call = _image_call(array, lib.ae_posterior, lib.ae_posterior_u8)
        _in_parts(call, self._with(context), handle, _arrays.total(leading), array, mean, log_variance)
        return mean, log_variance

    def prior(
        self, count: int, seed: int = 0, *, context: Context | None = None
    ) -> npt.NDArray[np.float32]:
        """Draws latent codes from the prior, a unit Gaussian in each latent.

        A seed gives the same codes on every machine, and a longer draw begins with a shorter one.

        Args:
            count: how many.
            seed: 0 to 2**64 - 1.
            context: to work with.

        Returns:
            (count, d) `float32`.
        """
        handle, held = self._use(), self._with(context)
        number = _arrays.count_of(count, 4 * self.latent_size)
        latents = np.empty((number, self.latent_size), np.float32)
        check(
            lib.ae_prior(
                held.pointer, handle.pointer, number, _arrays.seed_of(seed), _arrays.address(latents)
            )
        )
        return latents

    def sample(
        self,
        count: int,
        seed: int = 0,
        dtype: npt.DTypeLike = np.float32,
        *,
        context: Context | None = None,
    ) -> Array:
        """Draws codes as `prior` does and decodes them: the images are the decoder's means.

        Args:
            count: how many.
            seed: 0 to 2**64 - 1.
            dtype: `float32` or `uint8`, as in `decode`.
            context: to work with.

        Returns:
            (count, H, W) of that type.

        Raises:
            KindError: the model is not variational.
        """
        handle, held = self._use(), self._with(context)
        kind = _arrays.image_dtype(dtype)
        number = _arrays.count_of(count, kind.itemsize * math.prod(self.size))
        images = np.empty((number, *self.image_shape), kind)
        call = _image_call(images, lib.ae_sample, lib.ae_sample_u8)
        check(call(held.pointer, handle.pointer, number, _arrays.seed_of(seed), _arrays.address(images)))
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

    def to_c(
        self, path: str | os.PathLike[Any] | None = None, *, prefix: str = "decoder", encoder: bool = False
    ) -> str:
        """The decoder as C source: one file of C99 of integers alone, without malloc or a library.

        Its `PREFIX_decode` gives the pixels of `decode(codes, dtype=np.uint8)` with the model stored as int8,
        byte for byte. The file's first comment says how to call it, and what flash and memory it takes.

        Args:
            path: a file to write it to, too, as `save` does.
            prefix: what its names begin with: at most 40 letters, digits and single underscores.
            encoder: with the encoder, as `PREFIX_encode`.

        Raises:
            ArgumentError: names in C cannot begin with `prefix`.
            FileError: the file cannot be written.
            KindError: the model has no integer networks, which `quantize` adds, or no encoder to write.
        """
        handle = self._use()
        flags = _foreign.EXPORT_ENCODER if encoder else 0
        name = _options.encoded(prefix, "prefix")
        source = filled(
            lambda out, capacity, size: lib.ae_model_export_c(
                handle.pointer, name, flags, out, capacity, size
            )
        )[:-1]
        if path is not None:
            check(lib.ae_model_export_c_file(handle.pointer, name, flags, file_path(path)), path)
        return source.decode("ascii")

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_again, (self.to_bytes(decoder_only=not self._info.has_encoder),)

    def __copy__(self) -> Model:
        """Another `Model` of the same memory: closing one leaves the other open."""
        return type(self)(self._use(), self._held)

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
            f"<libae.Model {info.name!r}: {info.kind}, {' x '.join(map(str, self.image_shape))} pixels, "
            f"{info.latent_size} latents, {info.storage}{closed}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: `repr`, images drawn from a variational model, and facts."""
        if self.closed:
            return _picture.html(None, repr(self))
        images = None
        if self._info.is_variational:
            images = self.sample(_picture.count(self.image_shape[1]), dtype=np.uint8)
        return _picture.html(images, repr(self), self._facts())

    def _facts(self) -> dict[str, str]:
        info = self._info
        facts = {"kind": info.kind + (", variational" if info.is_variational else "")}
        if info.latent_size:
            pixels = math.prod(self.size)
            facts["latent code"] = f"{info.latent_size} numbers for {pixels} of an image"
            facts["networks"] = "encoder and decoder" if info.has_encoder else "decoder"
        facts["parameters"] = f"{info.parameter_count:,} in {info.storage}"
        if info.has_codec:
            facts["codec"] = f"{info.quality_count} qualities, {info.default_quality} unless told"
        lossless = [
            *(["a network for scans"] if info.has_lossless else []),
            *(["a predictor of pixels"] if info.has_predictor else []),
        ]
        if lossless:
            facts["lossless"] = " and ".join(lossless)
        if info.hash:
            facts["hash"] = info.hash[:16]
        return facts


def _opened_again(weights: bytes) -> Model:
    """What unpickling calls. A function: cloudpickle takes methods of classes apart, down to the library."""
    return Model.open(weights)


class _View:
    """Numbers inside a model, for numpy, which keeps this object, and with it the model, as long as an
    array does."""

    def __init__(self, handle: Handle, address: int, count: int) -> None:
        self.handle = handle
        self.__array_interface__ = {
            "version": 3,
            "shape": (count,),
            "typestr": np.dtype(np.float32).str,
            "data": (address, True),
        }


def _described(options: Mapping[str, Any]) -> str:
    """A mapping of options as the text of a description."""
    words = []
    for key, value in options.items():
        if key not in TRAINING.options:
            near = TRAINING.nearest(key)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ArgumentError(f"description: no option {key!r}{hint}")
        if value is not None:
            words.append(f"{key}={TRAINING.options[key].text(value).decode()}")
    return " ".join(words)


_default_lock = threading.Lock()
_default_handles: dict[str | None, Handle] = {}


def default_model(name: str | None = None, *, context: Context | None = None) -> Model:
    """A model that comes with libae: of handwritten digits, 28 x 28.

    It is read once; closing what this returns leaves it there for the next call.

    Args:
        name: "digits-high" (None stands for it), "digits-low", "exact", "mnist-30",
            "universal", "digits-low-small" or "digits-high-small".
        context: whose `model_path` is looked at first, and that the model works with.

    Raises:
        ModelError: it is not found; the message says where it was looked for.
    """
    text = None if name is None else _options.encoded(name, "name")
    held = Held(context)

    def found() -> Handle:
        return opened(lib.ae_model_free, lambda out: lib.ae_model_default(held.pointer, text, out))

    if context is not None:
        return Model(found(), held)
    with _default_lock:
        if name not in _default_handles:
            _default_handles[name] = found()
        return Model(_default_handles[name])
