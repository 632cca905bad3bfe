"""Samples whose augmentations go together: all their columns, interpolated at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from segprep.datasets.augmentation.follow import Turn
from segprep.train.augment.color import Colors
from segprep.train.augment.columns import BatchColumn, Ids, MaskedPicture, Picture
from segprep.train.augment.grid import Grid
from segprep.train.augment.quantity import Quantity

__all__ = ["Move", "Tensors", "moved", "recolored"]

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """How the pixels of N samples move.

    Attributes:
        grid: Where the pixels of the results come from.
        turn: What the maps do to vectors: (N, 1, 1) float32 each.
    """

    grid: Grid
    turn: Turn[Tensor]


def recolored(
    columns: Mapping[str, BatchColumn], stored: Tensors, valid: Tensors, colors: Colors
) -> tuple[Tensors, Tensors]:
    """Return samples that change their colours only; see `moved`."""
    found = dict(stored)
    found_valid = dict(valid)
    for name, column in columns.items():
        match column:
            case Picture():
                found[name] = column.recolored(stored[name], colors, None)
            case MaskedPicture():
                found_valid[name] = _mask(stored[name], valid.get(name))
                found[name] = column.picture.recolored(stored[name], colors, found_valid[name])
            case Quantity():
                found_valid[name] = _mask(stored[name], valid.get(name))
            case Ids():
                pass
    return found, found_valid


def moved(
    columns: Mapping[str, BatchColumn], stored: Tensors, valid: Tensors, move: Move, colors: Colors
) -> tuple[Tensors, Tensors]:
    """Return samples on their new grid.

    Args:
        columns: How each column follows.
        stored: Column name to (N, H, W, C) stored integers.
        valid: Column name to (N, H, W) bool.
        move: The geometry.
        colors: The colours.

    Returns:
        Stored integers, and masks of quantities and of whatever came with one.
    """
    grid = move.grid
    found: dict[str, Tensor] = {}
    found_valid: dict[str, Tensor] = {}
    interpolated: dict[str, tuple[Picture | MaskedPicture | Quantity, int]] = {}
    for name, column in columns.items():
        match column:
            case Ids():
                found[name] = grid.nearest(stored[name], column.fill)
                if name in valid:
                    found_valid[name] = grid.nearest(valid[name][..., None], 0)[..., 0]
            case Picture() if grid.places_NHW2 is None:
                found[name] = column.recolored(grid.nearest(stored[name], 0), colors, grid.covered_NHW)
            case Picture():
                interpolated[name] = column, stored[name].shape[-1]
            case MaskedPicture():
                interpolated[name] = column, column.quantity.planes
            case Quantity():
                interpolated[name] = column, column.planes
    if not interpolated:
        return found, found_valid
    ends = list(accumulate(count for _, count in interpolated.values()))
    shape = next(iter(stored.values())).shape
    before_NPHW = torch.empty((shape[0], ends[-1], *shape[1:3]), device=grid.covered_NHW.device)
    places = {name: slice(end - count, end) for (name, (_, count)), end in zip(interpolated.items(), ends, strict=True)}
    framed = {}
    for name, (column, _) in interpolated.items():
        planes = before_NPHW[:, places[name]]
        if isinstance(column, Picture):
            planes.copy_(stored[name].permute(0, 3, 1, 2))
        else:
            quantity = column if isinstance(column, Quantity) else column.quantity
            framed[name] = quantity.fill(stored[name], valid.get(name), planes)
    after_NPHW = grid.linear(before_NPHW)
    for name, (column, _) in interpolated.items():
        planes = after_NPHW[:, places[name]]
        if isinstance(column, Picture):
            found[name] = column.finish(planes, colors, grid.covered_NHW)
            continue
        quantity = column if isinstance(column, Quantity) else column.quantity
        found[name], found_valid[name] = quantity.finish(planes, framed[name], grid, move.turn)
        if isinstance(column, MaskedPicture):
            found[name] = column.picture.recolored(found[name], colors, found_valid[name])
    return found, found_valid


def _mask(stored_NHWC: Tensor, valid_NHW: Tensor | None) -> Tensor:
    if valid_NHW is not None:
        return valid_NHW
    return torch.ones(stored_NHWC.shape[:3], dtype=torch.bool, device=stored_NHWC.device)
