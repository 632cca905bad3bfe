"""Tiles with captions, a legend and notes, in one picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segprep.datasets.classes import ClassMap
from segprep.workflows.views.tiles import INVALID_COLOR, RgbPicture

__all__ = ["TILE_WIDTH", "compose", "text_tile"]

TILE_WIDTH = 480
"""Of every tile in a picture, in pixels."""

_CAPTION = 22
_GAP = 10


def compose(
    title: str,
    tiles: Sequence[tuple[str, RgbPicture]],
    notes: Sequence[str],
    class_map: ClassMap,
    *,
    columns: int = 3,
    tile_width: int = TILE_WIDTH,
    note_color: tuple[int, int, int] = (160, 0, 0),
) -> RgbPicture:
    """Return (H, W, 3) uint8 RGB: captioned tiles in rows, the legend of the classes, and notes below."""
    columns = min(columns, len(tiles))
    scaled = [(caption, _scaled(picture, tile_width)) for caption, picture in tiles]
    rows = [scaled[i : i + columns] for i in range(0, len(scaled), columns)]
    heights = [max(p.height for _, p in row) + _CAPTION + _GAP for row in rows]
    legend = _legend(class_map)
    width = columns * (tile_width + _GAP) + _GAP
    lines = _wrap_legend(legend, width)
    bottom = 24 * len(lines) + 20 * len(notes) + 2 * _GAP
    canvas = Image.new("RGB", (width, 36 + sum(heights) + bottom), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    draw.text((_GAP, 8), title, fill=(0, 0, 0), font=_font(18))
    y = 36
    for row, height in zip(rows, heights, strict=True):
        for i, (caption, picture) in enumerate(row):
            x = _GAP + i * (tile_width + _GAP)
            draw.text((x, y + 3), _shortened(caption, tile_width), fill=(0, 0, 0), font=_font(13))
            canvas.paste(picture, (x, y + _CAPTION))
        y += height
    for line in lines:
        for x, (name, color) in line:
            draw.rectangle((x, y + 4, x + 14, y + 18), fill=color, outline=(90, 90, 90))
            draw.text((x + 20, y + 3), name, fill=(0, 0, 0), font=_font(13))
        y += 24
    for note in notes:
        draw.text((_GAP, y + 2), note, fill=note_color, font=_font(13))
        y += 20
    return np.asarray(canvas)


def _legend(class_map: ClassMap) -> list[tuple[str, tuple[int, int, int]]]:
    classes = [(c.name, c.color) for c in class_map.classes]
    return [*classes, ("ignored", (0, 0, 0)), ("invalid", INVALID_COLOR)]


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


def _shortened(caption: str, width: int) -> str:
    """Cut a caption that is wider than its tile."""
    if _font(13).getlength(caption) <= width:
        return caption
    while _font(13).getlength(f"{caption} ...") > width:
        caption = caption[:-1]
    return f"{caption} ..."


def _scaled(picture: RgbPicture, width: int) -> Image.Image:
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    method = Image.Resampling.NEAREST if picture.shape[1] < width else Image.Resampling.BOX
    return Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), method)


def text_tile(lines: Sequence[str]) -> RgbPicture:
    """Return a tile with lines of text."""
    canvas = Image.new("RGB", (TILE_WIDTH, 20 * len(lines) + 16), (245, 245, 245))
    ImageDraw.Draw(canvas).multiline_text((10, 8), "\n".join(lines), fill=(20, 20, 20), font=_font(14), spacing=4)
    return np.asarray(canvas)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
