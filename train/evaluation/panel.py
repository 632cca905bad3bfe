"""The side-by-side picture: input, label, prediction, errors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import code_from_json
from segprep.datasets.codes.column import ColumnFacts
from segprep.datasets.drawing.columns import draw_column, draw_labels
from segprep.datasets.drawing.sheet import compose
from segprep.datasets.drawing.tile import Swatch, Tile
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore

__all__ = ["PanelRow", "draw_panel", "error_tile", "input_tile"]

_WIDTH: Final = 360

# Neither is the colour of a class: violet is none of Cityscapes', CamVid's or the motion labels' colours.
_WRONG: Final = Swatch("wrong", (120, 20, 170))
_RIGHT: Final = Swatch("right", (225, 235, 225))
_NOT_COUNTED: Final = Swatch("not counted", None)


@dataclass(frozen=True, slots=True, eq=False)
class PanelRow:
    """One sample of the panel.

    Attributes:
        title: Shown above the row.
        shown: What the network saw, of any size with the label's proportions.
        label_HW: uint8 train ids.
        prediction_HW: uint8 train ids of the label's size.
    """

    title: str
    shown: Tile
    label_HW: Array
    prediction_HW: Array


def error_tile(prediction_HW: Array, label_HW: Array) -> Tile:
    """Return where the prediction is wrong, where right, and, hatched, where there is no label to compare with."""
    picture = np.empty((*label_HW.shape, 3), np.uint8)
    picture[...] = _RIGHT.color
    picture[prediction_HW != label_HW] = _WRONG.color
    ignored_HW = label_HW == IGNORE_ID
    return Tile("errors", picture, ignored_HW, legend=(_WRONG, _RIGHT, _NOT_COUNTED), group="errors")


def draw_panel(rows: Sequence[PanelRow], class_map: ClassMap) -> npt.NDArray[np.uint8]:
    """Draw the rows under each other with legends of the classes and errors; (H, W, 3) uint8 RGB."""
    tiles: list[Tile] = []
    for row in rows:
        label, prediction = (
            replace(draw_labels(name, ids_HW, class_map), caption=name)
            for name, ids_HW in (("label", row.label_HW), ("prediction", row.prediction_HW))
        )
        shown = replace(row.shown, caption=f"{row.title}: {row.shown.caption}")
        tiles += [shown, label, prediction, error_tile(row.prediction_HW, row.label_HW)]
    return compose("", tiles, columns=4, tile_width=_WIDTH)


def input_tile(store: ShardStore, column: str, index: int) -> Tile:
    """Return what to show of a sample's input: its image where there is one, else the column that is named."""
    name = "image" if "image" in store.columns else column
    spec = store.columns[name]
    stored, valid = store.read(name, index), store.read_valid(name, index) if spec.masked else None
    try:
        return draw_column(ColumnFacts(name, spec.kind, code_from_json(spec.code), spec.attributes), stored, valid)
    except CodeRangeError:  # of another program's store: as its numbers are
        plane_HW = stored.reshape(*stored.shape[:2], -1)[..., 0].astype(np.float64)
        span = max(float(np.ptp(plane_HW)), 1.0)
        grey_HW = ((plane_HW - plane_HW.min()) / span * 255).astype(np.uint8)
        return Tile(name, np.repeat(grey_HW[..., None], 3, axis=2))
