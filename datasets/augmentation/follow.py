"""How values follow the picture under an affine map, by the table of `datasets/kinds.py`: one rule for all engines.

Engines interpolate, each in its own way, the planes of an array with 0 where nothing near is known, and the weights of
what is near and of what is infinitely far. `settle` makes values and mask of these planes, for NumPy's arrays and for
tensors alike. Which columns cannot follow, and the words for it, stand here too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar

from segprep.datasets.augmentation.config import AugmentationConfig, Span
from segprep.datasets.augmentation.operations import Operations
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import RULES, Flip, Kind, Scaling, rule

__all__ = [
    "MIN_VALID_WEIGHT",
    "Follow",
    "Turn",
    "check_turns",
    "ends",
    "follow_of",
    "lies_inside",
    "refuse_turned",
    "settle",
    "shown_kind",
]

MIN_VALID_WEIGHT: Final = 0.5
"""A pixel is valid when at least this share of what it was made from is valid."""

_SHORTEST: Final = 1e-6  # opposite normals cancel out and leave no direction

_WITHOUT_TURNS: Final = (
    "Leave the column out (depth follows everything), or switch that off in a table of your own: flip = 0.0, "
    "rotation = false, skew = false"
)

ArrayT = TypeVar("ArrayT")
NumberT = TypeVar("NumberT")


class Follow(Enum):
    """How values change with the picture, beyond their places."""

    UNCHANGED = auto()
    BY_PIXELS = auto()  # vectors of pixels: by the linear part of the map
    BY_AXES = auto()  # unit vectors in camera axes: by the turn of the camera
    BY_WIDTH = auto()  # lengths along rows: by the scale of x


# What values do when the picture is flipped and scaled says what they do under any affine map.
_FOLLOWS: Final[Mapping[tuple[Flip, Scaling], Follow]] = {
    (Flip.MIRROR, Scaling.UNCHANGED): Follow.UNCHANGED,
    (Flip.NEGATE_FIRST, Scaling.BY_XY): Follow.BY_PIXELS,
    (Flip.NEGATE_FIRST, Scaling.UNCHANGED): Follow.BY_AXES,
    (Flip.REFUSE, Scaling.BY_X): Follow.BY_WIDTH,
}


@dataclass(frozen=True, slots=True, eq=False)
class Turn(Generic[NumberT]):
    """What an affine map does to vectors.

    Attributes:
        linear_22: The linear part of the map, row by row.
        axes_22: What happened to the camera's first two axes, row by row.
    """

    linear_22: Sequence[Sequence[NumberT]]
    axes_22: Sequence[Sequence[NumberT]]


def follow_of(kind: Kind) -> Follow:
    """Return how values of a kind follow any affine map.

    Raises:
        KeyError: For pictures for the eye: `shown_kind` says what they show.
    """
    how = rule(kind)
    return _FOLLOWS[how.flip, how.scaling]


def settle(
    operations: Operations[ArrayT, NumberT],
    planes: Sequence[ArrayT],
    near: ArrayT | None,
    far: ArrayT | None,
    covered: ArrayT,
    follow: Follow,
    turn: Turn[NumberT],
    *,
    infinity: float | None = None,
    framed: ArrayT | bool = False,
    tolerance: float,
    tie: float = 0.0,
) -> tuple[list[ArrayT], ArrayT]:
    """Return the values of interpolated planes, one array per plane, and where they are valid.

    Valid are pixels of which at least half (`MIN_VALID_WEIGHT`) comes from valid ones, and which lie on the source.
    Where at least as much of that is infinitely far as is near, so is the result: a mean of sky and a pole would be a
    pole further away. Vectors turn, lengths scale, unit vectors are given length 1 again and are invalid without any.

    Args:
        operations: Of the arrays' library.
        planes: (..., H, W) each: interpolated values, with 0 where `near` was 0. Used up.
        near: (..., H, W) interpolated weight of what has a value to interpolate, None for 1 everywhere. Used up.
        far: (..., H, W) interpolated weight of what is infinitely far, None for nowhere; never without `near`.
        covered: (..., H, W) bool, where the result shows the source.
        follow: How values change.
        turn: What the map does to vectors.
        infinity: The value of what is infinitely far, in the first plane.
        framed: Whether vectors that leave the picture are invalid: one for all, or bools that broadcast.
        tolerance: What rounding may take from weights.
        tie: What rounding may take from the weight of what is far, where it is as much as what is near.
    """
    values: list[Any] = list(planes)
    valid: Any = covered
    weight: Any = near
    beyond: Any = None
    if weight is not None:
        share = weight
        if far is not None:
            beyond = far >= (weight - tie if tie else weight)
            share = weight + far
        valid = valid & (share >= MIN_VALID_WEIGHT - tolerance)
        weight = operations.at_least(weight, tolerance)
        for plane in values:
            plane /= weight
    match follow:
        case Follow.BY_WIDTH:
            values[0] *= turn.linear_22[0][0]
        case Follow.BY_PIXELS:
            values = _turned(operations, values, turn.linear_22)
        case Follow.BY_AXES:
            x, y, z = values = [*_turned(operations, values[:2], turn.axes_22), values[2]]
            length: Any = operations.root(x * x + y * y + z * z)
            valid = valid & (length > _SHORTEST)
            length = operations.at_least(length, _SHORTEST)
            for plane in values:
                plane /= length
    if beyond is not None and infinity is not None:
        operations.put(values[0], beyond, infinity)
    if framed is not False:
        inside: Any = lies_inside(*ends(operations, values[0], values[1]))
        where: Any = framed
        valid = valid & (inside if where is True else inside | ~where)
    return values, valid


def ends(operations: Operations[ArrayT, NumberT], u: ArrayT, v: ArrayT) -> tuple[ArrayT, ArrayT]:
    """Return where vectors end: (..., H, W) x and y, given (..., H, W) u and v in pixels."""
    across: Any = u
    down: Any = v
    height, width = across.shape[-2:]
    columns_W: Any = operations.arange(width)
    rows_H: Any = operations.arange(height)
    return across + columns_W, down + rows_H[:, None]


def lies_inside(x: ArrayT, y: ArrayT) -> ArrayT:
    """Return where places (..., H, W) lie within a frame of the same size, which reaches from -0.5 to width - 0.5."""
    across: Any = x
    down: Any = y
    height, width = across.shape[-2:]
    inside: Any = (across >= -0.5) & (across <= width - 0.5)
    inside &= down >= -0.5
    inside &= down <= height - 0.5
    found: ArrayT = inside
    return found


def _turned(
    operations: Operations[ArrayT, NumberT], vectors: Sequence[ArrayT], rows_22: Sequence[Sequence[NumberT]]
) -> list[ArrayT]:
    x, y = vectors
    return [operations.mixed(x, a, y, b) for a, b in rows_22]


def check_turns(config: AugmentationConfig, columns: Iterable[tuple[str, Kind]]) -> None:
    """Refuse a configuration that one of the columns cannot follow, before anything is read.

    Args:
        config: What will be drawn from.
        columns: Name and kind of each.

    Raises:
        ConfigurationError: If it flips, rotates or skews and a column cannot follow that without data that it does not
            hold; names the column.
    """
    turns = [name for name, span in (("rotation", config.rotation), ("skew", config.skew)) if _turns(span)]
    turns = ["flip", *turns] if config.flip > 0 else turns
    for name, kind in columns:
        if turns:
            refuse_turned(name, kind, turns)


def refuse_turned(name: str, kind: Kind, turns: Iterable[str], remedy: str = _WITHOUT_TURNS) -> None:
    """Refuse flips, rotations and skews, which are named, if arrays of a kind cannot follow them.

    Args:
        name: Of the column.
        kind: Of its arrays.
        turns: What it would have to follow.
        remedy: What to do, for the message.

    Raises:
        ConfigurationError: If they cannot.
    """
    how = RULES.get(kind)
    if how is None or _FOLLOWS.get((how.flip, how.scaling)) is not Follow.BY_WIDTH:
        return
    raise ConfigurationError(
        f"column {name!r} ({kind}) cannot follow {' and '.join(turns)}: the other view would have to change with it. "
        f"{remedy}"
    )


def shown_kind(name: str, code: str | None, shows: Kind | None) -> Kind:
    """Return the kind of the values that a column of pictures for the eye shows.

    Args:
        name: Of the column.
        code: Name of its code, None without one.
        shows: See `Code.shows`.

    Raises:
        ConfigurationError: If they cannot be read from the pictures; names the column.
    """
    if shows is not None:
        return shows
    described = "no code" if code is None else f"the code {code!r}"
    raise ConfigurationError(
        f"column {name!r} holds pictures for the eye ({described}) from which their values cannot be read: colours and "
        "encoded vectors cannot be warped. Leave the column out, and make it anew from what is augmented"
    )


def _turns(span: Span | None) -> bool:
    return span is not None and span.probability > 0 and (span.low != 0 or span.high != 0)
