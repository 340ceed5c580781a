"""libae on Dask: arrays of images to latent codes and back, and to one image set, on one machine or many.

Nothing here is distributed of its own: functions make Dask arrays and Delayed objects, which the scheduler in
use runs. A model is one value of the graph, which Dask brings to each worker once, however many chunks there
are; and each task works with one thread, since Dask runs a task on each thread of a worker.
docs/dask.md is the guide.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _arrays
from ._compression import compress as _compress
from ._compression import concatenate
from ._context import Context
from ._errors import FileError, ShapeError, error_for
from ._imageset import ImageSet
from ._library import file_path
from ._model import Model
from ._options import COMPRESSION, taking

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import CompressionOptions

__all__ = ["compress", "decode", "encode", "from_imageset", "shards"]


def _part(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError("libae.dask needs Dask's arrays: pip install 'libae[dask]'") from error


_dask = _part("dask")
_array = _part("dask.array")

# Bytes of images in a chunk of `from_imageset`, about.
_CHUNK_BYTES = 16 << 20
# What the library judges a rate by, at most.
_JUDGED_IMAGES = 10_000
# Shards that are computed at a time where no cluster says how many are on their way.
_SHARDS_AT_ONCE = 16


def _shared(model: Any) -> Any:
    """A model as one value of a graph. What is on a cluster already, a Future, is taken as it is."""
    return _dask.delayed(model, traverse=False) if isinstance(model, Model) else model


def _checked(array: Any, name: str) -> Any:
    """An array whose chunks hold whole images or codes."""
    if not isinstance(array, _array.Array):
        raise TypeError(
            f"{name}: a dask.array.Array expected, {type(array).__name__} came; dask.array.from_array makes "
            "one"
        )
    if array.ndim < 2:
        raise ShapeError(f"{name}: shape (N, ...) expected, {array.shape} came")
    if any(np.isnan(size) for size in array.shape):
        raise ShapeError(f"{name}: chunks of known sizes expected: {name}.compute_chunk_sizes() tells them")
    return array.rechunk(dict.fromkeys(range(1, array.ndim), -1))


def _model_of(model: Any) -> Model:
    if not isinstance(model, Model):
        raise TypeError(f"model: a libae.Model expected, {type(model).__name__} came")
    return model


def _encoded(images: Any, model: Model, threads: int) -> npt.NDArray[np.float32]:
    return model.encode(images, context=Context(threads=threads))


def encode(images: Any, model: Model, *, shared: Any = None, threads: int = 1) -> Any:
    """The latent codes of a Dask array of images.

    Args:
        images: a dask array, (N, H, W), (N, H, W, C) or (N, H * W), of a type that `Model.encode` takes, of
            chunks of any number of images.
        model: with an encoder.
        shared: the same model where it is on the cluster already, as a Future of `client.scatter(model,
            broadcast=True)`; None to bring it along.
        threads: that a task may use: 1 where Dask runs as many tasks as there are processors.

    Returns:
        A dask array, (N, d) `float32`, in the chunks of the images. Nothing is computed yet.

    Raises:
        ShapeError: the images are not of the model's shape.
    """
    images = _checked(images, "images")
    leading = _arrays.model_leading(images.shape, _model_of(model).size)
    if len(leading) != 1:
        raise ShapeError(f"images: one leading axis expected, {images.shape} came")
    return _array.map_blocks(
        _encoded,
        images,
        model=_shared(model if shared is None else shared),
        threads=_arrays.whole(threads, "threads", 1, 256),
        drop_axis=list(range(2, images.ndim)),
        chunks=(images.chunks[0], (model.latent_size,)),
        dtype=np.float32,
        meta=np.empty((0, 0), np.float32),
    )


def _decoded(codes: Any, model: Model, threads: int, pixels: Any) -> npt.NDArray[Any]:
    return model.decode(codes, dtype=pixels, context=Context(threads=threads))


def decode(
    codes: Any, model: Model, *, dtype: npt.DTypeLike = np.uint8, shared: Any = None, threads: int = 1
) -> Any:
    """The images of a Dask array of latent codes.

    Args:
        codes: a dask array, (N, d), of real numbers.
        model: with these codes.
        dtype: `uint8` or `float32`, as in `Model.decode`.
        shared, threads: as in `encode`.

    Returns:
        A dask array, (N, H, W) or (N, H, W, C). Nothing is computed yet.

    Raises:
        ShapeError: the codes are not of the model's size.
    """
    codes = _checked(codes, "codes")
    wanted = _arrays.image_dtype(dtype)
    if len(_arrays.code_leading(codes.shape, _model_of(model).latent_size)) != 1:
        raise ShapeError(f"codes: shape (N, {model.latent_size}) expected, {codes.shape} came")
    return _array.map_blocks(
        _decoded,
        codes,
        model=_shared(model if shared is None else shared),
        threads=_arrays.whole(threads, "threads", 1, 256),
        pixels=wanted,
        dtype=wanted,
        new_axis=list(range(2, 1 + len(model.image_shape))),
        chunks=(codes.chunks[0], *((side,) for side in model.image_shape)),
        meta=np.empty((0,) * (1 + len(model.image_shape)), wanted),
    )


def _settled(images: Any, model: Model | None, image_shape: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Options with the quality that a rate stands for: every shard is to have the one of the whole set."""
    if not options.get("bytes_per_image"):
        return options
    packed = _compress(images, model, image_shape=image_shape, **options)
    with ImageSet.open(packed, model) as judged:
        quality = judged.info.quality if model is not None else judged.info.scale_quality
    return {**options, "bytes_per_image": None, "quality": quality}


