"""What the ledger of a workspace says of cells and stores, for those who only read: the trainer knows no more of it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from segprep.datasets.sample import SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.datasets.workspace.folder import Workspace

__all__ = ["CellFile", "DoneCell", "KnownSplit", "read_cells", "read_columns", "read_split"]

_WHOLE_STORE = -1  # among the places of shards: the finished store


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
class CellFile:
    """What was recorded of a cell's file: path relative to the workspace, size in bytes, SHA-256 in hexadecimal."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class DoneCell:
    """A cell that is done."""

    key: SampleKey
    column: str
    files: tuple[CellFile, ...]


def read_cells(workspace: Workspace) -> list[DoneCell] | None:
    """Return all done cells by sample; None if there is no ledger that can be read."""
    query = 'SELECT key, "column", files FROM cells WHERE state = \'done\' ORDER BY key, "column"'
    try:
        with _reading(workspace) as ledger:
            return [
                DoneCell(SampleKey(key), column, tuple(CellFile(f[0], f[1], f[3]) for f in json.loads(files)))
                for key, column, files in ledger.execute(query)
            ]
    except sqlite3.Error:
        return None


def read_columns(workspace: Workspace) -> tuple[list[str], list[Column]]:
    """Return the splits and the columns as they were last made; none if there is no ledger that can be read."""
    try:
        with _reading(workspace) as ledger:
            splits = [split for (split,) in ledger.execute("SELECT DISTINCT split FROM samples ORDER BY split")]
            specs = [json.loads(spec) for (spec,) in ledger.execute("SELECT spec FROM columns ORDER BY name")]
    except sqlite3.Error:
        return [], []
    return splits, [Column.from_json(spec) for spec in specs]


def read_split(workspace: Workspace, split: str) -> KnownSplit | None:
    """Read what the ledger says of a split now, without writing to it; None if there is no ledger that can be read."""
    query = (
        'SELECT samples.key, cells."column", fingerprint FROM samples LEFT JOIN cells ON cells.key = samples.key '
        "AND state = 'done' WHERE split = ?"
    )
    try:
        with _reading(workspace) as ledger:
            cells: dict[SampleKey, dict[str, str]] = {}
            for key, column, fingerprint in ledger.execute(query, (split,)):
                of_sample = cells.setdefault(SampleKey(key), {})
                if column is not None:
                    of_sample[column] = fingerprint
            shards = dict(ledger.execute("SELECT place, fingerprint FROM shards WHERE split = ?", (split,)))
    except sqlite3.Error:
        return None
    return KnownSplit(cells, bool(shards), shards.get(_WHOLE_STORE))


@contextmanager
def _reading(workspace: Workspace) -> Iterator[sqlite3.Connection]:
    place = workspace.ledger_path.as_uri()
    # SQLite cannot make its journal's files in a folder that cannot be written; nobody writes to the ledger then.
    for how in ("mode=ro", "mode=ro&immutable=1"):
        ledger = sqlite3.connect(f"{place}?{how}", uri=True, timeout=30)
        try:
            ledger.execute("SELECT 1 FROM cells LIMIT 1")
        except sqlite3.OperationalError:
            ledger.close()
            continue
        try:
            yield ledger
        finally:
            ledger.close()
        return
    raise sqlite3.OperationalError(f"{workspace.ledger_path} cannot be read")
