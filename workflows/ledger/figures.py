"""What the facts of its cells say of a column: one registry, which a stage's summary and `prep status` read.

A new fact of cells that people should see is one entry of `FIGURES`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.json_values import is_number
from segprep.prep.step import Origin
from segprep.workflows.ledger.rows import CellRow, CellState

__all__ = ["FIGURES", "ColumnFigures", "Figure"]

_EGO: Final = f"{Origin.COLUMN} ego_flow"

Value = Callable[[CellRow], float | None]
"""What one cell says; None where it says nothing."""

SumUp = Callable[[Sequence[float], int], float]
"""Takes what cells say, and the number of all done cells of the column."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number about a column.

    The texts are formats: `value` is the number, `count` the sum over the cells, `cells` how many cells are done.

    Attributes:
        name: In the JSON of `prep status` and of stages.
        of: What one cell says.
        sum_up: How it is summed up.
        headline: What `prep status` says as long as no bound is crossed; empty if nothing.
        least: A smaller number degrades the result; None for no such bound.
        most: A larger number does.
        warning: What is then said at the end of the stage, with what to do.
        columns: The only columns that it is about; empty for all.
    """

    name: str
    of: Value
    sum_up: SumUp
    headline: str = ""
    least: float | None = None
    most: float | None = None
    warning: str = ""
    columns: tuple[str, ...] = ()

    def degrades(self, value: float) -> bool:
        """Whether a number is beyond a bound."""
        return (self.least is not None and value < self.least) or (self.most is not None and value > self.most)


def _fact(*path: str) -> Value:
    """Return what looks up a number in the facts of a cell."""

    def look_up(row: CellRow) -> float | None:
        found: object = row.facts
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, bool):
            return float(found)
        return float(found) if is_number(found) else None

    return look_up


def _clipped(row: CellRow) -> float | None:
    """Return the share of the valid pixels that the code could not express."""
    moved: dict[str, float] = row.facts.get("length_px", {})
    if "clipped" not in row.facts and not moved:
        return None
    clipped: float = row.facts.get("clipped", 0)
    share: float = row.facts.get("valid_share", moved.get("valid", 1.0))
    height, width = row.facts["shape"][:2]
    return float(clipped / max(share * height * width, 1.0))


def _unsubtracted(row: CellRow) -> float | None:
    return float(_EGO not in row.inputs) if "length_px" in row.facts else None


def _still_px(row: CellRow) -> float | None:
    """Return the median length of what is left with the ego flow subtracted: most of a scene stands still."""
    return _fact("length_px", "median")(row) if _EGO in row.inputs else None


def _whole_p95(row: CellRow) -> float | None:
    return None if _EGO in row.inputs else _fact("length_px", "p95")(row)


def _beyond_picture(row: CellRow) -> float | None:
    longest = _fact("length_px", "longest")(row)
    return None if longest is None else longest / float(np.hypot(*row.facts["shape"][:2]))


def _decided(row: CellRow) -> float | None:
    """Return the share of the things that can move of which it is known whether they do."""
    things: dict[str, int] = row.facts.get("things", {})
    total = sum(things.values())
    return float(1 - things["unknown"] / total) if total else None


def _brightest(row: CellRow) -> float | None:
    found: dict[str, float] = row.facts.get("brightest", {})
    return float(min(found.values())) if found else None


def _turned(row: CellRow) -> float | None:
    """Whether its file carries another EXIF orientation than the image's."""
    return 1.0 if "image_orientation" in row.facts else None


def _median(values: Sequence[float], _: int) -> float:
    return float(np.median(values))


def _mean(values: Sequence[float], _: int) -> float:
    return float(np.mean(values))


def _largest(values: Sequence[float], _: int) -> float:
    return max(values)


def _smallest(values: Sequence[float], _: int) -> float:
    return min(values)


def _sum(values: Sequence[float], _: int) -> float:
    return sum(values)


def _share(values: Sequence[float], cells: int) -> float:
    """Return the mean over all cells, where those that say nothing count as 0."""
    return round(sum(values) / cells, 6)


_FLOWS: Final = ("optical_flow", "ego_flow", "flow", "raw_flow")
_DEPTHS: Final = ("depth", "depth_filled")
_INDICES: Final = ("evi", "evi2", "ndvi")
_SURFACES: Final = ("hha", "normals")

