"""The rows of the ledger: cells with their files, columns, and what is known of a sample."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from segprep.datasets.record import SampleRecord
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.datasets.workspace.ledger_file import checked, with_checksum
from segprep.datasets.workspace.ledger_view import FileRow

__all__ = [
    "DAMAGE",
    "DEATHS",
    "CellRow",
    "CellState",
    "ColumnRow",
    "FileRow",
    "KnownSample",
    "Selection",
    "SourceRow",
    "cell_from_values",
    "cell_values",
    "column_from_values",
    "record_from_values",
    "source_from_values",
]

DAMAGE = "damage"
"""Name of the fact that says so: the cell is made again, and then has it no more."""

DEATHS = "deaths"
"""Name of the fact that says in how many runs the worker process died on a sample, from the same inputs."""


class CellState(StrEnum):
    """What is recorded of a cell. A cell without a row was never tried."""

    DONE = "done"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A file of the dataset whose content was hashed when it had this size and time."""

    path: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell.

    Attributes:
        key: Its sample.
        column: Its column.
        state: Done, failed or absent.
        fingerprint: Hash over recipe and inputs; other columns that were made from this cell remember it.
        recipe: Step name, version and parameters.
        inputs: Input name to fingerprint, to say what changed.
        files: The files of a done cell.
        reason: Why it failed or is absent.
        facts: What a step found out beside the arrays, for example `source_size` or the number of `clipped` pixels.
    """

    key: SampleKey
    column: str
    state: CellState
    fingerprint: str
    recipe: JsonDict
    inputs: Mapping[str, str]
    files: tuple[FileRow, ...] = ()
    reason: str = ""
    facts: JsonDict = field(default_factory=dict)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file by its path."""
        return {file.path: file.digest for file in self.files}

    @property
    def damage(self) -> str:
        """What was found to be wrong with a file of a done cell since it was written; empty for nothing."""
        return str(self.facts.get(DAMAGE, ""))

    @property
    def deaths(self) -> int:
        """In how many runs the worker process died on it."""
        return int(self.facts.get(DEATHS, 0))

    @property
    def is_undecided(self) -> bool:
        """Whether it failed because its process died, in one run so far: the sample or the machine may be to blame."""
        return self.state is CellState.FAILED and self.deaths == 1


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column, and the command and arguments that it was last made with."""

    column: Column
    command: str
    arguments: JsonDict


@dataclass(frozen=True, slots=True)
class KnownSample:
    """Everything that the ledger knows of a sample: enough to decide and to do its work elsewhere."""

    record: SampleRecord
    cells: Mapping[str, CellRow]
    sources: Mapping[str, SourceRow]

    @property
    def source_paths(self) -> dict[str, str]:
        """The dataset's files of the sample, relative to its root."""
        return {name: source.path for name, source in self.record.sources.items()}

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of its done cells by column."""
        return {name: cell.fingerprint for name, cell in self.cells.items() if cell.state is CellState.DONE}

    def digests(self, column: str) -> dict[str, str]:
        """Return what is known of a cell's files: SHA-256 by path."""
        return self.cells[column].digests if column in self.cells else {}

    def done(self, column: str) -> CellRow | None:
        """Return the row of a cell that is done; None of any other."""
        cell = self.cells.get(column)
        return cell if cell is not None and cell.state is CellState.DONE else None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples a command is about.

    Attributes:
        splits: Empty for all.
        only: A glob over keys.
        limit: At most so many, in the dataset's order.
    """

    splits: tuple[str, ...] = field(default=())
    only: str | None = None
    limit: int | None = None


def record_from_values(*row: Any) -> SampleRecord:  # noqa: ANN401
    """Build a record from a row of the table `samples`."""
    _, _, _, record = checked(row)
    return SampleRecord.from_json(json.loads(record))


def source_from_values(*row: Any) -> SourceRow:  # noqa: ANN401
    """Build what is known of a file from a row of the table `sources`."""
    return SourceRow(*checked(row))


def column_from_values(*row: Any) -> tuple[str, ColumnRow]:  # noqa: ANN401
    """Build a column and its name from a row of the table `columns`."""
    name, spec, command, arguments = checked(row)
    return name, ColumnRow(Column.from_json(json.loads(spec)), command, _object(arguments))


def cell_from_values(*row: Any) -> CellRow:  # noqa: ANN401
    """Build a cell from a row of the table `cells`."""
    key, column, state, fingerprint, recipe, inputs, files, reason, facts = checked(row)
    return CellRow(
        SampleKey(key),
        column,
        CellState(state),
        fingerprint,
        _object(recipe),
        _object(inputs),
        tuple(FileRow(*f) for f in json.loads(files)),
        reason,
        _object(facts),
    )


def cell_values(cell: CellRow) -> tuple[object, ...]:
    """Return a row of the table `cells`."""
    return with_checksum(
        (
            cell.key,
            cell.column,
            cell.state.value,
            cell.fingerprint,
            json.dumps(cell.recipe, sort_keys=True),
            json.dumps(dict(cell.inputs), sort_keys=True),
            json.dumps([(f.path, f.size, f.mtime_ns, f.digest) for f in cell.files]),
            cell.reason,
            json.dumps(cell.facts, sort_keys=True),
        )
    )


def _object(text: str) -> JsonDict:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"an object is needed, not {value!r}")
    return value
