"""A small store with every kind of column: 7 samples in shards of 3, so that the last shard is short."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.metadata import ROOT_FILE, root_file
from segprep.datasets.shards.root import read_root
from segprep.datasets.shards.rows import RowInfo, ShardRows, cells_of
from segprep.datasets.shards.statistics import ValueStatistics
from segprep.datasets.shards.writer import ShardReport, create_store, finish_store, write_shard

__all__ = ["CLASS_MAP", "SPECS", "blocks", "forget_far", "infos", "make_plan", "shard_rows", "write_store"]

ROWS, HEIGHT, WIDTH = 7, 12, 20


def _spec(name: str, kind: Kind, dtype: str, channels: str = "", masked: bool = False) -> ArraySpec:
    shape = (HEIGHT, WIDTH, len(channels)) if channels else (HEIGHT, WIDTH)
    names = tuple(channels) or (name,)
    code = {"name": f"{name}-code", "scale": 0.5}
    classes = ("road", "car", "tree") if kind is Kind.LABEL else ()
    scale, offset = (0.5,) * len(names), (-1.0,) * len(names)
    return ArraySpec(
        name,
        kind,
        code,
        shape=shape,
        dtype=dtype,
        channels=names,
        code_scale=scale,
        code_offset=offset,
        masked=masked,
        classes=classes,
        attributes={"source": f"of {name}"},
    )


SPECS = (
    _spec("image", Kind.IMAGE, "uint8", "rgb"),
    _spec("label", Kind.LABEL, "uint8"),
    _spec("instance", Kind.INSTANCE, "uint16"),
    _spec("nir", Kind.NIR, "uint8"),
    _spec("thermal", Kind.THERMAL, "uint16"),
    _spec("depth", Kind.DEPTH, "uint16", masked=True),
    _spec("disparity", Kind.DISPARITY, "uint16", masked=True),
    _spec("optical_flow", Kind.FLOW, "int16", "uv", masked=True),
    _spec("normals", Kind.NORMALS, "uint8", "xyz", masked=True),
    _spec("evi", Kind.INDEX, "uint16", masked=True),
    _spec("flow", Kind.CODED, "uint8", "muv", masked=True),
)

CLASS_MAP = ClassMap(
    tuple(SemanticClass(name, (i, i, i), (i + 7,)) for i, name in enumerate(("road", "car", "tree"))), (0,)
)


@functools.cache
def infos() -> list[RowInfo]:
    """Rows 1 and 2 are one sample and its augmentation; row 3 knows nothing of its camera."""
    rng = np.random.default_rng(1)
    names = [*(spec.name for spec in SPECS), "camera"]
    rows = []
    for i in range(ROWS):
        key = SampleKey("aachen_%C3%A9_1" if i in (1, 2) else f"aachen_{i}")
        known = i != 3
        rows.append(
            RowInfo(
                key,
                (2048 + i, 1024),
                {"image": f"leftImg8bit/é{i}.png", "label": f"gtFine/{i}.png"},
                variant=int(i == 2),
                augmentation={"angle": 0.1} if i == 2 else {},
                camera_K=rng.normal(size=(3, 3)) if known else None,
                pose=rng.normal(size=(4, 4)) if known else None,
                motion=rng.normal(size=(4, 4)) if known else None,
                cells={name: f"{i:02x}{n:02x}" * 16 for n, name in enumerate(names if known else names[:-1], 1)},
            )
        )
    return rows


@functools.cache
def blocks() -> dict[str, Array]:
    """Stored values of all rows by array name. Row 4 is zero everywhere; labels of row 5 are all ignored."""
    rng = np.random.default_rng(0)
    made: dict[str, Array] = {}
    for spec in SPECS:
        low, high = np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max + 1
        values = rng.integers(low, high, (ROWS, *spec.shape)).astype(spec.dtype)
        if spec.kind is Kind.LABEL:
            values = rng.choice(np.array([0, 1, 2, 255], np.uint8), (ROWS, *spec.shape))
            values[0][values[0] == 1] = 2
            values[5] = 255
        values[4] = 0
        made[spec.name] = values
        if spec.masked:
            valid = rng.random((ROWS, HEIGHT, WIDTH)) < 0.7
            valid[4], valid[6] = False, True
            made[f"{spec.name}_valid"] = valid
    return made


def make_plan(codec: str, *, traced: bool = False) -> StorePlan:
    """Return the plan of the whole store: shards of 3."""
    sizes = {"key_bytes": 15, "source_bytes": 80, "augmentation_bytes": 20}
    return StorePlan("train", SPECS, ROWS, 3, codec, **sizes, traced=traced)


def shard_rows(plan: StorePlan, index: int) -> ShardRows:
    """Return what a shard of the plan holds."""
    rows = plan.shard_rows(index)
    part = slice(rows.start, rows.stop)

    def cells(name: str) -> Iterator[tuple[Array, Array | None]]:
        valid = blocks().get(f"{name}_valid")
        return cells_of(blocks()[name][part], None if valid is None else valid[part])

    return ShardRows(infos()[part], cells)


def write_store(path: Path, plan: StorePlan) -> Path:
    """Write a whole store, its shards last to first and their reports through JSON."""
    create_store(path, plan)
    shards = reversed(range(plan.shards))
    reports = [write_shard(path, plan, i, shard_rows(plan, i)).to_json() for i in shards]
    finish_store(path, plan, map(ShardReport.from_json, reports), CLASS_MAP, {"seed": 7, "by": {10: "b", 9: "a"}})
    return path


def forget_far(path: Path) -> None:
    """Make a store one of an earlier version, which did not count what is infinitely far."""
    root = read_root(path)
    statistics = {
        name: dataclasses.replace(each, far=None) if isinstance(each, ValueStatistics) else each
        for name, each in root.statistics.items()
    }
    (path / ROOT_FILE).write_bytes(
        root_file(root.plan, dataclasses.replace(root, statistics=statistics).to_attributes())
    )
