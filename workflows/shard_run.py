"""`prep shard`, the work: one task per shard, then the attributes, then one rename."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.atomic import atomic_write_bytes, sync_folder
from segprep.datasets.errors import ConflictError, DamagedStoreError, WriteFailedError
from segprep.datasets.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.datasets.shard_layout import StorePlan
from segprep.datasets.shard_root import read_root, wrong_size
from segprep.datasets.shard_writer import ShardReport, create_store, finish_store, write_shard
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import Workspace
from segprep.workflows.batches import run_in_batches
from segprep.workflows.cluster import ClusterOptions, WorkerDied
from segprep.workflows.ledger import Ledger
from segprep.workflows.shard_blocks import ShardTask, shard_rows
from segprep.workflows.sharding import SplitPlan

__all__ = ["SplitResult", "is_current", "write_split"]


@dataclass(frozen=True, slots=True)
class SplitResult:
    """How writing a split's store ended.

    Attributes:
        written: False if it existed already with just this content.
        clipped: Column name to number of pixels that an augmentation made its code clip.
    """

    written: bool
    clipped: Mapping[str, int]


def write_split(
    workspace: Workspace,
    ledger: Ledger,
    plan: SplitPlan,
    cluster: ClusterOptions,
    progress: Progress,
    *,
    rebuild: frozenset[int] | None = None,
) -> SplitResult:
    """Write a split's store beside the old one, then put it in its place. The caller holds the writer lock.

    Shards that are in the old one with just their content are taken over as they are.

    Args:
        workspace: The workspace.
        ledger: Its ledger.
        plan: What the store will hold.
        cluster: Where to work.
        progress: Told of each shard.
        rebuild: To repair a store: the shards that are not to be taken over. Its attributes, if they are whole, must
            come out as they are.

    Raises:
        Interrupted: After Ctrl-C; finished shards are kept for the next run.
        ConflictError: If something that is no store of ours stands in the way, or a repaired store would hold something
            else than before.
        WriteFailedError: If the workspace cannot be written, or a worker died.
    """
    final = workspace.store_path(plan.store.split)
    building = _building_path(workspace, plan.store.split)
    old = final.with_name(f"{final.name}.old")
    try:
        if old.exists() and not final.exists():  # killed between the two renames
            old.rename(final)
        shutil.rmtree(old, ignore_errors=True)
        ledger.set_store_order(plan.store.split, plan.order.keys, plan.order.seed)
        if rebuild is None and is_current(workspace, plan):
            shutil.rmtree(building, ignore_errors=True)
            return SplitResult(False, {})
        _start(building, plan.store)
        reports, clipped = _write_shards(workspace, ledger, plan, cluster, progress, rebuild or frozenset())
        finish_store(building, plan.store, reports, workspace.config.class_map, plan.provenance)
        for name in plan.store.arrays():
            sync_folder(building / name)
        if rebuild is not None:
            _refuse_other_content(final, building)
        if final.exists():
            final.rename(old)
        building.rename(final)
        sync_folder(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if isinstance(error, (WriteFailedError, ConflictError, DamagedStoreError)):
            raise
        raise WriteFailedError(f"{error.filename or final} cannot be written: {error.strerror}") from error
    return SplitResult(True, clipped)


def _refuse_other_content(damaged: Path, repaired: Path) -> None:
    """Refuse a repaired store whose files are not those that the damaged one was finished with."""
    try:
        before = read_root(damaged)
    except DamagedStoreError:
        return  # nothing tells any more what it held
    if read_root(repaired) != before:
        shutil.rmtree(repaired)
        raise ConflictError(
            f"{damaged} cannot be repaired: the workspace no longer holds what it was made from. `prep shard` makes it "
            "anew"
        )


def _building_path(workspace: Workspace, split: str) -> Path:
    final = workspace.store_path(split)
    return final.with_name(f"{final.name}.partial")


def is_current(workspace: Workspace, plan: SplitPlan) -> bool:
    """Whether a split's store exists, with files of the right sizes and just the content of the plan."""
    path = workspace.store_path(plan.store.split)
    if not path.exists():
        return False
    try:
        return ShardStore.open(path).provenance.get("fingerprint") == plan.fingerprint
    except DamagedStoreError:
        return False


