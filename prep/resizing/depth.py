"""`prep resize` for distances: depth, or disparity that becomes depth, without what does not show the scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import DepthCode
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, Mask, Sample, scale_map
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.depth.depth_range import range_facts
from segprep.prep.inspection.seen_depth import POSSIBLE_MEDIANS_M
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.resizing.resample import resample
from segprep.prep.resizing.source import checked_size, source_facts
from segprep.prep.step import BaseStep, Input, Origin, StepHead

__all__ = ["DISPARITY_DEPTH", "ResizeDepth", "depth_from_disparity", "refuse_implausible"]

_LARGEST = 65534
DISPARITY_DEPTH = DepthCode(scale_m=0.005)
"""Code of depth that comes from disparity: 5 mm up to 327 m, finer than any disparity tells beyond 10 m."""


@dataclass(frozen=True)
class ResizeDepth(BaseStep):
    """Column `depth`, from a source of depth or of disparity.

    The source's own quantity is resampled: on a plane disparity changes evenly over the image, depth does not.

    Attributes:
        source: "depth" or "disparity".
        code: How depth is kept.
        target: Size of the result.
        class_map: Its `masked_raw_ids` mark pixels that are invalid whatever was measured there.
        unit: In which unit the source was read, for messages.
    """

    source: str
    code: DepthCode
    target: TargetSize
    class_map: ClassMap
    unit: str = ""

    @classmethod
    def of_disparity(cls, target: TargetSize, class_map: ClassMap, unit: str = "") -> "ResizeDepth":
        """Return the step for a dataset that has disparity."""
        return cls("disparity", DISPARITY_DEPTH, target, class_map, unit)

    @cached_property
    def head(self) -> StepHead:
        """From the source, for disparity the camera, and the label if it masks anything; kept in metres."""
        needed = [Input(self.source, Origin.SOURCE), Input("image", Origin.SOURCE_SIZE)]
        values = {**self.target.to_json(), "source": self.source, "code": self.code.to_json()}
        if self.source == "disparity":
            needed.append(Input("camera", Origin.RECORD))
        if self.class_map.masked_raw_ids:
            needed.append(Input("label", Origin.SOURCE, optional=True))
            divisor = self.class_map.raw_id_divisor
            values |= {"masked_raw_ids": sorted(self.class_map.masked_raw_ids), "raw_id_divisor": divisor}
        return StepHead(
            name="resize depth",
            version=3,
            inputs=tuple(needed),
            outputs=(Column("depth", Kind.DEPTH, self.code, (("source", self.source),)),),
            parameters=values,
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Mask, resample, convert.

        Raises:
            SizeMismatchError: If the source or the label differs in size from the image, or from the camera's.
            CodeRangeError: If the camera has no baseline, or the depth is implausible, as in a wrong unit.
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
        refuse_implausible(
            values_HW,
            mask,
            self.code,
            f"the file was read as {self.source} in the unit {self.unit or self.code.name}; if it is another one, say "
            "`prep init ... --depth-unit UNIT`",
        )
        return {"depth": Cell(values_HW, mask, source_facts(sample, self.source) | range_facts(values_HW, mask))}


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


def refuse_implausible(depth_HW: Array, valid: Mask, code: DepthCode, remedy: str) -> None:
    """Refuse a depth image whose typical depth no camera sees, or its code cannot hold: its unit must be wrong.

    Judged is the median of what is valid and finite: 0.05 to 500 m, from close-ups to views over a valley, if the code
    reaches so far. Metres read as millimetres pass only if half of the scene is further than 50 m; millimetres read as
    metres only if half of it is nearer than 13 cm. An image without any valid, finite pixel is plausible: an open sky,
    or a sensor that saw nothing.

    Args:
        depth_HW: (H, W) metres.
        valid: (H, W) bool.
        code: How the depth will be kept.
        remedy: How it came about and what to do, for the message.

    Raises:
        CodeRangeError: With the range that was seen.
    """
    seen = depth_HW[valid & np.isfinite(depth_HW)]
    if not seen.size:
        return
    least, most = POSSIBLE_MEDIANS_M[0], min(POSSIBLE_MEDIANS_M[1], code.scale_m * _LARGEST)
    median = float(np.median(seen))
    if not least <= median <= most:
        raise CodeRangeError(
            f"depth from {seen.min():.3g} to {seen.max():.3g} m with the median {median:.3g} m is implausible, medians "
            f"of {least:g} to {most:g} m are expected: {remedy}"
        )
