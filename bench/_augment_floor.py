"""The floor of `prep shard --augment`: a plain loop of the same OpenCV warps and encodings, to the same files.

Per shard and sample it decodes the five pictures and HHA's mask with OpenCV and takes values and masks apart into
planes, as anybody would who wants them interpolated between valid pixels only. Per variant it makes one `warpAffine` of
each plane and each weight (linear, after means over areas where the picture shrinks to less than half) and of labels
and the mask of the source's frame (nearest), the drawn changes of colours, the division by the weights, the turn of the
vectors, and the integers of the codes. Then come the chunks of the store with their checksums, and all its files,
written under another name, synced and renamed.

It draws nothing: maps, tables of tones and the rows' small arrays are made outside of every clock. It refuses nothing,
counts nothing that is clipped, keeps no statistics and digests no file; it follows no camera, and flow that leaves the
augmented picture stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from _augment_tasks import COLUMNS, store_path

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.color import tone_curve, vignette_gains
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, Matrix
from segprep.datasets.shards.chunks import encode_chunk, join_shard
from segprep.prep.augment.warp import GridWarp
from segprep.workflows.stores.content import ShardTask

__all__ = ["FloorTask", "floor", "floor_arrays", "floor_task"]

_MASKED: Final = ("optical_flow", "depth", "hha")
_LEAST: Final = 1e-5  # of a sum of weights
_FAR: Final = 65535


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """One variant in the terms of OpenCV."""

    back_23: Matrix
    to_smaller_23: Matrix
    smaller: tuple[int, int]
    size: tuple[int, int]
    linear_22: Matrix
    leaves: bool  # the frame of the source
    gains: tuple[Array, Array] | None
    tones: Array | None


@dataclass(frozen=True, slots=True, eq=False)
class FloorTask:
    """A shard for the floor.

    Attributes:
        samples: Column name to file of each sample, with HHA's mask, and its variants.
        train_ids: Train id by id of the label files.
        hha: Per channel, what HHA's codes are multiplied by, and what is then added.
        files: Array name to path.
        rows: Path to content, of the arrays with one small value per row.
    """

    samples: Sequence[tuple[Mapping[str, Path], Sequence[_Drawn]]]
    train_ids: Array
    hha: tuple[tuple[float, ...], tuple[float, ...]]
    files: Mapping[str, Path]
    rows: Mapping[Path, bytes]


def floor_task(task: ShardTask, written: ShardTask) -> FloorTask:
    """Return a shard in the terms of the floor, which writes the rows' small arrays of one that has its files."""
    columns = {column.name: column for column in task.columns}
    workspace, split, augment = task.workspace, task.store.split, task.augment
    if augment is None or columns["hha"].code is None:
        raise SystemExit("the floor makes variants of HHA")
    samples = []
    for known in dict.fromkeys(sample.record.key for sample, _ in task.rows):
        paths = {n: workspace.cell_path(split, n, known, c.extension) for n, c in columns.items()}
        paths["hha_valid"] = workspace.mask_path(split, "hha", known)
        numbers = [number for sample, number in task.rows if sample.record.key == known]
        size = _decode(paths["label"]).shape[1::-1]
        samples.append((paths, [_drawn(augment.draw(known, number, size)) for number in numbers]))
    layouts, folder = task.store.arrays(), store_path(task)
    to = {name: folder.with_name("floor") / layout.file(task.index) for name, layout in layouts.items()}
    train_ids = np.arange(256, dtype=np.uint8)
    if columns["label"].holds_raw_ids:
        ids = np.unique([_decode(paths["label"]) for paths, _ in samples])
        train_ids[ids] = workspace.config.class_map.train_ids_of(ids[None])[0]
    return FloorTask(
        samples,
        train_ids,
        (columns["hha"].code.scale, columns["hha"].code.offset),
        to,
        {
            to[name]: (folder / layouts[name].file(written.index)).read_bytes()
            for name, layout in layouts.items()
            if not layout.sharded
        },
    )


