"""Changing the sampling grid: means over areas, with and without a validity mask. Pixel centres lie at integers."""

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Mask

__all__ = ["MIN_VALID_WEIGHT", "resize_valid", "resize_values"]

MIN_VALID_WEIGHT = 0.5
"""A resampled pixel is valid when at least this share of what it was made from is valid."""

_TOLERANCE = 1e-6  # OpenCV keeps the shares of partly covered pixels as float32


def resize_values(values: Array, size: tuple[int, int]) -> Array:
    """Resample an array: the mean over the covered area along axes that shrink, linear along axes that grow.

    Args:
        values: (H, W) or (H, W, C), uint8, uint16, float32 or float64.
        size: (width, height) of the result.

    Returns:
        Array of the same type; integers are rounded. At the same size it is an exact copy.
    """
    width, height = size
    source_height, source_width = values.shape[:2]
    # One axis at a time where they differ: OpenCV takes no mean at all as soon as one axis grows.
    shrunk = (min(width, source_width), min(height, source_height))
    result = _resize(values, shrunk, cv2.INTER_AREA)
    return _resize(result, size, cv2.INTER_LINEAR if values.dtype.kind == "f" else cv2.INTER_LINEAR_EXACT)


def resize_valid(
    values: Array, valid: Mask, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float64], Mask, npt.NDArray[np.float64]]:
    """Resample an array whose invalid values must not enter: sum of weight * value over sum of weights.

    Args:
        values: (H, W) or (H, W, C) numbers; what invalid pixels hold does not matter, it may be NaN.
        valid: (H, W) bool.
        size: (width, height) of the result.

    Returns:
        Float64 values (0 where no valid pixel contributes), the mask of pixels with a valid share of at least
        `MIN_VALID_WEIGHT`, and that share (H, W) itself.
    """
    inside = valid if values.ndim == 2 else valid[..., None]
    weight_HW = resize_values(valid.astype(np.float64), size)
    sums = resize_values(np.where(inside, values, 0).astype(np.float64), size)
    divisor = np.where(weight_HW > _TOLERANCE, weight_HW, np.inf)
    means = sums / (divisor if values.ndim == 2 else divisor[..., None])
    return means, weight_HW >= MIN_VALID_WEIGHT - _TOLERANCE, weight_HW


def _resize(values: Array, size: tuple[int, int], interpolation: int) -> Array:
    if size == (values.shape[1], values.shape[0]):
        return values.copy()
    resized: Array = cv2.resize(values, size, interpolation=interpolation)
    return resized.reshape(size[1], size[0], *values.shape[2:])
