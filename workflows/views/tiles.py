"""A tile per column: its values as a picture with a caption, whatever they were read from."""

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.errors import ConflictError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask
from segprep.datasets.workspace.cells import Column
from segprep.flow.colors import flow_to_rgb, wheel_legend
from segprep.prep.motion.labels import MOTION_CLASSES

__all__ = ["INVALID_COLOR", "RgbPicture", "draw_column"]

RgbPicture = npt.NDArray[np.uint8]

INVALID_COLOR = (255, 0, 255)
"""Of pixels that are invalid in their column."""

_FAR_PERCENTILE = 98.0


def draw_column(column: Column, stored: Array, valid: Mask | None, class_map: ClassMap) -> tuple[str, RgbPicture]:
    """Return the caption and the picture, (H, W, 3) uint8 RGB, of a cell's stored numbers.

    Args:
        column: What they are.
        stored: (H, W) or (H, W, C) as `read_cell` and `ShardStore.read` give them.
        valid: (H, W) bool, or None.
        class_map: Of column `label`.
    """
    if column.code is None:
        raise ConflictError(f"column {column.name} holds no picture")
    if column.kind in (Kind.CODED, Kind.INDEX, Kind.NORMALS):
        shown = stored if stored.ndim == 3 else np.repeat(stored[..., None], 3, axis=2)
        if isinstance(column.code, SmsnetFlowCode):
            shown = shown[..., ::-1]  # as the file's RGB
        about = ", ".join(f"{k} {v}" for k, v in column.attributes)
        return f"{column.name}: as in its file{_share(valid)}; {about}", _marked(_to_8_bit(shown), valid)
    return _draw(column, *column.code.decode(stored, valid), class_map)


def _draw(column: Column, values: Array, valid: Mask | None, class_map: ClassMap) -> tuple[str, RgbPicture]:
    name = column.name
    match column.kind:
        case Kind.LABEL:
            if ("ids", "motion") in column.attributes:
                moving, static = (float(np.mean(values == i)) for i in (1, 0))
                return f"{name}: {moving:.1%} moving, {static:.1%} static", MOTION_CLASSES.colored(values)
            if column.holds_raw_ids:
                values = class_map.train_ids_of(values)
            ignored = float(np.mean(values == 255))
            return f"{name}: {ignored:.1%} ignored (black)", class_map.colored(values)
        case Kind.INSTANCE:
            return f"{name}: {np.count_nonzero(np.unique(values))} instances", _instance_colors(values)
        case Kind.MASK:
            return f"{name}: {float(np.mean(values > 0)):.1%} (white)", np.repeat(_mask_grey(values), 3, axis=2)
        case Kind.FLOW:
            known = np.ones(values.shape[:2], np.bool_) if valid is None else valid
            length = np.linalg.norm(values, axis=2)[known]
            largest = float(np.percentile(length, 99)) if length.size else 1.0
            picture = _with_legend(_marked(flow_to_rgb(values, known, max(largest, 1e-3)), valid))
            direction = dict(column.attributes).get("direction", "")
            return f"{name}: to {direction}, wheel = {largest:.1f} px{_share(valid)}", picture
        case Kind.DEPTH | Kind.DISPARITY:
            return _scalar_tile(name, values, valid)
        case _:
            picture = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
            return name, _marked(_to_8_bit(picture), valid)


def _scalar_tile(name: str, values: Array, valid: Mask | None) -> tuple[str, RgbPicture]:
    known = np.isfinite(values) if valid is None else valid & np.isfinite(values)
    if not known.any():
        return f"{name}: nothing valid", _marked(np.zeros((*values.shape, 3), np.uint8), valid)
    near, far = float(values[known].min()), float(np.percentile(values[known], _FAR_PERCENTILE))
    share = np.clip((np.where(np.isfinite(values), values, far) - near) / max(far - near, 1e-6), 0, 1)
    picture = cv2.applyColorMap(((1 - share) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1].copy()
    picture[np.isinf(values)] = 255
    return f"{name}: {near:.1f} m (red) to {far:.1f} m (blue), white = infinitely far{_share(valid)}", _marked(
        picture, valid
    )


def _with_legend(picture: RgbPicture) -> RgbPicture:
    size = min(picture.shape[0], picture.shape[1]) // 4
    if size >= 16:
        picture = picture.copy()
        picture[-size:, -size:] = wheel_legend(size)
    return picture


def _marked(picture: Array, valid: Mask | None) -> RgbPicture:
    shown: RgbPicture = picture.astype(np.uint8)
    if valid is not None:
        shown = np.where(valid[..., None], shown, np.array(INVALID_COLOR, np.uint8))
    return shown


def _to_8_bit(values: Array) -> RgbPicture:
    eight: RgbPicture = (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values.astype(np.uint8)
    return eight


def _mask_grey(values: Array) -> RgbPicture:
    grey: RgbPicture = (values[..., None] > 0).astype(np.uint8) * np.uint8(255)
    return grey


def _instance_colors(ids: Array) -> RgbPicture:
    hashed = ids.astype(np.uint32) * np.uint32(2654435761)
    channels = [(hashed >> np.uint32(shift)) & np.uint32(0xFF) for shift in (8, 16, 24)]
    colors: RgbPicture = np.stack(channels, axis=2).astype(np.uint8) // 2 + 96
    colors[ids == 0] = 0
    return colors


def _share(valid: Mask | None) -> str:
    return "" if valid is None else f", {float(np.mean(valid)):.1%} valid"
