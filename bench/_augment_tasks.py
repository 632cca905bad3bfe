"""A workspace whose samples have every kind of array, and the shards of variants that `prep shard --augment` writes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from _flow_drive import Drive
from _prep_tasks import prep
from _worker_arms import Arms

from segprep.datasets.augmentation.config import preset_config
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.writer import ShardReport, write_shard
from segprep.datasets.workspace import Workspace
from segprep.workflows.ledger.table import Table
from segprep.workflows.stores.augment_request import AugmentRequest
from segprep.workflows.stores.content import ShardTask, shard_rows
from segprep.workflows.stores.planning import plan_split

__all__ = ["COLUMNS", "arms_of", "make_shards", "make_workspace", "store_path", "write_one"]

COLUMNS: Final = ("image", "label", "optical_flow", "depth", "hha")
_VARIANTS: Final = 8  # of each sample in a shard
_PLACES: Final = 4  # in the store: a shard is a hundred megabytes, so later ones replace earlier ones


def make_workspace(drive: Drive, place: Path) -> Workspace:
    """Return a workspace of the drive with all of `COLUMNS`."""
    workspace = drive.workspace(place, 1, ("rgb", "depth", "camera", "label"))
    for command in (("flow",), ("modality", "hha")):
        prep(place, *command, "--workers", "0")  # a few samples, made before workers would have started
    return workspace


def make_shards(workspace: Workspace, count: int) -> list[ShardTask]:
    """Return the tasks of so many shards: each of all samples, which come again and again with variants not yet drawn.

    So a shard costs what it costs with any other samples: cells are decoded once per sample and shard. At 768x384 seven
    samples of 8 variants are 56 rows, which is also what the program itself puts into a shard of these columns.
    """
    augment = AugmentRequest(_VARIANTS * count, preset_config("ssma"))
    with Table(workspace) as table:
        plan = plan_split(table, "train", COLUMNS, codec="lz4", per_shard=None, require_all=False, augment=augment)
        samples = [table.ledger.sample(key) for key in dict.fromkeys(key for key, _ in plan.rows)]
    store = replace(plan.store, samples_per_shard=_VARIANTS * len(samples))
    tasks = []
    for index in range(count):
        variants = augment.variants[_VARIANTS * index : _VARIANTS * (index + 1)]
        rows = tuple((sample, variant) for sample in samples for variant in variants)
        tasks.append(ShardTask(workspace, store, plan.columns, index % _PLACES, rows, augment, plan.derived))
    return tasks


def write_one(task: ShardTask) -> JsonDict:
    """Do what a worker does with a shard; a file that is there is replaced."""
    rows, clipped = shard_rows(task)
    return write_shard(store_path(task), task.store, task.index, rows).to_json() | {"clipped": clipped}


def store_path(task: ShardTask) -> Path:
    """Return where the shards go."""
    return task.workspace.store_path(task.store.split).with_suffix(".partial")


def arms_of(tasks: Sequence[ShardTask]) -> Arms[ShardTask, JsonDict]:
    """Return what is measured of workers; the first row of the first shard warms them up, at its own place."""
    first = tasks[0]
    store = replace(first.store, split="warm", rows=1, samples_per_shard=1)
    small = replace(first, columns=first.columns, store=store, rows=first.rows[:1])
    return Arms(write_one, tasks, small, ShardReport.from_json, sum(len(task.rows) for task in tasks), "variants")
