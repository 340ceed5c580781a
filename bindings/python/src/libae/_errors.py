"""The exceptions, one for each status of ae.h that a caller may want to tell apart.

Each is an `Error`, and also the built-in exception that a Python programmer would expect in its place.
"""

from __future__ import annotations

import errno as _errno
import os
from typing import Any, ClassVar


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


class UnsupportedError(ArgumentError, NotImplementedError):
    """A network that is imported has an operation that libae has no node for; the message says which and
    where."""


# MemoryError first: it makes its instances itself, and must be asked for them, as what copies exceptions from
# worker processes does.
class OutOfMemoryError(MemoryError, Error):
    """The allocator refused, or a size does not fit."""

    status = 2
    name = "AE_ERROR_MEMORY"

    __init__ = Error.__init__


class FileError(Error, OSError):
    """A file cannot be opened, read, written or renamed.

    `errno`, `strerror` and `filename` are as on any OSError, None where no system call failed. What is raised
    for an errno that has an exception of its own is that one, too: `except FileNotFoundError` catches a file
    that is not there, `except FileError` every fault.
    """

    status = 3
    name = "AE_ERROR_IO"

    def __init__(self, message: str = "", errno: int = 0, filename: Any = None) -> None:
        super().__init__(message)
        self._message = message
        if errno:
            self.errno = errno
            self.strerror = os.strerror(errno)
        self.filename = filename

    def __str__(self) -> str:
        # An OSError would write its own sentence.
        return self._message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._message, self.errno or 0, self.filename)


class MissingFileError(FileError, FileNotFoundError):
    """There is no such file or folder."""


class TakenNameError(FileError, FileExistsError):
    """The name is taken already."""


class FolderError(FileError, IsADirectoryError):
    """A folder stands where a file is wanted."""


class NoFolderError(FileError, NotADirectoryError):
    """A file stands where a folder is wanted."""


class AccessError(FileError, PermissionError):
    """The system does not permit it."""


class ClosedPipeError(FileError, BrokenPipeError):
    """Nobody reads the pipe that was written to."""


class InterruptedCallError(FileError, InterruptedError):
    """A signal interrupted a system call."""


class WouldBlockError(FileError, BlockingIOError):
    """A descriptor that does not block had nothing to give, or no room."""


_FILE_ERRORS: dict[int, type[FileError]] = {
    _errno.ENOENT: MissingFileError,
    _errno.EEXIST: TakenNameError,
    _errno.EISDIR: FolderError,
    _errno.ENOTDIR: NoFolderError,
    _errno.EACCES: AccessError,
    _errno.EPERM: AccessError,
    _errno.EPIPE: ClosedPipeError,
    _errno.EINTR: InterruptedCallError,
    _errno.EAGAIN: WouldBlockError,
}


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
    """Numbers overflow: a loss, which leaves the trainer in its last good state, or what a model gives."""

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


class PoorFitWarning(UserWarning):
    """A model reconstructs many of the images too poorly, which are stored as pixels."""


def error_for(status: int, message: str, errno: int = 0, filename: Any = None) -> Error:
    """The exception for a status; one that is not known here is a bug in libae.

    Args:
        status: of ae.h.
        message: what it says.
        errno: of the system call that failed; 0 for none.
        filename: the file that the call was about, if it was about one.
    """
    kind = _CLASSES.get(status)
    if kind is None:
        return InternalError(f"status {status}, which this package does not know: {message}")
    if kind is FileError:
        return _FILE_ERRORS.get(errno, FileError)(message, errno, filename)
    return kind(message)
