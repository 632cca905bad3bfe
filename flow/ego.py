"""Ego flow: how every pixel would move if nothing but the camera moved."""

from typing import Final

import numpy as np

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.flow.field import FlowField
from segprep.flow.se3 import checked_motion

__all__ = ["displacements", "ego_flow", "inverse_intrinsics"]

_MAX_CONDITION: Final = 1e9  # cameras have less than 1e5
_NEAREST_M: Final = 1e-6  # less is no depth
_IN_FRONT: Final = 1e-9  # of the other camera, as a multiple of the depth before


def inverse_intrinsics(camera: Camera) -> Matrix:
    """Return the (3, 3) inverse of K: it takes the pixel (x, y, 1) to the point of its ray at depth 1.

    Raises:
        MotionError: If K is singular.
    """
    if not np.linalg.cond(camera.K) < _MAX_CONDITION:
        raise MotionError(f"the camera's intrinsics are singular, correct the calibration: {camera.K.tolist()}")
    return np.linalg.inv(camera.K).astype(np.float64)


def ego_flow(
    depth_HW: Array, valid_HW: Mask, camera: Camera, motion_44: Matrix, neighbour_camera: Camera | None = None
) -> FlowField:
    """Return the flow that the camera's motion alone makes, on the grid of this frame.

    A pixel p at depth z moves to K1 (R K0^-1 p + t / z); the sky, at infinite depth, by the rotation alone. So 10 cm
    forward (t = (0, 0, -0.1)) move a pixel that is 100 pixels right of the centre and 10 m away to the right, by 100 *
    0.1 / 9.9 = 1.01 pixels.

    Args:
        depth_HW: (H, W) metres along the optical axis in this frame; inf for the sky.
        valid_HW: (H, W) bool, where depth is known.
        camera: Of this frame.
        motion_44: (4, 4) rigid transform of this camera's points to the neighbour's, X1 = R X0 + t, in metres: what
            `Pose.motion_to` returns.
        neighbour_camera: Of the neighbour, if it is another one; it may have another size.

    Returns:
        Vectors computed in double precision. Invalid where depth is invalid, zero, negative or NaN, where the point
        comes to lie at or behind the neighbour, and where it leaves the neighbour's frame, whose pixels reach from -0.5
        to width - 0.5.

    Raises:
        MotionError: If the motion is not finite or no rigid transform, or intrinsics are singular.
        SizeMismatchError: If depth, mask and camera differ in size.

    Source: Vertens, Valada, Burgard: SMSnet: Semantic motion segmentation using deep convolutional neural networks.
    IROS 2017.
    """
    if not depth_HW.shape == valid_HW.shape == (camera.height, camera.width):
        raise SizeMismatchError(
            f"depth is {depth_HW.shape} and its mask {valid_HW.shape}, but the camera is calibrated for (height, "
            f"width) {(camera.height, camera.width)}"
        )
    neighbour = camera if neighbour_camera is None else neighbour_camera
    inverse_K = inverse_intrinsics(camera)
    inverse_intrinsics(neighbour)
    motion = checked_motion(motion_44)
    known_HW: Mask = valid_HW & (depth_HW > _NEAREST_M)
    w_HW = np.zeros(depth_HW.shape)
    np.divide(1.0, depth_HW, out=w_HW, where=known_HW)
    return displacements(
        neighbour.K @ motion[:3, :3] @ inverse_K,
        known_HW,
        (neighbour.width, neighbour.height),
        (neighbour.K @ motion[:3, 3], w_HW),
    )


def displacements(
    G_33: Matrix, known_HW: Mask, target_size: tuple[int, int], parallax: tuple[Matrix, Matrix] | None = None
) -> FlowField:
    """Return where p' = G p + k w puts every pixel p = (x, y, 1), minus where it is.

    Args:
        G_33: (3, 3) homography.
        known_HW: (H, W) bool; other pixels are invalid, and so are those that miss the other frame.
        target_size: (width, height) of the other frame.
        parallax: k (3,) and w (H, W), or None for 0.
    """
    height, width = known_HW.shape
    y_H1, x_1W = np.ogrid[0.0:height, 0.0:width]

    def row(i: int) -> Matrix:
        q_HW: Matrix = np.zeros(known_HW.shape) if parallax is None else parallax[0][i] * parallax[1]
        q_HW += G_33[i, 0] * x_1W
        q_HW += G_33[i, 1] * y_H1 + G_33[i, 2]
        return q_HW

    # Infinities of absurd motions are compared, and so become invalid, like everything that misses the frame.
    with np.errstate(over="ignore", invalid="ignore"):
        divisor_HW = row(2)
        valid_HW: Mask = known_HW & (divisor_HW > _IN_FRONT)
        np.copyto(divisor_HW, 1.0, where=~valid_HW)
        uv_HW2 = np.empty((height, width, 2), np.float32)
        for i, (place, side) in enumerate(zip((x_1W, y_H1), target_size, strict=True)):
            q_HW = row(i)
            q_HW /= divisor_HW
            np.subtract(q_HW, place, out=uv_HW2[..., i], casting="same_kind")
            q_HW -= (side - 1) / 2
            valid_HW &= np.abs(q_HW, out=q_HW) <= side / 2
        return FlowField(uv_HW2, valid_HW)
