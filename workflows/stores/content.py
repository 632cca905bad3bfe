"""The content of one shard: cells as they are, or variants of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from segprep.datasets.sample import Array, JsonDict, Sample
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.parts import ColumnParts, EncodedRows
from segprep.datasets.shards.rows import RowInfo, ShardRows
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.coding import encoded
from segprep.workflows.ledger.database import KnownSample
from segprep.workflows.running.inputs import read_train_ids
from segprep.workflows.stores.augment_request import AugmentRequest
from segprep.workflows.stores.variants import Derived, SampleVariants, load_sample

__all__ = ["ShardTask", "shard_rows"]


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to write.

    Attributes:
        workspace: Where the cells are.
        store: The store.
        columns: Its columns.
        index: Which shard.
        rows: Sample and number of the variant of each row; 0 is the sample as it is.
        augment: What variants are drawn from; None if there are none.
        derived: Columns of variants that are made anew.
    """

    workspace: Workspace
    store: StorePlan
    columns: tuple[Column, ...]
    index: int
    rows: tuple[tuple[KnownSample, int], ...]
    augment: AugmentRequest | None = None
    derived: tuple[Derived, ...] = ()


def shard_rows(task: ShardTask) -> tuple[ShardRows | EncodedRows, dict[str, int]]:
    """Return the rows of a shard, and column name to number of pixels that an augmentation made its code clip."""
    if task.augment is None:
        return _plain_rows(task), {}
    return _variant_rows(task, task.augment)


def _plain_rows(task: ShardTask) -> ShardRows:
    columns = {column.name: column for column in task.columns}
    specs = {spec.name: spec for spec in task.store.specs}
    samples = [sample for sample, _ in task.rows]

    def cells(name: str) -> Iterator[tuple[Array, Array | None]]:
        everywhere = np.ones(specs[name].shape[:2], np.bool_)
        for sample in samples:
            stored, valid = read_train_ids(task.workspace, sample, columns[name])
            yield stored, (everywhere if valid is None else valid) if specs[name].masked else None

    infos = [_row_info(sample, 0, {}, load_sample(task.workspace, sample, ())) for sample in samples]
    return ShardRows(infos, cells)


def _variant_rows(task: ShardTask, augment: AugmentRequest) -> tuple[EncodedRows, dict[str, int]]:
    columns = {spec.name: ColumnParts(spec, task.store.codec) for spec in task.store.specs}
    infos: list[RowInfo] = []
    clipped: dict[str, int] = {}
    # Rows of one sample are neighbours: its cells are decoded once.
    for _, group in groupby(task.rows, key=lambda row: row[0].record.key):
        rows = list(group)
        known = rows[0][0]
        variants = SampleVariants.of(task.workspace, known, task.columns, task.derived)
        for _, number in rows:
            drawn = augment.draw(known.record.key, number, variants.size)
            variant = variants.augmented(drawn)
            finished = encoded(variant, variants.columns)
            for name, pixels in finished.clipped.items():
                clipped[name] = clipped.get(name, 0) + pixels
            infos.append(_row_info(known, number, drawn.to_json(), variant))
            for name, parts in columns.items():
                parts.add(infos[-1], finished.sample.arrays[name], finished.sample.valid.get(name))
    return EncodedRows(infos, columns), clipped


def _row_info(known: KnownSample, number: int, augmentation: JsonDict, variant: Sample) -> RowInfo:
    width, height = known.cells["image"].facts["source_size"] if "image" in known.cells else (0, 0)
    motion = (variant.meta.get("neighbour") or {}).get("motion")
    return RowInfo(
        key=known.record.key,
        source_size=(width, height),
        source_paths=known.source_paths,
        variant=number,
        augmentation=augmentation,
        camera_K=None if variant.camera is None else variant.camera.K,
        pose=None if variant.pose is None else variant.pose.matrix,
        motion=None if motion is None else np.array(motion, np.float64),
        cells=known.fingerprints,
    )
