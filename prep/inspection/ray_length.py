"""Whether depth is along the optical axis or along each pixel's ray: planes tell."""

from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Camera, Mask

__all__ = ["ray_votes"]

_PATCHES: Final = 6  # along each side; they overlap by half
_STRIDE: Final = 4
_FLAT: Final = 0.004  # of the mean inverse depth: what a plane may leave
_CLEARLY: Final = 2.0
_NEARLY_ALL: Final = 0.98


def ray_votes(depth_HW: Array, valid_HW: Mask, camera: Camera) -> tuple[int, int]:
    """Count the patches that are planes if the numbers are depth along the axis, and if they are distances.

    On a plane 1 / z is linear in the pixel's place. Read as distance d along a ray of length r (with z = 1), z = d / r
    and r / d is linear. In a patch that is flat enough one of the two fits clearly better, or it has no vote. Depth
    cameras are too noisy for that; rendered depth, which is where distances come from, is not.

    Args:
        depth_HW: (H, W) metres.
        valid_HW: (H, W) bool.
        camera: Of this grid.

    Returns:
        Votes for depth along the axis, and for distances.
    """
    height, width = depth_HW.shape
    tall, wide = height // _PATCHES, width // _PATCHES
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    if min(tall, wide) < 2 * _STRIDE or min(fx, fy) <= 0:  # `camera_doubts` tells such focal lengths
        return 0, 0
    x_W, y_H = (np.arange(width) - cx) / fx, (np.arange(height) - cy) / fy
    axis = distance = 0
    for top in range(0, height - tall + 1, tall // 2):
        for left in range(0, width - wide + 1, wide // 2):
            rows, columns = slice(top, top + tall, _STRIDE), slice(left, left + wide, _STRIDE)
            known_HW = valid_HW[rows, columns] & np.isfinite(depth_HW[rows, columns])
            if known_HW.mean() < _NEARLY_ALL:
                continue
            y_HW, x_HW = (each[known_HW] for each in np.meshgrid(y_H[rows], x_W[columns], indexing="ij"))
            inverse = 1 / depth_HW[rows, columns][known_HW].astype(np.float64)
            places = np.stack([x_HW, y_HW, np.ones(x_HW.size)], axis=1)
            as_axis, as_distance = (
                _bend(places, values) for values in (inverse, inverse * np.sqrt(1 + x_HW**2 + y_HW**2))
            )
            if min(as_axis, as_distance) < _FLAT:
                axis += as_axis * _CLEARLY < as_distance
                distance += as_distance * _CLEARLY < as_axis
    return axis, distance


def _bend(places_N3: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """Return what a linear fit leaves, as a share of the mean."""
    fit, *_ = np.linalg.lstsq(places_N3, values, rcond=None)
    return float(np.sqrt(np.mean((values - places_N3 @ fit) ** 2)) / np.abs(values).mean())
