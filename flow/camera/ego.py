"""Ego flow: how every pixel would move if nothing but the camera moved."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.flow.camera.se3 import checked_motion
from segprep.flow.field import FlowField

__all__ = ["displacements", "ego_flow", "inverse_intrinsics"]

_MAX_CONDITION: Final = 1e9  # cameras have less than 1e5
_NEAREST_M: Final = 1e-6  # less is no depth
_BAND_PIXELS: Final = 2**15
_IN_FRONT: Final = 1e-6  # of the other camera, as a multiple of the depth before


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
        Vectors, exact to about 1e-5 pixels. Invalid where depth is invalid, zero, negative or NaN, where the point
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
    return displacements(
        neighbour.K @ motion[:3, :3] @ inverse_K,
        valid_HW & (depth_HW > _NEAREST_M),
        (neighbour.width, neighbour.height),
        (neighbour.K @ motion[:3, 3], depth_HW),
    )


def displacements(
    G_33: Matrix, known_HW: Mask, target_size: tuple[int, int], parallax: tuple[Matrix, Array] | None = None
) -> FlowField:
    """Return where p' = G p + k / z puts every pixel p = (x, y, 1), minus where it is.

    Args:
        G_33: (3, 3) homography.
        known_HW: (H, W) bool; other pixels are invalid, and so are those that miss the other frame.
        target_size: (width, height) of the other frame.
        parallax: k (3,) and z (H, W), which is above 0 where it is known; or None for z = infinity.
    """
    height, width = known_HW.shape
    x_W, y_H1 = np.arange(float(width)), np.arange(float(height))[:, None]
    (g_xx, g_xy, g_x1), (g_yx, g_yy, g_y1), (g_zx, g_zy, g_z1) = G_33.tolist()
    # The displacement itself, (q - p q_z) / q_z for q = G p + k / z: polynomials with coefficients in double precision,
    # whose values are some pixels, so that single precision is plenty for them. It is twice as fast.
    x_by_W, x_of_W = _single((g_xy - g_zy * x_W), (g_xx - g_z1 - g_zx * x_W) * x_W + g_x1)
    y_by_H1, y_of_H1 = _single((g_yx - g_zx * y_H1), (g_yy - g_z1 - g_zy * y_H1) * y_H1 + g_y1)
    z_of_W, z_of_H1 = _single(g_zx * x_W, g_zy * y_H1 + g_z1)
    k_3, z_HW = (np.zeros(3), None) if parallax is None else parallax
    (k_x_W, k_y_H1), k_z = _single(k_3[0] - k_3[2] * x_W, k_3[1] - k_3[2] * y_H1), np.float32(k_3[2])
    x_W, y_H1 = _single(x_W, y_H1)
    low = np.float32(-0.5)
    right, bottom = (np.float32(side - 0.5) for side in target_size)
    u_HW, v_HW = (np.empty((height, width), np.float32) for _ in range(2))
    valid_HW = np.empty((height, width), np.bool_)
    # In bands of rows, whose temporary arrays are small enough that their memory is used again and stays in the cache.
    # Infinities of absurd motions are compared, and so become invalid like everything that misses the frame.
    rows = max(1, _BAND_PIXELS // max(1, width))
    with np.errstate(over="ignore", invalid="ignore"):
        for band in (slice(top, min(top + rows, height)) for top in range(0, height, rows)):
            valid = known_HW[band]
            u, v = y_H1[band] * x_by_W, y_by_H1[band] * x_W
            u += x_of_W
            v += y_of_H1[band]
            q_z = z_of_H1[band] + z_of_W
            if z_HW is not None:
                w = np.divide(1.0, z_HW[band], out=np.zeros(valid.shape, np.float32), where=valid, casting="same_kind")
                u += k_x_W * w
                v += k_y_H1[band] * w
                w *= k_z
                q_z += w
            valid = valid & (q_z > _IN_FRONT)
            q_z[~valid] = 1.0
            u /= q_z
            v /= q_z
            u_HW[band], v_HW[band] = u, v
            u += x_W
            v += y_H1[band]
            for place, end in ((u, right), (v, bottom)):
                valid &= place >= low
                valid &= place <= end
            valid_HW[band] = valid
    uv_HW2 = np.asarray(cv2.merge([u_HW, v_HW]), np.float32)
    return FlowField(uv_HW2, valid_HW)


def _single(*values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float32], ...]:
    with np.errstate(over="ignore"):
        return tuple(each.astype(np.float32) for each in values)
