"""`prep flow --ego`: the part of the motion that the moving camera makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from segprep.datasets.codes import KittiFlowCode
from segprep.datasets.errors import MotionError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction
from segprep.datasets.sample import Camera, JsonDict, Mask, Matrix, Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.homography import estimate_homography, homography_flow
from segprep.flow.camera.odometry import Correction, estimate_motion
from segprep.flow.camera.robust import Fit
from segprep.flow.field import FlowField
from segprep.prep.motion.movable import Movable
from segprep.prep.step import Absent, BaseStep, Input, Origin, StepHead

__all__ = ["EgoFlow", "EgoMode"]

EgoMode = Literal["pose", "refine", "odometry", "homography"]
"""How the camera's motion is known."""

_FLOW = Input("optical_flow", Origin.COLUMN)
_SCENE = (Input("depth", Origin.COLUMN), Input("camera", Origin.COLUMN))
_INPUTS: Mapping[str, tuple[Input, ...]] = {
    "pose": _SCENE,
    "refine": (*_SCENE, _FLOW),
    "odometry": (*_SCENE, _FLOW),
    "homography": (_FLOW,),
}


@dataclass(frozen=True)
class EgoFlow(BaseStep):
    """Column `ego_flow`: where each pixel would be in the neighbour if nothing but the camera moved.

    Attributes:
        mode: "pose" takes the motion that the dataset knows, "refine" corrects it by the optical flow, "odometry" finds
            it from optical flow and depth, "homography" does without depth.
        direction: Which neighbour.
        movable: What can move by itself, by the label column: no motion is estimated from it. None if nobody knows.
    """

    mode: EgoMode
    direction: Direction = Direction.PREVIOUS
    movable: Movable | None = None

    @cached_property
    def head(self) -> StepHead:
        """From depth and camera, and the optical flow where the motion is estimated; kept in KITTI's 16-bit code.

        Estimates also take the labels of samples that have some, if it is known which classes can move.
        """
        movable = None if self.mode == "pose" else self.movable
        label = () if movable is None else (Input("label", Origin.COLUMN, optional=True),)
        about = (("direction", self.direction.value), ("motion", self.mode))
        return StepHead(
            name="ego flow",
            version=2 if self.mode == "pose" else 3,
            inputs=(*_INPUTS[self.mode], *label),
            outputs=(Column("ego_flow", Kind.FLOW, KittiFlowCode(), about),),
            parameters={"mode": self.mode, "direction": self.direction.value}
            | ({} if movable is None else movable.to_json()),
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Compute the flow.

        Raises:
            Absent: If the sample has no neighbour, or its motion is to be taken from the dataset and is not known.
            MotionError: If the motion is impossible or cannot be found.
            SizeMismatchError: If depth, camera, flow and labels differ in size.
            LabelIdError: If raw labels hold ids that the class map does not know.
        """
        if self.mode == "homography":
            flow = _flow(sample)
            plane = estimate_homography(flow, self._static(sample))
            found, facts = homography_flow(plane.matrix, flow.size), _facts(plane)
        else:
            if sample.camera is None:
                raise Absent("it has no camera")
            motion, facts = self._motion(sample, sample.camera)
            found = ego_flow(sample.arrays["depth"], sample.valid["depth"], sample.camera, motion)
        return {"ego_flow": Cell(found.uv, found.valid, facts)}

    def _motion(self, sample: Sample, camera: Camera) -> tuple[Matrix, JsonDict]:
        near = sample.meta.get("neighbour")
        if near is None:
            raise Absent("it has no neighbour")
        if near["direction"] != self.direction:
            raise MotionError(f"its camera knows the {near['direction']} frame, not the {self.direction} one")
        seconds = float(near["time_difference"])
        if seconds == 0:
            raise MotionError("the time difference to its neighbour is 0: correct the time stamps")
        known = None if near["motion"] is None else np.array(near["motion"], np.float64)
        if self.mode == "pose" or self.mode == "refine":
            if known is None:
                raise Absent("the dataset does not know how its camera moved")
            if self.mode == "pose":
                return known, {"motion": known.tolist()}
        estimate = estimate_motion(
            _flow(sample),
            sample.arrays["depth"],
            sample.valid["depth"],
            camera,
            known if self.mode == "refine" else None,
            correction=Correction() if self.mode == "refine" else None,
            static_HW=self._static(sample),
            seconds=seconds,
        )
        return estimate.matrix, _facts(estimate) | {"motion": estimate.matrix.tolist()}

    def _static(self, sample: Sample) -> Mask | None:
        """Return where nothing can move by itself, (H, W); None where there is no label. What is ignored may count."""
        if self.movable is None or "label" not in sample.arrays:
            return None
        return ~self.movable.shown(sample)


def _flow(sample: Sample) -> FlowField:
    return FlowField(sample.arrays["optical_flow"], sample.valid["optical_flow"])


def _facts(found: Fit) -> JsonDict:
    agreement = {"inlier_share": round(found.inlier_share, 4), "residual_px": round(found.residual_px, 4)}
    return agreement | {"pixels": found.pixels}
