"""Learned compression for sets of small images.

Models (`Model`) are trained autoencoders: they `encode` images to latent codes of a few numbers and
`decode` them back. `compress` packs images into a set of a few bytes each, and `ImageSet` reads any of
them again; `ImageSetWriter` writes one as images come. `train` and `Trainer` make new models;
`default_model` comes with the package. What is trained or compressed, and how, is said by keywords that
`options` lists.

The functions run in libae.so, a C library; numpy arrays go in and come out without needless copies. The
interpreter's lock is released meanwhile, so threads run side by side.
"""

from __future__ import annotations

from ._arrays import whole as _whole
from ._compression import ImageSetWriter, append, compress, compress_file, concatenate, split
from ._context import Context
from ._errors import (
    AccessError,
    ArgumentError,
    CapacityError,
    ChecksumError,
    ClosedPipeError,
    DivergedError,
    Error,
    FileError,
    FolderError,
    FormatError,
    InternalError,
    InterruptedCallError,
    KindError,
    MissingFileError,
    ModelError,
    NoFolderError,
    OutOfMemoryError,
    PoorFitWarning,
    ShapeError,
    StoppedError,
    TakenNameError,
    UnsupportedError,
    VersionError,
    WouldBlockError,
)
from ._from_onnx import from_onnx
from ._from_torch import from_torch
from ._imageset import ImageSet, ImageSetInfo, decompress
from ._library import _version_text, check, lib, library_path
from ._model import Model, ModelInfo, PredictorReport, Quality, ShrinkReport, default_model, qualities
from ._option_types import (
    CompressionOptions,
    LosslessOptions,
    PredictorOptions,
    QuantizationOptions,
    ShrinkingOptions,
    TrainingOptions,
)
from ._options import Option, Preset, options, presets
from ._predictor import train_predictor
from ._safetensors import from_safetensors
from ._training import Trainer, TrainingProgress, train
from ._version import __version__

__all__ = [
    "AccessError",
    "ArgumentError",
    "CapacityError",
    "ChecksumError",
    "ClosedPipeError",
    "CompressionOptions",
    "Context",
    "DivergedError",
    "Error",
    "FileError",
    "FolderError",
    "FormatError",
    "ImageSet",
    "ImageSetInfo",
    "ImageSetWriter",
    "InternalError",
    "InterruptedCallError",
    "KindError",
    "LosslessOptions",
    "MissingFileError",
    "Model",
    "ModelError",
    "ModelInfo",
    "NoFolderError",
    "Option",
    "OutOfMemoryError",
    "PoorFitWarning",
    "PredictorOptions",
    "PredictorReport",
    "Preset",
    "Quality",
    "QuantizationOptions",
    "ShapeError",
    "ShrinkReport",
    "ShrinkingOptions",
    "StoppedError",
    "TakenNameError",
    "Trainer",
    "TrainingOptions",
    "TrainingProgress",
    "UnsupportedError",
    "VersionError",
    "WouldBlockError",
    "__version__",
    "append",
    "build_info",
    "compress",
    "compress_file",
    "concatenate",
    "decompress",
    "default_model",
    "from_onnx",
    "from_safetensors",
    "from_torch",
    "library_path",
    "options",
    "presets",
    "qualities",
    "release_memory",
    "set_threads",
    "split",
    "threads",
    "train",
    "train_predictor",
    "version",
]


def version() -> str:
    """The version of the C library, such as "0.2.0"."""
    return _version_text(lib.ae_version())


def build_info() -> str:
    """A line that says how the C library was built and runs, with the kernel path in use."""
    text: bytes = lib.ae_build_info()
    return text.decode("utf-8", "replace")


def set_threads(count: int) -> None:
    """Sets how many threads a call may use, 1 to 256, for the whole process; 0 for all processors.

    Results do not depend on it. It is apart from Python's threads: each of those may be in a call.
    """
    check(lib.ae_set_threads(_whole(count, "count", 0, 256)))


def threads() -> int:
    """How many threads a call may use."""
    return int(lib.ae_threads())


def release_memory() -> None:
    """Gives the memory that the library keeps between calls back. Calls may be under way."""
    lib.ae_release_memory()
