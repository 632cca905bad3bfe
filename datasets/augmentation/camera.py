"""What an affine map of the image does to the camera, its pose and its motion.

The map A takes the pixel K X of a point X to A K X. The second of the factors of A K = K' S, intrinsics with positive
focal lengths times an orthogonal matrix that leaves the optical axis alone, is what happened to the camera's axes: the
new camera has K' and sees X' = S X. Depth does not change, since S turns about the optical axis and mirrors x at most;
normals become S n, motions S M S^-1. A crop or a change of size has S = 1; a flip has S = F = diag(-1, 1, 1), so cx' =
width - 1 - cx; a rotation is a roll of the camera, whatever it turns about, because that is in K'. Only where pixels
are not square, or for a skew, K' gets an entry K'[0, 1].

A mirrored camera cannot stand in the world as it is, so the world is mirrored with it: the world's x for poses, the
vehicle's y, its left, for mounts. Both ends of a motion lie in the same mirrored world.
"""

from dataclasses import replace

import numpy as np

from segprep.datasets.sample import Camera, Matrix, Pose

__all__ = ["camera_turn", "keeps_rows", "warped_camera", "warped_motion", "warped_pose"]

_STRAIGHT = 1e-9  # of the linear part's largest entry


def camera_turn(A: Matrix, K: Matrix | None = None) -> Matrix:
    """Return S (3, 3) of A K = K' S: it takes points of the camera to points of the camera of the warped image.

    Args:
        A: (3, 3) affine map of pixels.
        K: (3, 3) intrinsics; None for pixels that are square, without a skew.
    """
    turn, _ = _factors(A, np.eye(3) if K is None else K)
    return turn


def keeps_rows(A: Matrix) -> bool:
    """Return whether the map only scales and shifts, so that the two views of a stereo pair stay one."""
    linear = np.asarray(A)[:2, :2]
    off_axes = max(abs(linear[0, 1]), abs(linear[1, 0]))
    return bool(off_axes <= _STRAIGHT * np.abs(linear).max() and linear[0, 0] > 0 and linear[1, 1] > 0)


def warped_camera(camera: Camera, A: Matrix, size: tuple[int, int]) -> Camera:
    """Return the camera of the image warped by A to (width, height): positive focal lengths, mount turned with it.

    The baseline is dropped where the other view would not lie along the rows to the right any more.
    """
    turn, K = _factors(A, camera.K)
    mount = None if camera.mount is None else _mirrored(camera.mount @ _homogeneous(turn).T, turn, axis=1)
    baseline = camera.baseline if keeps_rows(A) else None
    return replace(camera, K=K, width=size[0], height=size[1], mount=mount, baseline=baseline)


def warped_pose(pose: Pose, turn: Matrix) -> Pose:
    """Return the camera-to-world transform of the camera that sees S X, in a mirrored world where S mirrors."""
    return Pose(_mirrored(pose.matrix @ _homogeneous(turn).T, turn, axis=0))


def warped_motion(motion_44: Matrix, turn: Matrix) -> Matrix:
    """Return S M S^-1, the motion between the cameras of two images that are warped alike; for a flip (F R F, F t)."""
    S = _homogeneous(turn)
    moved: Matrix = S @ motion_44 @ S.T
    return moved


def _factors(A: Matrix, K: Matrix) -> tuple[Matrix, Matrix]:
    """Return S and K' of A K = K' S by an RQ decomposition of the upper left 2x2 part."""
    whole = A @ K
    first, second = whole[0, :2], whole[1, :2]
    below = second / np.hypot(*second)
    across = np.array([below[1], -below[0]])
    across *= np.sign(first @ across)  # the focal length is positive
    turn, upper = np.eye(3), np.eye(3)
    turn[:2, :2] = across, below
    upper[:2] = [first @ across, first @ below, whole[0, 2]], [0.0, np.hypot(*second), whole[1, 2]]
    return turn, upper


def _homogeneous(turn: Matrix) -> Matrix:
    S = np.eye(4)
    S[:3, :3] = turn
    return S


def _mirrored(matrix_44: Matrix, turn: Matrix, axis: int) -> Matrix:
    if np.linalg.det(turn) > 0:
        return matrix_44
    mirrored = matrix_44.copy()
    mirrored[axis] *= -1
    return mirrored
