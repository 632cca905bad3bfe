"""Tiles with captions, scales, legends and notes, in one picture."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segprep.datasets.drawing.pattern import hatched
from segprep.datasets.drawing.tile import ColorBar, RgbPicture, Swatch, Tile, Wheel
from segprep.datasets.drawing.wheel import wheel_legend

__all__ = ["compose", "text_tile"]

_TILE_WIDTH: Final = 480  # of every tile in a picture, in pixels

_GAP: Final = 10
_TITLE: Final = 24
_LINE: Final = 18
_LEGEND_LINE: Final = 24
_SWATCH: Final = 18
_BAR_WIDTH, _LEAST_BAR, _BAR_HEIGHT = 160, 24, 12
_WHEEL: Final = 44
_INK, _PAPER, _EDGE = (0, 0, 0), (255, 255, 255), (90, 90, 90)
_NOTE: Final = (160, 0, 0)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def compose(
    title: str,
    tiles: Sequence[Tile],
    notes: Sequence[str] = (),
    *,
    columns: int = 3,
    tile_width: int = _TILE_WIDTH,
    note_color: tuple[int, int, int] = _NOTE,
) -> RgbPicture:
    """Return (H, W, 3) uint8 RGB: captioned tiles in rows, each with its scale, then the legends, and notes below.

    Text that is wider than its place is broken into lines, never cut.
    """
    columns = min(columns, len(tiles))
    width = columns * (tile_width + _GAP) + _GAP
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    above = [_LINE * max(len(_lines(tile.caption, _font(13), tile_width)) for tile in row) + 4 for row in rows]
    heights = [max(_height(tile, tile_width) for tile in row) for row in rows]
    below = [max(_scale_height(tile) for tile in row) for row in rows]
    titles = _lines(title, _font(18), width - 2 * _GAP) if title else []
    top = _GAP if not titles else len(titles) * _TITLE + 12
    legends = [(group, _placed(group, swatches, width)) for group, swatches in _legends(tiles)]
    wrapped = [line for note in notes for line in _lines(note, _font(13), width - 2 * _GAP)]
    legend_height = sum(_LEGEND_LINE * (1 + placed[-1][0]) for _, placed in legends)
    bottom = legend_height + _LINE * len(wrapped) + 2 * _GAP
    canvas = Image.new("RGB", (width, top + sum(above) + sum(heights) + sum(below) + _GAP * len(rows) + bottom), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(titles):
        draw.text((_GAP, 8 + number * _TITLE), line, _INK, _font(18))
    y = top
    for row, caption, height, scale in zip(rows, above, heights, below, strict=True):
        for place, tile in enumerate(row):
            _draw_tile(canvas, tile, (_GAP + place * (tile_width + _GAP), y), caption, tile_width)
        y += caption + height + scale + _GAP
    for group, placed in legends:
        draw.text((_GAP, y + 3), group, _EDGE, _font(13))
        for line_number, x, swatch in placed:
            _draw_swatch(canvas, swatch, x, y + line_number * _LEGEND_LINE)
        y += _LEGEND_LINE * (1 + placed[-1][0])
    for line in wrapped:
        draw.text((_GAP, y + 2), line, note_color, _font(13))
        y += _LINE
    return np.asarray(canvas)


def text_tile(caption: str, lines: Sequence[str]) -> Tile:
    """Return a tile with lines of text."""
    canvas = Image.new("RGB", (_TILE_WIDTH, 20 * len(lines) + 16), (245, 245, 245))
    ImageDraw.Draw(canvas).multiline_text((10, 8), "\n".join(lines), fill=(20, 20, 20), font=_font(14), spacing=4)
    return Tile(caption, np.asarray(canvas))


def _legends(tiles: Sequence[Tile]) -> list[tuple[str, tuple[Swatch, ...]]]:
    """Return each legend once, with the names of all columns that it belongs to; then the pattern, where it is seen."""
    groups: dict[tuple[Swatch, ...], dict[str, None]] = {}
    for tile in tiles:
        if tile.legend:
            groups.setdefault(tile.legend, {})[tile.group] = None
    found = [(", ".join(names), legend) for legend, names in groups.items()]
    if any(tile.hidden_HW is not None and not tile.legend for tile in tiles):
        found.append(("", (Swatch("no valid value", None),)))
    return found


def _placed(group: str, swatches: Sequence[Swatch], width: int) -> list[tuple[int, int, Swatch]]:
    """Return line and x of each swatch of a legend, broken into lines of the sheet's width."""
    start = _GAP + (round(_font(13).getlength(group)) + 14 if group else 0)
    placed, line, x = [], 0, start
    for swatch in swatches:
        needed = _SWATCH + 20 + round(_font(13).getlength(swatch.name))
        if x + needed > width and x > start:
            line, x = line + 1, start
        placed.append((line, x, swatch))
        x += needed
    return placed


