"""Where flow can be trusted: the way there and the way back must meet."""

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.augmentation.follow import ends, lies_inside
from segprep.datasets.augmentation.operations import NUMPY
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array, Mask

__all__ = ["consistent", "lands_inside"]

_Plane = npt.NDArray[np.float32]

_RELATIVE, _ABSOLUTE = 0.01, 0.5


def lands_inside(uv_HW2: Array) -> Mask:
    """Return the (H, W) mask of pixels whose vectors end within the other frame, given (H, W, 2) pixels.

    Pixels are squares: a frame reaches from -0.5 to width - 0.5.
    """
    return lies_inside(*ends(NUMPY, *cv2.split(np.ascontiguousarray(uv_HW2, np.float32))))


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
    # Planes of single precision: three times as fast as pairs, and 1e-4 pixels are far below what flow tells.
    there = cv2.split(np.ascontiguousarray(forward_uv_HW2, np.float32))
    x_HW, y_HW = ends(NUMPY, *there)
    inside: Mask = lies_inside(x_HW, y_HW)
    marks = inside.view(np.uint8)
    back_HW2 = cv2.remap(
        np.ascontiguousarray(backward_uv_HW2, np.float32),
        cv2.copyTo(x_HW, marks),
        cv2.copyTo(y_HW, marks),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    back = cv2.split(back_HW2)
    with np.errstate(over="ignore", invalid="ignore"):  # vectors that are no numbers: compared, they are no agreement
        gap_HW = _squared(*(f + b for f, b in zip(there, back, strict=True)))
        limit_HW = _squared(*there)
        limit_HW += _squared(*back)
        limit_HW *= _RELATIVE
        limit_HW += _ABSOLUTE
        agree: Mask = gap_HW <= limit_HW
    agree &= inside
    return agree


def _squared(u_HW: Array, v_HW: Array) -> _Plane:
    squared: _Plane = u_HW * u_HW
    squared += v_HW * v_HW
    return squared
