"""Progress of a run on stderr: a bar on a terminal, else a line every 30 seconds and at the end."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["StepProgress"]

_LINE_SECONDS = 30.0


class StepProgress:
    """Shows steps of a run or samples of an evaluation. Use as a context manager.

    Args:
        noun: What is counted, for example "step".
        done: How many were done before.
        total: How many there are.
    """

    def __init__(self, noun: str, done: int, total: int) -> None:
        self._noun, self._first, self._done, self._shown, self._total = noun, done, done, done, total
        self._text = ""
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        self._started = self._last_line = time.monotonic()
        if sys.stderr.isatty():
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console)
            self._task = self._bar.add_task("", total=self._total, completed=self._done)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._done > self._shown:
            self._line()

    def update(self, done: int, text: str) -> None:
        """Say how many are done, and what else is worth knowing."""
        self._done, self._text = done, text
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=text)
        elif time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line()

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, markup=False)

    def _line(self) -> None:
        self._last_line, self._shown = time.monotonic(), self._done
        seconds_each = (self._last_line - self._started) / max(self._done - self._first, 1)
        left = seconds_each * (self._total - self._done)
        eta = f", about {left / 60:.1f} min left" if left else ""
        self.note(f"{self._noun} {self._done}/{self._total}: {self._text}{eta}")
