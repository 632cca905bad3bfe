"""Motion of the labelled frame: optical flow with its check, and what is left of it without the camera's own motion."""

import numpy as np

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array
from segprep.flow.consistency import consistent
from segprep.flow.estimators import ESTIMATORS
from segprep.flow.field import FlowField

__all__ = ["compute_optical_flow", "motion_residual"]


def compute_optical_flow(
    first_rgb_HWC: Array, second_rgb_HWC: Array, estimator: str = "dis", *, check: bool = True
) -> FlowField:
    """Estimate the motion from the first image to the second, on the grid of the first.

    Args:
        first_rgb_HWC: (H, W, 3) uint8 RGB.
        second_rgb_HWC: The same size.
        estimator: Name of a flow estimator.
        check: Whether to estimate the way back too and mark as invalid where the two disagree (occluded places) or the
            motion leaves the image. It doubles the time.

    Raises:
        SizeMismatchError: If the sizes differ.
        UnknownNameError: If there is no such estimator.
    """
    estimate = ESTIMATORS.load(estimator).estimate
    forward_uv_HW2 = estimate(first_rgb_HWC, second_rgb_HWC)
    if not check:
        return FlowField(forward_uv_HW2, np.ones(forward_uv_HW2.shape[:2], np.bool_))
    return FlowField(forward_uv_HW2, consistent(forward_uv_HW2, estimate(second_rgb_HWC, first_rgb_HWC)))


def motion_residual(optical: FlowField, ego: FlowField | None) -> FlowField:
    """Return optical minus ego flow, valid where both are; the optical flow itself where there is no ego flow.

    What stands still has a residual of zero however the camera moved. Source: Vertens, Valada, Burgard: SMSnet:
    Semantic motion segmentation using deep convolutional neural networks. IROS 2017.

    Raises:
        SizeMismatchError: If the two differ in size.
    """
    if ego is None:
        return optical
    if optical.size != ego.size:
        raise SizeMismatchError(f"the optical flow is {optical.size}, the ego flow {ego.size} pixels (width, height)")
    return FlowField(optical.uv - ego.uv, optical.valid & ego.valid)
