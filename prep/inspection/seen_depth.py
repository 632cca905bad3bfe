"""Which depth a file shows: where it lies, against what cameras see, and as a text for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from segprep.datasets.codes.depth_units import unit_text
from segprep.datasets.sample import JsonDict
from segprep.prep.inspection.facts import DistanceFacts
from segprep.prep.inspection.number_signs import NumberSigns

__all__ = [
    "FARTHEST_M",
    "POSSIBLE_MEDIANS_M",
    "USUAL_MEDIANS_M",
    "DepthRange",
    "SeenDepth",
    "medians_text",
    "range_text",
    "seen_depth",
    "usual_text",
]

USUAL_MEDIANS_M: Final = (0.3, 300.0)
"""Where the medians of depth files lie, in metres."""

POSSIBLE_MEDIANS_M: Final = (0.05, 500.0)
"""Where they can lie: from close-ups to wide views. Metres and millimetres taken for one another lie outside."""

FARTHEST_M: Final = (0.5, 1000.0)
"""Where the 99th percentile may lie, in metres."""

_FACTORS: Final = (10, 100, 1000, 0.1, 0.01, 0.001)


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
        return within and (not self.trusts_high or FARTHEST_M[0] <= self.high * factor <= FARTHEST_M[1])


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


def usual_text(seen: Sequence[DepthRange]) -> str:
    """Return what is usual, and which powers of ten would make these ranges so, for people."""
    found = [f"{factor:g}" for factor in _FACTORS if all(r.is_plausible(factor) for r in seen)]
    remedy = f"times {' or '.join(found)} it would be plausible" if found else "no power of ten makes it plausible"
    return f"medians of {USUAL_MEDIANS_M[0]:g} to {USUAL_MEDIANS_M[1]:g} m are usual, and {remedy}"


def _number(metres: float) -> str:
    return f"{metres:.3g}" if metres < 1000 else f"{metres:.0f}"