FIGURES: Final = (
    Figure(
        "turned_otherwise",
        _turned,
        _sum,
        most=0,
        warning="{count} of {cells} files carry another EXIF orientation than their images, and were not turned alike: "
        "`prep check` says which reading fits",
    ),
    Figure(
        "unsubtracted",
        _unsubtracted,
        _share,
        most=0.0,
        warning="{count} of {cells} cells hold optical flow from which the camera's motion is not subtracted: "
        "`prep flow --ego pose`, refine, odometry or homography subtracts it",
        columns=("flow",),
    ),
    Figure(
        "median_px",
        _fact("length_px", "median"),
        _median,
        "half of the pixels move less than {value:.2f} px (middle sample)",
    ),
    Figure(
        "still_px",
        _still_px,
        _median,
        most=1.5,
        warning="with the camera's motion subtracted half of the pixels still move by more than {value:.1f} px: is it "
        "wrong? Look at poses, depth and intrinsics, or try `prep flow --ego refine`",
        columns=_FLOWS,
    ),
    Figure("p95_px", _fact("length_px", "p95"), _median, "95 % less than {value:.1f} px"),
    Figure(
        "unsubtracted_p95_px",
        _whole_p95,
        _median,
        least=0.05,
        warning="95 % of the pixels move less than {value:.3f} px: is given flow in pixels, and not in shares of the "
        "picture's size?",
        columns=_FLOWS,
    ),
    Figure("longest_px", _fact("length_px", "longest"), _largest, "longest {value:.1f} px"),
    Figure(
        "longest_of_diagonal",
        _beyond_picture,
        _largest,
        most=1.0,
        warning="vectors are up to {value:.1f} times as long as the picture: are they in pixels of this size?",
        columns=_FLOWS,
    ),
    Figure(
        "clipped_pixels",
        _fact("clipped"),
        _sum,
        most=0,
        warning="{count} pixels were clipped to the range of its code",
    ),
    Figure(
        "clipped_share",
        _clipped,
        _share,
        "{value:.2%} of the pixels are clipped",
        most=0.05,  # between percentiles, as jet does it, a few are clipped by design
        warning="{value:.1%} of the pixels are clipped to the range of its code: choose another range (--scale of "
        "motion images, --near and --far of jet), or is the unit of depth wrong?",
        columns=(*_FLOWS, *_DEPTHS, "jet"),  # hha clips by design: what is nearer than 1 m, for example
    ),
    Figure(
        "inlier_share",
        _fact("inlier_share"),
        _median,
        "{value:.0%} of the pixels agree with the camera's motion (middle sample)",
        least=0.5,
        warning="only {value:.0%} of the pixels agree with the estimated motion of the camera (middle sample)",
    ),
    Figure("least_inlier_share", _fact("inlier_share"), _smallest, "at least {value:.0%}"),
    Figure(
        "valid_share",
        _fact("valid_share"),
        _mean,
        least=0.1,
        warning="only {value:.1%} of the pixels are valid",
        columns=(*_FLOWS, *_SURFACES, *_INDICES),
    ),
    Figure(
        "depth_valid_share",
        _fact("valid_share"),
        _mean,
        least=0.01,
        warning="only {value:.2%} of the pixels have a depth",
        columns=("depth",),
    ),
    Figure("nearest_m", _fact("range_m", "low"), _smallest, "nearest {value:.3g} m"),
    Figure("farthest_m", _fact("range_m", "high"), _largest, "farthest {value:.3g} m (1st and 99th percentile)"),
    Figure(
        "guarded_share",
        _fact("guarded"),
        _mean,
        "{value:.1%} of the pixels have no value",
        most=0.5,
        warning="{value:.0%} of the pixels have no value, because the denominator is too small: are the bands right "
        "(--bands), and their numbers of white?",
    ),
    Figure(
        "out_of_range_share",
        _fact("out_of_range"),
        _mean,
        most=0.25,
        warning="{value:.0%} of the values lay outside -1 to 1 and were clipped: are the bands right (--bands)?",
    ),
    Figure(
        "brightest",
        _brightest,
        _largest,
        least=0.2,
        warning="the brightest reflectance of a band is {value:.3f} in all samples: do its numbers have fewer bits? "
        "`--bands` names the number of white, such as nir=nir/4095",
        columns=_INDICES,
    ),
    Figure(
        "without_normal_share",
        _fact("share_without_normal"),
        _mean,
        most=0.5,
        warning="{value:.0%} of the pixels show no surface: fill holes first (--fill), or look at the depth",
    ),
    Figure(
        "floor_seen_share",
        _fact("floor_seen"),
        _mean,
        least=0.5,
        warning="the floor is seen in {count} of {cells} samples: heights count from the lowest point of the others",
    ),
    Figure(
        "filled_share",
        _fact("filled"),
        _mean,
        most=0.9,
        warning="{value:.0%} of the pixels were filled in, and not measured",
    ),
    Figure(
        "decided_share",
        _decided,
        _mean,
        "of {value:.0%} of the things it is known whether they move",
        least=0.05,
        warning="of only {value:.0%} of the things that can move it is known whether they do: look at flow and depth",
        columns=("motion_label",),
    ),
    Figure(
        "far_from_known",
        _fact("far_from_known"),
        _sum,
        most=0,
        warning="{count} pixels of the label files are farther from every known value than `--snap-labels` allows: "
        "they are void",
        columns=("label",),
    ),
    Figure(
        "background_px",
        _fact("background_px"),
        _median,
        most=1.5,
        warning="what cannot move is left with {value:.1f} px of motion (middle sample): flow or ego flow is wrong",
    ),
)
"""In the order in which they are said."""


class ColumnFigures:
    """Sums up the cells of a column, one at a time.

    Args:
        column: Its name.
    """

    def __init__(self, column: str) -> None:
        self.cells = 0
        self._values: dict[Figure, list[float]] = {
            figure: [] for figure in FIGURES if not figure.columns or column in figure.columns
        }

    def add(self, row: CellRow) -> None:
        """Take in a cell; only those that are done count."""
        if row.state is not CellState.DONE:
            return
        self.cells += 1
        for figure, values in self._values.items():
            value = figure.of(row)
            if value is not None:
                values.append(value)

    def figures(self) -> dict[str, float]:
        """Return the numbers that its cells say anything about."""
        return {figure.name: value for figure, value, _ in self._summed()}

    def headlines(self) -> list[str]:
        """Return what is said of it where nothing degrades it."""
        return [
            self._text(figure.headline, value, sum_)
            for figure, value, sum_ in self._summed()
            if figure.headline and not figure.degrades(value)
        ]

    def warnings(self) -> list[str]:
        """Return what degrades it."""
        return [self._text(f.warning, value, sum_) for f, value, sum_ in self._summed() if f.degrades(value)]

    def _summed(self) -> list[tuple[Figure, float, float]]:
        return [(f, f.sum_up(values, self.cells), sum(values)) for f, values in self._values.items() if values]

    def _text(self, text: str, value: float, sum_: float) -> str:
        return text.format(value=value, count=round(sum_), cells=self.cells)
