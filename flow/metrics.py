"""How wrong flow is, on pixels whose truth is known."""

import math
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array, JsonDict
from segprep.flow.field import FlowField

__all__ = ["FlowErrors", "angular_error", "endpoint_error", "flow_errors"]


@dataclass(frozen=True, slots=True)
class FlowErrors:
    """Errors of one field or of many, NaN if no pixel counted.

    Attributes:
        epe_mean: Mean length of the difference vectors in pixels.
        epe_median: Their median.
        angular_mean: Mean of `angular_error` in degrees.
        fl_all: Share (0..1) of pixels that are wrong by more than 3 pixels and by more than 5 % of the true length, as
            in KITTI 2015.
        over_1px: Share of pixels that are wrong by more than 1 pixel.
        over_3px: Share of pixels that are wrong by more than 3 pixels.
        over_5px: Share of pixels that are wrong by more than 5 pixels.
        pixels: How many pixels counted: those with both an estimate and a truth.
        known_pixels: How many pixels have a truth.
    """

    epe_mean: float
    epe_median: float
    angular_mean: float
    fl_all: float
    over_1px: float
    over_3px: float
    over_5px: float
    pixels: int
    known_pixels: int

    @property
    def coverage(self) -> float:
        """Share of the pixels with a truth that have an estimate; leaving the hard ones out makes errors look small."""
        return self.pixels / self.known_pixels if self.known_pixels else math.nan

    def to_json(self) -> JsonDict:
        """Return all figures by name, null for NaN."""
        figures = {**asdict(self), "coverage": self.coverage}
        return {name: None if math.isnan(value) else value for name, value in figures.items()}


def endpoint_error(uv_HW2: Array, truth_uv_HW2: Array) -> npt.NDArray[np.float64]:
    """Return the (H, W) length of the difference of two (H, W, 2) fields, in pixels.

    Raises:
        SizeMismatchError: If the sizes differ.
    """
    difference_HW2 = _difference(uv_HW2, truth_uv_HW2)
    return np.hypot(difference_HW2[..., 0], difference_HW2[..., 1])


def angular_error(uv_HW2: Array, truth_uv_HW2: Array) -> npt.NDArray[np.float64]:
    """Return the (H, W) angle in degrees between the vectors (u, v, 1) and (u', v', 1) of two (H, W, 2) fields.

    It is arccos((u u' + v v' + 1) / (|(u, v, 1)| |(u', v', 1)|)): (1, 0) is 45 degrees from standing still, and equal
    differences of longer vectors are smaller angles.

    Raises:
        SizeMismatchError: If the sizes differ.

    Source: Barron, Fleet, Beauchemin: Performance of optical flow techniques. IJCV 1994.
    """
    difference_HW2 = _difference(uv_HW2, truth_uv_HW2)
    du_HW, dv_HW = difference_HW2[..., 0], difference_HW2[..., 1]
    u_HW, v_HW = (truth_uv_HW2[..., i].astype(np.float64) for i in (0, 1))
    # By the tangent, |a x b| / a.b: the arccosine of numbers close to 1 keeps half of their digits only.
    along_HW = (u_HW + du_HW) * u_HW + (v_HW + dv_HW) * v_HW + 1
    across_HW = np.hypot(np.hypot(du_HW, dv_HW), du_HW * v_HW - dv_HW * u_HW)
    angle_HW: npt.NDArray[np.float64] = np.rad2deg(np.arctan2(across_HW, along_HW))
    return angle_HW


def flow_errors(estimated: FlowField, truth: FlowField) -> FlowErrors:
    """Compare a field with its truth, on pixels where both are valid.

    Raises:
        SizeMismatchError: If the sizes differ.
    """
    error_HW = endpoint_error(estimated.uv, truth.uv)
    counted = estimated.valid & truth.valid
    known = int(truth.valid.sum())
    if not counted.any():
        nan = math.nan
        return FlowErrors(nan, nan, nan, nan, nan, nan, nan, 0, known)
    errors = error_HW[counted]
    length = np.hypot(truth.uv[..., 0], truth.uv[..., 1])[counted]
    return FlowErrors(
        epe_mean=float(errors.mean()),
        epe_median=float(np.median(errors)),
        angular_mean=float(angular_error(estimated.uv, truth.uv)[counted].mean()),
        fl_all=float(((errors > 3) & (errors > 0.05 * length)).mean()),
        over_1px=float((errors > 1).mean()),
        over_3px=float((errors > 3).mean()),
        over_5px=float((errors > 5).mean()),
        pixels=int(errors.size),
        known_pixels=known,
    )


def _difference(uv_HW2: Array, truth_uv_HW2: Array) -> npt.NDArray[np.float64]:
    if uv_HW2.shape != truth_uv_HW2.shape:
        raise SizeMismatchError(f"the flow is {uv_HW2.shape}, its truth is {truth_uv_HW2.shape}")
    difference: npt.NDArray[np.float64] = uv_HW2.astype(np.float64) - truth_uv_HW2
    return difference
