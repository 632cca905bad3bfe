"""Whether depth is read as what it is: its unit and code against what cameras see and what sensors write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.codes import DepthCode, DepthFileCode, DisparityCode
from segprep.datasets.codes.depth_units import unit_text
from segprep.datasets.sample import JsonDict
from segprep.prep.inspection.code_evidence import code_evidence
from segprep.prep.inspection.doubts import Doubt
from segprep.prep.inspection.seen_depth import (
    FARTHEST_M,
    POSSIBLE_MEDIANS_M,
    USUAL_MEDIANS_M,
    DepthRange,
    SeenDepth,
    medians_text,
    usual_text,
)

__all__ = ["Reading", "depth_doubts"]

_BEGINS_M: Final = 7.0  # a street's ground, seen from a car, begins nearer
_ENDS_M: Final = 0.75
_UPSIDE_DOWN: Final = 2.5  # below a ceiling, or above a near wall, 1.7 was seen
_FEWEST_VOTES: Final = 4
_VOTES: Final = 4  # for distances, to one for depth along the axis
_FEWEST_FILES: Final = 3
_REMEDY: Final = "Say the unit with `prep init ... --depth-unit`; of disparities check focal length and baseline"
_ASSUMED: Final = tuple(
    code.to_json() for code in (DepthFileCode(0.001), DepthCode(0.001, far_code=False), DisparityCode())
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a column's files are read.

    Attributes:
        column: Its name.
        code: See `SourceFile.code`.
        usual: (near, far) in metres between which nearly all depths of the dataset lie; None if nobody knows.
        said: Whether the user, or a file of the dataset, says the unit.
    """

    column: str
    code: JsonDict
    usual: tuple[float, float] | None
    said: bool

    @property
    def is_assumed(self) -> bool:
        """Whether nobody says the unit: it is the one that lists, folders and recordings of one's own are read in."""
        return not self.said and self.usual is None and self.code in _ASSUMED


def depth_doubts(reading: Reading, seen: Sequence[SeenDepth]) -> Iterator[Doubt]:
    """Yield what speaks against a reading, the surest first; nothing if it looks right.

    Args:
        reading: Of the column.
        seen: Some or all of its files.
    """
    ranges = [each.range for each in seen]
    if not ranges:
        return
    as_read = f"read as {unit_text(reading.code)}, {medians_text(ranges)}"
    impossible = not any(POSSIBLE_MEDIANS_M[0] <= r.median <= POSSIBLE_MEDIANS_M[1] for r in ranges)
    bits = code_evidence(reading.code, seen)
    if bits is not None:
        yield Doubt(reading.column, f"{as_read}, but {bits[0]}", impossible or bits[1])
    elif strange := _out_of_range(reading, ranges):
        yield Doubt(reading.column, f"{as_read}; {strange}. {_REMEDY}", impossible)
    axis, distance = (sum(votes) for votes in zip(*(each.votes for each in seen), strict=True))
    if distance >= _FEWEST_VOTES and distance > _VOTES * axis:
        yield Doubt(
            reading.column,
            f"{distance} parts of the pictures are planes if the numbers are distances along each pixel's ray, {axis} "
            "if they are depth along the optical axis, which is expected: divide them by the length of the ray",
        )
    downs = [each.below_above for each in seen if each.below_above is not None]
    if len(downs) >= _FEWEST_FILES and sum(r > _UPSIDE_DOWN for r in downs) > 0.75 * len(downs):
        yield Doubt(
            reading.column,
            f"read as {unit_text(reading.code)}, what is below in the pictures is {np.median(downs):.1f} times as far "
            "as what is above, where the ground should be near: is it disparity that is taken for depth, or the other "
            "way round (--depth-unit), or are the pictures upside down?",
        )


def _out_of_range(reading: Reading, ranges: Sequence[DepthRange]) -> str:
    """Return what is strange about the range, "" for nothing."""
    if sum(not r.is_plausible() for r in ranges) * 2 > len(ranges):
        if all(USUAL_MEDIANS_M[0] <= r.median <= USUAL_MEDIANS_M[1] and r.high > FARTHEST_M[1] for r in ranges):
            return f"more than 1 % lies beyond {FARTHEST_M[1]:g} m: if that is the sky, write infinity or 0 there"
        return usual_text(ranges)
    if reading.usual is not None:
        near, far = reading.usual
        median = float(np.median([r.median for r in ranges]))
        return "" if near <= median <= far else f"nearly all of this dataset should lie in {near:g} to {far:g} m"
    if not reading.is_assumed:
        return ""
    nearest = float(np.median([r.low for r in ranges]))
    if nearest > _BEGINS_M:
        return f"nothing is nearer than {nearest:.3g} m, which is rare, and no file says the unit"
    farthest = float(np.median([r.high for r in ranges]))
    if farthest < _ENDS_M:
        return f"nothing is farther than {farthest:.3g} m, which is rare, and no file says the unit"
    return ""
