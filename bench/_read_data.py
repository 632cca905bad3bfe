"""What the benchmark of reading reads: samples of image, flow and label, as plain arrays, as our stores, and as PNGs.

The samples are rendered street frames with camera noise, each shifted sideways by other amounts and with noise of its
own, so that no two are equal. The noise (0.4 grey levels) is such that LZ4 and PNG keep of the images what they keep of
Cityscapes and CamVid at this size: 0.88 and 0.42 of the raw bytes. The flow is Farneback's on the noisy frames.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.codes import Code, IdCode, PlainCode, SmsnetFlowCode
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.rows import RowInfo, ShardRows, cells_of
from segprep.datasets.shards.writer import create_store, finish_store, write_shard
from segprep.datasets.synthetic import CLASSES, World, render
from segprep.flow.estimators.farneback import estimate

__all__ = ["COLUMNS", "Block", "Scale", "make_arrays", "plan_store", "rows_of", "write_pngs", "write_store"]

COLUMNS = ("image", "flow", "label")

_NOISE = 0.4
_STRIDE = 9  # frames between two rendered pairs
_CODES: Mapping[str, tuple[Kind, Code]] = {
    "image": (Kind.IMAGE, PlainCode()),
    "flow": (Kind.CODED, SmsnetFlowCode()),
    "label": (Kind.LABEL, IdCode()),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is read.

    Attributes:
        size: Width and height in pixels.
        frames: Rendered pairs.
        samples: Variants of them.
        per_shard: Samples per shard.
    """

    size: tuple[int, int]
    frames: int
    samples: int
    per_shard: int

    @property
    def raw_bytes(self) -> int:
        """Of one sample: two columns of three channels, one of one."""
        return self.size[0] * self.size[1] * 7


def make_arrays(folder: Path, scale: Scale) -> dict[str, Array]:
    """Render the samples into `folder`, (N, H, W[, C]) uint8 per column, or take those that are there; map them."""
    files = {name: folder / f"{name}.npy" for name in COLUMNS}
    if not all(file.exists() for file in files.values()):
        folder.mkdir(parents=True, exist_ok=True)
        width, height = scale.size
        shapes = {name: (scale.samples, height, width, 3)[: 3 + (name != "label")] for name in COLUMNS}
        arrays = {name: np.empty(shape, np.uint8) for name, shape in shapes.items()}
        frames = [_frame(number, width, height) for number in range(scale.frames)]
        for sample in range(scale.samples):
            frame, variant = sample % scale.frames, sample // scale.frames
            for name, values in frames[frame].items():
                shifted = np.roll(values, variant * width // 16, axis=1)
                arrays[name][sample] = _noisy(shifted, sample) if name == "image" else shifted
        for name, values in arrays.items():
            np.save(files[name], values)
    return {name: np.load(file, mmap_mode="r") for name, file in files.items()}


def _frame(number: int, width: int, height: int) -> dict[str, Array]:
    now, before = (render(World(), number * _STRIDE + step, width, height) for step in (1, 0))
    noisy = [_noisy(frame.rgb_HWC, 1000 + 2 * number + i) for i, frame in enumerate((now, before))]
    flow_HWC = SmsnetFlowCode().encode(estimate(noisy[0], noisy[1]), None).stored
    return {"image": now.rgb_HWC, "flow": flow_HWC, "label": CLASSES.to_train_ids(now.label_HW)}


def _noisy(rgb_HWC: Array, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(rgb_HWC.shape, np.float32) * np.float32(_NOISE)
    noisy_HWC: Array = np.clip(np.rint(rgb_HWC + noise), 0, 255).astype(np.uint8)
    return noisy_HWC


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The cells of a column that lie in one array, (n, H, W[, C])."""

    stored: Array

    def __iter__(self) -> Iterator[tuple[Array, Array | None]]:
        return cells_of(self.stored, None)


def plan_store(arrays: Mapping[str, Array], codec: str, per_shard: int) -> StorePlan:
    """Return the plan of our store of these columns."""
    specs = tuple(_spec(name, values) for name, values in arrays.items())
    rows = len(arrays["label"])
    return StorePlan("train", specs, rows, min(per_shard, rows), codec, key_bytes=13, source_bytes=2)


def rows_of(arrays: Mapping[str, Array], plan: StorePlan, shard: int) -> ShardRows:
    """Return the rows of a shard, as our writer takes them."""
    rows = plan.shard_rows(shard)
    infos = [RowInfo(SampleKey(f"sample_{row:06d}"), (9, 9), {}) for row in rows]
    return ShardRows(infos, lambda name: Block(arrays[name][rows.start : rows.stop]))


def write_store(path: Path, arrays: Mapping[str, Array], codec: str, per_shard: int) -> Path:
    """Write our store of these columns, unless it is there."""
    if path.exists():
        return path
    plan = plan_store(arrays, codec, per_shard)
    part = path.with_name(f"{path.name}.partial")
    create_store(part, plan)
    reports = [write_shard(part, plan, shard, rows_of(arrays, plan, shard)) for shard in range(plan.shards)]
    finish_store(part, plan, reports, CLASSES, {})
    return part.rename(path)


def write_pngs(folder: Path, arrays: Mapping[str, Array]) -> Path:
    """Write every sample of every column as a PNG of level 3, `<column>/<row>.png`, unless they are there."""
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.partial")
        for name, values in arrays.items():
            for row, stored in enumerate(values):
                picture = stored[..., ::-1] if stored.ndim == 3 else stored
                _, png = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])
                atomic_write_bytes(part / name / f"{row}.png", png.tobytes())
        part.rename(folder)
    return folder


def _spec(name: str, values: Array) -> ArraySpec:
    kind, code = _CODES[name]
    classes = CLASSES.names if kind is Kind.LABEL else ()
    return ArraySpec.of(name, kind, values.shape[1:], code, masked=False, classes=classes)
