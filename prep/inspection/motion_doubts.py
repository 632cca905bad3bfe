"""Whether times and poses of a recording are in seconds and metres, in order, and of one piece."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Pose
from segprep.prep.inspection.doubts import Doubt

__all__ = ["Track", "motion_doubts"]

_Floats = npt.NDArray[np.float64]

_GAP_S: Final = (1 / 2000, 5.0)  # between the images of a recording
_POSSIBLE_GAP_S: Final = 100_000.0
_UNITS: Final = ((1e9, "nanoseconds"), (1e6, "microseconds"), (1e3, "milliseconds"))
_MOST_SKIPPED: Final = 1000
_SPEED_M_S: Final = 70.0  # a fast car
_POSSIBLE_SPEED_M_S: Final = 1000.0
_OF_DEPTH: Final = 0.6
_JUMP: Final = 20.0  # times the usual step
_LEAST_JUMP_M: Final = 1.0
_TURN_DEG: Final = 60.0
_SOON_S: Final = 0.5
_FEWEST: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The frames of a recording, in the order of their numbers.

    Attributes:
        name: Of the recording.
        frames: Their numbers.
        times: In seconds.
        poses: Of the camera; None where unknown.
    """

    name: str
    frames: Sequence[int]
    times: Sequence[float]
    poses: Sequence[Pose | None]


def motion_doubts(track: Track, depth_m: float | None) -> Iterator[Doubt]:
    """Yield what speaks against times and poses.

    Args:
        track: A recording.
        depth_m: Median of what its depth files show; None if nothing is known.
    """
    if len(track.times) < _FEWEST:
        return
    yield from _time_doubts(track)
    known = [(time, pose.matrix) for time, pose in zip(track.times, track.poses, strict=True) if pose is not None]
    if len(known) < _FEWEST:
        return
    seconds = np.abs(np.diff([time for time, _ in known]))
    steps, turns = _steps(np.array([matrix for _, matrix in known]))
    soon = (seconds > 0) & (seconds <= _SOON_S)
    if soon.sum() >= _FEWEST - 1:
        strange, impossible = _strange_motion(steps[soon], turns[soon], seconds[soon], depth_m)
        if strange:
            yield Doubt("poses", f"in {track.name} the camera {strange}", impossible)


def _time_doubts(track: Track) -> Iterator[Doubt]:
    gaps = np.diff(np.array(track.times))
    if back := int((gaps < 0).sum()):
        text = f"in {track.name} {back} of {gaps.size} frames are earlier than the frame before"
        yield Doubt("times", f"{text}: do the rows of the times belong to these files?")
    if same := int((gaps == 0).sum()):
        text = f"in {track.name} {same} of {gaps.size} frames have the time of the frame before"
        yield Doubt("times", f"{text}: such frames are no neighbours of one another")
    # Labelled frames of a video have numbers far apart; names that are time stamps are no numbers of frames.
    numbers = np.abs(np.diff(track.frames))
    gap = float(np.median(np.abs(gaps) / np.where((numbers > 0) & (numbers <= _MOST_SKIPPED), numbers, 1)))
    if gap > 0 and not _GAP_S[0] <= gap <= _GAP_S[1]:
        unit = next((name for parts, name in _UNITS if _GAP_S[0] <= gap / parts <= 1), "")
        text = f"in {track.name} the frames are {gap:.3g} s apart, and seconds are expected"
        yield Doubt("times", f"{text}: are these {unit}?" if unit else text, impossible=gap > _POSSIBLE_GAP_S)


def _steps(matrices_N44: _Floats) -> tuple[_Floats, _Floats]:
    """Return (N-1,) metres and (N-1,) degrees from each pose to the next."""
    steps: _Floats = np.linalg.norm(np.diff(matrices_N44[:, :3, 3], axis=0), axis=1)
    traces = np.einsum("nij,nij->n", matrices_N44[:-1, :3, :3], matrices_N44[1:, :3, :3])
    turns: _Floats = np.degrees(np.arccos(np.clip((traces - 1) / 2, -1, 1)))
    return steps, turns


def _strange_motion(steps: _Floats, turns: _Floats, seconds: _Floats, depth_m: float | None) -> tuple[str, bool]:
    """Return what is strange, "" for nothing, and whether it cannot be."""
    step, speed, turn = (float(np.median(each)) for each in (steps, steps / seconds, turns))
    if speed > _SPEED_M_S:
        text = f"moves at {speed:.3g} m/s: are positions in millimetres, or are the times wrong? Metres are expected"
        return text, speed > _POSSIBLE_SPEED_M_S
    if depth_m is not None and step > _OF_DEPTH * depth_m:
        text = f"moves by {step:.3g} m from frame to frame, and what it sees is {depth_m:.3g} m away"
        return f"{text}: are positions and depths both in metres?", False
    if turn > _TURN_DEG:
        return f"turns by {turn:.0f} degrees from frame to frame: do the poses belong to these frames?", False
    if not steps.any() and not turns.any():
        return "never moves: are the poses only filled in?", False
    jumps = int((steps > max(_JUMP * step, _LEAST_JUMP_M)).sum())
    if jumps:
        text = f"jumps {jumps} times, by up to {steps.max():.3g} m, where {step:.2g} m are usual"
        return f"{text}: the ego flow of such pairs is wrong", False
    return "", False
