"""Changing the sampling grid: means over areas, with and without a validity mask. Pixel centres lie at integers."""

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.augmentation.follow import Follow, Turn, settle
from segprep.datasets.augmentation.operations import NUMPY
from segprep.datasets.sample import Array, Mask

__all__ = ["resize_valid", "resize_values"]

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
    values: Array,
    valid: Mask,
    size: tuple[int, int],
    follow: Follow = Follow.UNCHANGED,
    infinity: float | None = None,
) -> tuple[npt.NDArray[np.float64], Mask]:
    """Resample an array whose invalid values must not enter: sum of weight * value over sum of weights.

    Args:
        values: (H, W) or (H, W, C) numbers; what invalid pixels hold does not matter, it may be NaN.
        valid: (H, W) bool.
        size: (width, height) of the result.
        follow: What the values do when the picture is scaled.
        infinity: What means infinitely far in an (H, W) array, None for nothing; it enters no mean.

    Returns:
        Float64 values, 0 where invalid, and the mask; see `segprep.datasets.augmentation.follow.settle`.
    """
    far = None if infinity is None else valid & (values == infinity)
    near = valid if far is None or not far.any() else valid & ~far
    sums = resize_values(np.where(near if values.ndim == 2 else near[..., None], values, 0).astype(np.float64), size)
    ratios = [target / side for target, side in zip(size, values.shape[1::-1], strict=True)]
    planes, mask = settle(
        NUMPY,
        cv2.split(sums),
        resize_values(near.astype(np.float64), size),
        None if far is None or near is valid else resize_values(far.astype(np.float64), size),
        np.ones(size[::-1], np.bool_),
        follow,
        Turn([[ratios[0], 0.0], [0.0, ratios[1]]], [[1.0, 0.0], [0.0, 1.0]]),
        infinity=infinity,
        tolerance=_TOLERANCE,
    )
    for plane in planes:
        plane[~mask] = 0
    return np.asarray(cv2.merge(planes), np.float64).reshape(sums.shape), mask


def _resize(values: Array, size: tuple[int, int], interpolation: int) -> Array:
    if size == (values.shape[1], values.shape[0]):
        return values.copy()
    resized: Array = cv2.resize(values, size, interpolation=interpolation)
    return resized.reshape(size[1], size[0], *values.shape[2:])
