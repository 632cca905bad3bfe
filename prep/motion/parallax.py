"""The part of ego flow that depends on depth, and with it on every error of depth."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.flow.camera.ego import inverse_intrinsics
from segprep.flow.field import FlowField

__all__ = ["Translation", "find_translation"]

_PIXELS: Final = 2000  # six numbers are fitted to the flow of about so many


@dataclass(frozen=True, slots=True, eq=False)
class Translation:
    """How the camera's translation shows in the picture.

    Attributes:
        t_3: (3,) how the scene moves against the camera between the frames, in metres: x right, y down, z forward.
        K_22: Upper left part of the intrinsics.
        inverse_K: (3, 3) inverse of the intrinsics.
    """

    t_3: Matrix
    K_22: Matrix
    inverse_K: Matrix

    def parallax(self, x_N: Array, y_N: Array, depth_N: Array) -> Matrix:
        """Return what the translation adds to the flow of pixels, (N, 2), to first order; depths are in metres.

        A wrong depth, too large by a share e, makes this too small by that share. The camera going 10 cm forward (t =
        (0, 0, -0.1)) moves a pixel that is 100 px right of the centre and 10 m away by 1 px to the right.
        """
        a_N, b_N, _ = self.inverse_K @ np.stack([x_N, y_N, np.ones_like(x_N)])
        tx, ty, tz = self.t_3
        parallax_N2: Matrix = np.stack([tx - tz * a_N, ty - tz * b_N], axis=1) / depth_N[:, None] @ self.K_22.T
        return parallax_N2


def find_translation(ego: FlowField, depth_HW: Array, valid_HW: Mask, camera: Camera) -> Translation:
    """Find the camera's translation in the ego flow itself, wherever that came from.

    Least squares over the six numbers of the motion field, which is the exact flow to first order in the motion: a
    camera that moves by a twentieth of a thing's distance makes an error of about a twentieth of its parallax.

    Args:
        ego: Ego flow.
        depth_HW: (H, W) metres along the optical axis, inf for the sky.
        valid_HW: (H, W) bool, where depth is known and above 0.
        camera: Of this frame.

    Returns:
        The translation; none where no pixel is valid.

    Raises:
        MotionError: If the intrinsics are singular.

    Source: Longuet-Higgins, Prazdny: The interpretation of a moving retinal image. Proc. R. Soc. Lond. B 208, 1980.
    """
    inverse_K, K_22 = inverse_intrinsics(camera), camera.K[:2, :2]
    known = np.flatnonzero(ego.valid & valid_HW)
    chosen = known[:: max(1, known.size // _PIXELS)]
    if chosen.size == 0:
        return Translation(np.zeros(3), K_22, inverse_K)
    y_N, x_N = np.divmod(chosen, ego.size[0])
    a_N, b_N, _ = inverse_K @ np.stack([x_N, y_N, np.ones_like(x_N)])
    w_N: npt.NDArray[np.float64] = 1.0 / depth_HW.reshape(-1)[chosen].astype(np.float64)
    zero_N, one_N = np.zeros(chosen.size), np.ones(chosen.size)
    # Change of (a, b) = (X / Z, Y / Z) with a translation and a rotation about x, y, z.
    a_N6 = np.stack([w_N, zero_N, -w_N * a_N, -a_N * b_N, one_N + a_N * a_N, -b_N], axis=1)
    b_N6 = np.stack([zero_N, w_N, -w_N * b_N, -one_N - b_N * b_N, a_N * b_N, a_N], axis=1)
    field_2N6 = np.tensordot(K_22, np.stack([a_N6, b_N6]), axes=1)
    uv_2N = ego.uv.reshape(-1, 2)[chosen].T.astype(np.float64)
    motion_6 = np.linalg.lstsq(field_2N6.reshape(-1, 6), uv_2N.reshape(-1), rcond=None)[0]
    return Translation(motion_6[:3].astype(np.float64), K_22, inverse_K)
