"""libae as a codec of numcodecs: `Libae`, the compressor of arrays of images in Zarr's format 2 and others.

numcodecs finds it by the entry point "libae" of the group numcodecs.codecs, in every process of an
environment that libae is installed in; importing this module registers it, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _options
from ._chunks import ChunkCoding, part_of, register_model
from ._errors import ArgumentError
from ._model import Model
from ._options import COMPRESSION, taking

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import CompressionOptions

__all__ = ["Libae", "register_model"]


_NEEDS = "libae.numcodecs needs numcodecs"
_abc = part_of("numcodecs.abc", _NEEDS)
_compat = part_of("numcodecs.compat", _NEEDS)
_registry = part_of("numcodecs.registry", _NEEDS)
_Codec: Any = _abc.Codec


class Libae(_Codec):  # type: ignore[misc]
    """Codes arrays of `uint8` images in C order.

        zarr.create_array("digits.zarr", data=digits, chunks=(4096, 28, 28), zarr_format=2,
                          compressors=libae.numcodecs.Libae())

    Arguments, and which axes are images, are as of `libae.zarr.LibaeCodec`. What has no shape, such as bytes,
    needs `image_shape`.

    Args:
        model: None for those that come with libae, a model with a predictor or a codec, or a mapping of its
            hash and name.
        image_shape: (H, W) or (H, W, C) where the axes do not tell.
        embed: put the model into the configuration.
        {options}

    Raises:
        KindError: the model has no predictor, or no codec, and the mode needs it.
    """

    codec_id = "libae"

    @taking(COMPRESSION)
    def __init__(
        self,
        *,
        model: Model | Mapping[str, str] | None = None,
        image_shape: Sequence[int] | None = None,
        embed: bool = True,
        **options: Unpack[CompressionOptions],
    ) -> None:
        self.coding = ChunkCoding.made(model, image_shape, embed, options)

    @property
    def model(self) -> Model | None:
        """The model that chunks are coded with; None if it is one that comes with libae and nobody chose.

        Raises:
            ModelError: it is not at hand; the message has its hash and name, and where it was looked for.
        """
        return self.coding.model()

    def encode(self, buf: Any) -> bytes:
        """An image set (.aez) of an array.

        Raises:
            TypeError: it is not of `uint8`.
            ShapeError: it is no images, or their shape has to be said.
            ArgumentError: it is in Fortran's order, which `decode` would not know.
        """
        array = np.asarray(buf if hasattr(buf, "dtype") else memoryview(buf))
        if array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous:
            raise ArgumentError(
                "an array in C order expected, one in Fortran's came: create the array with order='C'"
            )
        return self.coding.encode(array)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The images of a set, (N, H, W) or (N, H, W, C) `uint8`, or `out`, which they are copied to.

        Raises:
            ModelError: the model that it was coded with is not at hand.
        """
        array = self.coding.decode(bytes(memoryview(buf).cast("B")))
        return _compat.ndarray_copy(array, out)

    def get_config(self) -> dict[str, Any]:
        """What a store's metadata has of it: its id, and keywords of this class."""
        return {"id": self.codec_id, **self.coding.configuration()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Libae:
        """The codec of a store's metadata."""
        return cls(**{key: value for key, value in config.items() if key != "id"})

    def __repr__(self) -> str:
        told = [f"{key}={value!r}" for key, value in self.coding.options]
        if self.coding.reference is not None:
            told.append(f"model={self.coding.reference.name!r}")
        return f"Libae({', '.join(told)})"


Libae.__doc__ = _options.documented(Libae.__doc__, COMPRESSION, ("embed_model",))
_registry.register_codec(Libae)
