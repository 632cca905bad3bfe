"""`prep resize` for distances: depth, or disparity that becomes depth, without what does not show the scene."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import DepthCode
from segprep.datasets.columns import Cell, Column
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, Sample, scale_map
from segprep.prep.resample import resample
from segprep.prep.resize import TargetSize, checked_size
from segprep.prep.step import Input, Origin

__all__ = ["ResizeDepth", "depth_from_disparity"]

_DISPARITY_DEPTH = DepthCode(scale_m=0.005)  # 5 mm up to 327 m: finer than any disparity tells beyond 10 m


@dataclass(frozen=True, slots=True)
class ResizeDepth:
    """Column `depth`, from a source of depth or of disparity.

    The source's own quantity is resampled: on a plane disparity changes evenly over the image, depth does not.

    Attributes:
        source: "depth" or "disparity".
        code: How depth is kept.
        target: Size of the result.
        class_map: Its `masked_raw_ids` mark pixels that are invalid whatever was measured there.
    """

    source: str
    code: DepthCode
    target: TargetSize
    class_map: ClassMap

    name = "resize depth"
    version = 2

    @classmethod
    def of_disparity(cls, target: TargetSize, class_map: ClassMap) -> "ResizeDepth":
        """Return the step for a dataset that has disparity."""
        return cls("disparity", _DISPARITY_DEPTH, target, class_map)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The source, for disparity the camera, and the label if it masks anything."""
        needed = [Input(self.source, Origin.SOURCE), Input("image", Origin.SOURCE_SIZE)]
        if self.source == "disparity":
            needed.append(Input("camera", Origin.RECORD))
        if self.class_map.masked_raw_ids:
            needed.append(Input("label", Origin.SOURCE, optional=True))
        return tuple(needed)

    @property
    def outputs(self) -> tuple[Column, ...]:
        """One column, in metres."""
        return (Column("depth", Kind.DEPTH, self.code, (("source", self.source),)),)

    @property
    def parameters(self) -> JsonDict:
        """Target, code, and what is masked."""
        values = {**self.target.to_json(), "source": self.source, "code": self.code.to_json()}
        if self.class_map.masked_raw_ids:
            divisor = self.class_map.raw_id_divisor
            values |= {"masked_raw_ids": sorted(self.class_map.masked_raw_ids), "raw_id_divisor": divisor}
        return values

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Mask, resample, convert.

        Raises:
            SizeMismatchError: If the source or the label differs in size from the image, or from the camera's.
            CodeRangeError: If the camera has no baseline.
        """
        size = checked_size(sample, self.source)
        valid = sample.valid[self.source]
        if "label" in sample.arrays:
            checked_size(sample, "label")
            valid = valid & self.class_map.shows_scene(sample.arrays["label"])
        target = self.target.of(size)
        kind = Kind.DISPARITY if self.source == "disparity" else Kind.DEPTH
        values_HW, mask = resample(sample.arrays[self.source], valid, kind, target)
        if mask is None:
            raise CodeRangeError("depth always has a mask")
        if self.source == "disparity":
            if sample.camera is None:
                raise CodeRangeError("disparity cannot become depth without a camera")
            camera = sample.camera.calibrated_for(size).transformed(scale_map(size, target), *target)
            values_HW, mask = depth_from_disparity(values_HW, mask, camera)
        return {"depth": Cell(values_HW, mask, {"source_size": list(size)})}


def depth_from_disparity(disparity_HW: Array, valid: Mask, camera: Camera) -> tuple[Array, Mask]:
    """Return depth z = baseline * fx / disparity, infinite where the disparity is 0.

    With a baseline of 0.2 m and fx = 2262 px a disparity of 45.24 px means 10 m.

    Args:
        disparity_HW: (H, W) pixels.
        valid: (H, W) bool.
        camera: Of the same grid.

    Returns:
        (H, W) float64 metres, 0 where invalid, and the mask; negative disparity is invalid.

    Raises:
        CodeRangeError: If the camera has no baseline.
    """
    if camera.baseline is None or camera.baseline <= 0:
        raise CodeRangeError(f"disparity cannot become depth: the camera's baseline is {camera.baseline}")
    mask = valid & (disparity_HW >= 0)
    pixels_HW = np.where(mask, disparity_HW, 1).astype(np.float64)
    with np.errstate(divide="ignore"):
        metres_HW = camera.baseline * camera.K[0, 0] / pixels_HW
    metres_HW[~mask] = 0
    return metres_HW, mask
