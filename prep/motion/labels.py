"""Which things move by themselves: what flow, ego flow and depth say of each one that could."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, Camera, JsonDict, Mask
from segprep.flow.field import FlowField
from segprep.prep.motion.evidence import Evidence, Tolerance
from segprep.prep.motion.objects import MovableObject, find_objects
from segprep.prep.motion.optical import motion_residual
from segprep.prep.motion.parallax import find_translation

__all__ = ["MIN_SPEED", "MotionLabels", "MotionState", "ObjectMotion", "Tolerance", "label_motion"]


MIN_SPEED: Final = 1.0
"""The slowest motion that counts, in metres per second: people walk at 1.2 to 1.4."""

_ENOUGH: Final = 0.25  # of a thing's valid pixels must lie away from its edge to be used alone
_MOST_PIXELS: Final = 4000  # of one thing, and ten times as many of the background, are looked at
_STANDING: Final = 3  # times the error of flow: flow shorter than that says nothing of the ego flow


class MotionState(StrEnum):
    """What is known of a thing."""

    STATIC = "static"
    MOVING = "moving"
    UNKNOWN = "unknown"


_LABELS: Final = {MotionState.STATIC: 0, MotionState.MOVING: 1, MotionState.UNKNOWN: IGNORE_ID}


@dataclass(frozen=True, slots=True)
class ObjectMotion:
    """What was found out about one thing.

    Attributes:
        thing: What the labels say of it.
        state: Whether it moves.
        reason: Why that is unknown; else empty.
        depth_m: Median of its depth in metres, or None where none is known.
        residual_px: Length of its median residual in pixels, or None if it was not judged.
        score: How many standard deviations of flow and depth would explain its motion, or None.
        least_score: What that would be if it moved at the slowest speed that counts, or None.
    """

    thing: MovableObject
    state: MotionState
    reason: str = ""
    depth_m: float | None = None
    residual_px: float | None = None
    score: float | None = None
    least_score: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MotionLabels:
    """Motion labels of a frame.

    Attributes:
        label_HW: (H, W) uint8: 0 static, 1 moving, 255 everything that cannot move or is unknown.
        objects: The movable things.
        background_px: Median length of the residual of what cannot move, which shows how good flow and ego flow are;
            None where too little of it is seen.
    """

    label_HW: npt.NDArray[np.uint8]
    objects: tuple[ObjectMotion, ...]
    background_px: float | None

    def summary(self) -> JsonDict:
        """Return the number of things in each state, why the unknown ones are, and the background's residual."""
        states = [each.state for each in self.objects]
        reasons = [each.reason for each in self.objects if each.reason]
        return {
            "things": {state.value: states.count(state) for state in MotionState},
            "unknown": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
            "background_px": None if self.background_px is None else round(self.background_px, 3),
        }


def label_motion(
    label_HW: Array,
    instance_HW: Array | None,
    optical: FlowField,
    ego: FlowField,
    depth_HW: Array,
    depth_valid_HW: Mask,
    camera: Camera,
    *,
    movable: Collection[int],
    seconds: float,
    max_range: float | None = None,
    min_speed: float = MIN_SPEED,
    tolerance: Tolerance | None = None,
) -> MotionLabels:
    """Tell of each thing that can move whether it does.

    The residual, optical minus ego flow, of what stands still is 0 up to the errors of both. A thing moves if its
    median residual is more than these errors explain; `Tolerance` says what they are, and what the background's
    residual has in common (a small error of the camera's rotation) is taken off first. Where ego flow does not fit the
    background at all, nothing is known.

    A pedestrian 15 m away whose flow is 8 px, all of it parallax but for 1 px, is 1 / sqrt(0.19^2 + (0.05 * 8)^2) = 2.3
    standard deviations from standing, and so moves; 0.6 px would leave it open; with 0.3 px it is 0.7, and he stands.

    Two frames cannot show everything: what goes along the camera's own path at less than a tenth of its speed looks
    like a wrong depth, and what is far away moves by less than the errors. So a thing is static only if a motion of
    `min_speed`, across the camera's view or along it, would have been more than the errors explain; else it is unknown.
    At 15 frames per second and a focal length of 690 px, 1 m/s is 2.3 px across the view at 20 m, but along it 0.4 px
    of a car that is seen 120 px from the centre. What moves just along the line of sight of a thing beside the centre
    stays hidden.

    Args:
        label_HW: (H, W) uint8 train ids, 255 = ignore.
        instance_HW: (H, W) instance ids, 0 for none; or None. See `find_objects`.
        optical: Optical flow to the neighbour.
        ego: Ego flow to the same neighbour.
        depth_HW: (H, W) metres, inf for the sky.
        depth_valid_HW: (H, W) bool, where depth is known.
        camera: Of this frame.
        movable: Train ids of the classes whose things can move.
        seconds: Between the frames, of either sign.
        max_range: Things whose median depth in metres is larger are unknown, as in SMSnet's data for 20, 40 and 60 m.
        min_speed: In metres per second: the slowest motion that must show in what is called static.
        tolerance: Errors to reckon with.

    Raises:
        SizeMismatchError: If the arrays and the camera are not of one size.
        MotionError: If the intrinsics are singular, or no time lies between the frames.
    """
    if not (math.isfinite(seconds) and seconds != 0):
        raise MotionError(f"the time between the two frames is {seconds} s: correct the times, or leave the pair out")
    accepted = Tolerance() if tolerance is None else tolerance
    _check_sizes(label_HW, instance_HW, optical, ego, depth_HW, depth_valid_HW, camera)
    known_HW: Mask = depth_valid_HW & (depth_HW > 0)
    residual = motion_residual(optical, ego)
    usable_HW: Mask = residual.valid & known_HW & np.isfinite(depth_HW)
    found = find_objects(label_HW, instance_HW, movable, np.where(known_HW, depth_HW, np.nan))

    scenery = np.flatnonzero(usable_HW & (found.index_HW == 0) & (label_HW != IGNORE_ID))
    common_2, background_px, fits = _background(residual, optical, scenery, accepted)
    evidence = Evidence(
        (residual.uv - common_2).reshape(-1, 2).astype(np.float64),
        optical.uv.reshape(-1, 2),
        depth_HW.reshape(-1),
        optical.size[0],
        find_translation(ego, depth_HW, known_HW, camera),
        background_px or 0.0,
        min_speed * abs(seconds),
    )
    inside_P = found.inside(accepted.border_px).reshape(-1)
    objects = []
    for thing, usable, measured in zip(
        found.objects, found.pixels_of(usable_HW), found.pixels_of(known_HW), strict=True
    ):
        depth_m = float(np.median(evidence.depth_P[measured])) if measured.size else None
        if max_range is not None and depth_m is not None and depth_m > max_range:
            objects.append(ObjectMotion(thing, MotionState.UNKNOWN, "beyond the range", depth_m=depth_m))
        elif not fits:
            objects.append(ObjectMotion(thing, MotionState.UNKNOWN, "ego flow does not fit", depth_m=depth_m))
        elif usable.size < max(accepted.min_pixels, accepted.min_valid * thing.pixels):
            objects.append(ObjectMotion(thing, MotionState.UNKNOWN, "too few valid pixels", depth_m=depth_m))
        else:
            objects.append(_judged(thing, usable, inside_P, depth_m, evidence, accepted))
    table = np.array([IGNORE_ID, *(_LABELS[each.state] for each in objects)], np.uint8)
    return MotionLabels(table[found.index_HW], tuple(objects), background_px)


