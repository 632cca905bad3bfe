"""`prep status`: what exists, what failed, what is stale and why."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import Workspace
from segprep.prep.step import Step
from segprep.workflows.freshness import Digests, State, Verdict, examine
from segprep.workflows.ledger import KnownSample, Ledger, Selection
from segprep.workflows.stages import recorded_steps

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
    """

    split: str
    column: str
    command: str
    counts: dict[str, int]
    reasons: dict[str, int]
    clipped: int


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a workspace."""

    samples: dict[str, int]
    columns: tuple[ColumnStatus, ...]
    stores: dict[str, str]

    def to_json(self) -> JsonDict:
        """Return it for `--json`."""
        return {
            "samples": self.samples,
            "columns": [
                {
                    "split": c.split,
                    "column": c.column,
                    "command": c.command,
                    "counts": c.counts,
                    "reasons": c.reasons,
                    "clipped": c.clipped,
                }
                for c in self.columns
            ],
            "stores": self.stores,
        }


class _Tally:
    """Counts what a step's verdicts over the samples of a split were."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.clipped = 0

    def add(self, step: Step, sample: KnownSample, verdict: Verdict) -> None:
        self.counts[verdict.state] += 1
        if verdict.state not in (State.DONE, State.MISSING):
            self.reasons[f"{verdict.state}: {verdict.reason}"] += 1
        rows = [sample.cells.get(column.name) for column in step.outputs]
        self.clipped += sum(row.facts.get("clipped", 0) for row in rows if row is not None)


def read_status(workspace: Workspace, ledger: Ledger) -> Status:
    """Examine every cell. Files are read only where size or time changed."""
    steps = recorded_steps(workspace, ledger)
    samples: dict[str, int] = {}
    columns: list[ColumnStatus] = []
    digests = Digests(workspace.config.dataset_root, workspace.root, may_hash=True)
    for split in ledger.splits():
        samples[split] = 0
        tallies = [_Tally() for _ in steps]
        for sample in ledger.samples(Selection(splits=(split,))):
            samples[split] += 1
            for (_, step), tally in zip(steps, tallies, strict=True):
                tally.add(step, sample, examine(step, sample, digests))
        columns += [
            ColumnStatus(split, column.name, command, dict(tally.counts), dict(tally.reasons), tally.clipped)
            for (command, step), tally in zip(steps, tallies, strict=True)
            for column in step.outputs
        ]
    return Status(samples, tuple(columns), {split: _store_state(workspace.store_path(split)) for split in samples})


def _store_state(path: Path) -> str:
    if not path.exists():
        return "unfinished" if path.with_name(f"{path.name}.partial").exists() else "none"
    try:
        store = ShardStore.open(path)
    except DamagedStoreError as error:
        return f"damaged: {error}"
    return f"{len(store)} samples: {', '.join(store.columns)}"
