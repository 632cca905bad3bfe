"""Static RGB-D scenes: nothing moves but the camera, so optical flow minus ego flow must be nearly nothing.

Three ways to the camera's motion: the recorded poses, these refined by the image, and the image alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array, Camera, Mask, Matrix, Pose
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.odometry import Correction, estimate_motion
from segprep.flow.camera.se3 import inverse
from segprep.flow.consistency import consistent
from segprep.flow.estimators import dis
from segprep.flow.field import FlowField

LIMIT = 1 / 5
MIN_MOTION_PX = 1.0
NO_DEPTH = 65535


@dataclass(frozen=True, eq=False)
class View:
    rgb_HWC: Array
    depth_HW: Array
    valid_HW: Mask
    pose: Pose


@dataclass(frozen=True, eq=False)
class Pair:
    flow: FlowField
    view: View
    other: View
    camera: Camera

    @property
    def motion(self) -> Matrix:
        return self.view.pose.motion_to(self.other.pose)


@dataclass(frozen=True, eq=False)
class Scene:
    camera: Camera
    views: list[View]

    def pairs(self, step: int) -> list[Pair]:
        found = []
        for i, view in enumerate(self.views):
            if 0 <= i + step < len(self.views):
                other = self.views[i + step]
                uv = dis.estimate(view.rgb_HWC, other.rgb_HWC)
                flow = FlowField(uv, consistent(uv, dis.estimate(other.rgb_HWC, view.rgb_HWC)))
                found.append(Pair(flow, view, other, self.camera))
        return found


def view(color: Path, depth: Path, pose: Matrix) -> View:
    millimetres = read_image(depth)
    valid_HW = (millimetres > 0) & (millimetres < NO_DEPTH)
    return View(read_image(color), millimetres.astype(np.float32) / 1000, valid_HW, Pose(pose))


def living_room(folder: Path) -> Scene:
    rows = [line.split() for line in (folder / "trajectory.log").read_text().splitlines()]
    poses = np.array([row for row in rows if len(row) == 4], float).reshape(-1, 4, 4)
    camera = Camera(np.array([[525, 0, 319.5], [0, 525, 239.5], [0, 0, 1]]), 640, 480)
    views = [view(folder / f"color/{i:05}.jpg", folder / f"depth/{i:05}.png", T) for i, T in enumerate(poses)]
    return Scene(camera, views)


def kitchen(folder: Path) -> Scene:
    stems = sorted(path.name.removesuffix(".pose.txt") for path in folder.glob("*.pose.txt"))
    views = [
        view(folder / f"{s}.color.png", folder / f"{s}.depth.png", np.loadtxt(folder / f"{s}.pose.txt")) for s in stems
    ]
    return Scene(Camera(np.loadtxt(folder / "camera-intrinsics.txt"), 640, 480), views)


def hololens(folder: Path) -> Scene:
    poses = np.loadtxt(folder / "poses.txt").reshape(-1, 4, 4)
    names = (folder / "frames.txt").read_text().split()
    views = [view(folder / "images" / n, folder / "depth" / n, T) for n, T in zip(names, poses, strict=True)]
    return Scene(Camera(np.loadtxt(folder / "K.txt"), 540, 360), views)


READERS: dict[str, Callable[[Path], Scene]] = {
    "open3d_livingroom": living_room,
    "7scenes_redkitchen": kitchen,
    "hololens": hololens,
}


@pytest.fixture(scope="module", params=list(READERS))
def scene(request: pytest.FixtureRequest, shared_data: Path) -> Scene:
    return READERS[request.param](shared_data / "rgbd_pose" / request.param)


@pytest.fixture(scope="module", params=[1, 4])
def pairs(request: pytest.FixtureRequest, scene: Scene) -> list[Pair]:
    return scene.pairs(request.param)


def median_length(uv_N2: Array) -> float:
    return float(np.median(np.hypot(uv_N2[:, 0], uv_N2[:, 1])))


def remainder(pairs: list[Pair], motion_of: Callable[[Pair], Matrix]) -> float:
    """The median over pairs of median |optical - ego| / median |optical|, pairs that hardly move left out."""
    ratios, left_out = [], []
    for number, pair in enumerate(pairs):
        ego = ego_flow(pair.view.depth_HW, pair.view.valid_HW, pair.camera, motion_of(pair))
        both = pair.flow.valid & ego.valid
        optical = median_length(pair.flow.uv[both])
        if optical < MIN_MOTION_PX:
            left_out.append(f"pair {number}: {optical:.2f} px")
        else:
            ratios.append(median_length((pair.flow.uv - ego.uv)[both]) / optical)
    assert left_out == []  # in these scenes
    return float(np.median(ratios))


def estimated(pair: Pair) -> Matrix:
    return estimate_motion(pair.flow, pair.view.depth_HW, pair.view.valid_HW, pair.camera).matrix


def refined(pair: Pair) -> Matrix:
    arrays = pair.flow, pair.view.depth_HW, pair.view.valid_HW, pair.camera
    return estimate_motion(*arrays, pair.motion, correction=Correction()).matrix


def misread(pair: Pair) -> Matrix:
    """Poses taken for world to camera."""
    return pair.other.pose.matrix @ inverse(pair.view.pose.matrix)


def test_the_poses_explain_the_flow_and_read_the_wrong_way_round_they_do_not(pairs: list[Pair]) -> None:
    assert remainder(pairs, lambda pair: pair.motion) <= LIMIT
    some = pairs[::4]
    assert remainder(some, lambda pair: inverse(pair.motion)) > 1.5
    assert remainder(some, misread) > 1.5 * LIMIT
    assert remainder(some, lambda pair: inverse(misread(pair))) > 1.5 * LIMIT


def test_flow_to_the_previous_frame_needs_the_motion_to_the_previous_frame(scene: Scene) -> None:
    back = Scene(scene.camera, scene.views[:5]).pairs(-1)
    assert remainder(back, lambda pair: pair.motion) <= LIMIT
    assert remainder(back, lambda pair: inverse(pair.motion)) > 1.5


def test_odometry_and_refined_poses_explain_the_flow_at_least_as_well(pairs: list[Pair]) -> None:
    some = pairs[::3]
    by_pose = remainder(some, lambda pair: pair.motion)
    assert remainder(some, estimated) <= by_pose
    assert remainder(some, refined) <= by_pose
