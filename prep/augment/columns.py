"""How the array of a column follows the picture, by the table of kinds and, for pictures for the eye, by the code."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from segprep.datasets.augmentation.config import AugmentationConfig, Span
from segprep.datasets.codes import JetCode, SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Flip, Kind, Resampling, Scaling, rule
from segprep.datasets.sample import Array, Mask, Matrix
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.quantity import Follow, Quantity
from segprep.prep.augment.warp import GridWarp

__all__ = ["WarpedArray", "check_columns", "prepare_array", "refuse_turned"]

# What values do when the picture is flipped and scaled says what they do under any affine map.
_FOLLOWS: Final[Mapping[tuple[Flip, Scaling], Follow]] = {
    (Flip.MIRROR, Scaling.UNCHANGED): Follow.UNCHANGED,
    (Flip.NEGATE_FIRST, Scaling.BY_XY): Follow.BY_PIXELS,
    (Flip.NEGATE_FIRST, Scaling.UNCHANGED): Follow.BY_AXES,
    (Flip.REFUSE, Scaling.BY_X): Follow.BY_WIDTH,
}


class WarpedArray(Protocol):
    """An array that is ready for any number of variants."""

    def warped(self, warp: GridWarp, turn_33: Matrix) -> tuple[Array, Mask | None]:
        """Return array and mask on another grid; `turn_33` is what happened to the camera's axes."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Ids:
    """Labels, instances, masks: the id of the nearest pixel at the exact place; `fill` where there is no pixel."""

    array: Array
    valid: Mask | None
    fill: int

    def warped(self, warp: GridWarp, turn_33: Matrix) -> tuple[Array, Mask | None]:
        valid = None if self.valid is None else warp.nearest(self.valid, 0)
        return warp.nearest(self.array, self.fill), valid


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A picture without a mask. What lies beyond its edge is the caller's business."""

    array: Array

    def warped(self, warp: GridWarp, turn_33: Matrix) -> tuple[Array, Mask | None]:
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
            return _prepare_decoded(name, array, valid, column)
    follow = _FOLLOWS[how.flip, how.scaling]
    match kind:
        case Kind.DEPTH:
            return Quantity.of(array, valid, follow, far_HW=np.isposinf(array), infinity=np.inf)
        case Kind.DISPARITY:
            return Quantity.of(array, valid, follow, far_HW=array == 0, infinity=0.0)
    return Quantity.of(array, valid, follow)


def check_columns(config: AugmentationConfig, columns: Iterable[Column]) -> None:
    """Refuse a configuration that one of the columns cannot follow, before anything is read.

    Raises:
        ConfigurationError: If it flips, rotates or skews and a column cannot follow that without data that it does not
            hold, or if a column is a picture for the eye that cannot be decoded; names the column.
    """
    turns = [name for name, span in (("rotation", config.rotation), ("skew", config.skew)) if _turns(span)]
    turns = ["flip", *turns] if config.flip > 0 else turns
    for column in columns:
        if column.kind is Kind.CODED:
            _decodable(column.name, column)
        elif turns:
            refuse_turned(column.name, column.kind, turns)


def refuse_turned(name: str, kind: Kind, turns: Iterable[str]) -> None:
    """Refuse flips, rotations and skews, which are named, if arrays of a kind cannot follow them.

    Raises:
        ConfigurationError: If they cannot.
    """
    if kind is Kind.CAMERA or _FOLLOWS.get((rule(kind).flip, rule(kind).scaling)) is not Follow.BY_WIDTH:
        return
    raise ConfigurationError(
        f"column {name!r} ({kind}) cannot follow {' and '.join(turns)}: the other view would have to change with it. "
        "Leave the column out (depth follows everything), or switch that off in a table of your own: flip = 0.0, "
        "rotation = false, skew = false"
    )


def _turns(span: Span | None) -> bool:
    return span is not None and span.probability > 0 and (span.low != 0 or span.high != 0)


def _decodable(name: str, column: Column | None) -> JetCode | SmsnetFlowCode:
    code = None if column is None else column.code
    if isinstance(code, JetCode | SmsnetFlowCode):
        return code
    described = "no code" if code is None else f"the code {code.name!r}"
    raise ConfigurationError(
        f"column {name!r} holds pictures for the eye ({described}) from which their values cannot be read: colours and "
        "encoded vectors cannot be warped. Leave the column out, and make it anew from what is augmented"
    )


def _prepare_decoded(name: str, array: Array, valid: Mask | None, column: Column | None) -> WarpedArray:
    code = _decodable(name, column)
    if isinstance(code, SmsnetFlowCode):
        # Its vectors may be what the ego flow leaves: no places in the other picture, which they could miss.
        return Quantity.of(array, valid, Follow.BY_PIXELS, framed=False)
    # The code's last colour at the far end is of everything beyond, the sky too, and no number to take means of.
    if column is not None and dict(column.attributes).get("quantity") == "disparity":
        return Quantity.of(
            array, valid, Follow.UNCHANGED, far_HW=array <= _read_back(code, code.low), infinity=code.low
        )
    return Quantity.of(array, valid, Follow.UNCHANGED, far_HW=array >= _read_back(code, code.high), infinity=np.inf)


def _read_back(code: JetCode, value: float) -> float:
    stored = code.encode(np.full((1, 1), value), None).stored
    return float(code.decode(stored, None)[0][0, 0])