def _drawn(augmentation: Augmentation) -> _Drawn:
    warp = GridWarp(augmentation.affine(), augmentation.source, augmentation.output)
    toned = (augmentation.contrast, augmentation.brightness, augmentation.gamma) != (1, 0, 1)
    tones = np.rint(255 * tone_curve(augmentation, np.arange(256) / 255)).astype(np.uint8)
    return _Drawn(
        warp._back_23,
        warp._back_to_smaller_23,
        warp._smaller,
        warp.size,
        warp.A[:2, :2],
        warp.covered_HW is not None,
        vignette_gains(augmentation),
        tones if toned else None,
    )


def floor(task: FloorTask) -> None:
    """Make all variants of a shard and write them."""
    chunks: dict[str, list[bytes]] = {}
    for arrays in floor_arrays(task):
        for name, array in arrays.items():
            chunks.setdefault(name, []).append(encode_chunk(array, "lz4"))
    for name, encoded in chunks.items():
        atomic_write_bytes(task.files[name], b"".join(join_shard(encoded, len(encoded))))
    for path, content in task.rows.items():
        atomic_write_bytes(path, content)


def floor_arrays(task: FloorTask) -> Iterator[dict[str, Array]]:
    """Yield the stored integers of each variant, by the arrays' names."""
    for paths, variants in task.samples:
        sample = _Planes.of(paths, task)
        for drawn in variants:
            yield sample.variant(drawn)


