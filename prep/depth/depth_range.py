"""Depth on a scale from near to far: what is checked, which range an image has, where in it a depth lies."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError, ConfigurationError
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["FixedRange", "OwnRange", "ShownQuantity", "check_depth", "range_facts", "scale_value", "scaled_position"]

_MOST_RANKED = 1 << 16


class ShownQuantity(StrEnum):
    """What grows evenly along the scale."""

    DEPTH = "depth"  # metres
    DISPARITY = "disparity"  # 1 / metres: about half of the scale is for what is nearer than twice the near end


@dataclass(frozen=True, slots=True)
class FixedRange:
    """The same range for all images: equal depths look equal everywhere.

    Attributes:
        near: In metres, at least 0.
        far: In metres, above `near`.
    """

    near: float
    far: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.far) and 0 <= self.near < self.far):
            raise ConfigurationError(f"depth ranges over 0 <= near < far in metres, not {self.near:g} to {self.far:g}")


@dataclass(frozen=True, slots=True)
class OwnRange:
    """Each image's own range, between two percentiles of its finite depths.

    Attributes:
        low: In percent, for example 2.
        high: In percent, for example 98.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ConfigurationError(f"percentiles rise and lie in 0 to 100, not {self.low:g} and {self.high:g}")

    def of(self, depth_HW: Array, valid_HW: Mask) -> FixedRange:
        """Return the range of an image.

        Args:
            depth_HW: (H, W) metres that `check_depth` passed; infinity takes no part.
            valid_HW: (H, W) bool.

        Raises:
            CodeRangeError: If no depth is finite, or the percentiles are equal.
        """
        finite = depth_HW[valid_HW & np.isfinite(depth_HW)].astype(np.float64)
        if not finite.size:
            raise CodeRangeError("every valid pixel of its depth is infinitely far: it has no range of its own")
        near, far = np.percentile(finite, (self.low, self.high)).tolist()
        if near >= far:
            raise CodeRangeError(
                f"its depth has no range: percentiles {self.low:g} and {self.high:g} of {finite.size} finite pixels "
                f"are both {near:g} m. Give a fixed range: --near --far"
            )
        return FixedRange(near, far)


def check_depth(depth_HW: Array, valid_HW: Mask) -> None:
    """Refuse depth of which nothing is known, and numbers that are no depth.

    Args:
        depth_HW: (H, W) metres, infinity where infinitely far.
        valid_HW: (H, W) bool.

    Raises:
        CodeRangeError: If no pixel is valid, or a valid one is NaN, zero or negative.
    """
    known = depth_HW[valid_HW]
    if not known.size:
        raise CodeRangeError("no pixel of its depth is valid")
    nans = int(np.isnan(known).sum())
    if nans:
        raise CodeRangeError(f"{nans} valid pixels of its depth are no numbers (NaN): mark them invalid")
    below = int((known <= 0).sum())
    if below:
        raise CodeRangeError(
            f"{below} valid pixels of its depth are not above 0 m (down to {float(known.min()):g} m): correct the unit "
            "or mark them invalid"
        )


def range_facts(depth_HW: Array, valid_HW: Mask) -> JsonDict:
    """Return where the depth of an image lies, as facts of its cell: `range_m` with low, median and high.

    They are the 1st, 50th and 99th percentile of the finite depths in metres, of at most 65536 pixels; empty if no
    depth is finite.

    Args:
        depth_HW: (H, W) metres, infinity where infinitely far.
        valid_HW: (H, W) bool.
    """
    finite = depth_HW[valid_HW & np.isfinite(depth_HW)]
    if not finite.size:
        return {}
    low, median, high = np.percentile(finite[:: 1 + finite.size // _MOST_RANKED], (1, 50, 99)).tolist()
    return {"range_m": {"low": round(low, 4), "median": round(median, 4), "high": round(high, 4)}}


def scale_value(depth_HW: Array, valid_HW: Mask, far: float, quantity: ShownQuantity) -> npt.NDArray[np.float32]:
    """Return what grows evenly: metres as they are, or 1 / metres.

    Infinitely far stays infinite as depth; as disparity it becomes that of the far end, so that sky is no outlier.

    Args:
        depth_HW: (H, W) metres above 0 where valid.
        valid_HW: (H, W) bool; other pixels become 0.
        far: Of the range, in metres.
        quantity: Which of the two.
    """
    if quantity is ShownQuantity.DEPTH:
        return np.where(valid_HW, depth_HW, 0).astype(np.float32)
    metres_HW = np.where(np.isposinf(depth_HW), far, depth_HW).astype(np.float64)
    inverse_HW = np.divide(1.0, metres_HW, out=np.zeros(depth_HW.shape), where=valid_HW)
    return inverse_HW.astype(np.float32)


def scaled_position(
    depth_HW: Array, valid_HW: Mask, span: FixedRange, quantity: ShownQuantity
) -> npt.NDArray[np.float32]:
    """Return where on the scale a depth lies: 0 at its smaller end and 1 at its larger one, not clipped.

    The larger end is far for depth and near for disparity: 4 m between 2 m and 8 m is at 1/3 in both.
    """
    values_HW = scale_value(depth_HW, valid_HW, span.far, quantity).astype(np.float64)
    low, high = (span.near, span.far) if quantity is ShownQuantity.DEPTH else (1 / span.far, 1 / span.near)
    return np.where(valid_HW, (values_HW - low) / (high - low), 0).astype(np.float32)
