"""From paths as lists have them to paths relative to a dataset's root."""

import os
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

from segprep.datasets.lists.entries import ListEntry, Problems
from segprep.datasets.record import SampleRecord

__all__ = ["ListRoot"]

_ALTERNATIVES = re.compile(r"(?:^|/)\[[^\]]*,[^\]]*\]/")  # PARIS's [a,b]/rest
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class ListRoot:
    """The folder that paths are relative to. Links are followed, wherever they lead: files are only read.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._written = os.path.abspath(root)  # noqa: PTH100  (Path.absolute keeps `..`, resolve follows links)
        self._real = os.path.realpath(root)

    def placed(self, entry: ListEntry, problems: Problems) -> SampleRecord | None:
        """Return an entry's record with paths relative to the root; None if one of them cannot be, which is noted."""
        sources = {}
        for column, source in entry.record.sources.items():
            try:
                sources[column] = replace(source, path=self._relative(source.path))
            except _OutsideError as error:
                problems.add(entry.place, error, "Name a --root that holds all files of the lists")
            except ValueError as error:
                problems.add(entry.place, error)
        complete = len(sources) == len(entry.record.sources)
        return replace(entry.record, sources=sources) if complete else None

    def _relative(self, text: str) -> str:
        if "\0" in text or not _is_utf8(text):
            raise ValueError(f"{text!r} is no path in UTF-8: rename the file")
        text = self._as_on_disk(text)
        joined = os.path.join(self._written, text)  # noqa: PTH118  (Path would drop what normpath must see)
        if _ALTERNATIVES.search(text) and not os.path.lexists(joined):
            raise ValueError(f"{text}: alternatives such as [a,b] are not expanded: write the folder that is meant")
        path = os.path.normpath(joined)
        base = next((b for b in (self._written, self._real) if path.startswith(b.rstrip(os.sep) + os.sep)), None)
        if base is None or (_DRIVE.match(text) and not os.path.lexists(joined)):
            raise _OutsideError(f"{text} lies outside {self._written}")
        if ".." in text.split("/") and os.path.realpath(joined) != os.path.realpath(path):
            raise ValueError(f"{text} goes up from a link, which leads elsewhere: write the path without ..")
        return path[len(base) :].lstrip(os.sep).replace(os.sep, "/")

    def _as_on_disk(self, text: str) -> str:
        """Return another spelling of a path that does not exist: separators of Windows, Unicode's other form."""
        if ("\\" not in text and text.isascii()) or self._exists(text):
            return text
        text = text.replace("\\", "/")
        forms = (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
        return next((form for form in forms if self._exists(form)), text)

    def _exists(self, text: str) -> bool:
        return os.path.lexists(os.path.join(self._written, text))  # noqa: PTH118


class _OutsideError(ValueError):
    """A path leaves the root."""


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
