"""Python functions that C calls back: what they raise, and signals such as Ctrl-C, come through the call.

Its own file because every long call has one, whatever it tells.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from . import _foreign, _progress
from ._progress import Bar, CountProgress


def asks_to_stop(result: Any) -> bool:
    """Whether a callback's result is False, or the boolean of an array library that is false.

    None, as of a callback that returns nothing, goes on, and so does 0, which may be a count of something.
    """
    if isinstance(result, bool):
        return not result
    is_boolean = (
        str(getattr(result, "dtype", "")).split(".")[-1] == "bool" and getattr(result, "ndim", 0) == 0
    )
    return is_boolean and not bool(result)


class Callbacks:
    """What the callbacks of one call at a time have in common."""

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self.interrupt: Callable[[], None] | None = None

    def stops(self, call: Callable[[], Any]) -> int:
        """Calls the user's function inside a callback: 1 if the work is to stop, 0 if not.

        An exception that left a callback would only be printed, and the work would go on.
        """
        try:
            if self.exception is not None:
                return 1
            if self.interrupt is not None:
                self.interrupt()
            if asks_to_stop(call()):
                return 1
        except BaseException as error:
            self.exception = error
            return 1
        return 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around a call: raises again what its callbacks raised."""
        self.exception = None
        try:
            with self._signals_put_off():
                yield
        except BaseException:
            if self.exception is None:
                raise
        raised, self.exception = self.exception, None
        if raised is not None:
            raise raised

    @contextmanager
    def _signals_put_off(self) -> Iterator[None]:
        """Lets Ctrl-C, and whatever other signals have handlers, be heard at the next progress call.

        Python would run a handler on entry to the callback, outside its `try`, where KeyboardInterrupt
        would be printed and forgotten. So the handlers are put off to a place inside.
        """
        handlers: dict[int, Callable[[int, Any], Any]] = {}
        if threading.current_thread() is threading.main_thread():
            for each in signal.valid_signals():
                handler = signal.getsignal(each)
                if callable(handler):
                    handlers[each] = handler
        pending: list[tuple[int, Any]] = []

        def put_off(number: int, frame: Any) -> None:
            pending.append((number, frame))

        def interrupt() -> None:
            while pending:
                number, frame = pending.pop(0)
                handlers[number](number, frame)

        self.interrupt = interrupt
        try:
            for number in handlers:
                signal.signal(number, put_off)
            yield
        finally:
            self.interrupt = None
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if self.exception is None:
                interrupt()


class Counting(Callbacks):
    """ae_count_callback of a long call, and the Python function or the bar behind it, if there is one."""

    def __init__(self, progress: CountProgress, what: str, unit: str) -> None:
        """`what` is done, in units such as "image"; both are for a bar."""
        super().__init__()
        self.progress = _progress.checked(progress)
        self.bar: Bar | None = None
        if self.progress is True:
            self.bar = Bar(what, unit)
            self.progress = self.bar.report
        self.c_progress = _foreign.CountCallback(self._on_progress)

    def _on_progress(self, _context: Any, done: int, count: int) -> int:
        return self.stops(lambda: None if self.progress is None else self.progress(done, count))

    def finish(self, count: int | None = None) -> None:
        """Shows that all are done, of as many as were told last or as `count` says."""
        if self.bar is not None:
            self.bar.finish(count)

    def close(self) -> None:
        """Ends the bar, if there is one."""
        if self.bar is not None:
            self.bar.close()
