"""The side-by-side picture: image, label, prediction, errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from segprep.datasets.classes import ClassMap
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore

__all__ = ["PanelRow", "draw_panel", "error_picture", "stored_picture"]

_TITLES = ("image", "label", "prediction", "errors")
_WIDTH = 360
_MARGIN = 12
_LINE = 26
_SWATCH = 18
_FONT_SIZE = 16
_WRONG, _RIGHT, _IGNORED = (214, 39, 40), (225, 235, 225), (90, 90, 90)
_INK, _PAPER = (20, 20, 20), (255, 255, 255)

_Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PanelRow:
    """One sample of the panel.

    Attributes:
        title: Shown above the row.
        image_HWC: uint8 RGB, of any size with the label's proportions.
        label_HW: uint8 train ids.
        prediction_HW: uint8 train ids of the label's size.
    """

    title: str
    image_HWC: Array
    label_HW: Array
    prediction_HW: Array


def error_picture(prediction_HW: Array, label_HW: Array) -> _Picture:
    """Return (H, W, 3) uint8 RGB: red where the prediction is wrong, pale where right, grey where ignored."""
    picture = np.empty((*label_HW.shape, 3), np.uint8)
    picture[...] = _RIGHT
    picture[prediction_HW != label_HW] = _WRONG
    picture[label_HW == IGNORE_ID] = _IGNORED
    return picture


def draw_panel(rows: Sequence[PanelRow], class_map: ClassMap) -> _Picture:
    """Draw the rows under each other with column titles and a legend of the classes; (H, W, 3) uint8 RGB."""
    height = max(1, round(_WIDTH * rows[0].label_HW.shape[0] / rows[0].label_HW.shape[1]))
    width = _MARGIN + len(_TITLES) * (_WIDTH + _MARGIN)
    font = ImageFont.load_default(_FONT_SIZE)
    legend = _legend(class_map, font, width)
    legend_top = _MARGIN + _LINE + len(rows) * (_LINE + height + _MARGIN)
    bottom = legend_top + _LINE * (1 + max(line for line, *_ in legend)) + _MARGIN
    sheet = Image.new("RGB", (width, bottom), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(_TITLES):
        draw.text((_MARGIN + column * (_WIDTH + _MARGIN), _MARGIN), title, _INK, font)
    for number, row in enumerate(rows):
        top = _MARGIN + _LINE + number * (_LINE + height + _MARGIN)
        draw.text((_MARGIN, top), row.title, _INK, font)
        label, prediction = class_map.colored(row.label_HW), class_map.colored(row.prediction_HW)
        pictures = (row.image_HWC, label, prediction, error_picture(row.prediction_HW, row.label_HW))
        for column, picture in enumerate(pictures):
            method = Image.Resampling.BILINEAR if column == 0 else Image.Resampling.NEAREST
            tile = Image.fromarray(picture).resize((_WIDTH, height), method)
            sheet.paste(tile, (_MARGIN + column * (_WIDTH + _MARGIN), top + _LINE))
    for line, x, name, color in legend:
        y = legend_top + line * _LINE
        draw.rectangle((x, y, x + _SWATCH, y + _SWATCH), fill=color, outline=_INK)
        draw.text((x + _SWATCH + 6, y), name, _INK, font)
    return np.asarray(sheet)


def stored_picture(store: ShardStore, column: str, index: int) -> Array:
    """Return (H, W, 3) uint8 to show of a sample: its image, else the first channel or all three of a column."""
    stored = store.read("image" if "image" in store.columns else column, index)
    if stored.ndim == 3 and stored.shape[2] == 3:
        return stored
    plane_HW = stored.reshape(*stored.shape[:2], -1)[..., 0]
    if plane_HW.dtype != np.uint8:
        plane_HW = (plane_HW / max(1, int(plane_HW.max())) * 255).astype(np.uint8)
    return np.stack([plane_HW] * 3, -1)


def _legend(
    class_map: ClassMap, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[tuple[int, int, str, tuple[int, int, int]]]:
    """Return (line, x, text, colour) of each entry, broken into lines of the sheet's width."""
    entries = [(c.name, c.color) for c in class_map.classes]
    entries += [("ignored label", (0, 0, 0)), ("wrong", _WRONG), ("right", _RIGHT), ("not counted", _IGNORED)]
    placed = []
    line, x = 0, _MARGIN
    for name, color in entries:
        size = _SWATCH + 6 + int(font.getlength(name)) + 18
        if x + size > width and x > _MARGIN:
            line, x = line + 1, _MARGIN
        placed.append((line, x, name, color))
        x += size
    return placed
