"""Resampling of ids, which cannot be averaged: by majority, centre, priority or as PARIS does; instances with them."""

import numpy as np

from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.sample import Array
from segprep.prep.labels.cells import grid, take_grid
from segprep.prep.labels.instances import follow_winners
from segprep.prep.labels.method import LabelMethod, LabelMethodName
from segprep.prep.labels.paris import paris, paris_instances
from segprep.prep.labels.vote import vote_cells

__all__ = ["LabelMethod", "LabelMethodName", "nearest", "resize_instances", "resize_labels"]


def resize_labels(ids_HW: Array, size: tuple[int, int], method: LabelMethod) -> Array:
    """Bring ids to another size.

    With "vote" every id counts, also "ignore"; partly covered source pixels count with the covered part, in whole
    numbers, so that ties are exact: the smallest id wins them. A share of exactly the threshold, taken as it is
    written in decimals, keeps the winner. Along axes that grow there is nothing to vote on: the nearest id is taken.

    Args:
        ids_HW: (H, W) uint8 or uint16.
        size: (width, height) of the result.
        method: How.

    Returns:
        (height, width) of the same type, never a view of the input.

    Raises:
        CodeRangeError: If the ids are of another type, or cannot hold an id that the method names.
        SizeMismatchError: If the input or the result would be empty.
    """
    ids_HW = _checked(ids_HW, size)
    used = (*method.priority, method.void) if method.name == "paris" or method.threshold else method.priority
    if max(used, default=0) > np.iinfo(ids_HW.dtype).max:
        raise CodeRangeError(f"label method {method.name} names id {max(used)}, too large for {ids_HW.dtype} labels")
    match method.name:
        case "nearest":
            return nearest(ids_HW, size)
        case "paris":
            return paris(ids_HW, size, method)
        case "vote" | "priority":
            shrunk = _shrunk(ids_HW, size)
            return nearest(vote_cells(ids_HW, grid(_size(ids_HW), shrunk), method), size)


def resize_instances(instances_HW: Array, labels_HW: Array | None, size: tuple[int, int], method: LabelMethod) -> Array:
    """Bring instance ids to another size, such that they fit the labels that `resize_labels` gives.

    Each pixel gets the instance that covers most of what its new label covers; ties go to the smallest id. With
    "nearest" both come from the same source pixel; with "paris" the four pixels that it looks at are weighed.

    Args:
        instances_HW: (H, W) uint8 or uint16, 0 for none.
        labels_HW: (H, W) the labels that they belong to, at the old size, or None: then the instances are voted on
            alone, or taken by "nearest".
        size: (width, height) of the result.
        method: How the labels are resized.

    Returns:
        (height, width) of the instances' type, never a view of the input. 0 where the label became void below the
        threshold although no source pixel holds void.

    Raises:
        CodeRangeError: If one of the arrays is of another type, or the labels' cannot hold an id that the method names.
        SizeMismatchError: If the arrays differ in size, or the input or the result would be empty.
    """
    instances_HW = _checked(instances_HW, size)
    if labels_HW is None or method.name == "nearest":
        return resize_labels(instances_HW, size, LabelMethod("nearest" if method.name == "nearest" else "vote"))
    if labels_HW.shape != instances_HW.shape:
        raise SizeMismatchError(f"the labels are {labels_HW.shape}, their instances {instances_HW.shape}")
    if method.name == "paris":
        return paris_instances(instances_HW, labels_HW, resize_labels(labels_HW, size, method))
    shrunk = _shrunk(labels_HW, size)
    winners_hw = resize_labels(labels_HW, shrunk, method)
    return nearest(follow_winners(instances_HW, labels_HW, grid(_size(labels_HW), shrunk), winners_hw), size)


def nearest(ids_HW: Array, size: tuple[int, int]) -> Array:
    """Take the id at the centre of each target pixel: source index ((2 i + 1) N) // (2 n), in whole numbers.

    Going from 8 to 2 pixels takes indices 2 and 6, the lower right of the four pixels around the centre. OpenCV's
    INTER_NEAREST would take 0 and 4, which shifts labels against averaged images by 1.5 pixels.

    Args:
        ids_HW: (H, W) ids.
        size: (width, height) of the result.

    Returns:
        (height, width) of the same type, never a view of the input.
    """
    rows, columns = (
        (2 * np.arange(target, dtype=np.intp) + 1) * source // (2 * target)
        for source, target in zip(ids_HW.shape, reversed(size), strict=True)
    )
    return take_grid(ids_HW, rows, columns)


def _checked(ids_HW: Array, size: tuple[int, int]) -> Array:
    if ids_HW.ndim != 2 or ids_HW.dtype not in (np.uint8, np.uint16):
        raise CodeRangeError(f"ids are one plane of uint8 or uint16, not {ids_HW.shape} of {ids_HW.dtype}")
    if min(*size, *ids_HW.shape) < 1:
        raise SizeMismatchError(f"{ids_HW.shape[1]}x{ids_HW.shape[0]} ids cannot become {size[0]}x{size[1]}")
    return np.ascontiguousarray(ids_HW)


def _size(ids_HW: Array) -> tuple[int, int]:
    return ids_HW.shape[1], ids_HW.shape[0]


def _shrunk(ids_HW: Array, size: tuple[int, int]) -> tuple[int, int]:
    return min(size[0], ids_HW.shape[1]), min(size[1], ids_HW.shape[0])
