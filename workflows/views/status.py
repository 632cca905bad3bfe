"""`prep status`: what exists, what failed, what is stale and why."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from segprep.datasets.errors import DamagedStoreError, MachineError
from segprep.datasets.json_values import json_of
from segprep.datasets.notices import Notice
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.standing import UNTRACED, store_notices
from segprep.datasets.workspace import Workspace
from segprep.prep.step import Step
from segprep.workflows.ledger.database import KnownSample, Selection
from segprep.workflows.ledger.figures import ColumnFigures
from segprep.workflows.ledger.freshness import Digests, State, Verdict, examine
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.registry import recorded_steps
from segprep.workflows.stores.untraced import holds_what_the_table_holds

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
        store_notices: Split to what the workspace says of this store: what has changed since it was written.
        notices: What was guessed, and what looked wrong, when the dataset was listed.
    """

    samples: dict[str, int]
    columns: tuple[ColumnStatus, ...]
    stores: dict[str, str]
    store_notices: dict[str, list[str]]
    notices: tuple[Notice, ...]

    def to_json(self) -> JsonDict:
        """Return it for `--json`."""
        return json_of(self)


class _Tally:
    """Counts what a step's verdicts over the samples of a split were."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.figures = {column.name: ColumnFigures(column.name) for column in step.outputs}
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def add(self, sample: KnownSample, digests: Digests) -> None:
        verdict = _verdict(self._step, sample, digests)
        self.counts[verdict.state] += 1
        if verdict.state not in (State.DONE, State.MISSING):
            self.reasons[f"{verdict.state}: {verdict.reason}"] += 1
        rows = [sample.cells.get(column.name) for column in self._step.outputs]
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
            for tally in tallies:
                tally.add(sample, digests)
        columns += [
            _column_status(split, column.name, command, tally)
            for (command, step), tally in zip(steps, tallies, strict=True)
            for column in step.outputs
        ]
    found = {split: _store_state(table, split) for split in samples}
    stores = {split: state for split, (state, _) in found.items()}
    told = {split: each for split, (_, each) in found.items()} | _strange_stores(workspace, samples)
    return Status(samples, tuple(columns), stores, told, tuple(ledger.notices()))


def _verdict(step: Step, sample: KnownSample, digests: Digests) -> Verdict:
    try:
        return examine(step, sample, digests)
    except MachineError as error:
        why = "the machine fails" if error.errno is None else os.strerror(error.errno)
        return Verdict(State.UNSURE, f"a file cannot be read: {why}")


def _column_status(split: str, column: str, command: str, tally: _Tally) -> ColumnStatus:
    said = tally.figures[column]
    figures = said.figures()
    clipped = int(figures.get("clipped_pixels", 0))
    counts, reasons = dict(tally.counts), dict(tally.reasons)
    return ColumnStatus(split, column, command, counts, reasons, clipped, figures, said.headlines(), said.warnings())


def _store_state(table: Table, split: str) -> tuple[str, list[str]]:
    """Return what stands in the place of a split's store, and what the workspace says of it."""
    path = table.workspace.store_path(split)
    if not path.exists():
        return "unfinished" if path.with_name(f"{path.name}.partial").exists() else "none", []
    try:
        store = ShardStore.open(path, split)
        told = [notice for notice in store_notices(store) if notice != UNTRACED]
        if store.digest and store.cell_digests is None and not holds_what_the_table_holds(table, store):
            told.append("some of its samples have changed since: run `prep shard`")
        return f"{len(store)} samples: {', '.join(store.columns)}", told
    except DamagedStoreError as error:
        return f"damaged: {error}", []
    except MachineError as error:
        return f"unsure: {error}", []


def _strange_stores(workspace: Workspace, splits: Iterable[str]) -> dict[str, list[str]]:
    names = {path.name.removesuffix(".zarr") for path in workspace.shards_dir.glob("*.zarr")}
    return {name: ["the workspace has no split of this name"] for name in sorted(names - set(splits))}
