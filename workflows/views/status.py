"""`prep status`: what exists, what failed, what is stale and why."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.json_values import json_of
from segprep.datasets.notices import Notice
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.prep.step import Step
from segprep.workflows.ledger.database import KnownSample, Selection
from segprep.workflows.ledger.figures import ColumnFigures
from segprep.workflows.ledger.freshness import Digests, State, Verdict, examine
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.registry import recorded_steps

__all__ = ["ColumnStatus", "Status", "read_status"]


@dataclass(frozen=True, slots=True)
class ColumnStatus:
    """One column of one split.

    Attributes:
        split: The split.
        column: The column.
        command: What makes it.
        counts: State to number of samples.
        reasons: "state: reason" to number of samples, for everything that is neither done nor plainly not made.
        clipped: Number of pixels that its code could not express.
        figures: What its cells say, see `segprep.workflows.ledger.figures`.
        headlines: The same for people.
        warnings: What degrades it.
    """

    split: str
    column: str
    command: str
    counts: dict[str, int]
    reasons: dict[str, int]
    clipped: int
    figures: dict[str, float]
    headlines: list[str]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a workspace.

    Attributes:
        samples: Split to number of samples.
        columns: Each column of each split.
        stores: Split to what stands in its store's place.
        notices: What was guessed, and what looked wrong, when the dataset was listed.
    """

    samples: dict[str, int]
    columns: tuple[ColumnStatus, ...]
    stores: dict[str, str]
    notices: tuple[Notice, ...]

    def to_json(self) -> JsonDict:
        """Return it for `--json`."""
        return json_of(self)


class _Tally:
    """Counts what a step's verdicts over the samples of a split were."""

    def __init__(self, step: Step) -> None:
        self.figures = {column.name: ColumnFigures(column.name) for column in step.outputs}
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def add(self, step: Step, sample: KnownSample, verdict: Verdict) -> None:
        self.counts[verdict.state] += 1
        if verdict.state not in (State.DONE, State.MISSING):
            self.reasons[f"{verdict.state}: {verdict.reason}"] += 1
        rows = [sample.cells.get(column.name) for column in step.outputs]
        for row in rows:
            if row is not None:
                self.figures[row.column].add(row)


def read_status(table: Table) -> Status:
    """Examine every cell. Files are read only where size or time changed."""
    workspace, ledger = table.workspace, table.ledger
    steps = recorded_steps(table)
    samples: dict[str, int] = {}
    columns: list[ColumnStatus] = []
    digests = Digests(workspace, may_hash=True)
    for split in ledger.splits():
        samples[split] = 0
        tallies = [_Tally(step) for _, step in steps]
        for sample in ledger.samples(Selection(splits=(split,))):
            samples[split] += 1
            for (_, step), tally in zip(steps, tallies, strict=True):
                tally.add(step, sample, examine(step, sample, digests))
        columns += [
            _column_status(split, column.name, command, tally)
            for (command, step), tally in zip(steps, tallies, strict=True)
            for column in step.outputs
        ]
    stores = {split: _store_state(workspace.store_path(split)) for split in samples}
    return Status(samples, tuple(columns), stores, tuple(ledger.notices()))


def _column_status(split: str, column: str, command: str, tally: _Tally) -> ColumnStatus:
    said = tally.figures[column]
    figures = said.figures()
    clipped = int(figures.get("clipped_pixels", 0))
    counts, reasons = dict(tally.counts), dict(tally.reasons)
    return ColumnStatus(split, column, command, counts, reasons, clipped, figures, said.headlines(), said.warnings())


def _store_state(path: Path) -> str:
    if not path.exists():
        return "unfinished" if path.with_name(f"{path.name}.partial").exists() else "none"
    try:
        store = ShardStore.open(path)
    except DamagedStoreError as error:
        return f"damaged: {error}"
    return f"{len(store)} samples: {', '.join(store.columns)}"
