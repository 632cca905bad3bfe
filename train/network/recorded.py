"""Writing a file while its size and digest are counted."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from segprep.datasets.atomic import write_failed
from segprep.datasets.file_records import FileRecord

__all__ = ["RecordedStream", "write_recorded"]


class RecordedStream:
    """Counts what goes into a file.

    Args:
        file: Open for writing.

    Attributes:
        size: Bytes so far.
        failure: Why a write failed. What writes through torch hides it behind an error of its own.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self.size = 0
        self.failure: OSError | None = None

    def write(self, data: bytes | memoryview) -> int:
        """Write bytes; return how many."""
        try:
            self._file.write(data)
        except OSError as error:
            self.failure = error
            raise
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def writelines(self, parts: Iterable[bytes | memoryview]) -> None:
        """Write one part after the other."""
        for part in parts:
            self.write(part)

    def flush(self) -> None:
        """Let the file do what it has not done yet."""
        self._file.flush()

    @property
    def record(self) -> FileRecord:
        """What was written so far."""
        return FileRecord(self.size, self._digest.hexdigest())


def write_recorded(path: Path, write: Callable[[RecordedStream], object]) -> FileRecord:
    """Write a file and wait until the disk has it; a missing folder is made.

    Args:
        path: Its name, in a folder that nobody looks into before it is renamed.
        write: Gets the stream.

    Raises:
        WriteFailedError: If it cannot be written.
    """
    stream: RecordedStream | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            stream = RecordedStream(file)
            write(stream)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        failure = stream.failure if stream is not None else None
        if isinstance(error, OSError) or failure is not None:
            raise write_failed(path, failure or error) from error  # type: ignore[arg-type]  # narrowed by the line above
        raise
    return stream.record