def _draw_tile(canvas: Image.Image, tile: Tile, place: tuple[int, int], caption_height: int, width: int) -> None:
    draw = ImageDraw.Draw(canvas)
    x, y = place
    for number, line in enumerate(_lines(tile.caption, _font(13), width)):
        draw.text((x, y + 3 + number * _LINE), line, _INK, _font(13))
    picture = _scaled(tile, width)
    top = y + caption_height
    canvas.paste(picture, (x, top))
    draw.rectangle((x - 1, top - 1, x + width, top + picture.height), outline=_EDGE)
    _draw_scale(canvas, tile.scale, (x, top + picture.height + 6), width)


def _draw_swatch(canvas: Image.Image, swatch: Swatch, x: int, y: int) -> None:
    draw = ImageDraw.Draw(canvas)
    if swatch.color is None:
        whole = np.ones((_SWATCH, _SWATCH), np.bool_)
        canvas.paste(Image.fromarray(hatched(np.zeros((_SWATCH, _SWATCH, 3), np.uint8), whole)), (x, y + 2))
    draw.rectangle((x, y + 2, x + _SWATCH, y + 2 + _SWATCH), fill=swatch.color, outline=_EDGE)
    draw.text((x + _SWATCH + 6, y + 3), swatch.name, _INK, _font(13))


def _draw_scale(canvas: Image.Image, scale: ColorBar | Wheel | None, place: tuple[int, int], tile_width: int) -> None:
    draw = ImageDraw.Draw(canvas)
    x, y = place
    if isinstance(scale, Wheel):
        canvas.paste(Image.fromarray(wheel_legend(_WHEEL)), (x, y))
        draw.text((x + _WHEEL + 10, y + 4), f"where to: colour; rim: {scale.radius}", _INK, _font(13))
        draw.text((x + _WHEEL + 10, y + 4 + _LINE), "no motion: white; longer: darker", _INK, _font(13))
    elif scale is not None:
        low, high = (round(_font(13).getlength(text)) + 8 for text in (scale.low, scale.high))
        beyond = [_SWATCH + 20 + round(_font(13).getlength(swatch.name)) for swatch in scale.beyond]
        width = min(_BAR_WIDTH, max(_LEAST_BAR, tile_width - low - high - 18 - sum(beyond)))
        draw.text((x, y), scale.low, _INK, _font(13))
        ramp = Image.fromarray(np.ascontiguousarray(scale.colors_N3[None]))
        x += low
        canvas.paste(ramp.resize((width, _BAR_HEIGHT), Image.Resampling.BOX), (x, y + 2))
        draw.rectangle((x - 1, y + 1, x + width, y + 2 + _BAR_HEIGHT), outline=_EDGE)
        x += width + 8
        draw.text((x, y), scale.high, _INK, _font(13))
        x += high + 10
        for swatch, needed in zip(scale.beyond, beyond, strict=True):
            _draw_swatch(canvas, swatch, x, y - 4)
            x += needed


def _height(tile: Tile, width: int) -> int:
    own_height, own_width = tile.picture_HW3.shape[:2]
    return max(1, int(own_height * width / own_width + 0.5))


def _scale_height(tile: Tile) -> int:
    match tile.scale:
        case None:
            return 0
        case Wheel():
            return _WHEEL + 8
        case _:
            return _SWATCH + 10


def _scaled(tile: Tile, width: int) -> Image.Image:
    """Return the picture at the tile's size; the pattern is drawn there, so that it is the same on every tile."""
    size = (width, _height(tile, width))
    method = Image.Resampling.NEAREST if tile.picture_HW3.shape[1] < width else Image.Resampling.BOX
    picture = Image.fromarray(np.ascontiguousarray(tile.picture_HW3)).resize(size, method)
    if tile.hidden_HW is None:
        return picture
    hidden = Image.fromarray(np.ascontiguousarray(tile.hidden_HW)).resize(size, Image.Resampling.NEAREST)
    return Image.fromarray(hatched(np.asarray(picture), np.asarray(hidden)))


def _lines(text: str, font: _Font, width: int) -> list[str]:
    """Break a text between words, and words that are wider than a line anywhere."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def _font(size: int) -> _Font:
    return ImageFont.load_default(size)
