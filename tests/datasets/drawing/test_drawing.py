"""Tiles and sheets: what has no value is a pattern, each scale says its unit and range, no text is cut."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import Code, DepthCode, DisparityCode, JetCode, KittiFlowCode, LinearCode
from segprep.datasets.codes.column import ColumnFacts
from segprep.datasets.drawing.columns import draw_column, draw_labels
from segprep.datasets.drawing.pattern import hatched
from segprep.datasets.drawing.sheet import compose, text_tile
from segprep.datasets.drawing.tile import ColorBar, Tile, Wheel
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask

_CLASSES = ClassMap((SemanticClass("road", (128, 64, 128), (7,)), SemanticClass("car", (0, 0, 142), (26,))), (0,))


def _drawn(kind: Kind, code: Code, stored: Array, valid: Mask | None = None, **attributes: object) -> Tile:
    return draw_column(ColumnFacts("column", kind, code, attributes), stored, valid)


def _bar(tile: Tile) -> ColorBar:
    assert isinstance(tile.scale, ColorBar)
    return tile.scale


def _depth(far: bool) -> Tile:
    metres = np.linspace(2, 50, 200).reshape(10, 20)
    if far:
        metres[:4] = np.inf
    encoded = DepthCode(0.01).encode(metres, np.ones(metres.shape, np.bool_))
    return _drawn(Kind.DEPTH, DepthCode(0.01), encoded.stored)


def test_the_sky_is_no_end_of_the_scale_of_depth() -> None:
    near, sky = _bar(_depth(far=False)), _bar(_depth(far=True))
    assert (near.low, near.high) == ("2 m", "49 m and more")
    assert (sky.low, sky.high) == ("21.3 m", "49.4 m and more")
    assert [swatch.name for swatch in sky.beyond] == ["infinitely far"]
    assert not near.beyond
    assert (_depth(far=True).picture_HW3[:4] == sky.beyond[0].color).all()


def test_each_pixel_of_depth_has_the_colour_of_its_place_on_the_bar() -> None:
    tile = _depth(far=False)
    colors = _bar(tile).colors_N3.tolist()
    places = [colors.index(color) for color in tile.picture_HW3.reshape(-1, 3).tolist()]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 255)


@pytest.mark.parametrize(
    ("kind", "code", "stored", "attributes", "ends"),
    [
        (Kind.DISPARITY, DisparityCode(), np.full((2, 2), 256 * 9, np.uint16), {}, ("9 px", "9 px")),
        (Kind.INDEX, LinearCode(1 / 127, -128 / 127), np.zeros((2, 2), np.uint8), {}, ("-1.01", "1")),
        (Kind.CODED, JetCode(2, 80), np.zeros((2, 2, 3), np.uint8), {"unit": "m"}, ("2 m", "80 m")),
        (Kind.CODED, JetCode(0.0125, 0.5), np.zeros((2, 2, 3), np.uint8), {"unit": "1/m"}, ("0.0125 1/m", "0.5 1/m")),
    ],
)
def test_bars_say_their_ends_and_unit(
    kind: Kind, code: Code, stored: Array, attributes: dict[str, Any], ends: tuple[str, str]
) -> None:
    bar = _bar(_drawn(kind, code, stored, **attributes))
    assert (bar.low, bar.high) == ends


def test_flow_has_a_wheel_with_the_length_of_its_rim() -> None:
    uv = np.zeros((8, 8, 2), np.float32)
    uv[..., 0] = 4
    encoded = KittiFlowCode().encode(uv, np.ones((8, 8), np.bool_))
    tile = _drawn(Kind.FLOW, KittiFlowCode(), encoded.stored, encoded.valid, direction="next")
    assert tile.scale == Wheel("4 px")
    assert tile.caption == "column to the next frame, 100.0% valid"


def test_what_has_no_value_is_a_pattern_and_no_colour() -> None:
    hidden = np.zeros((32, 32), np.bool_)
    hidden[:16] = True
    picture = np.full((32, 32, 3), (255, 0, 255), np.uint8)
    drawn = hatched(picture, hidden)
    assert (drawn[16:] == picture[16:]).all()
    assert len(np.unique(drawn[:16].reshape(-1, 3), axis=0)) == 2
    assert (drawn[:16] == drawn[:16, :, :1]).all(), "the stripes are not grey"


def test_invalid_and_ignored_pixels_are_hatched_on_sheets_of_any_size() -> None:
    valid = np.ones((20, 40), np.bool_)
    valid[:, :20] = False
    stored = np.full((20, 40), 500, np.uint16)
    label = np.where(valid, 1, 255).astype(np.uint8)
    for tile in (_drawn(Kind.DEPTH, DepthCode(0.01), stored, valid), draw_labels("label", label, _CLASSES)):
        sheet = compose("", [replace(tile, caption="in one line")], tile_width=200)
        left, right = sheet[40:100, 20:100], sheet[40:100, 120:200]
        assert len(np.unique(left.reshape(-1, 3), axis=0)) == 2
        assert (left == left[..., :1]).all()
        assert len(np.unique(right.reshape(-1, 3), axis=0)) == 1
        assert not (right == right[..., :1]).all()


def test_labels_name_their_classes_and_what_is_ignored() -> None:
    tile = draw_labels("label", np.array([[0, 1, 1, 255]], np.uint8), _CLASSES)
    assert tile.caption == "label: 25.0% road, 50.0% car, 25.0% ignored"
    assert [(s.name, s.color) for s in tile.legend] == [
        ("road", (128, 64, 128)),
        ("car", (0, 0, 142)),
        ("ignored", None),
    ]


def test_text_is_broken_and_not_cut() -> None:
    picture = np.zeros((10, 20, 3), np.uint8)
    word = "source_" * 40

    def height(caption: str) -> int:
        rows: int = compose("", [Tile(caption, picture)], tile_width=200).shape[0]
        return rows

    assert height("several words " * 20) > height("several words " * 10) > height("words")
    assert height(word) > height("words"), "a long word runs out of its tile"
    wide = compose("a title " * 20, [Tile("words", picture)], ["a note " * 40], tile_width=200)
    assert wide.shape[1] == 220
    assert wide.shape[0] > compose("a title", [Tile("words", picture)], ["a note"], tile_width=200).shape[0] + 80


def test_a_legend_stands_once_however_many_tiles_it_belongs_to() -> None:
    label = np.zeros((10, 20), np.uint8)
    one = compose("", [draw_labels("label", label, _CLASSES)], columns=2)
    two = compose("", [draw_labels(name, label, _CLASSES) for name in ("label", "prediction")], columns=2)
    assert one.shape[0] == two.shape[0]


def test_lines_of_text_are_a_tile() -> None:
    tile = text_tile("camera", ["640x480", "K"])
    assert tile.caption == "camera"
    assert len(np.unique(tile.picture_HW3)) > 2
