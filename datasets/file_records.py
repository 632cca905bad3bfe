"""What is recorded of a file when it is written, and whether it still is that file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segprep.datasets.machine import blame_machine
from segprep.datasets.source_files import open_file, read_file

__all__ = [
    "OTHER_CONTENT",
    "FileRecord",
    "digest_of",
    "read_recorded",
    "record_of",
    "wrong_content",
    "wrong_size",
]

OTHER_CONTENT: Final = "its content is not what was written here"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size in bytes and SHA-256 (hexadecimal) of a file."""

    size: int
    sha256: str


def record_of(*content: bytes) -> FileRecord:
    """Return the size and digest of a file's content, in one part or several."""
    digest = hashlib.sha256()
    for part in content:
        digest.update(part)
    return FileRecord(sum(map(len, content)), digest.hexdigest())


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, without having all of it in memory.

    Raises:
        OSError: As `open_file`.
    """
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong_size(path: Path, record: FileRecord) -> str | None:
    """Return what is wrong with the size of a file, or None; this is the cheap check.

    Raises:
        MachineError: If the machine is to blame that nobody can tell.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        return _unreadable(path, error)
    return None if size == record.size else f"it has {size} bytes instead of {record.size}"


def wrong_content(path: Path, record: FileRecord) -> str | None:
    """Return what is wrong with the size or the content of a file, or None.

    Raises:
        MachineError: If the machine is to blame that it cannot be read.
    """
    reason = wrong_size(path, record)
    if reason is not None:
        return reason
    try:
        return None if digest_of(path) == record.sha256 else OTHER_CONTENT
    except OSError as error:
        return _unreadable(path, error)


def read_recorded(path: Path, record: FileRecord) -> tuple[bytes, str | None]:
    """Return the content of a file, and what is wrong with it or None; a file of another size is not read.

    Raises:
        MachineError: If the machine is to blame that it cannot be read.
    """
    reason = wrong_size(path, record)
    if reason is not None:
        return b"", reason
    try:
        content = read_file(path, record.size)
    except OSError as error:
        return b"", _unreadable(path, error)
    return content, None if record_of(content) == record else OTHER_CONTENT


def _unreadable(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    blame_machine(path, error)
    return f"the file is not readable: {error.strerror}"
