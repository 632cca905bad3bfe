"""`prep shard`, the work: one task per shard, then the attributes, then one rename."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segprep.datasets.atomic import sync_folder
from segprep.datasets.columns import Column, read_cell, read_record_cell
from segprep.datasets.errors import ConflictError, DamagedStoreError, WriteFailedError
from segprep.datasets.progress import Progress
from segprep.datasets.sample import Array, JsonDict, SampleKey
from segprep.datasets.shard_layout import StorePlan
from segprep.datasets.shard_rows import RowInfo, ShardRows
from segprep.datasets.shard_writer import ShardReport, create_store, finish_store, write_shard
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import Workspace
from segprep.workflows.batches import run_in_batches
from segprep.workflows.cluster import ClusterOptions, WorkerDied
from segprep.workflows.ledger import CellState, KnownSample, Ledger
from segprep.workflows.sharding import SplitPlan, source_paths

__all__ = ["ShardTask", "is_current", "write_split"]


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to write."""

    workspace: Workspace
    store: StorePlan
    columns: tuple[Column, ...]
    index: int
    samples: tuple[KnownSample, ...]


def write_split(
    workspace: Workspace, ledger: Ledger, plan: SplitPlan, cluster: ClusterOptions, progress: Progress
) -> bool:
    """Write a split's store beside the old one, then put it in its place. The caller holds the writer lock.

    Returns:
        False if the store exists already with just this content.

    Raises:
        Interrupted: After Ctrl-C; finished shards are kept for the next run.
        ConflictError: If something that is no store of ours stands in the way.
        WriteFailedError: If the workspace cannot be written, or a worker died.
    """
    final = workspace.store_path(plan.store.split)
    building = _building_path(workspace, plan.store.split)
    old = final.with_name(f"{final.name}.old")
    try:
        if old.exists() and not final.exists():  # killed between the two renames
            old.rename(final)
        shutil.rmtree(old, ignore_errors=True)
        if is_current(workspace, plan):
            shutil.rmtree(building, ignore_errors=True)
            return False
        _start(building, plan.store)
        reports = _write_shards(workspace, ledger, plan, cluster, progress)
        finish_store(building, plan.store, reports, workspace.config.class_map, plan.provenance)
        if final.exists():
            final.rename(old)
        building.rename(final)
        sync_folder(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if isinstance(error, (WriteFailedError, ConflictError, DamagedStoreError)):
            raise
        raise WriteFailedError(f"{error.filename or final} cannot be written: {error.strerror}") from error
    return True


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
    workspace: Workspace, ledger: Ledger, plan: SplitPlan, cluster: ClusterOptions, progress: Progress
) -> list[ShardReport]:
    split = plan.store.split
    building = _building_path(workspace, split)
    known = ledger.shard_reports(split)
    progress.start(plan.store.shards)
    reports: list[ShardReport] = []
    pending: list[int] = []
    fingerprints = {i: _shard_fingerprint(plan, i) for i in range(plan.store.shards)}
    for index, fingerprint in fingerprints.items():
        report = ShardReport.from_json(known[index][1]) if index in known and known[index][0] == fingerprint else None
        if report is not None and all(_has_size(building / name, r.size) for name, r in report.files.items()):
            reports.append(report)
            progress.advance(1)
        else:
            pending.append(index)

    def tasks() -> Iterator[ShardTask]:
        for index in pending:
            samples = tuple(ledger.sample(plan.keys[row]) for row in plan.store.shard_rows(index))
            yield ShardTask(workspace, plan.store, plan.columns, index, samples)

    def settle(done: Sequence[ShardTask], result: JsonDict | WorkerDied) -> None:
        index = done[0].index
        if isinstance(result, WorkerDied):
            raise WriteFailedError(
                f"a worker process died twice while it wrote shard {index} of split {split}: out of memory? Try "
                "fewer --workers or --samples-per-shard"
            )
        ledger.record_shard(split, index, fingerprints[index], result)
        reports.append(ShardReport.from_json(result))
        progress.advance(1)

    run_in_batches(_write_one, tasks(), cluster, settle, largest=1)
    return reports


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _shard_fingerprint(plan: SplitPlan, index: int) -> str:
    rows = [plan.fingerprints[plan.keys[row]] for row in plan.store.shard_rows(index)]
    return hashlib.sha256(json.dumps([plan.store.to_json(), rows], sort_keys=True).encode()).hexdigest()


def _write_one(tasks: Sequence[ShardTask]) -> JsonDict:
    """Write one shard of every column; runs in a worker."""
    (task,) = tasks
    columns = {column.name: column for column in task.columns}
    split = task.store.split
    building = _building_path(task.workspace, split)
    infos = [_row_info(task.workspace, sample) for sample in task.samples]

    def block(name: str) -> tuple[Array, Array | None]:
        cells = [read_cell(task.workspace, split, columns[name], s.record.key) for s in task.samples]
        masks = [valid for _, valid in cells]
        stored = np.stack([values for values, _ in cells])
        if columns[name].holds_raw_ids:
            stored = np.stack([task.workspace.config.class_map.train_ids_of(ids_HW) for ids_HW in stored])
        spec = next(s for s in task.store.specs if s.name == name)
        if not spec.masked:
            return stored, None
        return stored, np.stack([np.ones(spec.shape[:2], np.bool_) if m is None else m for m in masks])

    return write_shard(building, task.store, task.index, ShardRows(infos, block)).to_json()


def _row_info(workspace: Workspace, sample: KnownSample) -> RowInfo:
    record = sample.record
    camera = sample.cells.get("camera")
    data: Mapping[str, object] = {}
    if camera is not None and camera.state is CellState.DONE:
        data = read_record_cell(workspace.cell_path(record.split, "camera", record.key, ".json"))
    neighbour = data.get("neighbour")
    motion = neighbour.get("motion") if isinstance(neighbour, dict) else None
    width, height = sample.cells["image"].facts["source_size"] if "image" in sample.cells else (0, 0)
    return RowInfo(
        key=SampleKey(record.key),
        source_size=(width, height),
        source_paths=source_paths(sample),
        camera_K=_matrix(data.get("K")),
        pose=_matrix(data.get("pose")),
        motion=_matrix(motion),
    )


def _matrix(values: object) -> Array | None:
    return None if values is None else np.array(values, np.float64)
