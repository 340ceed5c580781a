"""libae as a codec of Zarr 3: `LibaeCodec`, the serializer of arrays of images.

Zarr finds it by the entry point "libae" of the group zarr.codecs, in every process of an environment that
libae is installed in; importing this module registers it, too. docs/zarr.md is the guide.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from . import _options
from ._chunks import ChunkCoding, part_of, register_model
from ._errors import ChecksumError, FormatError
from ._model import Model
from ._options import COMPRESSION, taking

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import CompressionOptions

__all__ = ["LibaeCodec", "model_of", "register_model"]


_NEEDS = "libae.zarr needs Zarr 3.1 or later"
_abc = part_of("zarr.abc.codec", _NEEDS)
_store = part_of("zarr.abc.store", _NEEDS)
_buffer = part_of("zarr.core.buffer", _NEEDS)
_registry = part_of("zarr.registry", _NEEDS)
_ArrayBytesCodec: Any = _abc.ArrayBytesCodec
_PartialDecode: Any = _abc.ArrayBytesCodecPartialDecodeMixin

_NAME = "libae"
# Of a chunk's end, what is fetched at once: it is all of a small one, and has the index of any.
_TAIL_BYTES = 1 << 16
_HEAD_BYTES = 256


def _numpy_type(dtype: Any) -> Any:
    """Zarr's data type as numpy has it."""
    return dtype.to_native_dtype() if hasattr(dtype, "to_native_dtype") else dtype


@dataclass(frozen=True)
class LibaeCodec(_ArrayBytesCodec, _PartialDecode):  # type: ignore[misc]
    """Codes arrays of `uint8` images: pass it as `serializer=`, with `compressors=None`.

        zarr.create_array("digits.zarr", data=digits, chunks=(4096, 28, 28),
                          serializer=libae.zarr.LibaeCodec(), compressors=None)

    Each chunk is an image set (.aez). Its last two axes are rows and columns; or, of four axes and more, its
    last three are if the last one is 1, 3 or 4 long: channels. The axes before go through the images. What is
    asked for of a chunk decides which of its blocks are fetched and decoded, unless another codec follows.

    Chunks are lossless unless an option says otherwise: `max_error` makes them near-lossless, `mode="lossy"`,
    `quality` or `bytes_per_image` latent codes.

    Args:
        model: None for the predictor that comes with libae, which takes any images, and, in lossy chunks, for
            the models of digits. A model with a predictor, of `train_predictor`, for lossless and
            near-lossless chunks, or with a codec for lossy ones, whose images are of its shape. Or a
            mapping of its hash, and perhaps its name, as the array's metadata has it.
        image_shape: (H, W) or (H, W, C) where the axes do not tell: for chunks (N, H * W), whose rows are
            images, and (H, W, 3), which may be one in colour.
        embed: put the model into the array's metadata, so that readers need nothing else. A model that
            comes with libae is never put there. If false, they look for its hash: among those of
            `register_model`, those that come with libae, and the files that AE_MODEL_PATH lists.
        {options}

    Unless `block_images` is given, a block has some 40 KB of pixels, 51 images of 28 x 28: to read one image,
    those before it in its block are decoded.

    Raises:
        KindError: the model has no predictor, or no codec, and the mode needs it.
        ShapeError: chunks are no images, which creating an array says.
        TypeError: the array is not of `uint8`, likewise.
    """

    is_fixed_size = False

    coding: ChunkCoding

    @taking(COMPRESSION)
    def __init__(
        self,
        *,
        model: Model | Mapping[str, str] | None = None,
        image_shape: Sequence[int] | None = None,
        embed: bool = True,
        **options: Unpack[CompressionOptions],
    ) -> None:
        object.__setattr__(self, "coding", ChunkCoding.made(model, image_shape, embed, options))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LibaeCodec:
        """The codec of an array's metadata."""
        if data.get("name") != _NAME:
            raise FormatError(f"a codec named {_NAME!r} expected, {data.get('name')!r} came")
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """What stands in an array's metadata: name and configuration."""
        return {"name": _NAME, "configuration": self.coding.configuration()}

    @property
    def model(self) -> Model | None:
        """The model that chunks are coded with; None if it is one that comes with libae and nobody chose.

        Raises:
            ModelError: it is not at hand; the message has its hash and name, and where it was looked for.
        """
        return self.coding.model()

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Whether an array can be coded: Zarr asks as it is created and opened.

        Raises:
            TypeError, ShapeError: it cannot.
        """
        # A grid of another kind has chunks of many shapes: each is looked at as it is coded.
        self.coding.check(getattr(chunk_grid, "chunk_shape", None), _numpy_type(dtype))

    def evolve_from_array_spec(self, array_spec: Any) -> LibaeCodec:
        """This codec: what depends on a chunk is settled as it is coded."""
        return self

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Not known before."""
        raise NotImplementedError

    def _encode_sync(self, chunk_array: Any, chunk_spec: Any) -> Any:
        return chunk_spec.prototype.buffer.from_bytes(self.coding.encode(chunk_array.as_numpy_array()))

    async def _encode_single(self, chunk_array: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._encode_sync, chunk_array, chunk_spec)

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        array = self.coding.decode(chunk_bytes.to_bytes(), chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(array)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)

    def _selected(self, source: Any, size: int | None, selection: Any, places: Any, chunk_spec: Any) -> Any:
        """What a selection takes of a chunk, of its bytes or of a function that reads them."""
        if places is None:
            part = self.coding.decode(source, chunk_spec.shape)[tuple(selection)]
        else:
            with self.coding.open(source, size) as images:
                part = self.coding.decode_part(images, chunk_spec.shape, selection, places)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(part)

    def _decode_partial_sync(self, byte_getter: Any, selection: Any, chunk_spec: Any) -> Any:
        # What reads without a loop is near: the chunk is fetched whole, its blocks are decoded as needed.
        data = byte_getter.get_sync(prototype=_buffer.default_buffer_prototype())
        if data is None:
            return None
        places = self.coding.places(chunk_spec.shape, selection)
        return self._selected(data.to_bytes(), None, selection, places, chunk_spec)

    async def _decode_partial_single(self, byte_getter: Any, selection: Any, chunk_spec: Any) -> Any:
        places = self.coding.places(chunk_spec.shape, selection)
        if places is not None and _tells_sizes(byte_getter):
            ranges = await _Ranges.of(byte_getter)
            if ranges is None:
                return None
            try:
                return await _in_thread(
                    lambda: self._selected(ranges.read, ranges.size, selection, places, chunk_spec)
                )
            except (ChecksumError, FormatError):
                # It may have been replaced between two reads; if it is damaged, it is so as a whole, too.
                pass
        data = await byte_getter.get(prototype=_buffer.default_buffer_prototype())
        if data is None:
            return None
        return await asyncio.to_thread(self._selected, data.to_bytes(), None, selection, places, chunk_spec)