def _start(path: Path, store: StorePlan) -> None:
    try:
        create_store(path, store)
    except ConflictError:  # of an earlier run with other columns or sizes, never finished
        shutil.rmtree(path)
        create_store(path, store)


def _write_shards(
    workspace: Workspace,
    ledger: Ledger,
    plan: SplitPlan,
    cluster: ClusterOptions,
    progress: Progress,
    rebuild: frozenset[int],
) -> tuple[list[ShardReport], Mapping[str, int]]:
    split = plan.store.split
    building, final = _building_path(workspace, split), workspace.store_path(split)
    known = ledger.shard_reports(split)
    progress.start(plan.store.shards)
    reports: list[ShardReport] = []
    clipped: Counter[str] = Counter()
    pending: list[int] = []
    fingerprints = {i: _shard_fingerprint(plan, i) for i in range(plan.store.shards)}
    for index, fingerprint in fingerprints.items():
        report = ShardReport.from_json(known[index][1]) if index in known and known[index][0] == fingerprint else None
        if report is not None and (
            _holds(building, report) or (index not in rebuild and _taken_over(final, building, report))
        ):
            reports.append(report)
            clipped.update(known[index][1].get("clipped", {}))
            progress.advance(1)
        else:
            pending.append(index)

    def tasks() -> Iterator[ShardTask]:
        for index in pending:
            rows = [plan.rows[row] for row in plan.store.shard_rows(index)]
            samples = {key: ledger.sample(key) for key, _ in rows}
            numbered = tuple((samples[key], variant) for key, variant in rows)
            yield ShardTask(workspace, plan.store, plan.columns, index, numbered, plan.augment, plan.derived)

    def settle(done: Sequence[ShardTask], result: JsonDict | WorkerDied) -> None:
        index = done[0].index
        if isinstance(result, WorkerDied):
            raise WriteFailedError(
                f"a worker process died twice while it wrote shard {index} of split {split}: out of memory? Try "
                "fewer --workers or --samples-per-shard"
            )
        ledger.record_shard(split, index, fingerprints[index], result)
        reports.append(ShardReport.from_json(result))
        clipped.update(result["clipped"])
        progress.advance(1)

    run_in_batches(_write_one, tasks(), cluster, settle, largest=1)
    return reports, clipped


def _holds(store: Path, report: ShardReport) -> bool:
    return all(wrong_size(store / name, record) is None for name, record in report.files.items())


def _taken_over(old: Path, new: Path, report: ShardReport) -> bool:
    """Give the files of a shard to the new store, too, if the old one has them."""
    if not _holds(old, report):
        return False
    for name in report.files:
        (new / name).unlink(missing_ok=True)
        try:
            os.link(old / name, new / name)
        except OSError:  # a disk without links
            atomic_write_bytes(new / name, (old / name).read_bytes(), durable=True)
    return True


def _shard_fingerprint(plan: SplitPlan, index: int) -> str:
    rows = [
        (plan.fingerprints[key], variant) for key, variant in map(plan.rows.__getitem__, plan.store.shard_rows(index))
    ]
    augment = None if plan.augment is None else plan.augment.to_json()
    store = {name: value for name, value in plan.store.to_json().items() if name != "rows"}  # of the other shards
    return hashlib.sha256(json.dumps([store, rows, augment], sort_keys=True).encode()).hexdigest()


def _write_one(tasks: Sequence[ShardTask]) -> JsonDict:
    """Write one shard of every column; runs in a worker."""
    (task,) = tasks
    rows, clipped = shard_rows(task)
    building = _building_path(task.workspace, task.store.split)
    return write_shard(building, task.store, task.index, rows).to_json() | {"clipped": clipped}