def _shard(
    images: Any,
    model: Model | None,
    image_shape: Any,
    threads: int,
    options: dict[str, Any],
    labels: Any,
    names: Any,
) -> bytes:
    return _compress(
        np.asarray(images),
        model,
        image_shape=image_shape,
        labels=labels,
        names=names,
        context=Context(threads=threads),
        **options,
    )


def _block_images(
    images: Any, model: Model | None, image_shape: Any, exact: bool, options: dict[str, Any]
) -> int:
    """Images in a block of the set, which the library makes fewer where they are large."""
    told = {**options, "bytes_per_image": None}
    few = np.zeros((1, *images.shape[1:]), images.dtype)
    packed = _compress(few, model, exact=exact, image_shape=image_shape, **told)
    with ImageSet.open(packed, model) as made:
        return made.info.block_images


@taking(COMPRESSION)
def shards(
    images: Any,
    model: Model | None = None,
    *,
    exact: bool = False,
    image_shape: tuple[int, int] | tuple[int, int, int] | None = None,
    labels: Any = None,
    names: Sequence[str] | None = None,
    shared: Any = None,
    threads: int = 1,
    **options: Unpack[CompressionOptions],
) -> list[Any]:
    """Image sets of the parts of a Dask array, to be computed, and stored wherever it suits.

    Each part is whole blocks, so that `libae.concatenate` makes of their files, in this order, the bytes that
    `libae.compress` makes of all images. The array's own chunks are the parts, if they are whole blocks.

    Args:
        images: a dask array of `uint8`, as in `libae.compress`, with one leading axis.
        model, exact, image_shape: as in `libae.compress`.
        labels: a number from 0 to 255 for each image: an array, or a dask array.
        names: a file name for each image.
        shared, threads: as in `encode`.
        {options}

    Returns:
        `dask.delayed` objects, each of the bytes of one set (.aez).

    Raises:
        ShapeError: the images are not of the model's shape, or there are not as many labels or names.
        TypeError: the images are not of `uint8`.
    """
    images = _checked(images, "images")
    if images.dtype != np.uint8:
        raise TypeError(f"images: uint8 expected, {images.dtype} came")
    count = images.shape[0]
    told: dict[str, Any] = dict(options)
    if exact:
        told["mode"] = "lossless"
    block = _block_images(images, model, image_shape, exact, dict(options))
    sizes = images.chunks[0]
    if any(size % block for size in sizes[:-1]):
        part = max(1, round(max(sizes) / block)) * block
        images = images.rechunk({0: part})
        sizes = images.chunks[0]
    for each, what in ((labels, "labels"), (names, "names")):
        if each is not None and len(each) != count:
            raise ShapeError(f"{what}: one for each of {count} images expected, {len(each)} came")
    brought = None if model is None else _shared(model if shared is None else shared)
    chosen: Any = told
    if told.get("bytes_per_image"):
        chosen = _dask.delayed(_settled, pure=True)(images[:_JUDGED_IMAGES], brought, image_shape, told)
    make = _dask.delayed(_shard, pure=True)
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(int).tolist()
    found = []
    for part, first, last in zip(images.to_delayed().reshape(-1), bounds, bounds[1:]):
        marks = None if labels is None else labels[first:last]
        words = None if names is None else list(names[first:last])
        found.append(
            make(part, brought, image_shape, _arrays.whole(threads, "threads", 1, 256), chosen, marks, words)
        )
    return found


