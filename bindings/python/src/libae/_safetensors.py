"""Models as safetensors files: the tensors by their names, and the description among the metadata."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import FormatError

if TYPE_CHECKING:
    from ._context import Context
    from ._model import Model

# The metadata's key of the description.
_KEY = "libae"


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "libae.from_safetensors and Model.to_safetensors need safetensors: "
            "pip install 'libae[safetensors]'"
        ) from error
    return safetensors


def write(model: Model, path: str | os.PathLike[Any]) -> None:
    """Writes a model's tensors and description."""
    arrays = {name: np.ascontiguousarray(array) for name, array in model.tensors().items()}
    _safetensors().numpy.save_file(arrays, os.fspath(path), metadata={_KEY: model.description})


def from_safetensors(path: str | os.PathLike[Any], *, context: Context | None = None) -> Model:
    """Makes a model of a safetensors file that `Model.to_safetensors` wrote.

    It holds the network in floats: it has no codec, which `Model.quantize` adds.

    Args:
        path: of the file, whose metadata has the description under "libae".
        context: that the model works with.

    Raises:
        ImportError: safetensors is not installed.
        FormatError: it is no such file, or has no description.
    """
    from ._model import Model

    safetensors = _safetensors()
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            description = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise FormatError(f"{os.fspath(path)!r} is no safetensors file: {error}") from error
    if description is None:
        raise FormatError(f"{os.fspath(path)!r} has no description of a model (metadata {_KEY!r})")
    return Model.from_tensors(description, tensors, context=context)
