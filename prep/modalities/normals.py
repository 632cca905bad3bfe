"""`normals`: the direction of the surface at every pixel, from depth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from segprep.datasets.codes import LinearCode
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.program.values import within
from segprep.datasets.sample import Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.depth.surface_normals import MAX_RADIUS, checked_depth, surface_normals
from segprep.prep.modalities._depth_input import (
    depth_and_camera,
    depth_inputs,
    depth_name,
    depth_option,
    measured_mask,
    tells_measured,
)
from segprep.prep.modalities._member import Scene
from segprep.prep.step import BaseStep, Step, StepHead

__all__ = ["Arguments", "Normals", "build"]

_CODE: Final = LinearCode(1 / 127, -128 / 127, ("x", "y", "z"))


@dataclass(frozen=True, slots=True)
class Arguments:
    """Options of `normals`."""

    depth: str = depth_option()
    radius: int = option(
        3,
        metavar="PIXELS",
        accept=within(1, MAX_RADIUS, "a whole number of pixels"),
        help="of the window that a plane is fitted to.",
    )


@dataclass(frozen=True)
class Normals(BaseStep):
    """Column `normals`: unit vectors towards the camera, in its axes: x right, y down, z forward.

    A floor is (0, -1, 0) for a camera that looks ahead, a wall before it (0, 0, -1). Files hold R = x, G = y, B = z as
    128 + 127 n; invalid is (0, 0, 0), which no normal is.

    Attributes:
        depth: The column of depth.
        radius: Planes are fitted to windows of 2 radius + 1 pixels.
        measured: Whether depth was filled in and what was measured is known: only that is fitted.
    """

    depth: str
    radius: int
    measured: bool = False

    @cached_property
    def head(self) -> StepHead:
        """From depth and camera, the mask beside."""
        about = (("axes", "camera: x right, y down, z forward"), ("side", "towards the camera"), ("source", self.depth))
        return StepHead(
            name="normals",
            version=2 if self.measured else 1,
            inputs=depth_inputs(self.depth, measured=self.measured),
            outputs=(Column("normals", Kind.NORMALS, _CODE, about),),
            parameters={"depth": self.depth, "radius": self.radius},
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Fit planes.

        Raises:
            Absent: If the sample has no camera.
            SizeMismatchError: If depth and camera differ in size.
            CodeRangeError: If depth is bad or shows no surface.
            MotionError: If the intrinsics are singular.
        """
        depth_HW, valid_HW, camera = depth_and_camera(sample, self.depth)
        known_HW = checked_depth(depth_HW, valid_HW, camera)
        normals_3HW, found_HW = surface_normals(depth_HW, known_HW, camera, self.radius, measured_mask(sample))
        towards_HW3 = np.moveaxis(-normals_3HW, 0, 2).astype(np.float32, order="C")
        without = round(1 - float(found_HW.sum() / known_HW.sum()), 4)
        return {"normals": Cell(towards_HW3, found_HW, {"share_without_normal": without})}


def build(arguments: Arguments, scene: Scene) -> Step:
    """Return the step. See `ModalityMember.build`."""
    depth = depth_name(arguments.depth, scene)
    return Normals(depth, arguments.radius, tells_measured(depth, scene))
