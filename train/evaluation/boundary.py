"""How well the edges of classes are met: boundary IoU."""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, Mask

__all__ = ["BOUNDARY_SHARE", "BoundaryCounts", "boundary_width", "near_boundary"]

BOUNDARY_SHARE: Final = 0.02
"""Width of the band along boundaries as a share of the picture's diagonal."""

_OUTSIDE: Final = IGNORE_ID + 1  # a region of its own, so that the picture's edge is a boundary


class BoundaryCounts:
    """Pixels near boundaries by class, summed over a whole data set.

    A class's band is what of it lies at most `boundary_width` away from another class, void, or the picture's edge; the
    distance is that of the chessboard. Boundary IoU is the IoU of the label's band and the prediction's. Pixels whose
    label is void count in neither: there the prediction is taken for void, too.

    Source: Cheng, Girshick, Dollar, Berg, Kirillov: Boundary IoU: improving object-centric image segmentation
    evaluation. CVPR 2021, equation 3; counts are summed over all pictures before they are divided.

    Attributes:
        shared: (classes,) int64 pixels in both bands.
        united: (classes,) int64 pixels in at least one.
    """

    def __init__(self, classes: int) -> None:
        self.shared: npt.NDArray[np.int64] = np.zeros(classes, np.int64)
        self.united: npt.NDArray[np.int64] = np.zeros(classes, np.int64)

    def update(self, prediction_HW: Array, label_HW: Array) -> None:
        """Count one picture: uint8 train ids of one size, 255 = void in the label."""
        width = boundary_width(label_HW.shape[1], label_HW.shape[0])
        guess_HW = np.where(label_HW == IGNORE_ID, label_HW, prediction_HW)
        in_label, in_guess = (near_boundary(ids_HW, width) for ids_HW in (label_HW, guess_HW))
        labelled, guessed, shared = (
            np.bincount(ids, minlength=IGNORE_ID + 1)[: len(self.shared)]
            for ids in (label_HW[in_label], guess_HW[in_guess], label_HW[in_label & in_guess & (label_HW == guess_HW)])
        )
        self.shared += shared
        self.united += labelled + guessed - shared

    def iou(self) -> npt.NDArray[np.float64]:
        """Return (classes,) boundary IoU; NaN for a class without a band in labels and predictions."""
        return np.where(self.united > 0, self.shared / np.maximum(self.united, 1), np.nan)


def boundary_width(width: int, height: int) -> int:
    """Return the width of the band in pixels: 2 % of the diagonal, rounded, at least 1. Of 2048x1024 it is 46."""
    return max(1, round(BOUNDARY_SHARE * math.hypot(width, height)))


def near_boundary(ids_HW: Array, width: int) -> Mask:
    """Return (H, W) bool: which pixels have a pixel with another id, or the picture's edge, at most `width` away."""
    padded = cv2.copyMakeBorder(ids_HW.astype(np.uint16), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=float(_OUTSIDE))
    window = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    differs: Mask = (cv2.erode(padded, window) != cv2.dilate(padded, window))[1:-1, 1:-1]
    return differs
