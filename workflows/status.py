"""`prep status`: what exists, what failed, what is stale and why."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import Workspace
from segprep.workflows.freshness import Digests, State, examine
from segprep.workflows.ledger import Ledger, Selection
from segprep.workflows.stages import STAGES, build_steps

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


def read_status(workspace: Workspace, ledger: Ledger) -> Status:
    """Examine every cell. Files are read only where size or time changed."""
    existing = ledger.columns()
    samples: dict[str, int] = {}
    columns: list[ColumnStatus] = []
    digests = Digests(workspace.config.dataset_root, workspace.root, may_hash=True)
    for split in ledger.splits():
        selection = Selection(splits=(split,))
        samples[split] = ledger.count(selection)
        for command in STAGES:
            arguments = next((row.arguments for row in existing.values() if row.command == command), None)
            if arguments is None:
                continue
            for step in build_steps(command, workspace, ledger, arguments):
                counts: Counter[str] = Counter()
                reasons: Counter[str] = Counter()
                clipped = 0
                for sample in ledger.samples(selection):
                    verdict = examine(step, sample, digests)
                    counts[verdict.state] += 1
                    if verdict.state not in (State.DONE, State.MISSING):
                        reasons[f"{verdict.state}: {verdict.reason}"] += 1
                    clipped += sum(
                        sample.cells[c.name].facts.get("clipped", 0) for c in step.outputs if c.name in sample.cells
                    )
                columns += [
                    ColumnStatus(split, column.name, command, dict(counts), dict(reasons), clipped)
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
