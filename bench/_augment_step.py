"""Whole shards of variants against their floor, per variant, and where the difference goes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from _augment_floor import FloorTask, floor, floor_arrays, floor_task
from _augment_tasks import COLUMNS, store_path, write_one
from _measure import timed
from _step_figures import Seconds, clocked, difference_table, ratio_text

from segprep.datasets.sample import Array, Sample, SampleKey
from segprep.datasets.shards.chunks import decode_chunk, split_shard
from segprep.datasets.shards.statistics import ValueStatistics, id_counts
from segprep.datasets.workspace.cells import Column
from segprep.flow.consistency import lands_inside
from segprep.prep.augment.coding import encoded
from segprep.workflows.stores.content import ShardTask
from segprep.workflows.stores.variants import SampleVariants

__all__ = ["step_report"]

_AGREE = 0.99  # of the numbers of floor and step; the others differ in the last bit, or are where weights are equal


def step_report(tasks: Sequence[ShardTask], rounds: int) -> str:
    """Measure step and floor in turn, shard by shard; return figures and table per variant."""
    floors, steps = list[Seconds](), list[Seconds]()
    parts: dict[str, list[float]] = {}
    write_one(tasks[0])
    contents = [floor_task(task, tasks[0]) for task in tasks]
    floor(contents[0])
    _compare(tasks[0], contents[0])
    names = _parts(tasks[0])
    count = len(tasks[0].rows)
    for number in range(rounds):
        for task, content in zip(tasks, contents, strict=True):
            if number % 2:
                floors.append(clocked(partial(floor, content), count))
            steps.append(clocked(partial(write_one, task), count))
            if not number % 2:
                floors.append(clocked(partial(floor, content), count))
            for name, (work, times) in names.items():
                parts.setdefault(name, []).append(timed(work)() * times)
    head = f"{len(tasks)} shards of {count} variants, each {rounds} times: "
    rest = "everything else: checks of files and values, counts of what is clipped, cameras, memory"
    return f"{head}{ratio_text(floors, steps)}\n\n{difference_table(floors, steps, parts, rest)}"


def _parts(task: ShardTask) -> dict[str, tuple[Callable[[], object], float]]:
    """Return what the step does and the floor does not: name to work, and how often that is done per variant."""
    if task.augment is None:
        raise SystemExit("the shards must hold variants")
    known, number = task.rows[0]
    key = SampleKey(known.record.key)
    variants = SampleVariants.of(task.workspace, known, task.columns, task.derived)
    drawn = task.augment.draw(key, number, variants.size)
    variant = variants.augmented(drawn)
    stored = encoded(variant, variants.columns).sample
    layouts, folder = task.store.arrays(), store_path(task)
    written = [(folder / layout.file(task.index)).read_bytes() for layout in layouts.values()]
    augment = task.augment
    return {
        "draw": (lambda: augment.draw(key, number, variants.size), 1),
        "vectors that leave the picture": (lambda: lands_inside(variant.arrays["optical_flow"]), 1),
        "statistics": (partial(_statistics, stored, variants.columns), 1),
        "SHA-256 of the files": (lambda: [hashlib.sha256(data).digest() for data in written], 1 / len(task.rows)),
    }


def _statistics(sample: Sample, columns: Mapping[str, Column]) -> None:
    for name in columns:
        if name == "label":
            id_counts(sample.arrays[name])
        else:
            mask = sample.valid.get(name)
            ValueStatistics.of(sample.arrays[name][None], None if mask is None else mask[None])


def _compare(task: ShardTask, content: FloorTask) -> None:
    """Refuse a floor whose variants are not those of the step."""
    layouts, folder, count = task.store.arrays(), store_path(task), len(task.rows)
    wanted: dict[str, list[Array]] = {}
    for name in (n for n in layouts if n.removesuffix("_valid") in COLUMNS):
        layout = layouts[name]
        chunks = split_shard((folder / layout.file(task.index)).read_bytes(), count, layout.rows_per_file)
        wanted[name] = [decode_chunk(chunk, layout.shape[1:], layout.dtype, layout.codec) for chunk in chunks]
    for row, arrays in enumerate(floor_arrays(content)):
        for name, array in arrays.items():
            agree = np.equal(array, wanted[name][row])
            if name.startswith("optical_flow"):
                agree = agree[wanted["optical_flow_valid"][row] > 0]
            if agree.size and agree.mean() < _AGREE:
                raise SystemExit(f"{name} of row {row}: only {agree.mean():.4f} of the floor is what the step makes")
