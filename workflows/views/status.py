"""`prep status`: what exists, what failed, what is stale and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.json_values import json_of
from segprep.datasets.notices import Notice
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.standing import UNTRACED, store_notices
from segprep.datasets.workspace import Workspace
from segprep.prep.step import Step
from segprep.workflows.ledger.database import CellState, KnownSample, Selection
from segprep.workflows.ledger.freshness import Digests, State, Verdict, examine
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.registry import recorded_steps
from segprep.workflows.stores.untraced import holds_what_the_table_holds

__all__ = ["ColumnStatus", "Status", "motion_figures", "read_status"]


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
        figures: What its cells say about the motion in them, see `motion_figures`; empty for other columns.
    """

    split: str
    column: str
    command: str
    counts: dict[str, int]
    reasons: dict[str, int]
    clipped: int
    figures: dict[str, float]


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

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.clipped = 0
        self.facts: list[JsonDict] = []

    def add(self, step: Step, sample: KnownSample, verdict: Verdict) -> None:
        self.counts[verdict.state] += 1
        if verdict.state not in (State.DONE, State.MISSING):
            self.reasons[f"{verdict.state}: {verdict.reason}"] += 1
        rows = [sample.cells.get(column.name) for column in step.outputs]
        self.clipped += sum(row.facts.get("clipped", 0) for row in rows if row is not None)
        self.facts += [row.facts for row in rows if row is not None and row.state is CellState.DONE]


def motion_figures(facts: list[JsonDict]) -> dict[str, float]:
    """Sum up what the cells of a motion column say, so that people see what is wrong with it.

    Returns:
        For motion images `median_px` (of the samples' median lengths: with the ego flow subtracted it is what static
        pixels are left with, so a large one means wrong ego motion), `p95_px`, `longest_px` and `clipped_share` of the
        valid pixels (a large one means that the scale is too large for the motion). For ego flow that was estimated the
        median and the least `inlier_share`.
    """
    lengths = [f["length_px"] for f in facts if "median" in f.get("length_px", {})]
    inliers = [f["inlier_share"] for f in facts if "inlier_share" in f]
    found: dict[str, float] = {}
    if lengths:
        found["median_px"] = float(np.median([each["median"] for each in lengths]))
        found["p95_px"] = float(np.median([each["p95"] for each in lengths]))
        found["longest_px"] = max(each["longest"] for each in lengths)
        valid = sum(f["shape"][0] * f["shape"][1] * f["length_px"]["valid"] for f in facts if "length_px" in f)
        found["clipped_share"] = round(sum(f.get("clipped", 0) for f in facts) / max(valid, 1), 6)
    if inliers:
        found["inlier_share"] = float(np.median(inliers))
        found["least_inlier_share"] = min(inliers)
    return found


def read_status(table: Table) -> Status:
    """Examine every cell. Files are read only where size or time changed."""
    workspace, ledger = table.workspace, table.ledger
    steps = recorded_steps(table)
    samples: dict[str, int] = {}
    columns: list[ColumnStatus] = []
    digests = Digests(workspace, may_hash=True)
    for split in ledger.splits():
        samples[split] = 0
        tallies = [_Tally() for _ in steps]
        for sample in ledger.samples(Selection(splits=(split,))):
            samples[split] += 1
            for (_, step), tally in zip(steps, tallies, strict=True):
                tally.add(step, sample, examine(step, sample, digests))
        columns += [
            ColumnStatus(
                split,
                column.name,
                command,
                dict(tally.counts),
                dict(tally.reasons),
                tally.clipped,
                motion_figures(tally.facts),
            )
            for (command, step), tally in zip(steps, tallies, strict=True)
            for column in step.outputs
        ]
    found = {split: _store_state(table, split) for split in samples}
    stores = {split: state for split, (state, _) in found.items()}
    told = {split: each for split, (_, each) in found.items()} | _strange_stores(workspace, samples)
    return Status(samples, tuple(columns), stores, told, tuple(ledger.notices()))


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


def _strange_stores(workspace: Workspace, splits: Iterable[str]) -> dict[str, list[str]]:
    names = {path.name.removesuffix(".zarr") for path in workspace.shards_dir.glob("*.zarr")}
    return {name: ["the workspace has no split of this name"] for name in sorted(names - set(splits))}
