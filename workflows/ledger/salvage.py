"""Reading what is whole of a damaged ledger."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from segprep.datasets.errors import DamagedLedgerError, SegprepError
from segprep.datasets.workspace.ledger_file import reading
from segprep.workflows.ledger.database import Ledger

__all__ = ["Salvage", "salvage"]

T = TypeVar("T")


class Salvage(Ledger):
    """A ledger whose methods give the rows that are whole, in place of an error.

    Attributes:
        lost: How many rows were not whole; what lies on a page that cannot be read counts as one.
    """

    lost: int = 0

    def _read(self, make: Callable[..., T], query: str, values: Sequence[object] = ()) -> list[T]:
        found: list[T] = []
        try:
            rows = self._db.execute(query, values)
            while (row := rows.fetchone()) is not None:
                try:
                    with reading(self._path):
                        found.append(make(*row))
                except SegprepError:
                    self.lost += 1
        except sqlite3.Error:
            self.lost += 1
        return found


def salvage(path: Path) -> Salvage | None:
    """Open a ledger that may be damaged; None if nothing of it can be read, or there is none.

    Raises:
        ConflictError: If it was written by a newer version, or by another program.
        UnreadableFileError: If the disk does not give it.
    """
    try:
        return Salvage(path)
    except DamagedLedgerError:
        return None
