"""Being asked to stop: by Ctrl-C, by `kill`, or by the clock."""

import signal
import time
from types import FrameType, TracebackType
from typing import Literal, Self

__all__ = ["StopRequest", "Why"]

Why = Literal["interrupted", "time"]
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Catches the first SIGINT or SIGTERM, so that what is in hand is finished; the second one acts as usual.

    Args:
        max_minutes: Wall time after which to stop too.
    """

    def __init__(self, max_minutes: float | None = None) -> None:
        self._deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._signalled = False

    def __enter__(self) -> Self:
        self._former = {number: signal.signal(number, self._catch) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._restore()

    @property
    def why(self) -> Why | None:
        """Why to stop now, or None."""
        if self._signalled:
            return "interrupted"
        return "time" if self._deadline is not None and time.monotonic() >= self._deadline else None

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
