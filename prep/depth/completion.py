"""Holes in a depth image filled, by one of three methods."""

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError, ConfigurationError, SizeMismatchError
from segprep.datasets.sample import Array, Mask
from segprep.prep.depth.guided import fill_guided
from segprep.prep.depth.ip_basic import fill_ip_basic
from segprep.prep.depth.nearest import fill_nearest

__all__ = ["Fill", "complete_depth", "measured_depth"]

_FEWEST: Final = 2


class Fill(StrEnum):
    """Where the depth of a hole comes from."""

    IP_BASIC = "ip-basic"  # nearer values grow into it: made for the points of a laser, prefers what is in front
    NEAREST = "nearest"  # the nearest measured pixel
    GUIDED = "guided"  # from all around, but not across edges of the image


def measured_depth(depth_HW: Array, valid_HW: Mask) -> Mask:
    """Return where depth can be filled from: valid and above 0, infinity included; NaN is invalid.

    Raises:
        SizeMismatchError: If depth and mask are not (H, W) of one size.
        CodeRangeError: If there is none, or a single pixel: that one number all over the image would be no measurement
            of it, and points to a broken file or projection.
    """
    if depth_HW.ndim != 2 or depth_HW.shape != valid_HW.shape:
        raise SizeMismatchError(f"depth is {depth_HW.shape}, its mask {valid_HW.shape}: they must be one (H, W) grid")
    measured_HW: Mask = valid_HW & (depth_HW > 0)
    count = int(measured_HW.sum())
    if count < _FEWEST:
        height, width = depth_HW.shape
        what = "no pixel has a depth" if not count else "only one pixel has a depth"
        raise CodeRangeError(
            f"{what} of {width}x{height}: there is nothing to fill holes from. Check the file, the unit and what is "
            "masked"
        )
    return measured_HW


def complete_depth(
    depth_HW: Array, valid_HW: Mask, fill: Fill = Fill.IP_BASIC, rgb_HWC: Array | None = None
) -> tuple[npt.NDArray[np.float32], Mask]:
    """Fill every hole. Measured pixels keep their value; filled ones lie within the range of those.

    Args:
        depth_HW: (H, W) metres, infinity where infinitely far; it is not changed.
        valid_HW: (H, W) bool, where depth is known.
        fill: The method.
        rgb_HWC: (H, W, 3) uint8 image of the same view; only `Fill.GUIDED` looks at it.

    Returns:
        (H, W) float32 metres, valid everywhere, and (H, W) bool: what was measured.

    Raises:
        SizeMismatchError: If depth, mask and image differ in size.
        CodeRangeError: If fewer than two pixels are measured.
        ConfigurationError: If an image is needed and there is none.
    """
    measured_HW = measured_depth(depth_HW, valid_HW)
    known_HW = np.where(measured_HW, depth_HW, 0).astype(np.float32)
    match fill:
        case Fill.IP_BASIC:
            filled_HW = fill_ip_basic(known_HW, measured_HW)
        case Fill.NEAREST:
            filled_HW = fill_nearest(known_HW, measured_HW)
        case Fill.GUIDED:
            filled_HW = fill_guided(known_HW, measured_HW, _image_for(known_HW, rgb_HWC))
    return _keep_measured(known_HW, measured_HW, filled_HW), measured_HW


def _image_for(depth_HW: Array, rgb_HWC: Array | None) -> Array:
    if rgb_HWC is None:
        raise ConfigurationError("guided completion follows the edges of an image: give it one")
    if rgb_HWC.shape[:2] != depth_HW.shape:
        (height, width), (high, wide) = depth_HW.shape, rgb_HWC.shape[:2]
        raise SizeMismatchError(
            f"depth is {width}x{height}, the image {wide}x{high}: guided completion needs equal sizes"
        )
    return rgb_HWC


def _keep_measured(depth_HW: Array, measured_HW: Mask, filled_HW: Array) -> npt.NDArray[np.float32]:
    """Put measured pixels back, and keep the others within their range, which rounding may leave."""
    finite = depth_HW[measured_HW & np.isfinite(depth_HW)]
    if finite.size:
        np.clip(filled_HW, finite.min(), finite.max(), out=filled_HW, where=np.isfinite(filled_HW))
    np.copyto(filled_HW, depth_HW, where=measured_HW)
    return filled_HW
