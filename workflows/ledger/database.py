"""The ledger: which cell is done, from which inputs and parameters. SQLite; the process with the lock writes."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from segprep.datasets.errors import ConflictError, WriteFailedError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.workspace.cell_files import DamagedCell
from segprep.datasets.workspace.cells import Column
from segprep.workflows.ledger.disks import is_network_disk
from segprep.workflows.ledger.rows import (
    DAMAGE,
    CellRow,
    CellState,
    ColumnRow,
    FileRow,
    KnownSample,
    Selection,
    SourceRow,
    cell_from_values,
    cell_values,
)

__all__ = ["CellRow", "CellState", "ColumnRow", "FileRow", "KnownSample", "Ledger", "Selection", "SourceRow"]

_SCHEMA_VERSION = 3
_SCHEMA = """
CREATE TABLE samples(key TEXT PRIMARY KEY, position INTEGER, split TEXT, record TEXT) WITHOUT ROWID;
CREATE INDEX samples_in_order ON samples(position);
CREATE TABLE sources(path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, digest TEXT) WITHOUT ROWID;
CREATE TABLE columns(name TEXT PRIMARY KEY, spec TEXT, command TEXT, arguments TEXT) WITHOUT ROWID;
CREATE TABLE cells(key TEXT, "column" TEXT, state TEXT, fingerprint TEXT, recipe TEXT, inputs TEXT, files TEXT,
    reason TEXT, facts TEXT, PRIMARY KEY(key, "column")) WITHOUT ROWID;
CREATE TABLE runs(id INTEGER PRIMARY KEY, command TEXT, arguments TEXT, versions TEXT, started TEXT, finished TEXT,
    exit_code INTEGER);
