"""Progress on stderr: a bar on a terminal, else a line every 30 seconds."""

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
        title: What is being done.
        quiet: Show nothing.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self._title = title
        self._quiet = quiet
        self._total = 0
        self._done = 0
        self._failed = 0
        self._started = time.monotonic()
        self._last_line = self._started
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif not self._quiet and self._total:
            self._line()

    def start(self, total: int) -> None:
        """Say how much there is to do."""
        self._total = total
        self._started = self._last_line = time.monotonic()
        if self._bar is not None:
            self._task = self._bar.add_task(self._title, total=total, rate="")

    def advance(self, count: int, failed: int = 0) -> None:
        """Say that so many more are settled, and how many of them failed."""
        self._done += count
        self._failed += failed
        if self._bar is not None:
            self._bar.update(self._task, advance=count, rate=self._rate())
        elif not self._quiet and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line()

    def _rate(self) -> str:
        rate = self._done / max(time.monotonic() - self._started, 1e-6)
        return f"{rate:.1f}/s" + (f", {self._failed} failed" if self._failed else "")

    def _line(self) -> None:
        self._last_line = time.monotonic()
        seconds = self._last_line - self._started
        left = seconds / self._done * (self._total - self._done) if self._done else 0.0
        eta = f", about {left:.0f} s left" if self._done < self._total else f" in {seconds:.1f} s"
        print(f"{self._title}: {self._done}/{self._total}, {self._rate()}{eta}", file=sys.stderr)  # noqa: T201
