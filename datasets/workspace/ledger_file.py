"""The file of the ledger: opening it, checking its rows, and telling what is wrong with it."""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from segprep.datasets.errors import (
    ConflictError,
    DamagedLedgerError,
    SegprepError,
    UnreadableFileError,
    WriteFailedError,
)
from segprep.datasets.workspace.ledger_schema import SCHEMA_VERSION, read_as_present, version_of

__all__ = [
    "JOURNALS",
    "checked",
    "connect",
    "finished_version",
    "no_samples",
    "open_to_read",
    "reading",
    "require_ledger",
    "row_checksum",
    "with_checksum",
    "writing",
]

JOURNALS: Final = ("-wal", "-journal", "-shm")
"""What SQLite adds to the name of a database for the files beside it."""

_REMEDY = "run `prep rebuild`, which keeps what can still be read and lists the samples again"
_OF_THE_DISK: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
_MEANINGLESS = (sqlite3.Error, ValueError, TypeError, LookupError, AttributeError, RecursionError)


def row_checksum(values: Iterable[object]) -> int:
    """Return the CRC-32 of a row's values as text."""
    return zlib.crc32("\0".join(map(str, values)).encode(errors="surrogatepass"))


def with_checksum(values: Sequence[object]) -> tuple[object, ...]:
    """Return a row as it is stored: its checksum is the last value."""
    return (*values, row_checksum(values))


def checked(row: Sequence[Any]) -> Sequence[Any]:
    """Return a stored row without its checksum; rows from before checksums have NULL there, and pass.

    Raises:
        ValueError: If the row is not what was written.
    """
    *values, checksum = row
    if checksum is not None and checksum != row_checksum(values):
        raise ValueError(f"the row of {values[0]} is not what was written")
    return values


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while rows are read and understood into errors with the file's name and a remedy.

    Raises:
        DamagedLedgerError: If the file, or a row of it, is not what was written.
        UnreadableFileError: If the disk does not give the file, or another process keeps it locked.
    """
    try:
        yield
    except SegprepError:  # the row is whole, and says what this installation does not know, such as a plug-in's code
        raise
    except _MEANINGLESS as error:
        if _code(error) in _OF_THE_DISK:
            raise UnreadableFileError(
                f"{path} cannot be read ({error}): check the disk and the permissions, then run again"
            ) from error
        raise DamagedLedgerError(f"{path} is damaged ({error}): {_REMEDY}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what SQLite says while rows are written into errors with the file's name and a remedy.

    Raises:
        DamagedLedgerError: If the file is not what was written.
        WriteFailedError: If the disk is full or the file cannot be written.
    """
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) in _OF_THE_DISK:
            raise WriteFailedError(
                f"{path} cannot be written ({error}): is the folder writable, the disk full? What was committed "
                "before is kept"
            ) from error
        raise DamagedLedgerError(f"{path} is damaged ({error}): {_REMEDY}") from error


def connect(path: Path, how: str) -> sqlite3.Connection:
    """Open a database, `how` as SQLite's URI says it: "mode=rw"."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=30)


def finished_version(database: sqlite3.Connection, path: Path) -> int:
    """Return the version of a ledger's form; 0 if it is empty, or a killed process began it.

    Raises:
        ConflictError: If it was written by a newer version, or by another program.
        sqlite3.Error: If it cannot be read.
    """
    version = version_of(database)
    if version is None:
        raise ConflictError(f"{path} is the database of another program: move it away and run `prep init` again")
    if version > SCHEMA_VERSION:
        raise ConflictError(f"{path} was written by a newer segprep (schema {version}): update segprep")
    return version


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a ledger for reading, wherever it lies: nothing is written, and an older form is read as the present one.

    Raises:
        ConflictError: If it was written by a newer version, or by another program.
        DamagedLedgerError: If it is missing, empty or damaged.
        UnreadableFileError: If the disk does not give it.
    """
    require_ledger(path)
    with reading(path):
        try:
            return _read_only(connect(path, "mode=rw"), path)  # only so SQLite removes its journals again
        except sqlite3.OperationalError as error:
            if _code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or _unfinished(path):
                raise
        # SQLite cannot make its journals where it may not write; nobody writes to the ledger then.
        return _read_only(connect(path, "mode=ro&immutable=1"), path)


def require_ledger(path: Path, version: int | None = None) -> None:
    """Refuse a ledger that is not there, or, where its version is known, one that holds nothing.

    Raises:
        DamagedLedgerError: With the remedy.
    """
    if version == 0:
        raise DamagedLedgerError(f"{path} is empty: {_REMEDY}")
    if not path.exists():
        raise DamagedLedgerError(f"{path} is missing: {_REMEDY}")


def no_samples(path: Path) -> DamagedLedgerError:
    """Return the error about a ledger without samples: `prep init` was killed, or they are lost."""
    return DamagedLedgerError(f"{path} lists no samples: {_REMEDY}")


def _read_only(database: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    try:
        version = finished_version(database, path)
        require_ledger(path, version)
        read_as_present(database, version)
        database.execute("PRAGMA query_only = ON")
    except BaseException:
        database.close()
        raise
    return database


def _unfinished(path: Path) -> bool:
    """Whether a journal holds what belongs into the ledger: without it, old rows would be taken for new ones."""
    journals = [path.with_name(path.name + suffix) for suffix in ("-wal", "-journal")]
    return any(journal.is_file() and journal.stat().st_size > 0 for journal in journals)


def _code(error: BaseException) -> int:
    """Return the primary result code of SQLite; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
