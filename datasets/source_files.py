"""Opening files that others made: regular files only, and no more bytes than a bound."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Final

from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.machine import blame_machine

__all__ = ["MAX_BYTES", "MAX_TEXT_BYTES", "open_file", "read_file", "read_input", "size_text", "unreadable"]

MAX_BYTES: Final = 2**30
"""Larger files of pictures, scans and lists are refused before memory is taken for them."""

MAX_TEXT_BYTES: Final = 2**26
"""Larger texts of settings, calibrations and poses are refused."""

_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)  # without it opening a pipe waits for somebody who writes
_KINDS: Final = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, to read its bytes.

    Raises:
        OSError: If there is none or it may not be read, as `open` says; if it is a folder, a pipe, a socket or a
            device, which may have no end or wait for ever.
    """
    try:
        file = open(path, "rb", opener=_opened)  # noqa: SIM115  (whoever called closes it)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no file can have this name ({error})", str(path)) from error
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        what = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise OSError(errno.EINVAL, f"it is {what} where a file is needed", str(path))
    return file


def read_file(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return all bytes of a regular file.

    Args:
        path: The file.
        limit: Most bytes that it may have.

    Raises:
        OSError: As `open_file`; also if the file is larger, or grows while it is read.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            what = f"it has {size_text(size)}, and no more than {size_text(limit)} are read of such a file"
            raise OSError(errno.EFBIG, what, str(path))
        data = file.read(size + 1)
    if len(data) > size:
        raise OSError(errno.EBUSY, "it grows while it is read: wait until it is written", str(path))
    return data


def read_input(path: Path) -> bytes:
    """Return all bytes of a file that a dataset promises, at most `MAX_BYTES`.

    Raises:
        MissingInputError: If there is none.
        UnreadableFileError: If it is a folder, no regular file, or too large.
        MachineError: If the machine is to blame that it cannot be read.
    """
    try:
        return read_file(path)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> MissingInputError | UnreadableFileError:
    """Return what to raise for a file that a dataset promises and that cannot be read.

    Raises:
        MachineError: If the machine is to blame.
    """
    blame_machine(path, error)
    if isinstance(error, FileNotFoundError):
        return MissingInputError(f"{path} does not exist, but it is needed: complete the data set")
    if isinstance(error, IsADirectoryError):
        return UnreadableFileError(f"{path} is a folder where a file is needed")
    return UnreadableFileError(f"{path} cannot be read: {error.strerror or error}")


def size_text(size: int) -> str:
    """Return a number of bytes as a text to show."""
    unit, name = next(((u, n) for u, n in ((2**30, "GB"), (2**20, "MB"), (2**10, "kB")) if size >= u), (1, "bytes"))
    return f"{size / unit:.4g} {name}"


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | _AT_ONCE)
