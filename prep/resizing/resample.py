"""Resampling by kind: the single place where the table of `segprep.datasets.kinds` decides what is done to an array."""

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.kinds import Kind, Resampling, Scaling, rule
from segprep.datasets.sample import Array, Mask
from segprep.flow.grid import resize_valid, resize_values
from segprep.prep.labels.resampling import LabelMethod, resize_instances, resize_labels

__all__ = ["resample"]

_VOTE = LabelMethod()


def resample(
    array: Array, valid: Mask | None, kind: Kind, size: tuple[int, int], method: LabelMethod = _VOTE
) -> tuple[Array, Mask | None]:
    """Bring an array to another size, by the rule of its kind.

    Args:
        array: (H, W) or (H, W, C).
        valid: (H, W) bool, or None for valid everywhere; labels have none.
        kind: What the array holds.
        size: (width, height) of the result.
        method: For ids. Instances are resampled alone, by majority or "nearest";
            `segprep.prep.labels.resampling.resize_instances` makes them follow their labels.

    Returns:
        The array, of the same type, and its mask: None for kinds without one unless one was given. Invalid values are
        0, values that are no numbers become invalid. At the same size valid values keep every bit.

    Raises:
        CodeRangeError: For arrays that are coded for the eye, unless the size stays: resample what they were made
            from. For ids that the method cannot resample.
        SizeMismatchError: If the size is empty or the mask does not fit the array.
    """
    how = rule(kind)
    if min(size) < 1 or min(array.shape[:2]) < 1:
        raise SizeMismatchError(f"{array.shape[1]}x{array.shape[0]} pixels cannot become {size[0]}x{size[1]}")
    if valid is not None and valid.shape != array.shape[:2]:
        raise SizeMismatchError(f"the mask is {valid.shape}, its array {array.shape}")
    if how.resampling is Resampling.NEVER:
        if size == (array.shape[1], array.shape[0]):
            return array.copy(), None if valid is None else valid.copy()
        raise CodeRangeError("an array that is coded for the eye cannot be resampled: resample what it was made from")
    if kind is Kind.INSTANCE:
        return resize_instances(array, None, size, method), None
    if how.resampling is Resampling.VOTE:
        return resize_labels(array, size, method), None
    if valid is None and how.masked:
        valid = np.ones(array.shape[:2], np.bool_)
    if valid is None:
        return resize_values(array, size), None
    valid = valid & _usable(array, kind)
    if size == (array.shape[1], array.shape[0]):
        return np.where(valid if array.ndim == 2 else valid[..., None], array, array.dtype.type(0)), valid
    match kind:
        case Kind.DEPTH:
            values, mask = _resample_distance(array, valid, size, infinity=np.inf)
        case Kind.DISPARITY:
            values, mask = _resample_distance(array, valid, size, infinity=0)
        case Kind.NORMALS:
            values, mask = _renormalised(*resize_valid(array, valid, size)[:2])
        case _:
            values, mask, _ = resize_valid(array, valid, size)
    values *= _ratios(how.scaling, (array.shape[1], array.shape[0]), size)
    values[~mask] = 0
    if array.dtype.kind in "iu":
        values = np.rint(values)
    return values.astype(array.dtype), mask


def _usable(array: Array, kind: Kind) -> Mask:
    """Return where an array holds numbers that can be averaged, so that no NaN spreads; depth may be infinite."""
    if array.dtype.kind != "f":
        return np.ones(array.shape[:2], np.bool_)
    usable: Mask = np.isfinite(array)
    if kind is Kind.DEPTH:
        usable = usable | np.isposinf(array)
    return usable if array.ndim == 2 else np.asarray(usable.all(axis=2))


def _resample_distance(
    array_HW: Array, valid: Mask, size: tuple[int, int], infinity: float
) -> tuple[npt.NDArray[np.float64], Mask]:
    """Average what is near; where at least as much of the valid area is infinitely far (sky), so is the result.

    Infinitely far is an infinite depth and a disparity of 0: a mean of sky and a pole would be a pole further away.
    """
    far = valid & (array_HW == infinity)
    values, mask, near_share = resize_valid(np.where(far, 0, array_HW), valid & ~far, size)
    if far.any():
        far_share = resize_values(far.astype(np.float64), size)
        values[far_share >= near_share] = infinity
        mask = resize_valid(far, valid, size)[1]
    return values, mask


def _renormalised(normals_HW3: npt.NDArray[np.float64], mask: Mask) -> tuple[npt.NDArray[np.float64], Mask]:
    length_HW1 = np.linalg.norm(normals_HW3, axis=2, keepdims=True)
    usable = length_HW1[..., 0] > 1e-6  # opposite normals cancel out and leave no direction
    return normals_HW3 / np.where(usable[..., None], length_HW1, 1), mask & usable


def _ratios(scaling: Scaling, source: tuple[int, int], target: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return what values are multiplied by when the grid changes: nothing, sx, or (sx, sy)."""
    sx, sy = target[0] / source[0], target[1] / source[1]
    match scaling:
        case Scaling.BY_X:
            return np.array(sx)
        case Scaling.BY_XY:
            return np.array([sx, sy])
        case Scaling.UNCHANGED:
            return np.array(1.0)
