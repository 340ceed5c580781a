"""The exceptions, one for each status of ae.h that a caller may want to tell apart.

Each is an `Error`, and also the built-in exception that a Python programmer would expect in its place.
"""

from __future__ import annotations

from typing import ClassVar


class Error(Exception):
    """What every failed call raises: `str()` says what was expected and what came.

    Attributes:
        status: the number of the status in ae.h, such as 4.
        name: its name, such as "AE_ERROR_FORMAT".
    """

    status: ClassVar[int] = 0
    name: ClassVar[str] = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class ArgumentError(Error, ValueError):
    """A count or a size out of range, a value that is not finite, an object that is closed."""

    status = 1
    name = "AE_ERROR_ARGUMENT"


class OutOfMemoryError(Error, MemoryError):
    """The allocator refused, or a size does not fit."""

    status = 2
    name = "AE_ERROR_MEMORY"


class FileError(Error, OSError):
    """A file cannot be opened, read, written or renamed."""

    status = 3
    name = "AE_ERROR_IO"


class FormatError(Error, ValueError):
    """Not a file of this kind, or damaged in its structure."""

    status = 4
    name = "AE_ERROR_FORMAT"


class ChecksumError(Error, ValueError):
    """A section or block whose checksum does not match; the message names the images that are lost."""

    status = 5
    name = "AE_ERROR_CHECKSUM"


class VersionError(Error, ValueError):
    """A file of a later version than this library reads."""

    status = 6
    name = "AE_ERROR_VERSION"


class KindError(Error, ValueError):
    """The model or set cannot do that: no encoder, not variational, no codec, no labels, no names."""

    status = 7
    name = "AE_ERROR_KIND"


class ShapeError(Error, ValueError):
    """The size of the images or latent codes is not the model's."""

    status = 8
    name = "AE_ERROR_SHAPE"


class ModelError(Error, ValueError):
    """The image set was made with another model; the message names the one it needs."""

    status = 9
    name = "AE_ERROR_MODEL"


class CapacityError(Error):
    """A buffer was too small. This package sizes buffers itself, so nobody should meet it."""

    status = 10
    name = "AE_ERROR_BUFFER"


class StoppedError(Error):
    """A callback asked to stop."""

    status = 11
    name = "AE_ERROR_STOPPED"


class DivergedError(Error, ArithmeticError):
    """Training met a loss that is not finite; the trainer holds the last good state."""

    status = 12
    name = "AE_ERROR_DIVERGED"


class InternalError(Error, RuntimeError):
    """A bug in libae: please report it."""

    status = 13
    name = "AE_ERROR_INTERNAL"


_CLASSES: dict[int, type[Error]] = {
    kind.status: kind
    for kind in (
        ArgumentError,
        OutOfMemoryError,
        FileError,
        FormatError,
        ChecksumError,
        VersionError,
        KindError,
        ShapeError,
        ModelError,
        CapacityError,
        StoppedError,
        DivergedError,
        InternalError,
    )
}


def error_for(status: int, message: str) -> Error:
    """The exception for a status; one that is not known here is a bug in libae."""
    kind = _CLASSES.get(status)
    if kind is None:
        return InternalError(f"status {status}, which this package does not know: {message}")
    return kind(message)
