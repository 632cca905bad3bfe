"""What ego flow leaves of the optical flow where nothing moves: RGB-D recordings with measured poses."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _flow_drive import read_source
from _measure import table

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.errors import MotionError
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Camera, Matrix, Pose
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.odometry import Correction, estimate_motion
from segprep.flow.field import FlowField
from segprep.prep.motion.optical import compute_optical_flow, motion_residual

__all__ = ["Scene", "find_scenes", "render_scenes", "static_report"]

_SCENES = (
    ("living room", "rgbd", "open3d_livingroom"),
    ("7-Scenes", "sevenscenes", "7scenes_redkitchen"),
    ("HoloLens", "rgbd", "hololens"),
)
_STEPS = (1, 4)
_LEAST_PX = 1.0
_MUCH = 0.2
_MODES = ("pose", "refine", "odometry", "poses read backwards")


@dataclass(frozen=True, slots=True)
class Scene:
    """A static recording and the catalog's name of its layout."""

    name: str
    dataset: str
    root: Path


@dataclass(frozen=True, slots=True)
class _Figures:
    """Of one pair: its optical flow, and the share of it that each kind of ego motion leaves.

    Attributes:
        pair: Its name.
        optical_px: Median length of the optical flow, over pixels with flow and depth.
        shares: One per mode, infinite where no motion was found.
        failures: Why not.
    """

    pair: str
    optical_px: float
    shares: Mapping[str, float]
    failures: Sequence[str]


def find_scenes(data: Path) -> list[Scene]:
    """Return the scenes that are there."""
    return [Scene(name, dataset, data / folder) for name, dataset, folder in _SCENES if (data / folder).is_dir()]


def render_scenes(out: Path) -> list[Scene]:
    """Render the miniatures of both layouts: walks through a street in which nothing moves."""
    scenes = [Scene(f"rendered {dataset}", dataset, out / dataset) for dataset in ("rgbd", "sevenscenes")]
    for scene in scenes:
        CATALOG.load(scene.dataset).write_miniature(scene.root, 6)
    return scenes


def static_report(scenes: Sequence[Scene]) -> str:
    """Return a table of scenes and frame steps, and lists of the pairs without figures."""
    rows, short, failed, much = list[list[str]](), list[str](), list[str](), list[str]()
    for scene in scenes:
        for step in _STEPS:
            figures = list(_figures(scene, step))
            counted = [each for each in figures if each.optical_px >= _LEAST_PX]
            short += [f"{each.pair} ({each.optical_px:.2f} px)" for each in figures if each.optical_px < _LEAST_PX]
            failed += [f"{each.pair} {reason}" for each in counted for reason in each.failures]
            much += [f"{each.pair} ({each.shares['pose']:.2f})" for each in counted if each.shares["pose"] > _MUCH]
            if counted:
                rows.append([scene.name, str(step), f"{len(counted)} of {len(figures)}", *_shares(counted)])
    header = ("scene", "frame step", "pairs", "optical flow, px", *_MODES)
    return (
        "median |optical - ego| / median |optical|: median over the pairs, in brackets the worst pair\n\n"
        f"{table(header, rows)}\n\n"
        f"pairs of which the pose leaves more than {_MUCH:g}: {', '.join(much) or 'none'}\n\n"
        f"left out, because median |optical| is below {_LEAST_PX:g} px: {', '.join(short) or 'none'}\n\n"
        f"no motion found, which counts as infinite: {'; '.join(failed) or 'none'}"
    )


def _shares(figures: Sequence[_Figures]) -> list[str]:
    texts = [f"{statistics.median(each.optical_px for each in figures):.1f}"]
    for mode in _MODES:
        shares = [each.shares[mode] for each in figures]
        texts.append(f"{statistics.median(shares):.3f} ({max(shares):.3f})")
    return texts


def _figures(scene: Scene, step: int) -> Iterator[_Figures]:
    records = list(CATALOG.load(scene.dataset).scan(DatasetSource(scene.root), Direction.PREVIOUS))
    frames = {(record.sequence, record.frame): record for record in records}
    for record in records:
        other = frames.get((record.sequence, (record.frame or 0) - step))
        if other is not None and record.camera and record.pose and other.pose and "depth" in record.sources:
            yield _compare(scene, record, record.camera, record.pose, other, other.pose)


def _compare(
    scene: Scene, record: SampleRecord, camera: Camera, pose: Pose, other: SampleRecord, other_pose: Pose
) -> _Figures:
    (first, _), (second, _) = (read_source(scene.root, each, "image") for each in (record, other))
    depth, known = read_source(scene.root, record, "depth")
    optical = compute_optical_flow(first, second)
    seconds = (other.time or 0.0) - (record.time or 0.0)
    motion = pose.motion_to(other_pose)
    motions: dict[str, Callable[[], Matrix]] = {
        "pose": lambda: motion,
        "refine": lambda: (
            estimate_motion(optical, depth, known, camera, motion, correction=Correction(), seconds=seconds).matrix
        ),
        "odometry": lambda: estimate_motion(optical, depth, known, camera, seconds=seconds).matrix,
        "poses read backwards": lambda: other_pose.matrix @ np.linalg.inv(pose.matrix),
    }
    optical_px = _median_length(FlowField(optical.uv, optical.valid & known))
    shares, failures = dict[str, float](), list[str]()
    for mode in _MODES:
        try:
            ego = ego_flow(depth, known, camera, motions[mode]())
            shares[mode] = _median_length(motion_residual(optical, ego)) / optical_px
        except MotionError as error:
            shares[mode] = math.inf
            failures.append(f"{mode}: {error}")
    return _Figures(f"{scene.name} {record.frame} -> {other.frame}", optical_px, shares, failures)


def _median_length(field: FlowField) -> float:
    """Return the median length of a field's valid vectors in pixels, infinite if there are none."""
    lengths = np.hypot(field.uv[..., 0], field.uv[..., 1])[field.valid]
    return float(np.median(lengths)) if lengths.size else math.inf
