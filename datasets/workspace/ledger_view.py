"""What the ledger of a workspace says of cells and stores, for those who only read: the trainer knows no more of it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from segprep.datasets.file_records import FileRecord
from segprep.datasets.sample import SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.datasets.workspace.folder import Workspace
from segprep.datasets.workspace.ledger_file import checked, no_samples, open_to_read, reading

__all__ = [
    "WHOLE_STORE",
    "DoneCell",
    "FileRow",
    "KnownSplit",
    "read_cells",
    "read_columns",
    "read_source_sizes",
    "read_split",
]

WHOLE_STORE: Final = -1
"""Stands among the numbers of a split's shards for the finished store: its attributes and keys."""


@dataclass(frozen=True, slots=True)
class KnownSplit:
    """What is known of a split.

    Attributes:
        cells: Sample to column to fingerprint, of the cells that are done.
        wrote_shards: Whether the workspace ever wrote a shard of its store.
        last_store: Digest of the attributes that its store was last finished with; None if nobody recorded it.
    """

    cells: Mapping[SampleKey, Mapping[str, str]]
    wrote_shards: bool
    last_store: str | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of a done cell.

    Attributes:
        path: Relative to the workspace.
        size: In bytes.
        mtime_ns: When it was written; of another time its content is compared.
        digest: SHA-256 in hexadecimal.
    """

    path: str
    size: int
    mtime_ns: int
    digest: str

    @property
    def record(self) -> FileRecord:
        """What it must still be."""
        return FileRecord(self.size, self.digest)


@dataclass(frozen=True, slots=True)
class DoneCell:
    """A cell that is done."""

    key: SampleKey
    column: str
    files: tuple[FileRow, ...]


def read_cells(workspace: Workspace) -> list[DoneCell]:
    """Return all done cells by sample.

    Raises:
        DamagedLedgerError: If the ledger is missing or damaged.
        ConflictError, UnreadableFileError: If it cannot be understood or read.
    """
    with _reading(workspace) as ledger:
        rows = map(checked, ledger.execute('SELECT * FROM cells ORDER BY key, "column"'))
        return [
            DoneCell(SampleKey(key), column, tuple(FileRow(*f) for f in json.loads(files)))
            for key, column, state, _, _, _, files, *_ in rows
            if state == "done"
        ]


def read_columns(workspace: Workspace) -> tuple[list[str], list[Column]]:
    """Return the splits and the columns as they were last made. Errors as `read_cells`."""
    with _reading(workspace) as ledger:
        splits = [split for (split,) in ledger.execute("SELECT DISTINCT split FROM samples ORDER BY split")]
        specs = [json.loads(checked(row)[1]) for row in ledger.execute("SELECT * FROM columns ORDER BY name")]
        return splits, [Column.from_json(spec) for spec in specs]


def read_source_sizes(workspace: Workspace) -> dict[SampleKey, tuple[int, int]]:
    """Return (width, height) of the original image of each sample whose image is done. Errors as `read_cells`."""
    with _reading(workspace) as ledger:
        rows = map(checked, ledger.execute("""SELECT * FROM cells WHERE "column" = 'image'"""))
        facts = {
            SampleKey(key): json.loads(facts) for key, _, state, _, _, _, _, _, facts, *_ in rows if state == "done"
        }
    return {
        key: (each["source_size"][0], each["source_size"][1]) for key, each in facts.items() if "source_size" in each
    }


def read_split(workspace: Workspace, split: str) -> KnownSplit | None:
    """Return what the ledger says of a split now; None if there is no ledger. Errors as `read_cells`."""
    if not workspace.ledger_path.exists():
        return None
    with _reading(workspace) as ledger:
        keys = ledger.execute("SELECT key FROM samples WHERE split = ?", (split,))
        cells: dict[SampleKey, dict[str, str]] = {SampleKey(key): {} for (key,) in keys}
        rows = ledger.execute("SELECT cells.* FROM cells JOIN samples USING (key) WHERE split = ?", (split,))
        for key, column, state, fingerprint, *_ in map(checked, rows):
            if state == "done":
                cells[SampleKey(key)][column] = fingerprint
        shards = dict(ledger.execute("SELECT place, fingerprint FROM shards WHERE split = ?", (split,)))
        return KnownSplit(cells, bool(shards), shards.get(WHOLE_STORE))


@contextmanager
def _reading(workspace: Workspace) -> Iterator[sqlite3.Connection]:
    path = workspace.ledger_path
    with closing(open_to_read(path)) as ledger, reading(path):
        ledger.execute("BEGIN")  # all that is read is of one moment
        if ledger.execute("SELECT 1 FROM samples LIMIT 1").fetchone() is None:
            raise no_samples(path)
        yield ledger
