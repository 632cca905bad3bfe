"""The ledger: which cell is done, from which inputs and parameters. SQLite; the process with the lock writes."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

from segprep.datasets.errors import ConflictError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.workspace.cell_files import DamagedCell
from segprep.datasets.workspace.cells import Column
from segprep.datasets.workspace.ledger_file import checked, open_to_read, reading, with_checksum
from segprep.workflows.ledger.making import open_to_write, transaction
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
    column_from_values,
    record_from_values,
    source_from_values,
)

__all__ = ["CellRow", "CellState", "ColumnRow", "FileRow", "KnownSample", "Ledger", "Selection", "SourceRow"]

T = TypeVar("T")


class Ledger:
    """Access to the ledger of a workspace. Use as a context manager.

    Args:
        path: The SQLite file.
        splits: The splits that selections without splits mean; empty for all.
        writes: Whether it is changed, too; only the process that holds the writer lock may. Who only reads leaves the
            file as it is.

    Raises:
        ConflictError: If it was written by a newer version, or is no ledger.
        DamagedLedgerError: If it is missing, empty or damaged; so do all methods that come upon damage.
        UnreadableFileError, WriteFailedError: If it cannot be opened.
    """

    def __init__(self, path: Path, splits: Sequence[str] = (), *, writes: bool = False) -> None:
        self._path = path
        self._splits = tuple(splits)
        self._db = open_to_write(path) if writes else open_to_read(path)

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
        with transaction(self._db, self._path):
            yield

    def _read(self, make: Callable[..., T], query: str, values: Sequence[object] = ()) -> list[T]:
        """Return what a query gives; `make` understands a row. Whatever is wrong with it is damage of the file."""
        with reading(self._path):
            return [make(*row) for row in self._db.execute(query, values)]

    # -- samples ---------------------------------------------------------------------------------------------------

    def replace_samples(self, records: Iterable[SampleRecord], notices: Iterable[Notice] = ()) -> None:
        """Replace the list of samples and what was said of them; cells of samples that are no more are forgotten.

        Files stay.
        """
        with self.transaction():
            self._db.execute("DELETE FROM samples")
            for position, record in enumerate(records):
                row = (record.key, position, record.split, json.dumps(record.to_json(), sort_keys=True))
                self._db.execute("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", with_checksum(row))
            self._db.execute("DELETE FROM cells WHERE key NOT IN (SELECT key FROM samples)")
            self._db.execute("DELETE FROM notices")
            rows = [(each.about, each.subject, each.text) for each in notices]
            self._db.executemany("INSERT INTO notices(about, subject, text) VALUES (?, ?, ?)", rows)

    def notices(self) -> list[Notice]:
        """Return what was said of the dataset when it was listed."""
        query = "SELECT about, subject, text FROM notices ORDER BY place"
        return self._read(lambda about, subject, text: Notice(About(about), subject, text), query)

    def count(self, selection: Selection) -> int:
        """Return how many samples a selection has."""
        where, values = self._where(selection)
        return self._read(int, f"SELECT count(*) FROM (SELECT key FROM samples {where})", values)[0]

    def keys(self, selection: Selection) -> list[SampleKey]:
        """Return the keys of a selection in the dataset's order."""
        where, values = self._where(selection)
        return self._read(SampleKey, f"SELECT key FROM samples {where}", values)

    def all_splits(self) -> list[str]:
        """Return the splits of the dataset in its order."""
        return self._read(str, "SELECT split FROM samples GROUP BY split ORDER BY min(position)")

    def splits(self) -> list[str]:
        """Return the splits that selections without splits mean, in the dataset's order."""
        return [split for split in self.all_splits() if not self._splits or split in self._splits]

    def prepared_splits(self) -> list[str]:
        """Return the splits that have any done cell."""
        query = "SELECT DISTINCT split FROM samples JOIN cells USING (key) WHERE state = 'done'"
        done = set(self._read(str, query))
        return [split for split in self.splits() if split in done]

    def samples(self, selection: Selection) -> Iterator[KnownSample]:
        """Stream the samples of a selection with all that is known of them, in the dataset's order."""
        for key in self.keys(selection):
            with reading(self._path):
                sample = self.sample(key)
            yield sample

    def sample(self, key: SampleKey) -> KnownSample:
        """Return all that is known of one sample.

        Raises:
            KeyError: If there is none of this key.
        """
        records = self._read(record_from_values, "SELECT * FROM samples WHERE key = ?", (key,))
        if not records:
            raise KeyError(f"there is no sample {key}")
        cells = {row.column: row for row in self.cells(key)}
        paths = [s.path for s in records[0].sources.values()]
        paths += [path for row in cells.values() for path in row.facts.get("read", [])]
        return KnownSample(records[0], cells, {row.path: row for row in self.sources(paths)})

    def cells(self, key: SampleKey) -> list[CellRow]:
        """Return what is known of the cells of a sample."""
        return self._read(cell_from_values, "SELECT * FROM cells WHERE key = ?", (key,))

    def sources(self, paths: Sequence[str]) -> list[SourceRow]:
        """Return what is known of files of the dataset."""
        marks = ",".join("?" * len(paths))
        return self._read(source_from_values, f"SELECT * FROM sources WHERE path IN ({marks})", paths)

    def source_columns(self) -> dict[str, SourceFile]:
        """Return what the dataset offers: column name to one file that stands for its kind and code.

        Points are no column, and where the scanner was, which their code says, may differ from file to file.

        Raises:
            ConflictError: If the files of a column differ in kind or code.
        """
        found: dict[str, SourceFile] = {}
        rows = self._read(
            lambda name, kind, path, code: (name, SourceFile(path, Kind(kind), json.loads(code))),
            "SELECT s.key, json_extract(s.value, '$.kind') AS kind, min(json_extract(s.value, '$.path')), "
            "json_extract(s.value, '$.code') AS code FROM samples, json_each(samples.record, '$.sources') AS s "
            "GROUP BY 1, 2, iif(kind = 'points', '', code) ORDER BY s.key != 'image', 1",
        )
        for name, file in rows:
            if name in found:
                raise ConflictError(f"column {name} has files of different kinds or codes, {file.path} is one of them")
            found[name] = file
        return found

    def has_cameras(self) -> bool:
        """Whether any sample has a camera."""
        query = "SELECT 1 FROM samples WHERE json_extract(record, '$.camera') IS NOT NULL LIMIT 1"
        return bool(self._read(bool, query))

    def has_motions(self) -> bool:
        """Whether the camera's motion to the neighbour is known of any sample."""
        query = "SELECT 1 FROM samples WHERE json_extract(record, '$.neighbour.motion') IS NOT NULL LIMIT 1"
        return bool(self._read(bool, query))

    # -- cells and columns -----------------------------------------------------------------------------------------

    def record(self, cells: Iterable[CellRow], sources: Iterable[SourceRow]) -> None:
        """Commit the outcome of finished work; its files must be durable before."""
        with self.transaction():
            self._put_cells(cells)
            rows = [with_checksum((s.path, s.size, s.mtime_ns, s.digest)) for s in sources]
            self._db.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)", rows)

    def _put_cells(self, cells: Iterable[CellRow]) -> None:
        marks = ",".join("?" * 10)
        self._db.executemany(f"INSERT OR REPLACE INTO cells VALUES ({marks})", map(cell_values, cells))

    def mark_damaged(self, cells: Iterable[DamagedCell]) -> None:
        """Remember that files of done cells are not what was written, so that their stage makes them again."""
        with self.transaction():
            for cell in cells:
                query = 'SELECT * FROM cells WHERE key = ? AND "column" = ?'
                rows = self._read(cell_from_values, query, (cell.key, cell.column))
                found = {DAMAGE: f"{cell.file}: {cell.reason}"}
                self._put_cells(replace(row, facts=row.facts | found) for row in rows)

    def set_columns(self, columns: Iterable[Column], command: str, arguments: JsonDict) -> None:
        """Remember with which command and arguments columns are made from now on.

        Columns that the command made before and makes no more take part: a command has one set of arguments.
        """
        with self.transaction():
            query = "SELECT * FROM columns WHERE command = ?"
            specs: dict[str, str] = dict(self._read(lambda *row: tuple(checked(row)[:2]), query, (command,)))
            specs |= {column.name: json.dumps(column.to_json(), sort_keys=True) for column in columns}
            rows = [with_checksum((name, spec, command, json.dumps(arguments))) for name, spec in specs.items()]
            self._db.executemany("INSERT OR REPLACE INTO columns VALUES (?, ?, ?, ?, ?)", rows)

    def columns(self) -> dict[str, ColumnRow]:
        """Return the columns by name."""
        return dict(self._read(column_from_values, "SELECT * FROM columns ORDER BY name"))

    # -- shards and runs -------------------------------------------------------------------------------------------

    def shard_reports(self, split: str) -> dict[int, tuple[str, JsonDict]]:
        """Return place to (fingerprint, report) of the shards that were written for a split."""
        query = "SELECT place, fingerprint, report FROM shards WHERE split = ?"
        return dict(self._read(lambda place, print_, report: (place, (print_, json.loads(report))), query, (split,)))

    def record_shard(self, split: str, place: int, fingerprint: str, report: JsonDict) -> None:
        """Commit that a shard was written."""
        with self.transaction():
            row = (split, place, fingerprint, json.dumps(report))
            self._db.execute("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?)", row)

    def store_order(self, split: str) -> tuple[list[SampleKey], int]:
        """Return the samples in the order in which they went into a split's store, and the seed that it came from."""
        query = "SELECT key, seed FROM store_rows WHERE split = ? ORDER BY place"
        rows = self._read(lambda key, seed: (SampleKey(key), int(seed)), query, (split,))
        return [key for key, _ in rows], rows[0][1] if rows else 0

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