def _background(
    residual: FlowField, optical: FlowField, scenery: npt.NDArray[np.intp], accepted: Tolerance
) -> tuple[Array, float | None, bool]:
    """Return what the residual of the background has in common (2,), its median length else, and if ego flow fits."""
    if scenery.size < accepted.min_pixels:
        return np.zeros(2), None, True
    seen = _thinned(scenery, 10 * _MOST_PIXELS)
    common_2, background_px = _spread(residual.uv.reshape(-1, 2)[seen])
    _, flow_px = _spread(optical.uv.reshape(-1, 2)[seen])
    limit_px = max(_STANDING * accepted.flow_px, accepted.max_unexplained * flow_px)
    return common_2, background_px, background_px <= limit_px


def _judged(
    thing: MovableObject,
    usable: npt.NDArray[np.intp],
    inside_P: Array,
    depth_m: float | None,
    evidence: Evidence,
    accepted: Tolerance,
) -> ObjectMotion:
    inside_N, enough = inside_P[usable], max(accepted.min_pixels, _ENOUGH * usable.size)
    deepest = next((d for d in range(accepted.border_px, 0, -1) if np.count_nonzero(inside_N >= d) >= enough), 0)
    used = _thinned(usable[inside_N >= deepest], _MOST_PIXELS)
    found, least_score = evidence.measure(used, _thickness(usable, evidence.width), accepted)
    state, reason = MotionState.UNKNOWN, "in doubt"
    if found.score < accepted.static_below:
        shows = least_score > accepted.moving_above
        state, reason = (MotionState.STATIC, "") if shows else (MotionState.UNKNOWN, "motion would not show")
    elif found.score > accepted.moving_above and found.agreement >= accepted.min_agreement:
        state, reason = MotionState.MOVING, ""
    elif found.score > accepted.moving_above:
        reason = "its pixels disagree"
    return ObjectMotion(thing, state, reason, depth_m, found.residual_px, found.score, least_score)


def _thickness(pixels: npt.NDArray[np.intp], width: int) -> float:
    """Return the area of pixels over the longer side of the box around them."""
    rows, columns = np.divmod(pixels, width)
    return pixels.size / float(max(np.ptp(rows), np.ptp(columns)) + 1)


def _thinned(at: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """Return every n-th index, such that no more than `most` remain."""
    return at[:: max(1, -(-at.size // most))]


def _spread(uv_N2: Array) -> tuple[Array, float]:
    """Return the median vector (2,) in pixels, and the median distance from it."""
    common_2 = np.median(uv_N2, axis=0).astype(np.float64)
    return common_2, float(np.median(np.hypot(*(uv_N2 - common_2).T)))


def _check_sizes(
    label_HW: Array,
    instance_HW: Array | None,
    optical: FlowField,
    ego: FlowField,
    depth_HW: Array,
    depth_valid_HW: Mask,
    camera: Camera,
) -> None:
    shapes = {
        "labels": label_HW.shape,
        "optical flow": optical.valid.shape,
        "ego flow": ego.valid.shape,
        "depth": depth_HW.shape,
        "the mask of depth": depth_valid_HW.shape,
        "camera": (camera.height, camera.width),
    } | ({} if instance_HW is None else {"instances": instance_HW.shape})
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape[1]}x{shape[0]}" for name, shape in shapes.items())
        raise SizeMismatchError(f"motion labels need everything at one size, but there are {found}")
