"""How PARIS-sem-seg resizes labels, written from its description: the baseline that `prep resize` is compared with.

Every label but void becomes a plane of zeros and ones, the planes are resized bilinearly, the largest one wins, and
below the threshold void does.
"""

import cv2
import numpy as np

from segprep.datasets.sample import Array

__all__ = ["planes_method", "volume_method"]


def volume_method(ids_HW: Array, size: tuple[int, int], threshold: float = 0.75, void: int = 0) -> Array:
    """As published: one float64 volume with a plane per label, resized at once.

    Args:
        ids_HW: (H, W) raw ids.
        size: (width, height) of the result.
        threshold: The winner's smallest share.
        void: The id of "not labelled".
    """
    present = [i for i in np.unique(ids_HW).tolist() if i != void]
    if not present:
        return np.full(size[::-1], void, ids_HW.dtype)
    volume_HWL = np.zeros((*ids_HW.shape, len(present)))
    for place, label in enumerate(present):
        volume_HWL[..., place] = ids_HW == label
    shares_hwL = cv2.resize(volume_HWL, size, interpolation=cv2.INTER_LINEAR).reshape(size[1], size[0], len(present))
    winners_hw: Array = np.array(present, ids_HW.dtype)[shares_hwL.argmax(axis=2)]
    winners_hw[shares_hwL.max(axis=2) < threshold] = void
    return winners_hw


def planes_method(
    ids_HW: Array, size: tuple[int, int], dtype: type[np.floating] = np.float64, threshold: float = 0.75, void: int = 0
) -> Array:
    """The same, one plane after the other: never more than one plane in memory. Equal results at whole factors.

    Args:
        ids_HW: (H, W) raw ids.
        size: (width, height) of the result.
        dtype: Of a plane.
        threshold: The winner's smallest share.
        void: The id of "not labelled".
    """
    best_hw = np.zeros(size[::-1], dtype)
    winners_hw = np.full(size[::-1], void, ids_HW.dtype)
    for label in np.flatnonzero(np.bincount(ids_HW.ravel())).tolist():
        if label == void:
            continue
        share_hw = cv2.resize((ids_HW == label).astype(dtype), size, interpolation=cv2.INTER_LINEAR)
        better_hw = share_hw > best_hw
        winners_hw[better_hw] = label
        best_hw[better_hw] = share_hw[better_hw]
    winners_hw[best_hw < threshold] = void
    return winners_hw
