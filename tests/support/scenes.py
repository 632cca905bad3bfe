"""Small real stores for the trainer: images whose colours tell their classes."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import Code, DepthCode, IdCode, KittiFlowCode, MaskPlace, PlainCode, SmsnetFlowCode
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.rows import RowInfo, ShardRows, cells_of
from segprep.datasets.shards.writer import create_store, finish_store, write_shard

__all__ = ["CLASSES", "HEIGHT", "WIDTH", "_CLASSES_OF", "make_scenes", "write_store"]

HEIGHT, WIDTH = 20, 28

CLASSES = ClassMap(
    (
        SemanticClass("road", (128, 64, 128), (7,)),
        SemanticClass("car", (0, 0, 142), (26,)),
        SemanticClass("sky", (70, 130, 180), (23,)),
    ),
    ignored_raw_ids=(0,),
)

_CODES: dict[str, tuple[Kind, Code]] = {
    "image": (Kind.IMAGE, PlainCode()),
    "label": (Kind.LABEL, IdCode()),
    "motion_label": (Kind.LABEL, IdCode()),
    "flow": (Kind.CODED, SmsnetFlowCode(5.12)),
    "depth": (Kind.DEPTH, DepthCode(scale_m=0.01)),
    "thermal": (Kind.THERMAL, PlainCode()),
    "instance": (Kind.INSTANCE, IdCode(16)),
    "optical_flow": (Kind.FLOW, KittiFlowCode()),
}

_ATTRIBUTES = {"optical_flow": {"direction": "previous"}}

_CLASSES_OF = {"label": CLASSES.names, "motion_label": ("static", "moving")}

Columns = Mapping[str, Array]


def _scene(number: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[Array, Array]:
    """An image whose colours tell the classes through noise, and its train ids with an unlabelled corner."""
    rng = np.random.default_rng(number)
    label_HW = np.zeros((height, width), np.uint8)
    label_HW[: height // 3] = 2
    left, top = rng.integers(0, width // 2), height // 3 + rng.integers(0, height // 4)
    label_HW[top : top + height // 3, left : left + width // 3] = 1
    rgb_HWC = CLASSES.colors[label_HW] * 0.7 + rng.normal(40, 12, (height, width, 3))
    label_HW[-2:, -3:] = 255
    return rgb_HWC.clip(0, 255).astype(np.uint8), label_HW


def write_store(path: Path, columns: Columns, source_scale: int = 1, variants: tuple[int, ...] = ()) -> Path:
    """Write a store of (N, H, W[, C]) columns whose labels came from `labels/<key>.png`; frames of one drive.

    A mask is `<column>_valid`; without one, zeros are invalid where a code has room for that.
    """
    specs = []
    for name, values in columns.items():
        if name.endswith("_valid"):
            continue
        kind, code = _CODES[name]
        about = _ATTRIBUTES.get(name, {})
        spec = ArraySpec.of(name, kind, values.shape[1:], code, classes=_CLASSES_OF.get(name, ()), attributes=about)
        specs.append(dataclasses.replace(spec, dtype=str(values.dtype)))
    rows, height, width = columns["label"].shape
    infos = [
        RowInfo(
            SampleKey(f"s{i:03d}"),
            (width * source_scale, height * source_scale),
            {
                "label": f"labels/s{i:03d}.png",
                "image": f"images/s{i:03d}.png",
                **({"previous": f"images/s{i - 1:03d}.png"} if i else {}),
            },
            variant=variants[i] if variants else 0,
        )
        for i in range(rows)
    ]
    plan = StorePlan(path.stem, tuple(specs), rows, rows, "lz4", key_bytes=4, source_bytes=128)

    def cells(name: str) -> Iterator[tuple[Array, Array | None]]:
        match _CODES[name][1].mask:
            case MaskPlace.NONE:
                return cells_of(columns[name], None)
            case MaskPlace.IN_FILE:
                return cells_of(columns[name], columns.get(f"{name}_valid", columns[name] != 0))
        return cells_of(columns[name], np.ones((rows, height, width), np.uint8))

    create_store(path, plan)
    finish_store(path, plan, [write_shard(path, plan, 0, ShardRows(infos, cells))], CLASSES, {})
    return path


def make_scenes(numbers: range) -> dict[str, Array]:
    """Columns of so many scenes."""
    images, labels = zip(*(_scene(n) for n in numbers), strict=True)
    return {"image": np.stack(images), "label": np.stack(labels)}
