"""Progress bars: what `progress=True` stands for in long calls.

They are tqdm's, as it shows them in terminals and notebooks, where it is installed, else lines on standard
error. It is imported when the first bar is shown.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any, Callable, Union

CountFunction = Callable[[int, int], Any]
CountProgress = Union[CountFunction, bool, None]
"""What `progress` may be: a function of how many are done and how many there are; True for a bar; False or
None for nothing."""

# Seconds between two lines, where there is no tqdm.
_LINE_SECONDS = 5.0


def checked(progress: Any) -> Any:
    """What `progress` is, None for False.

    Raises:
        TypeError: it is no function and no flag.
    """
    if progress is None or progress is False:
        return None
    if progress is True or callable(progress):
        return progress
    raise TypeError(f"progress: a function, True or False expected, {type(progress).__name__} came")


class Bar:
    """The bar of one call; it is shown from the first report on."""

    def __init__(self, what: str, unit: str) -> None:
        """`what` is done, such as "train", in units such as "step"."""
        self.what, self.unit = what, unit
        self._shown: Any = None
        self._total = 0
        self._done = 0

    def report(self, done: int, total: int, facts: str = "", first: int = 0) -> None:
        """Shows how many are done, of how many; 0 if that is not known.

        Args:
            done: a number below that of before begins the next of several parts.
            total: of the part.
            facts: what else there is to say, in a few words.
            first: how many were done when the call began.
        """
        if self._shown is not None and (done < self._done or (total != self._total and self._total)):
            self.close()
        if self._shown is None:
            self._shown = _made(self.what, self.unit, total, first)
            self._done = first
        self._shown.total = total or None
        if facts:
            self._shown.set_postfix_str(facts, refresh=False)
        self._shown.update(done - self._done)
        self._done, self._total = done, total

    def finish(self, total: int | None = None) -> None:
        """Shows that all are done: the last report may be of a moment before."""
        count = self._total if total is None else total
        if self._shown is not None or count:
            self.report(count, count)

    def tick(self) -> None:
        """Lets the time go on while there is nothing to report."""
        if self._shown is not None:
            self._shown.refresh()

    def close(self) -> None:
        """Leaves the bar as it is. The next report begins another."""
        if self._shown is not None:
            self._shown.refresh()
            self._shown.close()
            self._shown = None
            self._done = self._total = 0


def _made(what: str, unit: str, total: int, first: int) -> Any:
    try:
        # Typed or not, as it is installed.
        tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return _Lines(what, unit, total, first)
    return tqdm(desc=what, unit=unit, total=total or None, initial=first)


class _Lines:
    """As much of tqdm as is needed, in lines: one now and then, and one at the end."""

    hinted = False

    def __init__(self, what: str, unit: str, total: int | None, first: int) -> None:
        self.what, self.unit, self.total, self.n = what, unit, total, first
        self.facts = ""
        self.start = self.last = time.monotonic()
        self.told: int | None = None
        if not _Lines.hinted:
            _Lines.hinted = True
            self._write("progress in lines; pip install 'libae[progress]' brings bars")

    def set_postfix_str(self, facts: str, refresh: bool = True) -> None:
        self.facts = facts

    def update(self, count: int) -> None:
        self.n += count
        if time.monotonic() - self.last >= _LINE_SECONDS:
            self._tell()

    def refresh(self) -> None:
        """Nothing: time alone is no news."""

    def close(self) -> None:
        if self.told != self.n:
            self._tell()

    def _tell(self) -> None:
        self.last, self.told = time.monotonic(), self.n
        of = f" of {self.total}" if self.total else ""
        facts = f", {self.facts}" if self.facts else ""
        self._write(f"{self.what}: {self.n}{of} {self.unit}s, {self.last - self.start:.0f} s{facts}")

    @staticmethod
    def _write(text: str) -> None:
        # A program without a console has none.
        if sys.stderr is not None:
            print(text, file=sys.stderr, flush=True)
