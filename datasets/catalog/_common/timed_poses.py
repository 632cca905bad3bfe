"""Poses with times of their own: which unit the times have, and where the camera was at the time of an image."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from segprep.datasets.sample import Pose

__all__ = [
    "LARGEST_GAP_S",
    "SINCE_1970",
    "UNIT_NAMES",
    "TimedPoses",
    "TimedRow",
    "interpolated_pose",
    "time_resolution",
    "time_unit",
]

LARGEST_GAP_S: Final = 0.2
"""Between two rows that are farther apart nothing is interpolated."""

SINCE_1970: Final = (9e8, 2.5e9)
"""Seconds from 1998 to 2049; a date such as 20180810150607 lies outside in every unit."""

UNIT_NAMES: Final = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}
"""Seconds that a step of a time is, to the name of its unit."""

TimedRow = tuple[float, Pose | None]

_SLOWEST_S: Final = 15.0  # rows or images that are farther apart are no recording: the unit is a smaller one
_FINEST: Final = 6  # digits behind the point of seconds since 1970 that a float64 holds
_LEAST_SLACK_S: Final = 1e-6
_MOST_SLACK_S: Final = 5e-4


@dataclass(frozen=True, slots=True)
class TimedPoses:
    """Rows in the order of time, no two at one time.

    Attributes:
        times: Seconds.
        poses: None where the recorder lost its way.
        slack: Seconds that the times are inexact by, as they are written with few digits.
        unsorted: How many rows stood behind a later one.
        duplicates: How many rows were left out because another has their time.
    """

    times: tuple[float, ...]
    poses: tuple[Pose | None, ...]
    slack: float
    unsorted: int
    duplicates: int

    @classmethod
    def from_rows(cls, rows: Sequence[TimedRow], unit: float) -> "TimedPoses":
        """Sort rows; of those at one time the first counts.

        Args:
            rows: In any order.
            unit: Seconds that one step of their times is.
        """
        given = [time for time, _ in rows]
        first: dict[float, Pose | None] = {}
        for time, pose in rows:
            first.setdefault(time, pose)
        times = sorted(first)
        seconds = tuple(time * unit for time in times)
        slack = min(max(time_resolution(seconds) / 2, _LEAST_SLACK_S), _MOST_SLACK_S) * 1.01
        unsorted = sum(later < earlier for earlier, later in pairwise(given))
        return cls(seconds, tuple(first[time] for time in times), slack, unsorted, len(rows) - len(times))

    @property
    def rate(self) -> float:
        """Rows per second, by the median of the steps; 0 for a single row."""
        return 0.0 if len(self.times) < 2 else float(1 / np.median(np.diff(self.times)))

    def at(self, time: float) -> Pose | str:
        """Return the pose at a time, or why there is none."""
        after = bisect_left(self.times, time - self.slack)
        close = [k for k in (after, after + 1) if k < len(self.times) and abs(self.times[k] - time) <= self.slack]
        if close:  # an image's own row stays as it is written
            return self.poses[min(close, key=lambda k: abs(self.times[k] - time))] or "are where the recorder was lost"
        if after in (0, len(self.times)):
            return "are before the first row or after the last"
        before = after - 1
        if self.times[after] - self.times[before] > LARGEST_GAP_S + self.slack:
            return f"are between rows that are more than {LARGEST_GAP_S:g} s apart"
        first, second = self.poses[before], self.poses[after]
        if first is None or second is None:
            return "are where the recorder was lost"
        share = (time - self.times[before]) / (self.times[after] - self.times[before])
        return interpolated_pose(first, second, share)


def interpolated_pose(first: Pose, second: Pose, share: float) -> Pose:
    """Return the pose a share of the way from one to another.

    The position moves on a line, and the rotation turns about one axis at one speed: Shoemake's spherical linear
    interpolation (Animating rotation with quaternion curves, SIGGRAPH 1985).
    """
    R = first.matrix[:3, :3]
    axis, _ = cv2.Rodrigues(R.T @ second.matrix[:3, :3])
    turn, _ = cv2.Rodrigues(np.asarray(axis, np.float64) * share)
    matrix = np.eye(4)
    matrix[:3, :3] = R @ turn
    matrix[:3, 3] = (1 - share) * first.matrix[:3, 3] + share * second.matrix[:3, 3]
    return Pose(matrix)


def time_unit(times: Sequence[float], others: Sequence[float] = ()) -> float:
    """Return the seconds that one step of some times is: 1, 1e-3, 1e-6 or 1e-9.

    Times since 1970 tell it by their size. Others, that count from a start, are seconds if they have a fraction, and
    otherwise of the unit in which less than 15 s lie between two of them.

    Args:
        times: In any order.
        others: Seconds of the same recording, if known. Times that count from its start are held against them.
    """
    if not times:
        return 1.0
    middle, step = float(np.median(np.abs(times))), _step(times)
    for unit in UNIT_NAMES:
        if SINCE_1970[0] <= middle * unit < SINCE_1970[1] and step * unit < _SLOWEST_S:
            return unit
    if len(others) > 1:
        within = {unit: _count_within(others, min(times) * unit, max(times) * unit) for unit in UNIT_NAMES}
        longest, wanted = max(times) - min(times), max(others) - min(others)
        best = min(
            UNIT_NAMES, key=lambda unit: (-within[unit], abs(np.log(max(longest * unit, 1e-12) / (wanted or 1))))
        )
        if within[best]:
            return best
    if any(time != int(time) for time in times):
        return 1.0
    return next((unit for unit in UNIT_NAMES if step * unit < _SLOWEST_S), 1e-9)


def time_resolution(times: Sequence[float]) -> float:
    """Return the power of ten, at most 1 and at least 1e-6, that all times are multiples of."""
    values = np.asarray(times, np.float64)
    for digits in range(_FINEST):
        if np.abs(values - np.round(values, digits)).max(initial=0) < 5e-7:
            return float(10.0**-digits)
    return float(10.0**-_FINEST)


def _step(times: Sequence[float]) -> float:
    steps = np.diff(np.unique(times))
    return float(np.median(steps)) if len(steps) else 0.0


def _count_within(times: Sequence[float], first: float, last: float) -> int:
    return sum(first <= time <= last for time in times)
