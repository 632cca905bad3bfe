"""The files of a source: of a folder, or of a zip, which is read in memory and never unpacked to the disk."""

import os
import zipfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.source_files import MAX_BYTES, open_file, read_file, size_text, unreadable

__all__ = ["FileTree", "FolderTree", "ZipTree", "open_tree"]

_MOST_ENTRIES: Final = 2_000_000
_MOST_GROWTH: Final = 200  # pictures hardly shrink in a zip, JSON by some 20
_FREE_GROWTH: Final = 2**24


class FileTree(Protocol):
    """Files by their names, which are paths relative to the tree with forward slashes."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all files, sorted; hidden ones are none."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            MissingInputError, UnreadableFileError, MachineError: As `read_input`.
        """

    def place(self, name: str) -> Path:
        """Return where a file is, for messages."""

    def path(self, name: str) -> Path | None:
        """Return the file on the disk; None where it is inside another one."""

    def close(self) -> None:
        """Close what is open."""


class FolderTree:
    """The files below a folder. Links to folders are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def _names(self) -> tuple[str, ...]:
        found = []
        for folder, below, files in os.walk(self._root):
            below[:] = sorted(name for name in below if not name.startswith("."))
            start = Path(folder).relative_to(self._root)
            found += [(start / name).as_posix() for name in files if not name.startswith(".")]
        return tuple(sorted(found))

    def names(self) -> tuple[str, ...]:
        """Return the names of all files, sorted; hidden ones are none."""
        return self._names

    def has(self, name: str) -> bool:
        """Whether there is a file of this name inside the folder."""
        return _is_inside(name) and (self._root / name).is_file()

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        try:
            return read_file(self._root / name)
        except OSError as error:
            raise unreadable(self._root / name, error) from error

    def place(self, name: str) -> Path:
        """Return where a file is."""
        return self._root / name

    def path(self, name: str) -> Path | None:
        """Return the file on the disk."""
        return self._root / name

    def close(self) -> None:
        """Do nothing: no file stays open."""


class ZipTree:
    """The files of a zip.

    Raises:
        UnreadableFileError: If it is no zip, names files outside itself, or would grow beyond all measure.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = open_file(path)
        except OSError as error:
            raise unreadable(path, error) from error
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._entries = self._checked()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            self._file.close()
            if isinstance(error, UnreadableFileError):
                raise
            raise UnreadableFileError(f"{path} is no readable zip ({error}): get it again") from error

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        path = self._path
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        outside = [e.filename for e in entries if not _is_inside(e.filename)]
        if outside:
            raise UnreadableFileError(f"{path} holds a file that would lie outside of it: {outside[0]!r}")
        size, total = path.stat().st_size, sum(entry.file_size for entry in entries)
        if len(entries) > _MOST_ENTRIES or total > _MOST_GROWTH * size + _FREE_GROWTH:
            raise UnreadableFileError(
                f"{path} has {size_text(size)} and says that it holds {len(entries)} files of {size_text(total)}: that "
                "is no zip of pictures. Unpack it yourself if you trust it"
            )
        return {e.filename: e for e in entries if not _is_hidden(e.filename)}

    def names(self) -> tuple[str, ...]:
        """Return the names of all files, sorted; hidden ones are none."""
        return tuple(sorted(self._entries))

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        place = self.place(name)
        entry = self._entries.get(name)
        if entry is None:
            raise MissingInputError(f"{place} does not exist, but it is needed: complete the zip")
        if entry.file_size > MAX_BYTES:
            raise UnreadableFileError(f"{place} has {size_text(entry.file_size)}, more than {size_text(MAX_BYTES)}")
        try:
            with self._zip.open(entry) as file:
                return file.read(entry.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise UnreadableFileError(f"{place} cannot be read: {error}") from error

    def place(self, name: str) -> Path:
        """Return where a file is: as if the zip were a folder."""
        return self._path / name

    def path(self, name: str) -> Path | None:
        """Return None: no file of a zip stands on the disk."""
        return None

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()
        self._file.close()


def open_tree(path: Path) -> FileTree:
    """Return the files of a folder or a .zip.

    Raises:
        UnreadableFileError: If it is a zip that cannot be read.
    """
    return ZipTree(path) if path.suffix.lower() == ".zip" and not path.is_dir() else FolderTree(path)


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ":" not in name[:2] and ".." not in PurePosixPath(name).parts


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts)
