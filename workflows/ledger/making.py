"""Making the ledger's file, and opening it for the one process that writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from segprep.datasets.workspace.ledger_file import connect, finished_version, reading, require_ledger, writing
from segprep.datasets.workspace.ledger_schema import SCHEMA_VERSION, make_tables
from segprep.workflows.ledger.disks import is_network_disk

__all__ = ["holds_samples", "make_ledger", "open_to_write", "transaction"]


def make_ledger(path: Path) -> None:
    """Make a ledger without samples, or end what a killed process began of one; a finished one is only opened.

    Raises:
        ConflictError: If it was written by a newer version, or is no ledger.
        DamagedLedgerError: If it is damaged.
        WriteFailedError: If it cannot be made.
    """
    with writing(path), closing(connect(path, "mode=rwc")) as database:
        version = finished_version(database, path)
        if version == 0:
            # WAL needs shared memory, which network disks do not give; their default journal is safe there.
            database.execute(f"PRAGMA journal_mode = {'DELETE' if is_network_disk(path.parent) else 'WAL'}")
            with transaction(database, path):
                make_tables(database, version)


def holds_samples(path: Path) -> bool:
    """Whether there is a ledger with samples; a killed process may have left one without.

    Raises:
        ConflictError, DamagedLedgerError, UnreadableFileError: As `open_to_read`.
    """
    if not path.exists():
        return False
    with reading(path), closing(connect(path, "mode=rw")) as database:
        return finished_version(database, path) > 0 and bool(database.execute("SELECT 1 FROM samples").fetchone())


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a ledger for writing; one of an older form gets the present one. The caller holds the writer lock.

    Raises:
        ConflictError: If it was written by a newer version, or is no ledger.
        DamagedLedgerError: If it is missing, empty or damaged.
        WriteFailedError: If it cannot be opened.
    """
    require_ledger(path)
    with writing(path):
        database = connect(path, "mode=rw")
        try:
            version = finished_version(database, path)
            require_ledger(path, version)
            if version < SCHEMA_VERSION:
                with transaction(database, path):
                    make_tables(database, version)
            database.execute("PRAGMA synchronous = FULL")
        except BaseException:
            database.close()
            raise
    return database


@contextmanager
def transaction(database: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Commit what happens inside together, or nothing of it.

    Raises:
        WriteFailedError: If the disk is full or the file cannot be written.
        DamagedLedgerError: If the file is damaged.
    """
    with writing(path):
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:  # SQLite has ended it itself when the disk is full
                database.execute("ROLLBACK")
            raise
