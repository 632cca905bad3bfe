"""Motion of the labelled frame: optical flow with its check, and what is left of it without the camera's own motion."""

import cv2
import numpy as np

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array, JsonDict
from segprep.flow.consistency import consistent, lands_inside
from segprep.flow.estimators import ESTIMATORS
from segprep.flow.field import FlowField

__all__ = ["compute_optical_flow", "motion_residual", "residual_facts"]


def compute_optical_flow(
    first_rgb_HWC: Array,
    second_rgb_HWC: Array,
    estimator: str = "dis",
    preset: str | None = None,
    *,
    check: bool = True,
) -> FlowField:
    """Estimate the motion from the first image to the second, on the grid of the first.

    Args:
        first_rgb_HWC: (H, W, 3) uint8 RGB.
        second_rgb_HWC: The same size.
        estimator: Name of a flow estimator.
        preset: One of its presets, None for its default.
        check: Whether to estimate the way back too and mark as invalid where the two disagree (occluded places) or the
            motion leaves the image. It doubles the time. Without, only what leaves the image is invalid.

    Raises:
        SizeMismatchError: If the sizes differ.
        UnknownNameError: If there is no such estimator.
        ConfigurationError: If it has no such preset.
    """
    member = ESTIMATORS.load(estimator)
    config = member.config_from(preset)
    forward_uv_HW2 = member.estimate(first_rgb_HWC, second_rgb_HWC, config)
    if not check:
        return FlowField(forward_uv_HW2, lands_inside(forward_uv_HW2))
    back_uv_HW2 = member.estimate(second_rgb_HWC, first_rgb_HWC, config)
    return FlowField(forward_uv_HW2, consistent(forward_uv_HW2, back_uv_HW2))


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


def residual_facts(residual: FlowField) -> JsonDict:
    """Return figures that show whether a motion image can hold the motion, and whether the ego motion is right.

    Returns:
        `valid` (share of pixels), and over them the length in pixels: `median` (most of a scene stands still, so with
        the ego flow subtracted it is near 0), `p95`, `longest`. Only `valid` if no pixel is.
    """
    u_HW, v_HW = cv2.split(residual.uv)
    lengths = cv2.magnitude(u_HW, v_HW)[residual.valid]
    facts: JsonDict = {"valid": round(float(residual.valid.mean()), 4)}
    if lengths.size:
        # Counting thousandths, all that is shown, takes a third of the time of sorting.
        thousandths = np.rint(lengths * np.float32(1000)).astype(np.int64)
        up_to = np.cumsum(np.bincount(thousandths))
        median, p95 = np.searchsorted(up_to, (0.5 * lengths.size, 0.95 * lengths.size))
        facts |= {"median": int(median) / 1000, "p95": int(p95) / 1000, "longest": (len(up_to) - 1) / 1000}
    return {"length_px": facts}
