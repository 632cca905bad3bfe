"""`prep resize` for points of a laser scanner: the depth image that they make in the workspace's camera."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segprep.datasets.codes import DepthCode
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.imageio.scans import project_points
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Sample, scale_map
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.depth.depth_range import range_facts
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.resizing.depth import refuse_implausible
from segprep.prep.step import BaseStep, Input, Origin, StepHead

__all__ = ["ProjectPoints"]

_CODE = DepthCode(scale_m=0.002)  # 2 mm up to 131 m: the accuracy and the reach of the scanners on cars


@dataclass(frozen=True)
class ProjectPoints(BaseStep):
    """Column `depth`, from points of a laser scanner that are in the camera's axes: of each pixel the nearest point.

    They are projected to the workspace's own size: a depth image of the full size would have to be averaged over places
    of which most are empty, across the edges of things.

    Attributes:
        source: Name of the points.
        target: Size of the result.
    """

    source: str
    target: TargetSize

    @cached_property
    def head(self) -> StepHead:
        """From the points, and the camera and the size of the image; kept in metres."""
        points = Input(self.source, Origin.SOURCE)
        return StepHead(
            name="project points",
            version=1,
            inputs=(points, Input("camera", Origin.RECORD), Input("image", Origin.SOURCE_SIZE)),
            outputs=(Column("depth", Kind.DEPTH, _CODE, (("source", "points"),)),),
            parameters={**self.target.to_json(), "source": self.source, "code": _CODE.to_json()},
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Project.

        Raises:
            SizeMismatchError: If there is no camera, or it is calibrated for another size than the image's.
            CodeRangeError: If the depth is implausible.
        """
        if sample.camera is None:
            raise SizeMismatchError("points cannot become depth without a camera")
        size = sample.meta["image_size"]
        target = self.target.of(size)
        camera = sample.camera.calibrated_for(size).transformed(scale_map(size, target), *target)
        P = np.hstack([camera.K, np.zeros((3, 1))])
        depth_HW, valid = project_points(sample.arrays[self.source], P, target)
        refuse_implausible(
            depth_HW, valid, _CODE, f"{self.source} are taken for metres; is the transform in their code right?"
        )
        return {"depth": Cell(depth_HW, valid, {"source_size": list(size)} | range_facts(depth_HW, valid))}