CREATE TABLE shards(split TEXT, place INTEGER, fingerprint TEXT, report TEXT, PRIMARY KEY(split, place)) WITHOUT ROWID;
"""
_SINCE = {
    2: "CREATE TABLE store_rows(split TEXT, key TEXT, place INTEGER, seed INTEGER, PRIMARY KEY(split, key)) "
    "WITHOUT ROWID",
    3: "CREATE TABLE notices(place INTEGER PRIMARY KEY, about TEXT, subject TEXT, text TEXT)",
}


class Ledger:
    """Access to the ledger of a workspace. Use as a context manager.

    Args:
        path: The SQLite file; made if it does not exist.
        splits: The splits that selections without splits mean; empty for all.

    Raises:
        ConflictError: If it was written by a newer version, or is no ledger.
        WriteFailedError: If it cannot be made or opened.
    """

    def __init__(self, path: Path, splits: Sequence[str] = ()) -> None:
        self._path = path
        self._splits = tuple(splits)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.OperationalError as error:
            raise WriteFailedError(
                f"{path} cannot be opened ({error}): is the folder writable, the disk full?"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ConflictError(f"{path} is no ledger ({error}): move it away and run `prep init` again") from error

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and (version == 0 or not {"samples", "cells", "runs"} <= tables):
            raise ConflictError(
                f"{self._path} is the database of another program: move it away and run `prep init` again"
            )
        if version > _SCHEMA_VERSION:
            raise ConflictError(f"{self._path} was written by a newer segprep (schema {version}): update segprep")
        if not tables:
            # WAL needs shared memory, which network disks do not give; their default journal is safe there.
            journal = "DELETE" if is_network_disk(self._path.parent) else "WAL"
            self._db.execute(f"PRAGMA journal_mode = {journal}")
            with self.transaction():
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
        if version < _SCHEMA_VERSION:
            with self.transaction():
                for since, statement in _SINCE.items():
                    if version < since:
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        self._db.execute("PRAGMA synchronous = FULL")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside together, or nothing of it.

        Raises:
            WriteFailedError: If the disk is full or the file cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise WriteFailedError(
                f"{self._path} cannot be written ({error}). What was committed before is kept"
            ) from error

    # -- samples ---------------------------------------------------------------------------------------------------

    def replace_samples(self, records: Iterable[SampleRecord], notices: Iterable[Notice] = ()) -> None:
        """Replace the list of samples and what was said of them; cells of samples that are no more are forgotten.

        Files stay.
        """
        with self.transaction():
            self._db.execute("DELETE FROM samples")
            for position, record in enumerate(records):
                row = (record.key, position, record.split, json.dumps(record.to_json(), sort_keys=True))
                self._db.execute("INSERT INTO samples VALUES (?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM cells WHERE key NOT IN (SELECT key FROM samples)")
            self._db.execute("DELETE FROM notices")
            rows = [(each.about, each.subject, each.text) for each in notices]
            self._db.executemany("INSERT INTO notices(about, subject, text) VALUES (?, ?, ?)", rows)

    def notices(self) -> list[Notice]:
        """Return what was said of the dataset when it was listed."""
        rows = self._db.execute("SELECT about, subject, text FROM notices ORDER BY place")
        return [Notice(About(about), subject, text) for about, subject, text in rows]

    def count(self, selection: Selection) -> int:
        """Return how many samples a selection has."""
        where, values = self._where(selection)
        total: int = self._db.execute(f"SELECT count(*) FROM (SELECT key FROM samples {where})", values).fetchone()[0]
        return total

    def keys(self, selection: Selection) -> list[SampleKey]:
        """Return the keys of a selection in the dataset's order."""
        where, values = self._where(selection)
        return [SampleKey(k) for (k,) in self._db.execute(f"SELECT key FROM samples {where}", values)]

    def splits(self) -> list[str]:
        """Return the splits in the dataset's order."""
        found = self._db.execute("SELECT split FROM samples GROUP BY split ORDER BY min(position)")
        return [s for (s,) in found if not self._splits or s in self._splits]

    def prepared_splits(self) -> list[str]:
        """Return the splits that have any done cell."""
        query = "SELECT DISTINCT split FROM samples JOIN cells USING (key) WHERE state = 'done'"
        done = {s for (s,) in self._db.execute(query)}
        return [split for split in self.splits() if split in done]

    def samples(self, selection: Selection) -> Iterator[KnownSample]:
        """Stream the samples of a selection with all that is known of them, in the dataset's order."""
        for key in self.keys(selection):
            yield self.sample(key)

    def sample(self, key: SampleKey) -> KnownSample:
        """Return all that is known of one sample.

        Raises:
            KeyError: If there is none of this key.
        """
        found = self._db.execute("SELECT record FROM samples WHERE key = ?", (key,)).fetchone()
        if found is None:
            raise KeyError(key)
        record = SampleRecord.from_json(json.loads(found[0]))
        cells = {
            row.column: row
            for row in map(cell_from_values, self._db.execute("SELECT * FROM cells WHERE key = ?", (key,)))
        }
        paths = [s.path for s in record.sources.values()]
        paths += [path for row in cells.values() for path in row.facts.get("read", [])]
        marks = ",".join("?" * len(paths))
        sources = self._db.execute(f"SELECT * FROM sources WHERE path IN ({marks})", paths)
        return KnownSample(record, cells, {row[0]: SourceRow(*row) for row in sources})

    def source_columns(self) -> dict[str, SourceFile]:
        """Return what the dataset offers: column name to one file that stands for its kind and code.

        Points are no column, and where the scanner was, which their code says, may differ from file to file.

        Raises:
            ConflictError: If the files of a column differ in kind or code.
        """
        found: dict[str, SourceFile] = {}
        rows = self._db.execute(
            "SELECT s.key, json_extract(s.value, '$.kind') AS kind, min(json_extract(s.value, '$.path')), "
            "json_extract(s.value, '$.code') AS code FROM samples, json_each(samples.record, '$.sources') AS s "
            "GROUP BY 1, 2, iif(kind = 'points', '', code) ORDER BY s.key != 'image', 1"
        )
        for name, kind, path, code in rows:
            if name in found:
                raise ConflictError(f"column {name} has files of different kinds or codes, {path} is one of them")
            found[name] = SourceFile(path, Kind(kind), json.loads(code))
        return found

    def has_cameras(self) -> bool:
        """Whether any sample has a camera."""
        query = "SELECT 1 FROM samples WHERE json_extract(record, '$.camera') IS NOT NULL LIMIT 1"
        return self._db.execute(query).fetchone() is not None

    def has_motions(self) -> bool:
        """Whether the camera's motion to the neighbour is known of any sample."""
        query = "SELECT 1 FROM samples WHERE json_extract(record, '$.neighbour.motion') IS NOT NULL LIMIT 1"
        return self._db.execute(query).fetchone() is not None

    # -- cells and columns -----------------------------------------------------------------------------------------

    def record(self, cells: Iterable[CellRow], sources: Iterable[SourceRow]) -> None:
        """Commit the outcome of finished work; its files must be durable before."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [cell_values(c) for c in cells]
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?)",
                [(s.path, s.size, s.mtime_ns, s.digest) for s in sources],
            )

    def mark_damaged(self, cells: Iterable[DamagedCell]) -> None:
        """Remember that files of done cells are not what was written, so that their stage makes them again."""
        with self.transaction():
            self._db.executemany(
                f"UPDATE cells SET facts = json_set(facts, '$.{DAMAGE}', ?) WHERE key = ? AND \"column\" = ?",
                [(f"{cell.file}: {cell.reason}", cell.key, cell.column) for cell in cells],
            )

    def set_columns(self, columns: Iterable[Column], command: str, arguments: JsonDict) -> None:
        """Remember with which command and arguments columns are made from now on.

        Columns that the command made before and makes no more take part: a command has one set of arguments.
        """
        with self.transaction():
            self._db.execute("UPDATE columns SET arguments = ? WHERE command = ?", (json.dumps(arguments), command))
            for column in columns:
                row = (column.name, json.dumps(column.to_json(), sort_keys=True), command, json.dumps(arguments))
                self._db.execute("INSERT OR REPLACE INTO columns VALUES (?, ?, ?, ?)", row)

    def columns(self) -> dict[str, ColumnRow]:
        """Return the columns by name."""
        rows = self._db.execute("SELECT name, spec, command, arguments FROM columns ORDER BY name")
        return {n: ColumnRow(Column.from_json(json.loads(s)), c, json.loads(a)) for n, s, c, a in rows}

    # -- shards and runs -------------------------------------------------------------------------------------------

    def shard_reports(self, split: str) -> dict[int, tuple[str, JsonDict]]:
        """Return place to (fingerprint, report) of the shards that were written for a split."""
        rows = self._db.execute("SELECT place, fingerprint, report FROM shards WHERE split = ?", (split,))
        return {place: (fingerprint, json.loads(report)) for place, fingerprint, report in rows}

    def record_shard(self, split: str, place: int, fingerprint: str, report: JsonDict) -> None:
        """Commit that a shard was written."""
        with self.transaction():
            row = (split, place, fingerprint, json.dumps(report))
            self._db.execute("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?)", row)

    def store_order(self, split: str) -> tuple[list[SampleKey], int]:
        """Return the samples in the order in which they went into a split's store, and the seed that it came from."""
        rows = self._db.execute("SELECT key, seed FROM store_rows WHERE split = ? ORDER BY place", (split,)).fetchall()
        return [SampleKey(key) for key, _ in rows], rows[0][1] if rows else 0

    def set_store_order(self, split: str, keys: Sequence[SampleKey], seed: int) -> None:
        """Remember the order of the samples in a split's store."""
        with self.transaction():
            self._db.execute("DELETE FROM store_rows WHERE split = ?", (split,))
            rows = [(split, key, place, seed) for place, key in enumerate(keys)]
            self._db.executemany("INSERT INTO store_rows VALUES (?, ?, ?, ?)", rows)

    def start_run(self, command: str, arguments: JsonDict, versions: JsonDict, now: str) -> int:
        """Note the start of a command; returns the run's id."""
        with self.transaction():
            row = (command, json.dumps(arguments), json.dumps(versions), now)
            cursor = self._db.execute(
                "INSERT INTO runs(command, arguments, versions, started) VALUES (?, ?, ?, ?)", row
            )
        return int(cursor.lastrowid or 0)

    def finish_run(self, run: int, exit_code: int, now: str) -> None:
        """Note the end of a command."""
        with self.transaction():
            self._db.execute("UPDATE runs SET finished = ?, exit_code = ? WHERE id = ?", (now, exit_code, run))

    def _where(self, selection: Selection) -> tuple[str, list[Any]]:
        conditions, values = [], list[Any]()
        splits = selection.splits or self._splits
        if splits:
            conditions.append(f"split IN ({','.join('?' * len(splits))})")
            values += splits
        if selection.only is not None:
            conditions.append("key GLOB ?")
            values.append(selection.only)
        text = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        text += "ORDER BY position"
        if selection.limit is not None:
            text += " LIMIT ?"
            values.append(selection.limit)
        return text, values
