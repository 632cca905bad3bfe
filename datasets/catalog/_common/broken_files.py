"""Files of single samples that are broken: their samples go without, and it is told once, with the first reason."""

from collections.abc import Callable
from typing import TypeVar

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.notices import About, Notice

__all__ = ["BrokenFiles"]

T = TypeVar("T")


class BrokenFiles:
    """Notes why files could not be read, by what they are about."""

    def __init__(self) -> None:
        self._reasons: dict[str, dict[str, None]] = {}

    def read(self, subject: str, read: Callable[[], T]) -> T | None:
        """Return what a file holds; None if it is broken, which is noted.

        Args:
            subject: What the sample lacks then, such as "pose".
            read: Reads the file.
        """
        try:
            return read()
        except UnreadableFileError as error:
            self.note(subject, str(error))
            return None

    def note(self, subject: str, reason: str) -> None:
        """Note a reason for which one sample lacks something."""
        self._reasons.setdefault(subject, {})[reason] = None

    def tell(self, notices: list[Notice]) -> None:
        """Say it, in one notice for each subject."""
        for subject, reasons in self._reasons.items():
            text = f"{len(reasons)} of its files cannot be used, and the samples go without; the first: "
            notices.append(Notice(About.SUSPECT, subject, text + next(iter(reasons)).rstrip(".")))
