"""Chunks of arrays as image sets: what the codecs of Zarr and of numcodecs share.

A chunk is one image set (.aez), which a store keeps without change: `aez` and `ImageSet` read it as it lies
there. How chunks are coded is a `ChunkCoding`, which goes into the array's metadata as JSON. The model is in
there, too, once for the array and not in every chunk: a codec is given nothing else of its array (neither
attributes nor the store), wherever it runs.
"""

from __future__ import annotations

import base64
import binascii
import functools
import importlib
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _arrays, _foreign
from ._arrays import Array
from ._compression import compress
from ._errors import ArgumentError, Error, FormatError, InternalError, KindError, ModelError, ShapeError
from ._imageset import ImageSet
from ._library import Handle
from ._model import Model, default_model
from ._options import COMPRESSION

_LOSSY, _LOSSLESS, _NEAR_LOSSLESS = _foreign.MODES
_LARGEST_SIDE = 256
_LARGEST_BYTES = 256 * 256 * 3
_UINT8: np.dtype[Any] = np.dtype(np.uint8)
# Pixels of a block, unless the codec is told: reading one image decodes those before it in its block. Sets
# are a little larger so than with libae's own 500 images, and an image is read many times as fast.
_BLOCK_BYTES = 40_000
# Where a model is looked for that comes with libae; the first that has the hash is it.
_SHIPPED = (
    *("digits-high", "digits-low", "exact", "universal", "mnist-30"),
    *("digits-low-small", "digits-high-small"),
)
_MODEL_PATH = "AE_MODEL_PATH"


def part_of(module: str, needs: str) -> Any:
    """A module of what a codec is written for.

    Raises:
        ImportError: it is not installed; the message begins with `needs`.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{needs}: pip install 'libae[zarr]'") from error


_registered: dict[str, Model] = {}
# By the handles of their models, so that it is asked for once.
_predictor_hashes: weakref.WeakKeyDictionary[Handle, str] = weakref.WeakKeyDictionary()


def _predictor_hash(model: Model) -> str:
    """What sets name a model's predictor by."""
    handle = model._use()
    found = _predictor_hashes.get(handle)
    if found is None:
        # A set tells it, if a block is coded with it: of these pixels one is.
        rows, columns = np.ogrid[:32, :32]
        image = (rows * rows + 5 * columns + rows * columns % 7).astype(np.uint8)
        packed = compress(image[None], model, exact=True, method="predicted")
        with ImageSet.open(packed, model) as images:
            found = images.info.predictor_hash
        if not found.strip("0"):
            raise InternalError("a set that is coded with a predictor does not name it")
        _predictor_hashes[handle] = found
    return found


def hashes_of(model: Model) -> tuple[str, ...]:
    """What image sets name a model by: its codec, its predictor, or both.

    Raises:
        KindError: it has neither.
    """
    found = [model.info.hash] if model.info.hash else []
    if model.info.has_predictor:
        found.append(_predictor_hash(model))
    if not found:
        raise KindError(
            f'the model "{model.name}" has neither a codec nor a predictor, and sets have no name for it: '
            "Model.quantize adds a codec, train_predictor makes a predictor"
        )
    return tuple(found)


