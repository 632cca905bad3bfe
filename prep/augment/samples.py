"""One augmentation on a whole sample: every array by its kind, the camera, its pose and its motion with them.

`prepare(sample, columns).augmented(augmentation)` leaves the sample alone, so one sample gives any number of variants.
Pictures are interpolated linearly, after means over whole pixels where they shrink to less than half; ids are those of
the nearest pixel at the exact place, never mixed; quantities are interpolated between valid pixels only, and depth
never between near and infinitely far. Vectors of pixels follow the linear part of the map, normals the camera's axes.
Beyond the edge of the source there is nothing: images are black, ids "ignore" or none, everything else is invalid.

A flow vector is invalid where it ends outside the augmented picture if that holds in the source, as it does for ego
flow and for checked optical flow: so ego flow computed anew from augmented depth, camera and motion is the augmented
ego flow. Where a column has valid vectors that leave the source, as some ground truth does, all of them stay valid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import cv2
import numpy as np

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.camera import camera_turn, keeps_rows, warped_camera, warped_motion, warped_pose
from segprep.datasets.augmentation.follow import Turn, refuse_turned
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.kinds import Kind, Resampling, rule
from segprep.datasets.sample import Array, JsonDict, Mask, Matrix, Sample
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.color import recolored
from segprep.prep.augment.columns import WarpedArray, prepare_array
from segprep.prep.augment.warp import GridWarp

__all__ = ["PreparedSample", "augment_sample", "prepare"]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSample:
    """A sample, taken apart for any number of variants.

    Attributes:
        sample: As it is.
        arrays: Column name to what can be warped.
        size: (width, height) of its arrays.
    """

    sample: Sample
    arrays: Mapping[str, WarpedArray]
    size: tuple[int, int]

    @classmethod
    def of(cls, sample: Sample, columns: Mapping[str, Column]) -> Self:
        """Take a sample apart. See `prepare`."""
        sizes = {name: (array.shape[1], array.shape[0]) for name, array in sample.arrays.items()}
        if len(set(sizes.values())) != 1:
            found = ", ".join(f"{name} {width}x{height}" for name, (width, height) in sizes.items()) or "no arrays"
            raise SizeMismatchError(
                f"what is augmented together must have one size, but sample {sample.key} has {found}"
            )
        size = next(iter(sizes.values()))
        if sample.camera is not None:
            sample.camera.calibrated_for(size)
        for name, mask in sample.valid.items():
            if mask.shape != size[::-1]:
                raise SizeMismatchError(
                    f"the mask of {name} is {mask.shape[1]}x{mask.shape[0]}, not {size[0]}x{size[1]}"
                )
        arrays = {
            name: prepare_array(name, array, sample.valid.get(name), sample.kinds[name], columns.get(name))
            for name, array in sample.arrays.items()
        }
        return cls(sample, arrays, size)

    def augmented(self, augmentation: Augmentation) -> Sample:
        """Return a variant. Arrays that do not change are shared with the sample.

        Raises:
            SizeMismatchError: If the augmentation was drawn for another size.
            ConfigurationError: If a column cannot follow it; names the column.
        """
        if augmentation.source != self.size:
            raise SizeMismatchError(
                f"the augmentation was drawn for {augmentation.source[0]}x{augmentation.source[1]}, but sample "
                f"{self.sample.key} is {self.size[0]}x{self.size[1]}"
            )
        sample = self.sample
        if not augmentation.moves_pixels:
            arrays = {
                n: _finished(a, sample.kinds[n], sample.valid.get(n), augmentation) for n, a in sample.arrays.items()
            }
            return replace(sample, arrays=arrays)
        A = augmentation.affine()
        if not keeps_rows(A):
            for name in sample.arrays:
                refuse_turned(name, sample.kinds[name], ("a flip, rotation or skew",))
        turn_33 = camera_turn(A, None if sample.camera is None else sample.camera.K)
        turn = Turn(A[:2, :2].tolist(), turn_33[:2, :2].tolist())
        warp = GridWarp(A, self.size, augmentation.output)
        arrays, valid = {}, {}
        for name, prepared in self.arrays.items():
            array, mask = prepared.warped(warp, turn)
            arrays[name] = _finished(array, sample.kinds[name], warp.covered_HW if mask is None else mask, augmentation)
            if mask is not None:
                valid[name] = mask
        return replace(
            sample,
            arrays=arrays,
            valid=valid,
            camera=None if sample.camera is None else warped_camera(sample.camera, A, augmentation.output),
            pose=None if sample.pose is None else warped_pose(sample.pose, turn_33),
            meta=_warped_meta(sample.meta, turn_33, augmentation.output),
        )


def prepare(sample: Sample, columns: Mapping[str, Column] | None = None) -> PreparedSample:
    """Take a sample apart for any number of variants.

    Args:
        sample: Decoded values on one grid: images uint8 or uint16, labels as train ids, depth in metres, vectors in
            pixels; of pictures for the eye the scalars or vectors that their code gives. `meta["neighbour"]`, where
            there is one, with the motion to it.
        columns: Column name to column; needed for pictures for the eye.

    Raises:
        SizeMismatchError: If arrays, masks and camera are not of one size.
        ConfigurationError: If a column is a picture for the eye that cannot be decoded; names the column.
    """
    return PreparedSample.of(sample, columns or {})


def augment_sample(sample: Sample, augmentation: Augmentation, columns: Mapping[str, Column] | None = None) -> Sample:
    """Return one variant of a sample. See `prepare` and `PreparedSample.augmented`."""
    return prepare(sample, columns).augmented(augmentation)


def _finished(array: Array, kind: Kind, inside: Mask | None, augmentation: Augmentation) -> Array:
    """Change the colours of images, and make pictures black where there is nothing."""
    if rule(kind).resampling is not Resampling.AREA:
        return array
    if kind is Kind.IMAGE:
        array = recolored(array, augmentation)
    if inside is None or inside.all():
        return array
    return np.asarray(cv2.copyTo(array, inside.view(np.uint8))).reshape(array.shape)


def _warped_meta(meta: Mapping[str, Any], turn: Matrix, size: tuple[int, int]) -> JsonDict:
    changed = dict(meta)
    if "image_size" in changed:
        changed["image_size"] = size
    near = changed.get("neighbour")
    if near is not None and near["motion"] is not None:
        changed["neighbour"] = {**near, "motion": warped_motion(np.array(near["motion"]), turn).tolist()}
    return changed
