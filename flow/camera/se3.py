"""Rigid motions of a camera: (4, 4) transforms that take points of one camera to another, X1 = R X0 + t."""

import math

import numpy as np

from segprep.datasets.errors import MotionError
from segprep.datasets.sample import Matrix

__all__ = ["checked_motion", "inverse", "motion_after", "rotation_degrees", "rotation_exp"]

# Poses are often printed with six digits, which leaves R^T R within 1e-5 of the identity. A scale or a shear of more
# than a thousandth is another kind of matrix.
_TOLERANCE = 1e-3


def checked_motion(motion_44: Matrix) -> Matrix:
    """Return the (4, 4) float64 rigid transform nearest to a motion that has the rounding of a text file.

    Raises:
        MotionError: If it is no (4, 4) matrix, not finite, or no rigid transform.
    """
    motion = np.asarray(motion_44, np.float64)
    if motion.shape != (4, 4):
        raise MotionError(f"a motion is a 4x4 matrix, not one of shape {motion.shape}")
    if not np.isfinite(motion).all():
        raise MotionError("the pose is not finite: leave this pair of frames out, or use another kind of ego motion")
    R = motion[:3, :3]
    # NumPy's own loops: numbers near the largest float overflow to inf here, which the comparison refuses.
    with np.errstate(over="ignore", invalid="ignore"):
        skew = float(np.abs(R.T @ R - np.eye(3)).max())
    if not skew <= _TOLERANCE or np.linalg.det(R) < 0 or np.abs(motion[3] - [0, 0, 0, 1]).max() > _TOLERANCE:
        raise MotionError(
            "the motion is no rigid transform: its rotation must be orthonormal with determinant 1 and its last row "
            f"0 0 0 1, but it is {motion.round(4).tolist()}"
        )
    left, _, right = np.linalg.svd(R)
    rigid = np.eye(4)
    rigid[:3, :3], rigid[:3, 3] = left @ right, motion[:3, 3]
    return rigid


def inverse(motion_44: Matrix) -> Matrix:
    """Return the (4, 4) inverse of a rigid transform: the motion back."""
    back = np.eye(4)
    back[:3, :3] = motion_44[:3, :3].T
    back[:3, 3] = -back[:3, :3] @ motion_44[:3, 3]
    return back


def rotation_exp(omega_3: Matrix) -> Matrix:
    """Return the (3, 3) rotation about the axis `omega_3` by its length in radians (Rodrigues' formula).

    A small omega = (a, b, c) gives about the identity plus the cross-product matrix [[0, -c, b], [c, 0, -a],
    [-b, a, 0]].
    """
    a, b, c = (float(value) for value in omega_3)
    angle = math.sqrt(a * a + b * b + c * c)
    cross = np.array([[0.0, -c, b], [c, 0.0, -a], [-b, a, 0.0]])
    # Both factors are even and smooth at 0; below 1e-8 their limits are exact to rounding.
    first = math.sin(angle) / angle if angle > 1e-8 else 1.0
    second = 2.0 * (math.sin(angle / 2) / angle) ** 2 if angle > 1e-8 else 0.5
    R: Matrix = np.eye(3) + first * cross + second * (cross @ cross)
    return R


def motion_after(motion_44: Matrix, step_6: Matrix) -> Matrix:
    """Return the motion followed by a small one: (vx, vy, vz, wx, wy, wz), a translation and a rotation vector."""
    small = np.eye(4)
    small[:3, :3], small[:3, 3] = rotation_exp(step_6[3:]), step_6[:3]
    after: Matrix = small @ motion_44
    return after


def rotation_degrees(motion_44: Matrix) -> float:
    """Return by how many degrees a rigid transform turns, 0 to 180."""
    R = motion_44[:3, :3]
    # The sine keeps its digits at small angles, where the cosine has lost them.
    sine = math.hypot(R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1])
    return math.degrees(math.atan2(sine, float(np.trace(R)) - 1.0))
