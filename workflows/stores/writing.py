"""`prep shard`, the work: one task per shard, then the attributes, then the stores change places."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.atomic import atomic_write_bytes, sync_folder, write_failed
from segprep.datasets.errors import ConflictError, DamagedStoreError, WriteFailedError
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.metadata import ROOT_FILE, root_file
from segprep.datasets.shards.root import read_root, record_of, wrong_size
from segprep.datasets.shards.writer import ShardReport, create_store, finish_store, write_shard
from segprep.datasets.workspace import Workspace
from segprep.workflows.ledger.database import Ledger
from segprep.workflows.running.batches import run_in_batches
from segprep.workflows.running.cluster import ClusterOptions, WorkerDied
from segprep.workflows.stores.content import ShardTask, shard_rows
from segprep.workflows.stores.place import building_path, last_finished, put_in_place, remember, settle
from segprep.workflows.stores.planning import SplitPlan

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
        rebuild: To repair a store: the shards that are not to be taken over. It must come out as it was finished.

    Raises:
        Interrupted: After Ctrl-C; finished shards are kept for the next run.
        ConflictError: If a repaired store would hold something else than before.
        WriteFailedError: If the workspace cannot be written, or a worker died.
    """
    split = plan.store.split
    final, building = workspace.store_path(split), building_path(workspace, split)
    try:
        settle(final)
        if rebuild is None and is_current(workspace, plan):
            ledger.set_store_order(split, plan.order.keys, plan.order.seed)
            remember(ledger, split, read_root(final), _keys(plan))
            shutil.rmtree(building, ignore_errors=True)
            return SplitResult(False, {})
        _start(building, plan.store)
        reports, clipped = _write_shards(workspace, ledger, plan, cluster, progress, rebuild or frozenset())
        finish_store(building, plan.store, reports, workspace.config.class_map, plan.provenance)
        for name in plan.store.arrays():
            sync_folder(building / name)
        if rebuild is not None:
            _refuse_other_content(ledger, final, building)
        # Before the store is in its place: a killed run is then repeated with the same order.
        ledger.set_store_order(split, plan.order.keys, plan.order.seed)
        remember(ledger, split, read_root(building), _keys(plan))
        put_in_place(building, final)
    except OSError as error:
        if isinstance(error, (WriteFailedError, ConflictError, DamagedStoreError)):
            raise
        raise write_failed(error.filename or final, error) from error
    return SplitResult(True, clipped)


def _keys(plan: SplitPlan) -> list[SampleKey]:
    return list(dict.fromkeys(key for key, _ in plan.rows))


def _refuse_other_content(ledger: Ledger, damaged: Path, repaired: Path) -> None:
    """Refuse a repaired store whose files are not those that the damaged one was finished with."""
    found = read_root(repaired)
    try:
        before = read_root(damaged)
    except DamagedStoreError:
        known = last_finished(ledger, found.plan.split)
        before = found if known is None else known.root  # stores that are older than this memory of the ledger
    if found != before:
        shutil.rmtree(repaired)
        raise ConflictError(
            f"{damaged} cannot be repaired: the workspace no longer holds what it was made from. `prep shard` makes it "
            "anew"
        )


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
        if read_root(path).plan == store:  # killed when all was done but the last rename
            atomic_write_bytes(path / ROOT_FILE, root_file(store, {}))
    except DamagedStoreError:
        pass  # there is none, or it is unfinished as usual
    try:
        create_store(path, store)
    except ConflictError:  # of an earlier run with other columns or sizes
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
    building, final = building_path(workspace, split), workspace.store_path(split)
    known = ledger.shard_reports(split)
    progress.start(plan.store.shards)
    reports: list[ShardReport] = []
    clipped: Counter[str] = Counter()
    pending: list[int] = []
    fingerprints = {i: _shard_fingerprint(plan, i) for i in range(plan.store.shards)}
    for index, fingerprint in fingerprints.items():
        report = ShardReport.from_json(known[index][1]) if index in known and known[index][0] == fingerprint else None
        if report is not None and (
            _holds_exactly(building, report)
            if index in rebuild  # whose files there may be links to the damaged ones
            else _holds(building, report) or _taken_over(final, building, report)
        ):
            reports.append(report)
            clipped.update(known[index][1].get("clipped", {}))
            progress.advance(1)
        else:
            pending.append(index)
            if report is None and index in known:  # killed in a moment, its files are no more what that report says
                ledger.record_shard(split, index, "", known[index][1])

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


def _holds_exactly(store: Path, report: ShardReport) -> bool:
    return _holds(store, report) and all(
        record_of((store / name).read_bytes()) == record for name, record in report.files.items()
    )


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
    building = building_path(task.workspace, task.store.split)
    return write_shard(building, task.store, task.index, rows).to_json() | {"clipped": clipped}
