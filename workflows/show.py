"""`prep show`: every column of a sample in one picture, so that a person sees whether it is right."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.columns import Column, decode_cell, read_cell
from segprep.datasets.errors import ConflictError, SegprepError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask, SampleKey
from segprep.datasets.workspace import Workspace
from segprep.flow.colors import flow_to_rgb, wheel_legend
from segprep.prep.motion_labels import MOTION_CLASSES
from segprep.workflows.ledger import CellState, Ledger

__all__ = ["draw_sample"]

_TILE_WIDTH = 480
_CAPTION = 22
_GAP = 10
_INVALID = (255, 0, 255)
_FAR_PERCENTILE = 98.0

Picture = npt.NDArray[np.uint8]


def draw_sample(workspace: Workspace, ledger: Ledger, key: SampleKey) -> Picture:
    """Draw all columns of a sample, (H, W, 3) uint8 RGB: a tile each, with its range or legend in the caption.

    Pixels that are invalid in their column are magenta.

    Raises:
        ConflictError: If the sample has no column yet.
    """
    sample = ledger.sample(key)
    tiles: list[tuple[str, Picture]] = []
    notes: list[str] = []
    for name, row in ledger.columns().items():
        cell = sample.cells.get(name)
        if cell is None or cell.state is not CellState.DONE:
            notes.append(f"{name}: {'not made' if cell is None else f'{cell.state}: {cell.reason}'}")
            continue
        try:
            tiles.append(_tile(workspace, sample.record.split, row.column, key))
        except SegprepError as error:
            notes.append(f"{name}: {error}")
    if not tiles:
        raise ConflictError(f"sample {key} has no column to show: run `prep resize` first")
    order = {"image": 0, "previous": 1, "next": 1, "label": 2}
    tiles.sort(key=lambda t: (order.get(t[0].split(" ")[0].rstrip(":"), 3), t[0]))
    return _compose(f"{key}  (split {sample.record.split})", tiles, notes, workspace)


def _tile(workspace: Workspace, split: str, column: Column, key: SampleKey) -> tuple[str, Picture]:
    if column.kind is Kind.CAMERA:
        return _camera_tile(workspace, split, column, key)
    if column.kind is Kind.CODED:
        stored, valid = read_cell(workspace, split, column, key)
        shown = stored[..., ::-1] if isinstance(column.code, SmsnetFlowCode) else stored  # as the file's RGB
        about = ", ".join(f"{k} {v}" for k, v in column.attributes)
        return f"{column.name}: as in its file ({about}){_share(valid)}", _marked(shown, valid)
    cell = decode_cell(workspace, split, column, key)
    if isinstance(cell.values, dict):
        raise ConflictError(f"column {column.name} holds no picture")
    return _draw(column, cell.values, cell.valid, workspace)


def _draw(column: Column, values: Array, valid: Mask | None, workspace: Workspace) -> tuple[str, Picture]:
    name = column.name
    match column.kind:
        case Kind.LABEL:
            if ("ids", "motion") in column.attributes:
                moving, static = (float(np.mean(values == i)) for i in (1, 0))
                return f"{name}: {moving:.1%} moving, {static:.1%} static", MOTION_CLASSES.colored(values)
            if column.holds_raw_ids:
                values = workspace.config.class_map.train_ids_of(values)
            ignored = float(np.mean(values == 255))
            return f"{name}: {ignored:.1%} ignored (black)", workspace.config.class_map.colored(values)
        case Kind.INSTANCE:
            return f"{name}: {np.count_nonzero(np.unique(values))} instances", _instance_colors(values)
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


def _scalar_tile(name: str, values: Array, valid: Mask | None) -> tuple[str, Picture]:
    import cv2

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


def _camera_tile(workspace: Workspace, split: str, column: Column, key: SampleKey) -> tuple[str, Picture]:
    from segprep.datasets.columns import read_record_cell

    data = read_record_cell(workspace.cell_path(split, column.name, key, column.extension))
    lines = [f"{data['width']}x{data['height']}", "K"] + ["  ".join(f"{v:9.3f}" for v in row) for row in data["K"]]
    near = data["neighbour"]
    if near is not None:
        lines += ["", f"{near['direction']} frame: {near['time_difference']:+.4f} s"]
        if near["motion"] is not None:
            lines += ["motion of points to it [R | t]"] + [
                "  ".join(f"{v:9.4f}" for v in row) for row in near["motion"][:3]
            ]
    canvas = Image.new("RGB", (_TILE_WIDTH, 20 * len(lines) + 16), (245, 245, 245))
    ImageDraw.Draw(canvas).multiline_text((10, 8), "\n".join(lines), fill=(20, 20, 20), font=_font(14), spacing=4)
    return column.name, np.asarray(canvas)


def _compose(title: str, tiles: list[tuple[str, Picture]], notes: list[str], workspace: Workspace) -> Picture:
    columns = min(3, len(tiles))
    scaled = [(caption, _scaled(picture)) for caption, picture in tiles]
    rows = [scaled[i : i + columns] for i in range(0, len(scaled), columns)]
    heights = [max(p.height for _, p in row) + _CAPTION + _GAP for row in rows]
    legend = _legend(workspace)
    width = columns * (_TILE_WIDTH + _GAP) + _GAP
    lines = _wrap_legend(legend, width)
    bottom = 24 * len(lines) + 20 * len(notes) + 2 * _GAP
    canvas = Image.new("RGB", (width, 36 + sum(heights) + bottom), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    draw.text((_GAP, 8), title, fill=(0, 0, 0), font=_font(18))
    y = 36
    for row, height in zip(rows, heights, strict=True):
        for i, (caption, picture) in enumerate(row):
            x = _GAP + i * (_TILE_WIDTH + _GAP)
            draw.text((x, y + 3), caption, fill=(0, 0, 0), font=_font(13))
            canvas.paste(picture, (x, y + _CAPTION))
        y += height
    for line in lines:
        for x, (name, color) in line:
            draw.rectangle((x, y + 4, x + 14, y + 18), fill=color, outline=(90, 90, 90))
            draw.text((x + 20, y + 3), name, fill=(0, 0, 0), font=_font(13))
        y += 24
    for note in notes:
        draw.text((_GAP, y + 2), note, fill=(160, 0, 0), font=_font(13))
        y += 20
    return np.asarray(canvas)


def _legend(workspace: Workspace) -> list[tuple[str, tuple[int, int, int]]]:
    classes = [(c.name, c.color) for c in workspace.config.class_map.classes]
    return [*classes, ("ignored", (0, 0, 0)), ("invalid", _INVALID)]


def _wrap_legend(
    legend: list[tuple[str, tuple[int, int, int]]], width: int
) -> list[list[tuple[int, tuple[str, tuple[int, int, int]]]]]:
    lines: list[list[tuple[int, tuple[str, tuple[int, int, int]]]]] = [[]]
    x = _GAP
    for entry in legend:
        needed = 34 + round(_font(13).getlength(entry[0]))
        if x + needed > width and lines[-1]:
            lines.append([])
            x = _GAP
        lines[-1].append((x, entry))
        x += needed
    return lines


def _scaled(picture: Picture) -> Image.Image:
    height = max(1, round(picture.shape[0] * _TILE_WIDTH / picture.shape[1]))
    method = Image.Resampling.NEAREST if picture.shape[1] < _TILE_WIDTH else Image.Resampling.BOX
    return Image.fromarray(np.ascontiguousarray(picture)).resize((_TILE_WIDTH, height), method)


def _with_legend(picture: Picture) -> Picture:
    size = min(picture.shape[0], picture.shape[1]) // 4
    if size >= 16:
        picture = picture.copy()
        picture[-size:, -size:] = wheel_legend(size)
    return picture


def _marked(picture: Array, valid: Mask | None) -> Picture:
    shown: Picture = picture.astype(np.uint8)
    if valid is not None:
        shown = np.where(valid[..., None], shown, np.array(_INVALID, np.uint8))
    return shown


def _to_8_bit(values: Array) -> Picture:
    eight: Picture = (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values.astype(np.uint8)
    return eight


def _instance_colors(ids: Array) -> Picture:
    hashed = ids.astype(np.uint32) * np.uint32(2654435761)
    channels = [(hashed >> np.uint32(shift)) & np.uint32(0xFF) for shift in (8, 16, 24)]
    colors: Picture = np.stack(channels, axis=2).astype(np.uint8) // 2 + 96
    colors[ids == 0] = 0
    return colors


def _share(valid: Mask | None) -> str:
    return "" if valid is None else f", {float(np.mean(valid)):.1%} valid"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
