"""Finds libae.so, checks that it is the one this package was written for, and types its functions.

It is also where a status becomes an exception and where handles live: everything that the other files
need to call C safely.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import os
import sys
import weakref
from collections.abc import Iterable
from typing import Any, Callable, TypeVar

from . import _foreign
from ._errors import ArgumentError, error_for
from ._version import __version__

_FILE_NAME = "libae.dylib" if sys.platform == "darwin" else "libae.so"
_SYSTEM_NAME = (
    f"libae.{_foreign.ABI_VERSION}.dylib" if sys.platform == "darwin" else f"libae.so.{_foreign.ABI_VERSION}"
)


def _version_text(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def _version_fault(number: int) -> str | None:
    """Why a library of that version will not do, or None. Later ones of the same ABI version do."""
    wanted = tuple(int(part) for part in __version__.split("."))
    if (number // 1_000_000, number // 1_000 % 1_000) >= wanted[:2]:
        return None
    return f"is version {_version_text(number)}, this package was written for {__version__}"


def _open(path: str) -> ctypes.CDLL:
    """Loads one candidate.

    Raises:
        OSError: it cannot be loaded, is not libae, or is another version; the message says which.
    """
    # CDLL, not PyDLL: the interpreter's lock is released during every call.
    library = ctypes.CDLL(path)
    try:
        version = library.ae_version
    except AttributeError:
        raise OSError("is not libae: it has no ae_version") from None
    version.restype = ctypes.c_uint32
    version.argtypes = ()
    fault = _version_fault(version())
    if fault is not None:
        raise OSError(fault)
    for name, (result, arguments) in _foreign.SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise OSError(f"has no function {name}") from None
        function.restype = result
        function.argtypes = arguments
    if library.ae_abi_version() != _foreign.ABI_VERSION:
        raise OSError(
            f"has ABI version {library.ae_abi_version()}, this package was written for {_foreign.ABI_VERSION}"
        )
    return library


# In the package, too, the library is in a folder beside share/libae/models, where it looks for models.
_FOLDER = "_lib"


def _beside_package() -> str:
    """The path of the package's own library. Without pathlib, which is slow to import."""
    return os.path.join(os.path.dirname(os.path.realpath(__file__)), _FOLDER, _FILE_NAME)


def _load() -> tuple[ctypes.CDLL, str]:
    """The library and where it was found: in the package, in LIBAE_LIBRARY, or the system's.

    A library that is missing in the package is no fault; one that LIBAE_LIBRARY names has to work.
    """
    looked = []
    beside = _beside_package()
    if os.path.exists(beside):
        try:
            return _open(beside), beside
        except OSError as error:
            looked.append(f"{beside}: {error}")
    else:
        looked.append(f"{beside}: no such file")

    named = os.environ.get("LIBAE_LIBRARY")
    if named:
        try:
            return _open(os.path.abspath(named)), os.path.abspath(named)
        except OSError as error:
            looked.append(f"LIBAE_LIBRARY={named}: {error}")
    else:
        looked.append("LIBAE_LIBRARY: not set")
        try:
            return _open(_SYSTEM_NAME), _SYSTEM_NAME
        except OSError as error:
            looked.append(f"the system's {_SYSTEM_NAME}: {error}")
    raise ImportError("libae's shared library was not found. Looked at:\n  " + "\n  ".join(looked))


lib, library_path = _load()


def check(status: int, path: str | os.PathLike[Any] | None = None) -> None:
    """Raises the exception for a status that is not AE_OK. To be called on the thread that made the call.

    `path` is the file that the call was about, for the exception's `filename`.
    """
    if status != _foreign.STATUS_OK:
        message = lib.ae_last_error().decode("utf-8", "replace")
        raise error_for(status, message, lib.ae_last_errno(), None if path is None else os.fspath(path))


_Function = TypeVar("_Function", bound=Callable[..., Any])


def suggesting(more: Iterable[str] = ()) -> Callable[[_Function], _Function]:
    """Lets the TypeError for a misspelt option say which one may have been meant.

    `more` names the options that the function takes beside those of its signature.
    """

    def decorate(function: _Function) -> _Function:
        parameters = inspect.signature(function).parameters.values()
        known = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD} - {"self", "cls"}
        known.update(more)

        @functools.wraps(function)
        def checked(*arguments: Any, **options: Any) -> Any:
            if not known.issuperset(options):
                import difflib  # here, since it is slow to import

                (name, *_) = (each for each in options if each not in known)
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"
                raise TypeError(f"{function.__qualname__}() has no option {name!r}{hint}")
            return function(*arguments, **options)

        return checked  # type: ignore[return-value]

    return decorate


class Handle:
    """An opaque C handle, freed when the last reference to it goes.

    A call holds a reference while it runs, so closing an object in one thread does not free what a call
    in another is using.
    """

    __slots__ = ("__weakref__", "pointer")

    def __init__(self, pointer: int, free: Callable[[int], None], *keep: object) -> None:
        """`keep` is what C refers to as long as the handle lives, such as callbacks."""
        self.pointer = pointer
        finalizer = weakref.finalize(self, _free, free, pointer, keep)
        # At exit the process's memory goes anyway, and a daemon thread may still be in a call.
        finalizer.atexit = False


def _free(free: Callable[[int], None], pointer: int, _keep: tuple[object, ...]) -> None:
    free(pointer)


def opened(
    free: Callable[[int], None],
    call: Callable[[Any], int],
    *keep: object,
    path: str | os.PathLike[Any] | None = None,
) -> Handle:
    """The handle that `call` stores through the pointer it is given, perhaps from a file."""
    pointer = ctypes.c_void_p()
    check(call(ctypes.byref(pointer)), path)
    assert pointer.value is not None
    return Handle(pointer.value, free, *keep)


class Closing:
    """What models, image sets and trainers share: `close`, `closed`, `with`, and a clear error after it."""

    _handle: Handle | None

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._handle is None

    def close(self) -> None:
        """Gives up the memory; every later use raises `ArgumentError`. Closing twice does nothing.

        Calls that are running in other threads finish first. Without `close`, the garbage collector
        does the same in time.
        """
        self._handle = None

    def _use(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise ArgumentError(f"this {type(self).__name__} is closed")
        return handle


def file_path(path: str | os.PathLike[Any]) -> bytes:
    """A path as C takes it.

    Raises:
        ArgumentError: it holds a NUL, which C would take for its end.
    """
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ArgumentError(f"path {path!r} holds a NUL byte")
    return encoded
