"""How many shard files a process has mapped, all its stores together: others need room to open files, too."""

import errno
import sys
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

if sys.platform != "win32":
    import resource

__all__ = ["MAPPED", "MappedFile", "MappedFilesOfProcess", "most_mapped"]

Opened = TypeVar("Opened")

_DESCRIPTORS: Final = 2  # of a mapped file: ours, and the one of Python's mmap
_ENOUGH: Final = 1024
_TOO_MANY: Final = (errno.EMFILE, errno.ENFILE)


class MappedFile(Protocol):
    """A file that may be mapped."""

    def unmap(self) -> None:
        """Let go of what is mapped; it is mapped again when it is needed."""


def most_mapped() -> int:
    """Return how many files may be mapped at a time: they take half of what this process may open."""
    if sys.platform == "win32":
        return _ENOUGH
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if limit == resource.RLIM_INFINITY else min(_ENOUGH, max(1, limit // (2 * _DESCRIPTORS)))


class MappedFilesOfProcess:
    """Knows what is mapped, and lets go of what was mapped first. Threads may use it at the same time."""

    def __init__(self) -> None:
        self._mapped: deque[weakref.ref[MappedFile]] = deque()

    def add(self, file: MappedFile) -> None:
        """Note that a file is mapped; others are let go if there are too many."""
        self._mapped.append(weakref.ref(file))
        while len(self._mapped) > most_mapped():
            self._let_go()

    def with_room(self, open_one: Callable[[], Opened]) -> Opened:
        """Open a file; if the process, or the system, has too many open, let go of all and try once more.

        Raises:
            OSError: If it cannot be opened.
        """
        try:
            return open_one()
        except OSError as error:
            if error.errno not in _TOO_MANY or not self._mapped:
                raise
        while self._mapped:
            self._let_go()
        return open_one()

    def _let_go(self) -> None:
        try:
            first = self._mapped.popleft()()
        except IndexError:  # another thread was faster
            return
        if first is not None:
            first.unmap()


MAPPED: Final = MappedFilesOfProcess()
"""Those of this process."""
