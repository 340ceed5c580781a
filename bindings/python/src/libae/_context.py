"""Contexts: with how many threads calls work, and where they look for models."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any, Union

from . import _arrays, _foreign
from ._errors import ArgumentError
from ._library import Closing, Handle, lib, opened

Path = Union[str, "os.PathLike[Any]"]


class Context(Closing):
    """With how many threads calls work, and where they look for models.

    A context goes to a call as `context=`; what is made with it (a model, a set, a writer, a trainer) keeps
    it. Without one, calls work as `set_threads` and the environment say. Contexts are immutable, and can be
    pickled.

    Args:
        threads: that a call may use, 1 to 256; None for as many as `set_threads` says.
        model_path: where to look for models before the folders of the environment's AE_MODEL_PATH: a
            file or a folder, or several; None for nowhere.

    Raises:
        ArgumentError: a number out of range, or a path with a colon in it.
    """

    def __init__(
        self, threads: int | None = None, model_path: Path | Sequence[Path] | None = None
    ) -> None:
        self._threads = None if threads is None else _arrays.whole(threads, "threads", 1, 256)
        paths = [model_path] if isinstance(model_path, (str, os.PathLike)) else list(model_path or ())
        self._model_path = tuple(os.fspath(path) for path in paths)
        given = _foreign.ContextOptions(struct_size=ctypes.sizeof(_foreign.ContextOptions))
        given.threads = self._threads or 0
        if paths:
            joined = b":".join(os.fsencode(path) for path in paths)
            if b"\0" in joined:
                raise ArgumentError("model_path: holds a NUL byte")
            # One string may be several paths, as AE_MODEL_PATH has them; one of several may not.
            if len(paths) > 1 and joined.count(b":") >= len(paths):
                raise ArgumentError("model_path: a path that holds a colon cannot be one of several")
            given.model_path = joined
        self._handle: Handle | None = opened(
            lib.ae_context_free, lambda out: lib.ae_context_create(ctypes.byref(given), out)
        )

    @property
    def threads(self) -> int | None:
        """That a call may use; None for as many as `set_threads` says."""
        return self._threads

    @property
    def model_path(self) -> tuple[str, ...]:
        """Where models are looked for first."""
        return self._model_path

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._threads, self._model_path or None)

    def __copy__(self) -> Context:
        return self

    def __deepcopy__(self, memo: Any) -> Context:
        return self

    def __enter__(self) -> Context:
        self._use()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self.closed else ""
        path = list(map(os.fsdecode, self._model_path))
        return f"<libae.Context: threads={self._threads}, model_path={path}{closed}>"


class Held:
    """A context as calls and handles keep it: also after it was closed. NULL without one."""

    __slots__ = ("context", "handle", "pointer")

    def __init__(self, context: Context | None) -> None:
        if context is not None and not isinstance(context, Context):
            raise TypeError(f"context: a libae.Context expected, {type(context).__name__} came")
        self.context = context
        self.handle = None if context is None else context._use()
        self.pointer = None if self.handle is None else self.handle.pointer
