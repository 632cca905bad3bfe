"""Holes in depth filled with the value of the nearest measured pixel."""

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Mask

__all__ = ["fill_nearest"]


def fill_nearest(depth_HW: npt.NDArray[np.float32], measured_HW: Mask) -> npt.NDArray[np.float32]:
    """Return depth in which every hole has the value of the nearest measured pixel.

    Nearness is OpenCV's chamfer distance over 5x5 pixels, at most 3 % off the Euclidean one; of equally near pixels its
    order of scanning decides, the same in every run.

    Args:
        depth_HW: (H, W) float32 metres, infinity where infinitely far.
        measured_HW: (H, W) bool, at least one of them.

    Source: Borgefors: Distance transformations in digital images. Computer Vision, Graphics, and Image Processing
    34(3), 1986.
    """
    holes_HW = np.ascontiguousarray(~measured_HW).view(np.uint8)
    # Labels are counted from 1 in the order of rows, which is the order in which a mask picks values.
    _, nearest_HW = cv2.distanceTransformWithLabels(
        holes_HW, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    filled_HW: npt.NDArray[np.float32] = depth_HW[measured_HW][nearest_HW - 1]
    return filled_HW
