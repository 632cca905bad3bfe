"""`prep show`: every column of a sample in one picture, so that a person sees whether it is right."""

from segprep.datasets.drawing.sheet import compose, text_tile
from segprep.datasets.drawing.tile import RgbPicture, Tile
from segprep.datasets.errors import ConflictError, SegprepError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Column, read_cell, read_record_cell
from segprep.workflows.ledger.rows import KnownSample
from segprep.workflows.ledger.table import Table
from segprep.workflows.views.tiles import column_tile

__all__ = ["draw_sample"]


def draw_sample(table: Table, key: SampleKey) -> RgbPicture:
    """Draw all columns of a sample, (H, W, 3) uint8 RGB: a tile each, with what its colours mean.

    Pixels that are invalid in their column are hatched.

    Raises:
        ConflictError: If the sample has no column yet.
    """
    workspace, sample = table.workspace, table.ledger.sample(key)
    tiles: dict[str, Tile] = {}
    notes: list[str] = []
    for name, column in table.columns().items():
        cell = sample.cells.get(name)
        if sample.done(name) is None:
            notes.append(f"{name}: {'not made' if cell is None else f'{cell.state}: {cell.reason}'}")
            continue
        try:
            tiles[name] = _tile(workspace, sample, column)
        except SegprepError as error:
            notes.append(f"{name}: {error}")
    if not tiles:
        raise ConflictError(f"sample {key} has no column to show: run `prep resize` first")
    order = {"image": 0, "previous": 1, "next": 1, "label": 2}
    names = sorted(tiles, key=lambda name: (order.get(name, 3), name))
    return compose(f"{key}  (split {sample.record.split})", [tiles[name] for name in names], notes)


def _tile(workspace: Workspace, sample: KnownSample, column: Column) -> Tile:
    record, digests = sample.record, sample.digests(column.name)
    if column.kind is Kind.CAMERA:
        path = workspace.cell_path(record.split, column.name, record.key, column.extension)
        return text_tile(column.name, _camera_lines(read_record_cell(path, next(iter(digests.values()), None))))
    return column_tile(
        column, *read_cell(workspace, record.split, column, record.key, digests), workspace.config.class_map
    )


def _camera_lines(data: JsonDict) -> list[str]:
    lines = [f"{data['width']}x{data['height']}", "K"] + ["  ".join(f"{v:9.3f}" for v in row) for row in data["K"]]
    near = data["neighbour"]
    if near is not None:
        lines += ["", f"{near['direction']} frame: {near['time_difference']:+.4f} s"]
        if near["motion"] is not None:
            lines += ["motion of points to it [R | t]"] + [
                "  ".join(f"{v:9.4f}" for v in row) for row in near["motion"][:3]
            ]
    return lines