def _computed(parts: list[Any]) -> Iterator[tuple[int, bytes]]:
    """What shards are, with their places, as they are done."""
    client = None
    try:
        client = importlib.import_module("distributed").get_client()
    except (ImportError, ValueError):
        pass
    if client is None:
        for first in range(0, len(parts), _SHARDS_AT_ONCE):
            yield from enumerate(_dask.compute(*parts[first : first + _SHARDS_AT_ONCE]), first)
        return
    futures = client.compute(parts)
    places = {future.key: place for place, future in enumerate(futures)}
    done = importlib.import_module("distributed").as_completed(futures, with_results=True)
    # Each is let go as it has come, so that workers keep none.
    futures.clear()
    for future, data in done:
        yield places[future.key], data


@taking(COMPRESSION)
def compress(
    images: Any,
    out: str | os.PathLike[Any],
    model: Model | None = None,
    *,
    exact: bool = False,
    image_shape: tuple[int, int] | tuple[int, int, int] | None = None,
    labels: Any = None,
    names: Sequence[str] | None = None,
    shared: Any = None,
    threads: int = 1,
    **options: Unpack[CompressionOptions],
) -> None:
    """Packs a Dask array of images into one image set (.aez), with the scheduler in use.

    Its bytes are those of `libae.compress` of all images with the same options. Workers send their shards as
    bytes, so that they need no folder in common; this process writes them beside `out` and concatenates
    them.

    Args:
        images: as in `shards`.
        out: a path, whose file is replaced once all is written, with the care of `Model.save`.
        model, exact, image_shape, labels, names, shared, threads: as in `shards`.
        {options}

    Raises:
        FileError: it cannot be written; what was there is as it was.
        ShapeError, TypeError: as `shards`.
    """
    file_path(out)
    parts = shards(
        images,
        model,
        exact=exact,
        image_shape=image_shape,
        labels=labels,
        names=names,
        shared=shared,
        threads=threads,
        **options,
    )
    beside = os.path.dirname(os.path.abspath(os.fspath(out)))
    try:
        place_of_shards = tempfile.TemporaryDirectory(prefix=".libae-shards-", dir=beside)
    except OSError as error:
        message = f"{os.fspath(out)}: no folder for shards beside it: {error.strerror}"
        raise error_for(FileError.status, message, error.errno or 0, out) from None
    with place_of_shards as folder:
        paths = [os.path.join(folder, f"{place:06}.aez") for place in range(len(parts))]
        for place, data in _computed(parts):
            try:
                with open(paths[place], "wb") as file:
                    file.write(data)
            except OSError as error:
                message = f"{os.fspath(out)}: a shard beside it cannot be written: {error.strerror}"
                raise error_for(FileError.status, message, error.errno or 0, out) from None
        concatenate(paths, out)


def _images_of(source: Any, model: Model | None, threads: int, starts: Any, count: int, block_id: Any) -> Any:
    first, last = starts[block_id[0]], starts[block_id[0] + 1]
    with ImageSet.open(source, model, cache_bytes=0, context=Context(threads=threads)) as images:
        if len(images) != count:
            raise FileError(f"{source}: a set of {count} images expected, one of {len(images)} came")
        return images[first:last]


def from_imageset(
    source: str | os.PathLike[Any] | bytes,
    model: Model | None = None,
    *,
    chunk_images: int | None = None,
    shared: Any = None,
    threads: int = 1,
) -> Any:
    """A Dask array of the images of a set, each chunk of which is decoded where it is asked for.

    Args:
        source: a path that workers can read, too, or the set's bytes.
        model: as in `ImageSet.open`.
        chunk_images: in a chunk; None for whole blocks of some 16 MB.
        shared, threads: as in `encode`.

    Returns:
        A dask array, (N, H, W) or (N, H, W, C) `uint8`.

    Raises:
        As `ImageSet.open`.
    """
    with ImageSet.open(source, model) as images:
        shape, block = images.shape, images.info.block_images
    count = shape[0]
    if chunk_images is None:
        chunk_images = max(1, _CHUNK_BYTES // (block * _arrays.total(shape[1:]))) * block
    size = _arrays.whole(chunk_images, "chunk_images", 1, 2**63 - 1)
    # Of no images there is one chunk, too.
    starts = [*range(0, max(1, count), size), count]
    kept: Any
    if isinstance(source, (str, os.PathLike)):
        kept = os.path.abspath(os.fspath(source))
    else:
        kept = _dask.delayed(bytes(source), traverse=False)
    return _array.map_blocks(
        _images_of,
        source=kept,
        model=None if model is None else _shared(model if shared is None else shared),
        threads=_arrays.whole(threads, "threads", 1, 256),
        starts=starts,
        count=count,
        dtype=np.uint8,
        chunks=(tuple(np.diff(starts).tolist()), *((side,) for side in shape[1:])),
        meta=np.empty((0,) * len(shape), np.uint8),
    )
