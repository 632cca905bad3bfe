"""Whether depth is read as what it is: its unit and code against what cameras see and what sensors write."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.codes import DepthCode, DepthFileCode, DisparityCode, source_code_from_json
from segprep.datasets.codes.depth_units import DEPTH_UNITS, unit_text
from segprep.datasets.sample import JsonDict
from segprep.prep.inspection.doubts import Doubt
from segprep.prep.inspection.facts import DistanceFacts
from segprep.prep.inspection.number_signs import ORDERS, NumberSigns

__all__ = [
    "USUAL_MEDIANS_M",
    "DepthRange",
    "Reading",
    "SeenDepth",
    "code_evidence",
    "depth_doubts",
    "fitting",
    "medians_text",
    "range_text",
    "seen_depth",
]

USUAL_MEDIANS_M: Final = (0.3, 300.0)
"""Where the medians of depth files lie, in metres."""

_FAR_M: Final = (0.5, 1000.0)  # where the 99th percentile may lie
_NEAREST_M: Final = 7.0  # a street's ground, seen from a car, begins nearer
_FARTHEST_M: Final = 0.75
_POSSIBLE_M: Final = (0.05, 500.0)  # medians of close-ups and wide views, as `prep resize` accepts them
_FACTORS: Final = (10, 100, 1000, 0.1, 0.01, 0.001)

_ROUGH: Final = 0.03
_SMOOTHER: Final = 5.0
_SQUARE_STEP: Final = (0.0021, 0.0042)  # metres at 1 m: 0.0029 of PrimeSense and the first Kinect
_UPSIDE_DOWN: Final = 2.5  # below a ceiling, or above a near wall, 1.7 was seen
_FEWEST_VOTES: Final = 4
_VOTES: Final = 4
_FEWEST_FILES: Final = 3
_WHOLE_STEP_M: Final = 0.0015
_ASSUMED: Final = tuple(
    code.to_json() for code in (DepthFileCode(0.001), DepthCode(0.001, far_code=False), DisparityCode())
)
_REMEDIES: Final = {
    "plain": "`--depth-unit mm`, or the unit of the plain numbers, reads them so",
    "rotated": "`--depth-unit sun` reads them so",
    "swapped": "no unit reads them so: write the files again with the bytes in the usual order",
}


@dataclass(frozen=True, slots=True)
class DepthRange:
    """Where the depth of one file lies, in metres.

    Attributes:
        low: 1st percentile.
        median: 50th percentile.
        high: 99th percentile; infinite for disparities of zero.
        trusts_high: Whether `high` says anything: where disparities are small, a thousandth of a pixel is a kilometre.
    """

    low: float
    median: float
    high: float
    trusts_high: bool

    def is_plausible(self, factor: float = 1.0) -> bool:
        """Whether cameras see it, multiplied by a factor."""
        within = USUAL_MEDIANS_M[0] <= self.median * factor <= USUAL_MEDIANS_M[1]
        return within and (not self.trusts_high or _FAR_M[0] <= self.high * factor <= _FAR_M[1])


@dataclass(frozen=True, slots=True)
class SeenDepth:
    """One file of depth or disparity.

    Attributes:
        range: In metres.
        below_above: See `DistanceFacts`, of the depth.
        signs: See `DistanceFacts`.
        votes: See `ray_votes`; (0, 0) without a camera.
    """

    range: DepthRange
    below_above: float | None
    signs: NumberSigns | None
    votes: tuple[int, int] = (0, 0)


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


def seen_depth(facts: DistanceFacts, metre_pixels: float | None) -> SeenDepth | None:
    """Return what was seen of a file; None of one without any finite value.

    Args:
        facts: Of the file.
        metre_pixels: For disparities focal length times baseline: depth = focal length * baseline / disparity. None
            for depth.
    """
    if facts.percentiles is None:
        return None
    low, median, high = facts.percentiles
    below_above = facts.below_above
    if metre_pixels is None:
        return SeenDepth(DepthRange(low, median, high, trusts_high=True), below_above, facts.signs)
    span = DepthRange(metre_pixels / high, metre_pixels / median, metre_pixels / low, trusts_high=False)
    return SeenDepth(span, 1 / below_above if below_above else None, None)


def range_text(seen: Sequence[DepthRange], code: JsonDict) -> str:
    """Return what was seen of some files, for people."""
    low, high = min(r.low for r in seen), max(r.high for r in seen)
    files = "1 file" if len(seen) == 1 else f"{len(seen)} files"
    span = f"{_number(low)} to {_number(high)} m (1st to 99th percentile of {files})"
    return f"{span}, {medians_text(seen)}, read as {unit_text(code)}"


def medians_text(seen: Sequence[DepthRange]) -> str:
    """Return the medians of some files, for people."""
    low, high = (_number(each) for each in (min(r.median for r in seen), max(r.median for r in seen)))
    return f"median {low} m" if low == high else f"medians {low} to {high} m"


def _number(metres: float) -> str:
    return f"{metres:.3g}" if metres < 1000 else f"{metres:.0f}"


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
    impossible = not any(_POSSIBLE_M[0] <= r.median <= _POSSIBLE_M[1] for r in ranges)
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


_REMEDY: Final = "Say the unit with `prep init ... --depth-unit`; of disparities check focal length and baseline"


def fitting(ranges: Sequence[DepthRange]) -> str:
    """Return which powers of ten would make the ranges plausible."""
    found = [f"{factor:g}" for factor in _FACTORS if all(r.is_plausible(factor) for r in ranges)]
    return f"times {' or '.join(found)} it would be plausible" if found else "no power of ten makes it plausible"


def _out_of_range(reading: Reading, ranges: Sequence[DepthRange]) -> str:
    """Return what is strange about the range, "" for nothing."""
    if sum(not r.is_plausible() for r in ranges) * 2 > len(ranges):
        if all(USUAL_MEDIANS_M[0] <= r.median <= USUAL_MEDIANS_M[1] and r.high > _FAR_M[1] for r in ranges):
            return f"more than 1 % lies beyond {_FAR_M[1]:g} m: if that is the sky, write infinity or 0 there"
        return f"medians of {USUAL_MEDIANS_M[0]:g} to {USUAL_MEDIANS_M[1]:g} m are usual, and {fitting(ranges)}"
    if reading.usual is not None:
        near, far = reading.usual
        median = float(np.median([r.median for r in ranges]))
        return "" if near <= median <= far else f"nearly all of this dataset should lie in {near:g} to {far:g} m"
    if not reading.is_assumed:
        return ""
    nearest = float(np.median([r.low for r in ranges]))
    if nearest > _NEAREST_M:
        return f"nothing is nearer than {nearest:.3g} m, which is rare, and no file says the unit"
    farthest = float(np.median([r.high for r in ranges]))
    if farthest < _FARTHEST_M:
        return f"nothing is farther than {farthest:.3g} m, which is rare, and no file says the unit"
    return ""


def code_evidence(reading: JsonDict, seen: Sequence[SeenDepth]) -> tuple[str, bool] | None:
    """Return what the files' own numbers say against their code, and whether that is certain; None for nothing."""
    code = source_code_from_json(reading)
    signs = [each.signs for each in seen if each.signs is not None]
    scale = getattr(code, "scale_m", None)
    if not signs or scale is None:
        return None
    law = code.law if isinstance(code, DepthFileCode) else "linear"
    order = "rotated" if law == "rotated-bits" else "plain"
    rough = {name: float(np.median([s.roughness[i] for s in signs])) for i, name in enumerate(ORDERS)}
    smoothest = min(rough, key=rough.__getitem__)
    if law != "kinect" and rough[order] > max(_ROUGH, _SMOOTHER * rough[smoothest]):
        words = {"plain": "as plain numbers", "rotated": "with rotated bits", "swapped": "with swapped bytes"}
        return (
            f"so read it is noise: neighbours differ by {rough[order]:.0%}, {words[smoothest]} by "
            f"{rough[smoothest]:.1%}; {_REMEDIES[smoothest]}"
        ), True
    if law != "linear":
        return None
    if all(s.eleven_bits for s in signs):
        return (
            "2047 is its largest number, and frequent, as in raw disparities of a Kinect: `--depth-unit kinect`",
            False,
        )
    if all(s.low_bits for s in signs):
        return (
            "the lowest three bits of its numbers are 0 or 1, as in files of SUN RGB-D, whose bits are rotated: "
            "`--depth-unit sun`"
        ), False
    return _coarse_steps(scale, signs) or _square_steps(scale, signs)


