"""A tile of a column's stored numbers: each kind is drawn in one way, whatever the numbers were read from."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import Code, JetCode, SmsnetFlowCode
from segprep.datasets.codes.column import ColumnFacts
from segprep.datasets.drawing.tile import FAR_COLOR, NOT_LABELLED, ColorBar, RgbPicture, Swatch, Tile, Wheel
from segprep.datasets.drawing.wheel import flow_to_rgb
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.sample import Array, Mask

__all__ = ["DrawnColumn", "draw_column", "draw_labels"]

DrawnColumn = ColumnFacts[Code, Mapping[str, object]]

_FAR_PERCENTILE: Final = 98.0
_FULL_PERCENTILE: Final = 99.0
_UNITS: Final = {Kind.DEPTH: "m", Kind.DISPARITY: "px"}
_MOST_LISTED: Final = 4  # classes in a caption


def draw_column(column: DrawnColumn, stored: Array, valid: Mask | None) -> Tile:
    """Draw a sample's stored numbers.

    Args:
        column: What they are. Labels are drawn by `draw_labels`, cameras are no pictures.
        stored: (H, W) or (H, W, C).
        valid: (H, W) bool; None for valid everywhere.
    """
    if column.kind in (Kind.CODED, Kind.INDEX, Kind.NORMALS):
        return _coded(column, stored, valid)
    values, known = column.code.decode(stored, valid)
    name = column.name
    match column.kind:
        case Kind.INSTANCE:
            count = np.count_nonzero(np.unique(values))
            return Tile(f"{name}: {count} instances, each in a colour of its own; black = none", _instances(values))
        case Kind.MASK:
            picture = _grey((values > 0).astype(np.uint8) * np.uint8(255))
            return Tile(f"{name}: {float(np.mean(values > 0)):.1%} (white)", picture)
        case Kind.FLOW:
            return _flow(column, values, known)
        case Kind.DEPTH | Kind.DISPARITY:
            return _distance(name, values, known, _UNITS[column.kind])
        case _:
            return Tile(f"{name}{_share(known)}", _rgb(values), _hidden(known))


def draw_labels(name: str, train_HW: Array, class_map: ClassMap) -> Tile:
    """Draw train ids in the colours of their classes; what is ignored has no colour."""
    ignored_HW = train_HW == IGNORE_ID
    shares = [f"{float(np.mean(train_HW == i)):.1%} {name}" for i, name in enumerate(class_map.names)]
    listed = ", ".join(shares) + ", " if len(shares) <= _MOST_LISTED else ""
    legend = (*(Swatch(c.name, c.color) for c in class_map.classes), NOT_LABELLED)
    caption = f"{name}: {listed}{float(np.mean(ignored_HW)):.1%} ignored"
    return Tile(caption, class_map.colored(train_HW), ignored_HW, legend=legend, group=name)


def _coded(column: DrawnColumn, stored: Array, valid: Mask | None) -> Tile:
    """Draw what is coded for the eye, or as grey and colours, as its file shows it."""
    code, channels = column.code, column.code.channels
    shown = stored[..., ::-1] if isinstance(code, SmsnetFlowCode) else stored  # as the file's RGB
    about = ", ".join(f"{name} {value}" for name, value in column.attributes.items())
    unit = str(column.attributes.get("unit", ""))
    scale: ColorBar | None = None
    if isinstance(code, JetCode):
        scale = ColorBar(_ramp(cv2.COLORMAP_JET), _number(code.low, unit), _number(code.high, unit))
    elif stored.ndim == 2:
        ends = (code.offset[0], np.iinfo(code.dtype).max * code.scale[0] + code.offset[0])
        low, high = (_number(end, unit) for end in ends)
        scale = ColorBar(_grey(np.arange(256, dtype=np.uint8)[None])[0], low, high)
    elif isinstance(code, SmsnetFlowCode):
        about = f"blue u, green v, red length, {code.scale_per_px:g} grey levels per px; {about}"
    elif len(channels) == 3 and channels != ("red", "green", "blue"):
        about = f"red {channels[0]}, green {channels[1]}, blue {channels[2]}; {about}"
    caption = f"{column.name}: {about}".removesuffix("; ").removesuffix(": ")
    return Tile(f"{caption}{_share(valid)}", _rgb(shown), _hidden(valid), scale)


def _flow(column: DrawnColumn, uv_HW2: Array, valid: Mask | None) -> Tile:
    known = np.ones(uv_HW2.shape[:2], np.bool_) if valid is None else valid
    lengths = np.linalg.norm(uv_HW2, axis=2)[known]
    full = max(float(np.percentile(lengths, _FULL_PERCENTILE)), 1e-3) if lengths.size else 1.0
    direction = column.attributes.get("direction", "")
    to = f" to the {direction} frame" if direction else ""
    caption = f"{column.name}{to}{_share(valid)}"
    return Tile(caption, flow_to_rgb(uv_HW2, known, full), _hidden(valid), Wheel(f"{full:.3g} px"))


def _distance(name: str, values: Array, valid: Mask | None, unit: str) -> Tile:
    """Draw near as red and far as blue; the far end is a percentile of the finite values."""
    far_HW = np.isposinf(values)
    finite_HW = np.isfinite(values) if valid is None else valid & np.isfinite(values)
    picture = np.zeros((*values.shape, 3), np.uint8)
    scale = None
    if finite_HW.any():
        finite = values[finite_HW]
        low, high = float(finite.min()), float(np.percentile(finite, _FAR_PERCENTILE))
        near_is_high = unit != "m"
        share_HW = np.clip((np.where(finite_HW, values, low) - low) / max(high - low, 1e-6), 0, 1)
        places_HW = ((share_HW if near_is_high else 1 - share_HW) * 255).astype(np.uint8)
        ramp_N3 = _ramp(cv2.COLORMAP_TURBO)
        picture = ramp_N3[places_HW]
        beyond = (Swatch("infinitely far", FAR_COLOR),) if far_HW.any() else ()
        more = "" if finite.max() <= high else " and more"
        scale = ColorBar(ramp_N3[:: 1 if near_is_high else -1], _number(low, unit), _number(high, unit) + more, beyond)
    picture[far_HW] = FAR_COLOR
    nothing = "" if finite_HW.any() else ": nothing finite is valid"
    return Tile(f"{name}{nothing}{_share(valid)}", picture, _hidden(valid), scale)


def _number(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".rstrip()


def _ramp(colormap: int) -> RgbPicture:
    """Return the (256, 3) colours of one of OpenCV's maps."""
    ramp_N13 = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], colormap)
    return ramp_N13[:, 0, ::-1].astype(np.uint8)


def _rgb(values: Array) -> RgbPicture:
    """Return 8 bits of three channels."""
    eight = (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values.astype(np.uint8)
    if eight.ndim == 2:
        return _grey(eight)
    return eight if eight.shape[2] == 3 else _grey(eight[..., 0])


def _grey(plane_HW: Array) -> RgbPicture:
    return np.repeat(plane_HW[..., None], 3, axis=2)


def _instances(ids: Array) -> RgbPicture:
    hashed = ids.astype(np.uint32) * np.uint32(2654435761)
    channels = [(hashed >> np.uint32(shift)) & np.uint32(0xFF) for shift in (8, 16, 24)]
    colors: RgbPicture = np.stack(channels, axis=2).astype(np.uint8) // 2 + 96
    colors[ids == 0] = 0
    return colors


def _hidden(valid: Mask | None) -> Mask | None:
    return None if valid is None else ~valid


def _share(valid: Mask | None) -> str:
    return "" if valid is None else f", {float(np.mean(valid)):.1%} valid"
