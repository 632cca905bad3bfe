"""How wrong flow is, on pixels whose truth is known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array
from segprep.flow.field import FlowField

__all__ = ["FlowErrors", "endpoint_error", "flow_errors"]


@dataclass(frozen=True, slots=True)
class FlowErrors:
    """Errors of one field, NaN if no pixel has a truth.

    Attributes:
        epe_mean: Mean length of the difference vectors in pixels.
        epe_median: Their median.
        fl_all: Share (0..1) of pixels that are wrong by more than 3 pixels and by more than 5 % of the true length, as
            in KITTI 2015.
        pixels: How many pixels counted.
    """

    epe_mean: float
    epe_median: float
    fl_all: float
    pixels: int


def endpoint_error(uv_HW2: Array, truth_uv_HW2: Array) -> npt.NDArray[np.float64]:
    """Return the (H, W) length of the difference of two (H, W, 2) fields, in pixels.

    Raises:
        SizeMismatchError: If the sizes differ.
    """
    if uv_HW2.shape != truth_uv_HW2.shape:
        raise SizeMismatchError(f"the flow is {uv_HW2.shape}, its truth is {truth_uv_HW2.shape}")
    difference = uv_HW2.astype(np.float64) - truth_uv_HW2
    return np.hypot(difference[..., 0], difference[..., 1])


def flow_errors(estimated: FlowField, truth: FlowField) -> FlowErrors:
    """Compare a field with its truth, on pixels where both are valid.

    Raises:
        SizeMismatchError: If the sizes differ.
    """
    error_HW = endpoint_error(estimated.uv, truth.uv)
    counted = estimated.valid & truth.valid
    errors = error_HW[counted]
    if not errors.size:
        return FlowErrors(float("nan"), float("nan"), float("nan"), 0)
    length = np.hypot(truth.uv[..., 0], truth.uv[..., 1])[counted]
    wrong = (errors > 3) & (errors > 0.05 * length)
    return FlowErrors(float(errors.mean()), float(np.median(errors)), float(wrong.mean()), int(errors.size))
