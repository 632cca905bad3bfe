"""Where flow can be trusted: the way there and the way back must meet."""

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array, Mask

__all__ = ["consistent", "lands_inside"]

_RELATIVE, _ABSOLUTE = 0.01, 0.5


def lands_inside(uv_HW2: Array) -> Mask:
    """Return the (H, W) mask of pixels whose vectors end within the other frame, given (H, W, 2) pixels."""
    x_HW, y_HW = _targets(uv_HW2)
    height, width = uv_HW2.shape[:2]
    inside: Mask = (x_HW >= 0) & (x_HW <= width - 1) & (y_HW >= 0) & (y_HW <= height - 1)
    return inside


def consistent(forward_uv_HW2: Array, backward_uv_HW2: Array) -> Mask:
    """Return where forward and backward flow agree: |f + b(x + f)|^2 <= 0.01 (|f|^2 + |b|^2) + 0.5.

    Args:
        forward_uv_HW2: (H, W, 2) pixels from the first frame to the second, on the grid of the first.
        backward_uv_HW2: (H, W, 2) pixels from the second frame to the first, on the grid of the second.

    Returns:
        (H, W) bool on the grid of the first frame; false where the vector leaves the frame or is no number.

    Raises:
        SizeMismatchError: If the sizes differ.

    Source: Sundaram, Brox, Keutzer: Dense point trajectories by GPU-accelerated large displacement optical flow. ECCV
    2010.
    """
    if forward_uv_HW2.shape != backward_uv_HW2.shape:
        raise SizeMismatchError(f"flow there is {forward_uv_HW2.shape}, flow back is {backward_uv_HW2.shape}")
    inside = lands_inside(forward_uv_HW2)
    x_HW, y_HW = (np.where(inside, each, 0).astype(np.float32) for each in _targets(forward_uv_HW2))
    back_HW2 = cv2.remap(
        backward_uv_HW2.astype(np.float32), x_HW, y_HW, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    there_HW2 = np.where(inside[..., None], forward_uv_HW2, 0)
    gap_HW = _squared(there_HW2 + back_HW2)
    limit_HW = _RELATIVE * (_squared(there_HW2) + _squared(back_HW2)) + _ABSOLUTE
    agree: Mask = inside & (gap_HW <= limit_HW)
    return agree


def _targets(uv_HW2: Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    height, width = uv_HW2.shape[:2]
    y_H1, x_1W = np.ogrid[0.0:height, 0.0:width]
    return uv_HW2[..., 0] + x_1W, uv_HW2[..., 1] + y_H1


def _squared(uv_HW2: Array) -> npt.NDArray[np.float64]:
    squared: npt.NDArray[np.float64] = np.square(uv_HW2, dtype=np.float64).sum(axis=2)
    return squared
