"""Progress of a command on stderr: a bar on a terminal, else a line every 30 seconds and one at the end."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

__all__ = ["Progress"]

_LINE_SECONDS = 30.0


class Progress:
    """Shows how far a command is. Use as a context manager.

    Args:
        title: What is counted or done, for example "step" or "prep resize".
        quiet: Show nothing.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self._title, self._quiet = title, quiet
        self._first = self._done = 0
        self._total: int | None = 0
        self._text = ""
        self._started = self._last_line = time.monotonic()
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            columns = (TextColumn(self._title), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, TimeRemainingColumn(), console=self._console)
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif not self._quiet and self._done > self._first:
            self._line()

    def start(self, total: int | None, done: int = 0) -> None:
        """Say how much there is to do, None where nobody knows, and how much of it was done before."""
        self._total, self._first, self._done = total, done, done
        self._started = self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, total=total, completed=done)

    def advance(self, count: int = 1, text: str = "") -> None:
        """Say that so many more are settled, and what else is worth knowing; without a text the rate is shown."""
        self._done += count
        self._text = text
        if self._bar is not None:
            self._bar.update(self._task, advance=count, description=text or self._rate())
        elif not self._quiet and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line()

    def note(self, text: str) -> None:
        """Print a line that stays."""
        if not self._quiet:
            self._console.print(text, markup=False)

    def _rate(self) -> str:
        return f"{(self._done - self._first) / max(time.monotonic() - self._started, 1e-6):.1f}/s"

    def _line(self) -> None:
        self._last_line = time.monotonic()
        seconds_each = (self._last_line - self._started) / max(self._done - self._first, 1)
        left = 0 if self._total is None else seconds_each * (self._total - self._done)
        eta = f", about {left / 60:.1f} min left" if left else ""
        of = "" if self._total is None else f"/{self._total}"
        self.note(f"{self._title} {self._done}{of}: {self._text or self._rate()}{eta}")