@dataclass(frozen=True, slots=True, eq=False)
class _Planes:
    """One sample, decoded: planes of values with 0 where there is none, and their weights."""

    image_HWC: Array
    label_HW: Array
    flow: Sequence[Array]
    flow_weight_HW: Array
    depth_HW: Array
    near_HW: Array
    far_HW: Array
    hha: Sequence[Array]
    hha_weight_HW: Array
    hha_scale: tuple[float, ...]
    hha_offset: tuple[float, ...]

    @classmethod
    def of(cls, paths: Mapping[str, Path], task: FloorTask) -> "_Planes":
        image_HWC, label_HW, flow_HW3, depth_HW, hha_HW3 = (_decode(paths[name]) for name in COLUMNS)
        marks_HW, v_HW, u_HW = cv2.split(flow_HW3)
        seen_HW = _decode(paths["hha_valid"])
        near_HW = ((depth_HW > 0) & (depth_HW < _FAR)).astype(np.uint8)
        scale, offset = task.hha
        hha = [
            plane.astype(np.float32) * np.float32(s) + np.float32(o)
            for plane, s, o in zip(cv2.split(hha_HW3)[::-1], scale, offset, strict=True)
        ]
        return cls(
            cv2.cvtColor(image_HWC, cv2.COLOR_BGR2RGB),
            cv2.LUT(label_HW, task.train_ids),
            [cv2.copyTo((p.astype(np.float32) - 32768) / 64, _bytes(marks_HW > 0)) for p in (u_HW, v_HW)],
            (marks_HW > 0).astype(np.float32),
            cv2.copyTo(depth_HW.astype(np.float32) / 256, near_HW),
            near_HW.astype(np.float32),
            (depth_HW == _FAR).astype(np.float32),
            [cv2.copyTo(plane, seen_HW) for plane in hha],
            (seen_HW > 0).astype(np.float32),
            scale,
            offset,
        )

    def variant(self, drawn: _Drawn) -> dict[str, Array]:
        frame_HW = np.ones(drawn.size[::-1], np.bool_)
        if drawn.leaves:
            frame_HW = _nearest(np.ones_like(self.label_HW), drawn, 0).view(np.bool_)
        flow_HW2, flow_valid_HW = self._flow(drawn, frame_HW)
        depth_HW, depth_valid_HW = self._depth(drawn, frame_HW)
        hha_HW3, hha_valid_HW = self._hha(drawn, frame_HW)
        return {
            "image": cv2.copyTo(_recolored(_linear(self.image_HWC, drawn), drawn), _bytes(frame_HW)),
            "label": _nearest(self.label_HW, drawn, IGNORE_ID),
            "optical_flow": flow_HW2,
            "optical_flow_valid": _bytes(flow_valid_HW),
            "depth": depth_HW,
            "depth_valid": _bytes(depth_valid_HW),
            "hha": hha_HW3,
            "hha_valid": _bytes(hha_valid_HW),
        }

    def _flow(self, drawn: _Drawn, frame_HW: Array) -> tuple[Array, Array]:
        weight_HW = _linear(self.flow_weight_HW, drawn)
        valid_HW = frame_HW & (weight_HW >= 0.5)
        divisor_HW = np.maximum(weight_HW, _LEAST)
        u_HW, v_HW = (_linear(plane, drawn) / divisor_HW for plane in self.flow)
        codes = []
        for a, b in drawn.linear_22:
            plane_HW = cv2.addWeighted(u_HW, a, v_HW, b, 0)
            codes_HW = np.clip(np.rint(plane_HW * 64) + 32768, 0, 65535).astype(np.uint16)
            codes_HW[~valid_HW] = 32768
            codes.append(codes_HW)
        return cv2.merge(codes), valid_HW

    def _depth(self, drawn: _Drawn, frame_HW: Array) -> tuple[Array, Array]:
        near_HW, far_HW = _linear(self.near_HW, drawn), _linear(self.far_HW, drawn)
        valid_HW = frame_HW & (near_HW + far_HW >= 0.5)
        metres_HW = _linear(self.depth_HW, drawn) / np.maximum(near_HW, _LEAST)
        codes_HW = np.clip(np.rint(metres_HW * 256), 1, _FAR - 1).astype(np.uint16)
        codes_HW[far_HW >= near_HW] = _FAR
        return cv2.copyTo(codes_HW, _bytes(valid_HW)), valid_HW

    def _hha(self, drawn: _Drawn, frame_HW: Array) -> tuple[Array, Array]:
        weight_HW = _linear(self.hha_weight_HW, drawn)
        valid_HW = frame_HW & (weight_HW >= 0.5)
        divisor_HW = np.maximum(weight_HW, _LEAST)
        codes = []
        for plane_HW, scale, offset in zip(self.hha, self.hha_scale, self.hha_offset, strict=True):
            values_HW = _linear(plane_HW, drawn) / divisor_HW
            codes.append(np.clip(np.rint((values_HW - offset) / scale), 0, 255).astype(np.uint8))
        return cv2.copyTo(cv2.merge(codes), _bytes(valid_HW)), valid_HW


def _linear(array: Array, drawn: _Drawn) -> Array:
    if drawn.smaller != array.shape[1::-1]:
        array = cv2.resize(array, drawn.smaller, interpolation=cv2.INTER_AREA)
    return cv2.warpAffine(
        array,
        drawn.to_smaller_23,
        drawn.size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _nearest(array: Array, drawn: _Drawn, fill: int) -> Array:
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(array, drawn.back_23, drawn.size, flags=flags, borderValue=fill)


def _recolored(image_HWC: Array, drawn: _Drawn) -> Array:
    if drawn.gains is not None:
        gain_HW = np.outer(*drawn.gains)
        image_HWC = cv2.merge([cv2.multiply(plane, gain_HW, dtype=cv2.CV_8U) for plane in cv2.split(image_HWC)])
    return image_HWC if drawn.tones is None else cv2.LUT(image_HWC, drawn.tones)


def _bytes(mask_HW: Array) -> Array:
    return mask_HW.view(np.uint8)


def _decode(path: Path) -> Array:
    picture: Array | None = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SystemExit(f"{path} cannot be decoded")
    return picture
