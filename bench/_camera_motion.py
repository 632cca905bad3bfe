"""Errors of the camera's estimated motion where much moves by itself, with and without labels that say what can."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from _measure import table

from segprep.datasets.errors import MotionError
from segprep.datasets.sample import Mask
from segprep.datasets.synthetic import CLASSES, Frame, Motion, World, drive_world, motion, render
from segprep.flow.camera.homography import estimate_homography, homography_flow
from segprep.flow.camera.odometry import estimate_motion
from segprep.flow.camera.se3 import inverse, rotation_degrees
from segprep.flow.field import FlowField
from segprep.prep.motion.movable import movable_classes
from segprep.prep.motion.optical import compute_optical_flow

__all__ = ["camera_report"]

_DENSITIES = (1.0, 3.0)
_SPEEDS_M_S = (8.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """A frame, what it truly does to the frame before, the estimated flow, and what cannot move by its label."""

    world: World
    frame: Frame
    before: Frame
    truth: Motion
    flow: FlowField
    static_HW: Mask


def camera_report(size: tuple[int, int], frames: Sequence[int], preset: str) -> str:
    """Estimate the camera's motion in drives of usual and of dense traffic, driving and standing."""
    header = ("cars", "camera, m/s", "pixels that move", "labels", "odometry: degrees, cm", "agree", "homography: px")
    rows = []
    for density in _DENSITIES:
        for speed in _SPEEDS_M_S:
            pairs = list(_pairs(replace(drive_world(0, 0), traffic_density=density, speed=speed), size, frames, preset))
            moving = np.mean([pair.truth.moving_HW.mean() for pair in pairs])
            for name, static in _ARMS.items():
                figures = [_odometry(pair, static(pair)) for pair in pairs]
                pixels = [_homography(pair, static(pair)) for pair in pairs]
                odometry = ", ".join(_median_and_most([figure[k] for figure in figures]) for k in (0, 1))
                agree = f"{np.nanmedian([figure[2] for figure in figures]):.2f}"
                rows.append(
                    [f"x {density:g}", f"{speed:g}", f"{moving:.1%}", name, odometry, agree, _median_and_most(pixels)]
                )
    return f"median (largest) over {len(frames)} pairs, dis {preset}\n\n{table(header, rows)}"


_ARMS: dict[str, Callable[[_Pair], Mask | None]] = {"unused": lambda _: None, "used": lambda pair: pair.static_HW}


def _pairs(world: World, size: tuple[int, int], frames: Sequence[int], preset: str) -> Iterator[_Pair]:
    for number in frames:
        frame, before = render(world, number, *size), render(world, number - 1, *size)
        flow = compute_optical_flow(frame.rgb_HWC, before.rgb_HWC, "dis", preset)
        static_HW = ~np.isin(CLASSES.to_train_ids(frame.label_HW), movable_classes(CLASSES))
        yield _Pair(world, frame, before, motion(world, number, number - 1, *size), flow, static_HW)


def _odometry(pair: _Pair, static_HW: Mask | None) -> tuple[float, float, float]:
    """Return errors in degrees and centimetres and the share of pixels that agree; NaN where nothing was found."""
    depth_HW, true_44 = pair.frame.depth_HW, pair.frame.pose.motion_to(pair.before.pose)
    try:
        found = estimate_motion(
            pair.flow,
            depth_HW,
            np.isfinite(depth_HW),
            pair.frame.camera,
            static_HW=static_HW,
            seconds=1 / pair.world.frame_rate,
        )
    except MotionError:
        return np.nan, np.nan, np.nan
    centimetres = 100 * float(np.linalg.norm(found.matrix[:3, 3] - true_44[:3, 3]))
    return rotation_degrees(found.matrix @ inverse(true_44)), centimetres, found.inlier_share


def _homography(pair: _Pair, static_HW: Mask | None) -> float:
    """Return the median error in pixels over what cannot move; NaN where nothing was found."""
    try:
        found = homography_flow(estimate_homography(pair.flow, static_HW).matrix, pair.flow.size)
    except MotionError:
        return np.nan
    seen_HW = pair.static_HW & found.valid & pair.truth.valid_HW
    return float(np.median(np.linalg.norm(found.uv - pair.truth.ego_HW2, axis=2)[seen_HW]))


def _median_and_most(values: Sequence[float]) -> str:
    failed = int(np.isnan(values).sum())
    if failed == len(values):
        return "nothing found"
    return f"{np.nanmedian(values):.4f} ({np.nanmax(values):.4f})" + (f", {failed} not found" if failed else "")
