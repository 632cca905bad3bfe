"""Which pixels belong to one thing that can move: instances, and connected areas of a class where there are none."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Mask

__all__ = ["MovableObject", "ObjectMap", "find_objects"]

_JUMP: Final = 0.15  # of the logarithm of depth: 1 m at 7 m, which is less than between parked cars


@dataclass(frozen=True, slots=True)
class MovableObject:
    """What the labels say of one thing.

    Attributes:
        label: Its class, a train id.
        instance: Its instance id; 0 for a connected area without one.
        pixels: How many it has.
    """

    label: int
    instance: int
    pixels: int


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMap:
    """The movable things of a frame.

    Attributes:
        index_HW: (H, W) int32, the place in `objects` plus 1; 0 where nothing can move.
        objects: By instance, then by area; both in the order of classes.
    """

    index_HW: npt.NDArray[np.int32]
    objects: tuple[MovableObject, ...]

    def inside(self, border: int) -> npt.NDArray[np.uint8]:
        """Return how many pixels (H, W) lie between each pixel and the edge of its thing: 0 at the edge, up to a limit.

        Args:
            border: The limit. The edge of the picture is no edge of a thing.
        """
        index_HW = self.index_HW.astype(np.float32)
        kernel = np.ones((3, 3), np.uint8)
        inside_HW = np.zeros(index_HW.shape, np.uint8)
        low_HW, high_HW = index_HW, index_HW
        for _ in range(border):
            low_HW, high_HW = cv2.erode(low_HW, kernel), cv2.dilate(high_HW, kernel)  # type: ignore[assignment]
            inside_HW += low_HW == high_HW
        return inside_HW

    def pixels_of(self, chosen_HW: Mask) -> list[npt.NDArray[np.intp]]:
        """Return the flat indices of each thing's chosen pixels, by its place in `objects`."""
        at = np.flatnonzero(chosen_HW & (self.index_HW > 0))
        index = self.index_HW.reshape(-1)[at]
        order = np.argsort(index, kind="stable")
        ends = np.cumsum(np.bincount(index, minlength=len(self.objects) + 1))
        return [at[order[start:end]] for start, end in pairwise(ends.tolist())]


def find_objects(
    label_HW: Array, instance_HW: Array | None, movable: Collection[int], depth_HW: Array | None = None
) -> ObjectMap:
    """Find the things that can move.

    Pixels of one class with one instance id above 0 are one thing, also in several pieces. Of those without an id each
    area that hangs together (over corners, too) is one, cut where depth jumps, so that cars before one another are not
    one car; the pixels of a cut go to the nearest area.

    Args:
        label_HW: (H, W) uint8 train ids, 255 = ignore.
        instance_HW: (H, W) integers, 0 for none; or None.
        movable: Train ids of the classes whose things can move.
        depth_HW: (H, W) metres, NaN where unknown; or None to cut nothing.
    """
    index_HW = np.zeros(label_HW.shape, np.int32)
    can_move_HW: Mask = np.isin(label_HW, sorted(movable))
    objects: list[MovableObject] = []
    if instance_HW is not None:
        known_HW = can_move_HW & (instance_HW > 0)
        names = label_HW[known_HW].astype(np.int64) << 32 | instance_HW[known_HW].astype(np.int64)
        found, place, pixels = np.unique(names, return_inverse=True, return_counts=True)
        index_HW[known_HW] = place + 1
        objects += [
            MovableObject(name >> 32, name & 0xFFFFFFFF, n)
            for name, n in zip(found.tolist(), pixels.tolist(), strict=True)
        ]
        can_move_HW = can_move_HW & ~known_HW
    classes = np.unique(label_HW[can_move_HW]).tolist()
    cut_HW = _jumps(depth_HW) if classes and depth_HW is not None else np.zeros(label_HW.shape, np.bool_)
    for train_id in classes:
        of_class_HW = can_move_HW & (label_HW == train_id)
        area_N = _areas(of_class_HW, cut_HW)
        index_HW[of_class_HW] = area_N + len(objects)
        objects += [MovableObject(train_id, 0, n) for n in np.bincount(area_N)[1:].tolist()]
    return ObjectMap(index_HW, tuple(objects))


def _areas(of_class_HW: Mask, cut_HW: Mask) -> npt.NDArray[np.int32]:
    """Number the areas of a mask from 1; (N,) for its pixels."""
    core_HW = of_class_HW & ~cut_HW
    if not core_HW.any():
        core_HW = of_class_HW
    _, area_HW = cv2.connectedComponents(core_HW.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    _, nearest_HW = cv2.distanceTransformWithLabels(
        (~core_HW).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    # OpenCV numbers the areas anew, in an order of its own.
    area_of = np.zeros(int(nearest_HW.max()) + 1, np.int32)
    area_of[nearest_HW[core_HW]] = area_HW[core_HW]
    numbers_N: npt.NDArray[np.int32] = area_of[nearest_HW[of_class_HW]]
    return numbers_N


def _jumps(depth_HW: Array) -> Mask:
    """Return the pixels (H, W) at which depth differs by more than a share from that of the pixel left or above."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_HW = np.log(depth_HW.astype(np.float32))
        jump_HW = np.zeros(depth_HW.shape, np.bool_)
        jump_HW[:, 1:] |= np.abs(np.diff(log_HW, axis=1)) > _JUMP
        jump_HW[1:] |= np.abs(np.diff(log_HW, axis=0)) > _JUMP
    return jump_HW