def _coarse_steps(scale_m: float, signs: Sequence[NumberSigns]) -> tuple[str, bool] | None:
    multiple = math.gcd(*(s.multiple for s in signs))
    if multiple == 1 or multiple * scale_m < _WHOLE_STEP_M:
        return None
    return (
        f"its numbers are all multiples of {multiple}, as of millimetres times {multiple}: "
        f"`--depth-unit {unit_text(DepthFileCode(0.001 / multiple).to_json())}`"
    ), False


def _square_steps(scale_m: float, signs: Sequence[NumberSigns]) -> tuple[str, bool] | None:
    """Compare the steps with those of structured light, which are 3 mm at 1 m and grow with the square of distance."""
    laws = [s.square_step for s in signs if s.square_step is not None]
    if 2 * len(laws) <= len(signs):
        return None
    law = float(np.median(laws))
    if _SQUARE_STEP[0] <= law / scale_m <= _SQUARE_STEP[1]:
        return None
    linear = {n: c.scale_m for n, (_, c) in DEPTH_UNITS.items() if isinstance(c, DepthFileCode) and c.law == "linear"}
    named = [n for n, each in (linear | {"1/10000": 1e-4}).items() if _SQUARE_STEP[0] <= law / each <= _SQUARE_STEP[1]]
    if not named:
        return None
    return (
        f"its steps grow with the square of the distance, as those of a depth camera of structured light, which are "
        f"about 3 mm at 1 m; so read they are {1000 * law / scale_m:.2g} mm: `--depth-unit {named[0]}`"
    ), False