def register_model(model: Model) -> str:
    """Makes a model known to this process, so that codecs which name it by its hash find it.

    Needed for arrays that were created with `embed=False`, in every process that reads or writes them;
    a folder of weight files in the environment's AE_MODEL_PATH does the same for all.

    Args:
        model: with a codec or a predictor.

    Returns:
        The hash that such arrays name it by.

    Raises:
        KindError: it has neither.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model: a libae.Model expected, {type(model).__name__} came")
    hashes = hashes_of(model)
    # Another `Model` of the same memory: closing the caller's does not take it away.
    kept = model.__copy__()
    for each in hashes:
        _registered[each] = kept
    return hashes[0]


@functools.lru_cache(maxsize=16)
def _opened(data: str) -> Model:
    """The model in a configuration: opened once for the process, however many codecs have it."""
    try:
        return Model.open(base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise FormatError(f"model: data: a weight file in base64 expected: {error}") from None


@functools.lru_cache(maxsize=256)
def _hashes_in(path: str, _size: int, _modified: int) -> tuple[str, ...]:
    """Of a weight file; none of a file that is something else."""
    try:
        return hashes_of(Model.open(path))
    except Error:
        return ()


def _on_path(wanted: str) -> Model | None:
    for place in filter(None, os.environ.get(_MODEL_PATH, "").split(":")):
        path = Path(place)
        for file in sorted(path.glob("*.aew")) if path.is_dir() else [path]:
            try:
                status = file.stat()
            except OSError:
                continue
            if wanted in _hashes_in(str(file), status.st_size, status.st_mtime_ns):
                return Model.open(file)
    return None


def _shipped(wanted: str) -> Model | None:
    for name in _SHIPPED:
        try:
            model = default_model(name)
        except Error:
            continue
        if wanted in hashes_of(model):
            return model
    return None


def block_images(image: tuple[int, ...]) -> int:
    """Images in a block, for those of a shape, where nobody says."""
    return max(1, _BLOCK_BYTES // _arrays.total(image))


@dataclass(frozen=True)
class ModelReference:
    """Which model the chunks of an array are coded with, as its metadata has it."""

    hash: str
    """What image sets name it by: of its codec, or of its predictor if it has no codec."""
    name: str = ""
    """For people, who may have lost it."""
    data: str | None = field(default=None, repr=False)
    """The weight file in base64, if it is embedded."""

    @staticmethod
    def of(model: Model, embed: bool) -> ModelReference:
        """A reference to a model, which is embedded unless it comes with libae."""
        wanted = hashes_of(model)[0]
        data = None
        if embed and _shipped(wanted) is None:
            # Sets run in integers: floats would take four times the room and change nothing.
            weights = model.to_bytes("int8" if model.info.has_codec else None)
            data = base64.b64encode(weights).decode("ascii")
        return ModelReference(wanted, model.name, data)

    @staticmethod
    def parsed(told: Any) -> ModelReference:
        """A reference as it stands in a configuration.

        Raises:
            FormatError: it is none.
        """
        if isinstance(told, ModelReference):
            return told
        if not isinstance(told, Mapping):
            raise TypeError(
                f"model: a libae.Model, or a mapping with its hash expected, {type(told).__name__} came"
            )
        texts = {key: value for key, value in told.items() if isinstance(value, str)}
        if set(told) - {"hash", "name", "data"} or len(texts) < len(told) or len(texts.get("hash", "")) != 64:
            raise FormatError(
                "model: a mapping of hash (64 hexadecimal digits), name and data (a weight file in base64) "
                f"expected, one of {', '.join(map(str, told)) or 'nothing'} came"
            )
        return ModelReference(texts["hash"], texts.get("name", ""), texts.get("data"))

    def configuration(self) -> dict[str, Any]:
        """As JSON has it."""
        told = {"hash": self.hash, "name": self.name}
        return told if self.data is None else {**told, "data": self.data}

    def model(self) -> Model:
        """The model.

        Raises:
            ModelError: it is nowhere; the message has its hash and name, and where it was looked for.
            FormatError: what is embedded is another one, or no model.
        """
        if self.data is not None:
            model = _opened(self.data)
            if self.hash not in hashes_of(model):
                raise FormatError(
                    f"model: the one embedded is {' and '.join(hashes_of(model))}, not {self.hash} as it says"
                )
            return model
        found = _registered.get(self.hash) or _shipped(self.hash) or _on_path(self.hash)
        if found is None:
            path = os.environ.get(_MODEL_PATH)
            looked = f"{_MODEL_PATH} ({path})" if path else f"{_MODEL_PATH} (not set)"
            raise ModelError(
                f'the model "{self.name}" with the hash {self.hash} is needed and not at hand: it is not '
                "embedded in the array's metadata, not registered in this process (register_model), none of "
                f"those that come with libae, and not in {looked}"
            )
        return found


def _mode(options: Mapping[str, Any]) -> str:
    """Lossless, unless something says that pixels may change: an array gives back what went in."""
    if options.get("mode") is not None:
        return str(options["mode"])
    if options.get("max_error"):
        return _NEAR_LOSSLESS
    return _LOSSY if options.get("quality") or options.get("bytes_per_image") else _LOSSLESS


def _checked_model(model: Model, mode: str) -> None:
    info = model.info
    if mode == _LOSSY and not info.has_codec:
        raise KindError(
            f'the model "{model.name}" has no codec, which lossy chunks need: Model.quantize adds one'
        )
    if mode != _LOSSY and not (info.has_predictor or info.has_lossless):
        raise KindError(
            f'the model "{model.name}" has no predictor, with which {mode} chunks could be coded: '
            "train_predictor makes one; mode='lossy' stores the model's codes"
        )


@dataclass(frozen=True)
class ChunkCoding:
    """How chunks become image sets: what an array's metadata says. It can be compared and hashed."""

    options: tuple[tuple[str, Any], ...]
    """Of compression, those that were given and the mode, by key."""
    image_shape: tuple[int, ...] | None = None
    """(H, W) or (H, W, C), where a chunk's shape does not tell."""
    reference: ModelReference | None = None

    @staticmethod
    def made(
        model: Any, image_shape: Sequence[int] | None, embed: bool, options: Mapping[str, Any]
    ) -> ChunkCoding:
        """The coding of a codec's arguments.

        Raises:
            ArgumentError, TypeError: an option is out of range, or of another type.
            KindError: the model cannot do what the mode needs.
            ShapeError: the image shape is none.
        """
        given = {key: value for key, value in options.items() if value is not None}
        if given.pop("embed_model", False):
            raise ArgumentError(
                "embed_model would put the model into every chunk; embed, which is the default, puts it into "
                "the array's metadata, once"
            )
        given["mode"] = _mode(given)
        # The library checks them, and says what it made of them.
        handle = COMPRESSION.handle(given)
        given = {key: COMPRESSION.get(handle, key) for key in given}
        reference = None
        if isinstance(model, Model):
            _checked_model(model, given["mode"])
            reference = ModelReference.of(model, bool(embed))
        elif model is not None:
            reference = ModelReference.parsed(model)
        shape = None
        if image_shape is not None:
            shape = tuple(_arrays.whole(side, "image_shape", 1, _LARGEST_SIDE) for side in image_shape)
            if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
                raise ShapeError(
                    f"image_shape: (H, W), or (H, W, C) with 1, 3 or 4 channels expected, {shape} came"
                )
            if _arrays.total(shape) > _LARGEST_BYTES:
                raise ShapeError(f"image_shape: at most {_LARGEST_BYTES} bytes expected, {shape} came")
            shape = shape[:2] if shape[2:] == (1,) else shape
        return ChunkCoding(tuple(sorted(given.items())), shape, reference)

    def configuration(self) -> dict[str, Any]:
        """As JSON has it: keywords of the codec."""
        told: dict[str, Any] = dict(self.options)
        if self.image_shape is not None:
            told["image_shape"] = list(self.image_shape)
        if self.reference is not None:
            told["model"] = self.reference.configuration()
        return told

    def model(self) -> Model | None:
        """The model that chunks are coded with; None if it is not said."""
        return None if self.reference is None else self.reference.model()

    def layout(self, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """How many of a chunk's axes go through its images, and the shape of one, (H, W) or (H, W, C).

        Raises:
            ShapeError: a chunk of that shape is no images, or their shape has to be said.
        """
        if self.image_shape is not None:
            return self._told_layout(shape, self.image_shape)
        if len(shape) < 2:
            raise ShapeError(
                f"chunks of at least two axes, rows and columns, expected, {shape} came; image_shape=(H, W) "
                "says what images are flat"
            )
        axes = 3 if len(shape) >= 4 and shape[-1] in (1, 3, 4) else 2
        image = shape[-axes:]
        if len(shape) == 3 and shape[2] in (3, 4) and shape[1] > 4:
            raise ShapeError(
                f"chunks of {shape} may be one image in colour, or grey ones of {shape[1]} x {shape[2]}: say "
                f"which with image_shape={shape} or image_shape={shape[1:]}"
            )
        if max(image) > _LARGEST_SIDE or _arrays.total(image) > _LARGEST_BYTES:
            sides = " x ".join(map(str, image))
            raise ShapeError(
                f"chunks of {shape} are images of {sides}; sides of 1 to {_LARGEST_SIDE} pixels and at most "
                f"{_LARGEST_BYTES} bytes an image expected: choose smaller chunks, or say with "
                "image_shape=(H, W) that each row is an image"
            )
        return len(shape) - axes, image

    @staticmethod
    def _told_layout(shape: tuple[int, ...], image: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        if shape[-len(image) :] == image:
            return len(shape) - len(image), image
        if len(image) == 2 and shape[-3:] == (*image, 1):
            return len(shape) - 3, image
        # A buffer, as numcodecs may get one, is all images of its chunk.
        size = _arrays.total(image)
        if shape and (shape[-1] == size or (len(shape) == 1 and shape[0] and shape[0] % size == 0)):
            return len(shape) - 1, image
        raise ShapeError(f"chunks whose shape ends in {image} or ({size}) expected, {shape} came")

    def check(self, shape: tuple[int, ...] | None, dtype: Any) -> None:
        """Whether arrays of a type, in chunks of a shape, can be coded. None is any shape.

        Raises:
            TypeError, ShapeError: they cannot.
        """
        if dtype != _UINT8:
            raise TypeError(
                f"libae codes arrays of uint8, {dtype} came: convert them first, "
                "array.astype(numpy.uint8), with values from 0 to 255"
            )
        if shape is not None:
            self.layout(tuple(shape))

    def encode(self, array: Array) -> bytes:
        """A chunk as an image set."""
        self.check(array.shape, array.dtype)
        _, image = self.layout(array.shape)
        options = {"block_images": block_images(image), **dict(self.options)}
        images = np.ascontiguousarray(array).reshape(-1, *image)
        return compress(images, self.model(), image_shape=image, **options)  # type: ignore[arg-type]

    def open(self, source: Any, byte_count: int | None = None) -> ImageSet:
        """A chunk's image set, of its bytes or of a function that reads ranges of them."""
        # A set of which blocks were kept would decode more of a block than is asked for.
        return ImageSet.open(source, self.model(), byte_count=byte_count, cache_bytes=0)

    def decode(self, data: Any, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.uint8]:
        """A chunk of its bytes, in a shape or in that of the set."""
        with self.open(data) as images:
            if shape is not None:
                self._fits(images, shape)
            array = images[:]
        return array if shape is None else array.reshape(shape)

    def _fits(self, images: ImageSet, shape: tuple[int, ...]) -> None:
        if images.size != _arrays.total(shape):
            raise FormatError(f"a chunk of {shape} expected, an image set of {images.shape} came")

    def places(self, shape: tuple[int, ...], selection: Any) -> npt.NDArray[np.int64] | None:
        """Which images of a chunk a selection touches, in order; None if it is all, or nearly.

        Args:
            shape: of the chunk.
            selection: as numpy takes it, an index for each axis.
        """
        axes, _ = self.layout(shape)
        count = _arrays.total(shape[:axes])
        if count == 1 or len(selection) != len(shape):
            return None
        if not all(isinstance(each, (int, np.integer, slice, np.ndarray)) for each in selection):
            return None
        touched = np.arange(count).reshape(shape[:axes])[tuple(selection[:axes])]
        found: npt.NDArray[np.int64] = np.unique(touched)
        return None if 2 * found.size > count else found

    def decode_part(
        self, images: ImageSet, shape: tuple[int, ...], selection: Any, places: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.uint8]:
        """What a selection takes of a chunk, whose images at `places` alone are decoded."""
        self._fits(images, shape)
        # Pages of it that are not touched take no memory.
        whole = np.empty(shape, np.uint8)
        whole.reshape(images.shape)[places] = images[places]
        part: npt.NDArray[np.uint8] = np.array(whole[tuple(selection)])
        return part
