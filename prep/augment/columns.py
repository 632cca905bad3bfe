"""How the array of a column follows the picture, by the table of kinds and, for pictures for the eye, by the code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from segprep.datasets.augmentation.config import AugmentationConfig
from segprep.datasets.augmentation.follow import Turn, check_turns, follow_of, shown_kind
from segprep.datasets.kinds import Kind, Resampling, rule
from segprep.datasets.sample import Array, Mask
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.quantity import Quantity
from segprep.prep.augment.warp import GridWarp

__all__ = ["WarpedArray", "check_columns", "prepare_array"]


class WarpedArray(Protocol):
    """An array that is ready for any number of variants."""

    def warped(self, warp: GridWarp, turn: Turn[float]) -> tuple[Array, Mask | None]:
        """Return array and mask on another grid; `turn` is what the map does to vectors."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Ids:
    """Labels, instances, masks: the id of the nearest pixel at the exact place; `fill` where there is no pixel."""

    array: Array
    valid: Mask | None
    fill: int

    def warped(self, warp: GridWarp, turn: Turn[float]) -> tuple[Array, Mask | None]:
        valid = None if self.valid is None else warp.nearest(self.valid, 0)
        return warp.nearest(self.array, self.fill), valid


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A picture without a mask. What lies beyond its edge is the caller's business."""

    array: Array

    def warped(self, warp: GridWarp, turn: Turn[float]) -> tuple[Array, Mask | None]:
        return warp.linear(self.array), None


def prepare_array(name: str, array: Array, valid: Mask | None, kind: Kind, column: Column | None) -> WarpedArray:
    """Take an array apart as its kind needs it.

    Args:
        name: Of the column, for messages.
        array: (H, W) or (H, W, C) decoded values; of pictures for the eye the scalars or vectors that they show.
        valid: (H, W) bool, or None for valid everywhere.
        kind: What it holds.
        column: Its column; only pictures for the eye need one.

    Raises:
        ConfigurationError: If it is a picture for the eye whose code cannot be decoded; names the column.
    """
    how = rule(kind)
    match how.resampling:
        case Resampling.VOTE:
            return _Ids(array, valid, how.fill)
        case Resampling.AREA if valid is None:
            return _Picture(array)
        case Resampling.NEVER:
            return _prepare_shown(name, array, valid, column)
    return Quantity.of(array, valid, follow_of(kind), infinity=how.infinity)


def check_columns(config: AugmentationConfig, columns: Iterable[Column]) -> None:
    """Refuse a configuration that one of the columns cannot follow, before anything is read.

    Raises:
        ConfigurationError: If it flips, rotates or skews and a column cannot follow that without data that it does not
            hold, or if a column is a picture for the eye that cannot be decoded; names the column.
    """
    for column in columns:
        if column.kind is Kind.CODED:
            _shown_kind(column.name, column)
        check_turns(config, [(column.name, column.kind)])


def _shown_kind(name: str, column: Column | None) -> Kind:
    code = None if column is None else column.code
    return shown_kind(name, *((None, None) if code is None else (code.name, code.shows)))


def _prepare_shown(name: str, array: Array, valid: Mask | None, column: Column | None) -> WarpedArray:
    """Take apart what a picture for the eye shows.

    Its vectors may be what the ego flow leaves: no places in the other picture, which they could miss.
    """
    kind = _shown_kind(name, column)
    numbers = None if column is None else column.numbers
    return Quantity.of(
        array, valid, follow_of(kind), infinity=None if numbers is None else numbers.infinity, framed=False
    )
