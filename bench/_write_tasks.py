"""A workspace of plain files of the samples, and the shards that `prep shard` makes of it."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from _prep_tasks import init_workspace, prep
from _read_data import COLUMNS
from _worker_arms import Arms
from _write_zarr import write_by_zarr

from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.rows import ShardRows
from segprep.datasets.shards.writer import ShardReport, create_store, write_shard
from segprep.datasets.workspace import Workspace
from segprep.workflows.ledger.table import Table
from segprep.workflows.stores.content import ShardTask, shard_rows
from segprep.workflows.stores.planning import plan_split

__all__ = ["KINDS", "arms_of", "make_shards", "make_workspace", "store_path", "zarr_arms_of"]

KINDS = ("ours", "zarr-python")


def make_workspace(place: Path, pngs: Path, copies: int, workers: int) -> Workspace:
    """Return a workspace whose columns are these PNGs, `<column>/<row>.png`, each so many times."""
    dataset = place.with_name(f"{place.name}-dataset")
    for name in COLUMNS:
        target = dataset / f"{name}_data"
        target.mkdir(parents=True)
        for png in (pngs / name).iterdir():
            for copy in range(copies):
                os.link(png, target / f"{copy}_{int(png.stem):06d}.png")
    workspace = init_workspace(place, "folder", dataset)
    prep(place, "resize", "--factor", "1", "--workers", str(workers))
    return workspace


def make_shards(workspace: Workspace, per_shard: int | None) -> list[ShardTask]:
    """Return what `prep shard` sends to its workers; None for as many samples per shard as it takes by itself."""
    with Table(workspace) as table:
        plan = plan_split(table, "train", COLUMNS, codec="lz4", per_shard=per_shard, require_all=True, seed=0)
        rows = [(table.ledger.sample(key), variant) for key, variant in plan.rows]
    tasks = []
    for index in range(plan.store.shards):
        place = plan.store.shard_rows(index)
        tasks.append(ShardTask(workspace, plan.store, plan.columns, index, tuple(rows[place.start : place.stop])))
    for task in (tasks[0], _small(tasks)):
        for kind in KINDS:
            shutil.rmtree(store_path(task, kind), ignore_errors=True)
            create_store(store_path(task, kind), task.store)
    return tasks


def arms_of(tasks: Sequence[ShardTask]) -> Arms[ShardTask, JsonDict]:
    """Return what is measured of workers; a store of one row warms them up."""
    return Arms(_write, tasks, _small(tasks), ShardReport.from_json, sum(len(task.rows) for task in tasks))


def zarr_arms_of(tasks: Sequence[ShardTask]) -> Arms[ShardTask, int]:
    """Return the same for zarr-python: cells are read as we do it, and written by zarr-python."""
    return Arms(_write_by_zarr, tasks, _small(tasks), str, sum(len(task.rows) for task in tasks))


def store_path(task: ShardTask, kind: str) -> Path:
    """Return where a task's shard goes by each of `KINDS`."""
    return task.workspace.root / f"{kind}-{task.store.rows}.zarr"


def _small(tasks: Sequence[ShardTask]) -> ShardTask:
    return replace(tasks[0], store=replace(tasks[0].store, rows=1, samples_per_shard=1), rows=tasks[0].rows[:1])


def _write(task: ShardTask) -> JsonDict:
    return write_shard(store_path(task, "ours"), task.store, task.index, _rows(task)).to_json()


def _write_by_zarr(task: ShardTask) -> int:
    write_by_zarr(store_path(task, "zarr-python"), task.store, task.index, _rows(task))
    return task.index


def _rows(task: ShardTask) -> ShardRows:
    rows, _ = shard_rows(task)
    if not isinstance(rows, ShardRows):
        raise SystemExit("variants are measured by augment.py")
    return rows