LibaeCodec.__doc__ = _options.documented(LibaeCodec.__doc__, COMPRESSION, ("embed_model",))


def _tells_sizes(byte_getter: Any) -> bool:
    """Whether a chunk's size costs less than the chunk.

    In a shard, the chunk is in memory already; and a store without a way of its own reads a value to tell.
    """
    store = getattr(byte_getter, "store", None)
    return store is not None and type(store).getsize is not _store.Store.getsize


class _Ranges:
    """Reads ranges of a chunk for another thread; its two ends, which opening a set reads, are there."""

    def __init__(self, byte_getter: Any, head: bytes, tail: bytes, size: int) -> None:
        self.size = size
        self._byte_getter = byte_getter
        self._head = head
        self._tail = tail
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def of(cls, byte_getter: Any) -> _Ranges | None:
        """None if there is no such chunk."""
        tail = await _fetched(byte_getter, _store.SuffixByteRequest(_TAIL_BYTES))
        if tail is None:
            return None
        if len(tail) < _TAIL_BYTES:
            return cls(byte_getter, b"", tail, len(tail))
        try:
            size, head = await asyncio.gather(
                byte_getter.store.getsize(byte_getter.path),
                _fetched(byte_getter, _store.RangeByteRequest(0, _HEAD_BYTES)),
            )
        except FileNotFoundError:
            return None
        return None if head is None else cls(byte_getter, head, tail, size)

    def read(self, offset: int, count: int) -> bytes:
        end = offset + count
        if end <= len(self._head):
            return self._head[offset:end]
        before = self.size - len(self._tail)
        if offset >= before:
            return self._tail[offset - before : end - before]
        request = _fetched(self._byte_getter, _store.RangeByteRequest(offset, end))
        return asyncio.run_coroutine_threadsafe(request, self._loop).result() or b""


async def _fetched(byte_getter: Any, request: Any) -> bytes | None:
    data = await byte_getter.get(prototype=_buffer.default_buffer_prototype(), byte_range=request)
    return None if data is None else bytes(data.to_bytes())


async def _in_thread(call: Callable[[], Any]) -> Any:
    """What a call gives that waits for the loop meanwhile.

    It has a thread of its own: stores read in those of the loop, which would all be taken by such calls.
    """
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result, raised = None, None
        try:
            result = call()
        except BaseException as error:
            raised = error
        loop.call_soon_threadsafe(settle, result, raised)

    threading.Thread(target=run, name="libae.zarr", daemon=True).start()
    return await future


def model_of(array: Any) -> Model | None:
    """The model that an array's chunks are coded with, as its metadata has it or names it.

    Args:
        array: a Zarr array of format 3 or 2; or what `zarr.open_array` takes, such as a path.

    Returns:
        None if the array names no model: it was made with those that come with libae, or without.

    Raises:
        KindError: libae does not code this array.
        ModelError: it names a model that is not at hand.
    """
    return _coding_of(array).model()


def _coding_of(array: Any) -> ChunkCoding:
    from ._errors import KindError

    if not hasattr(array, "metadata"):
        array = part_of("zarr", _NEEDS).open_array(array, mode="r")
    metadata = array.metadata
    found = list(getattr(metadata, "codecs", ()))
    found += [*(getattr(metadata, "filters", None) or ()), getattr(metadata, "compressor", None)]
    for codec in found:
        # Those of shards lie inside.
        for each in (codec, *getattr(codec, "codecs", ())):
            coding = getattr(each, "coding", None)
            if isinstance(coding, ChunkCoding):
                return coding
    raise KindError("array: one that libae codes expected, its codecs are others")


_registry.register_codec(_NAME, LibaeCodec)
