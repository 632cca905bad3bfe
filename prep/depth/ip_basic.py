"""Holes in depth filled as IP-Basic does: nearer values grow into them, step by step with larger windows."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Mask
from segprep.prep.depth.nearest import fill_nearest

__all__ = ["fill_ip_basic"]

_Depth = npt.NDArray[np.float32]

# Real depths are below both; the order near < infinitely far < unknown makes a minimum prefer what is known and near.
_SKY: Final = np.float32(1e30)
_UNKNOWN: Final = np.float32(2e30)

_DIAMOND: Final = np.array([[abs(x) + abs(y) <= 2 for x in range(-2, 3)] for y in range(-2, 3)], np.uint8)
_CLOSING: Final = np.ones((5, 5), np.uint8)
_SMALL_HOLES: Final = np.ones((7, 7), np.uint8)
_LARGE_HOLES: Final = np.ones((31, 31), np.uint8)
_MEDIAN: Final = 5
_ALIKE: Final = 0.1  # standard deviation in the logarithm: depths that differ by a tenth
_NEARBY: Final = 2.0  # in pixels


def fill_ip_basic(depth_HW: _Depth, measured_HW: Mask) -> _Depth:
    """Return depth without holes: what IP-Basic with its bilateral filter makes of them.

    In this order: the nearest depth within a diamond of 5x5 pixels; closing with 5x5; holes from 7x7; each column's
    topmost depth upwards to the image's border, because what stands up there reaches above the beams of a laser; holes
    from 31x31; a median of 5x5 and a bilateral filter of 5x5.

    It differs from the published program in these points. That one turns depth into 100 m - depth, so that dilation
    prefers near values, and so loses or negates what is farther than 100 m: minima and maxima of depth itself do the
    same for any range. Its bilateral filter tells depths apart that differ by 1.5 m; here it is a tenth, at any range.
    What is left after the 31x31 pixels is filled from the nearest pixel. Infinitely far pixels, which it does not know,
    count as farther than all others and are not smoothed into them. Measured pixels are for the caller to put back: the
    published program leaves them dilated and smoothed.

    Args:
        depth_HW: (H, W) float32 metres, infinity where infinitely far.
        measured_HW: (H, W) bool, at least one of them.

    Source: Ku, Harakeh, Waslander: In defense of classical image processing: fast depth completion on the CPU.
    CRV 2018.
    """
    grown_HW: Array = np.where(measured_HW, np.minimum(depth_HW, _SKY), _UNKNOWN)
    grown_HW = _minimum(grown_HW, _DIAMOND)
    grown_HW = cv2.morphologyEx(grown_HW, cv2.MORPH_OPEN, _CLOSING, borderType=cv2.BORDER_REPLICATE)  # closes nearness
    grown_HW = _fill_from(grown_HW, _SMALL_HOLES)
    grown_HW = _extend_to_top(grown_HW)
    grown_HW = _fill_from(grown_HW, _LARGE_HOLES)
    known_HW = grown_HW < _UNKNOWN
    if not known_HW.all():
        grown_HW = fill_nearest(grown_HW, known_HW)
    return _smooth(grown_HW)


def _minimum(depth_HW: _Depth, window: Array) -> _Depth:
    # Repeating the border adds no value that the window does not see anyway.
    minimum_HW: Array = cv2.erode(depth_HW, window, borderType=cv2.BORDER_REPLICATE)
    return minimum_HW


def _fill_from(depth_HW: Array, window: Array) -> _Depth:
    holes_HW = depth_HW == _UNKNOWN
    return np.where(holes_HW, _minimum(depth_HW, window), depth_HW) if holes_HW.any() else depth_HW


def _extend_to_top(depth_HW: _Depth) -> _Depth:
    top_W = (depth_HW < _UNKNOWN).argmax(axis=0)  # 0, and nothing to extend, in a column without any
    topmost_1W = np.take_along_axis(depth_HW, top_W[None], axis=0)
    return np.where(np.arange(len(depth_HW))[:, None] < top_W, topmost_1W, depth_HW)


def _smooth(depth_HW: _Depth) -> _Depth:
    """Return medians, smoothed among themselves as far as they differ little; infinity where the median is."""
    median_HW: Array = cv2.medianBlur(depth_HW, _MEDIAN)
    sky_HW = median_HW == _SKY
    logs_HW = np.log(median_HW)
    if sky_HW.any():  # farther than all others, but not so far that the filter's table of differences gets coarse
        logs_HW[sky_HW] = logs_HW[~sky_HW].max(initial=0) + 1
    smooth_HW: Array = cv2.bilateralFilter(logs_HW, _MEDIAN, _ALIKE, _NEARBY)
    return np.where(sky_HW, np.float32(np.inf), np.exp(smooth_HW))
