"""Changing the size of an array, by the rule of its kind."""

import numpy as np

from segprep.datasets.augmentation.follow import follow_of
from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.kinds import Kind, Resampling, rule
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
    values, mask = resize_valid(array, valid, size, follow_of(kind), how.infinity)
    if array.dtype.kind in "iu":
        values = np.rint(values)
    return values.astype(array.dtype), mask


def _usable(array: Array, kind: Kind) -> Mask:
    """Return where an array holds numbers that can be averaged, so that no NaN spreads; depth may be infinite."""
    if array.dtype.kind != "f":
        return np.ones(array.shape[:2], np.bool_)
    usable: Mask = np.isfinite(array)
    if rule(kind).infinity is not None:
        usable = usable | (array == rule(kind).infinity)
    return usable if array.ndim == 2 else np.asarray(usable.all(axis=2))
