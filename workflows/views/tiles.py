"""A tile of a workspace's or store's column: labels in the colours of their classes, all else as its kind is drawn."""

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes.column import ColumnFacts
from segprep.datasets.drawing.columns import draw_column, draw_labels
from segprep.datasets.drawing.tile import Tile
from segprep.datasets.errors import ConflictError
from segprep.datasets.kinds import Kind
from segprep.datasets.made_classes import made_class_map
from segprep.datasets.sample import Array, Mask
from segprep.datasets.workspace.cells import Column

__all__ = ["column_tile"]


def column_tile(column: Column, stored: Array, valid: Mask | None, class_map: ClassMap) -> Tile:
    """Draw a cell's stored numbers.

    Args:
        column: What they are.
        stored: (H, W) or (H, W, C) as `read_cell` and `ShardStore.read` give them.
        valid: (H, W) bool, or None.
        class_map: Of column `label`.

    Raises:
        ConflictError: If the column holds no pictures.
    """
    if column.code is None:
        raise ConflictError(f"column {column.name} holds no picture")
    attributes = dict(column.attributes)
    if column.kind is not Kind.LABEL:
        return draw_column(ColumnFacts(column.name, column.kind, column.code, attributes), stored, valid)
    if "classes" in attributes:
        class_map = made_class_map(attributes["classes"].split(","), attributes)
    return draw_labels(column.name, class_map.train_ids_of(stored) if column.holds_raw_ids else stored, class_map)
