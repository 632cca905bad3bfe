"""The exact motion from one frame to another: optical flow, ego flow, what moves by itself, what is seen only once."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.sample import Array, Mask, Matrix
from segprep.datasets.synthetic.trace import Hits, trace, trace_grid
from segprep.datasets.synthetic.world import World, camera_pose, make_camera

__all__ = ["Motion", "follow", "motion"]

_NEAR_M: Final = 0.05
_SAME_DEPTH: Final = 1e-6  # relative; a hundred times the rounding of a traced inverse depth
_SAME_INVERSE_DEPTH: Final = 1e-9  # 1/metres, for what is nearly infinitely far


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where the points seen in a frame are in another one, on the grid of the first; H x W.

    Attributes:
        flow_HW2: (H, W, 2) float64 (u, v) in pixels, right and down: the point of pixel p is seen at p + flow.
        ego_HW2: (H, W, 2) float64, as if nothing but the camera moved. The sky moves by rotation alone.
        moving_HW: (H, W) bool, whether the pixel shows a car or a person that moves by itself.
        occluded_HW: (H, W) bool, whether the other frame does not show the point: it is hidden there, outside the
            image, or behind the camera.
        valid_HW: (H, W) bool, false where the point comes behind the other camera; flow and ego flow are 0 there.
    """

    flow_HW2: Matrix
    ego_HW2: Matrix
    moving_HW: Mask
    occluded_HW: Mask
    valid_HW: Mask


def motion(world: World, frame: int, other: int, width: int = 512, height: int = 256) -> Motion:
    """Return the motion of every pixel of a frame to another frame, earlier or later.

    Args:
        world: Parameters.
        frame: Whose pixel grid is used.
        other: Where the vectors point to, for example `frame - 1`.
        width: Image width in pixels.
        height: Image height in pixels.
    """
    return follow(trace_grid(world, frame, make_camera(width, height)), other)


def follow(hits: Hits, other: int) -> Motion:
    """Return the motion of any traced points to another frame; arrays have the shape of the hits.

    The point of pixel p at depth z has the coordinates z K^-1 p in its camera. After the rigid motion X' = R X + t the
    other camera sees it at the pixel K (R K^-1 p + t / z), which holds for the sky, too, where 1 / z is 0.
    """
    scene, shape = hits.scene, hits.inverse_depth.shape
    x, y = (np.broadcast_to(c, shape).ravel() for c in (hits.x, hits.y))
    w = hits.inverse_depth.ravel()
    to_other = np.linalg.inv(camera_pose(scene.world, other).matrix)
    ego, w_other, valid = _project(scene.camera.K, to_other @ scene.pose.matrix, x, y, w)
    flow = ego.copy()

    thing = scene.thing_of[hits.solid.ravel()]
    moving = np.array([t.speed != 0 for t in scene.things] + [False])[thing]
    now, then = scene.world.time(scene.frame), scene.world.time(other)
    for i in np.unique(thing[moving]).tolist():
        at = np.flatnonzero(thing == i)
        to_now, to_then = (scene.things[i].to_world(scene.world, time) for time in (now, then))
        T = to_other @ to_then @ np.linalg.inv(to_now) @ scene.pose.matrix
        flow[at], w_other[at], in_front = _project(scene.camera.K, T, x[at], y[at], w[at])
        valid[at] &= in_front
    flow[~valid] = ego[~valid] = 0

    seen = np.zeros(w.shape, bool)
    x_other, y_other = x + flow[:, 0], y + flow[:, 1]
    inside = (np.abs(x_other - (scene.camera.width - 1) / 2) <= scene.camera.width / 2) & (
        np.abs(y_other - (scene.camera.height - 1) / 2) <= scene.camera.height / 2
    )
    at = np.flatnonzero(valid & inside)
    there = trace(scene.world, other, scene.camera, x_other[at], y_other[at]).inverse_depth
    seen[at] = np.abs(there - w_other[at]) <= _SAME_DEPTH * w_other[at] + _SAME_INVERSE_DEPTH
    return Motion(
        flow.reshape(*shape, 2),
        ego.reshape(*shape, 2),
        moving.reshape(shape),
        ~seen.reshape(shape),
        valid.reshape(shape),
    )


def _project(K: Matrix, T: Matrix, x: Array, y: Array, w: Array) -> tuple[Array, Array, Mask]:
    """Return displacements (N, 2), inverse depths (N,) and being in front (N,) of points after X' = T X."""
    G, k = K @ T[:3, :3] @ np.linalg.inv(K), K @ T[:3, 3]
    qx, qy, qz = (G[i, 0] * x + G[i, 1] * y + G[i, 2] + k[i] * w for i in range(3))
    valid: Mask = qz > np.maximum(_NEAR_M * w, 1e-6)
    qz = np.where(valid, qz, 1.0)
    return np.stack([qx / qz - x, qy / qz - y], axis=-1), w / qz, valid
