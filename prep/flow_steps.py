"""`prep flow`: optical flow between the labelled frame and its neighbour, and SMSnet's motion image."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from segprep.datasets.codes import KittiFlowCode, SmsnetFlowCode
from segprep.datasets.columns import Cell, Column
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict, Sample
from segprep.flow.field import FlowField
from segprep.prep.motion import compute_optical_flow, motion_residual
from segprep.prep.step import Input, Origin

__all__ = ["MotionImage", "OpticalFlow"]


@dataclass(frozen=True, slots=True)
class OpticalFlow:
    """Column `optical_flow`: vectors on the labelled frame's grid that point to where its pixels are in the neighbour.

    Attributes:
        estimator: Name of a flow estimator.
        direction: Which neighbour.
    """

    estimator: str = "dis"
    direction: Direction = Direction.PREVIOUS

    name = "optical flow"
    version = 1

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The image and its neighbour, as stored in the workspace."""
        return Input("image", Origin.COLUMN), Input(self.direction.value, Origin.COLUMN)

    @property
    def outputs(self) -> tuple[Column, ...]:
        """KITTI's lossless 16-bit code; the valid bit holds the forward-backward check."""
        return (Column("optical_flow", Kind.FLOW, KittiFlowCode(), (("direction", self.direction.value),)),)

    @property
    def parameters(self) -> JsonDict:
        """Estimator and direction."""
        return {"estimator": self.estimator, "direction": self.direction.value}

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Estimate the flow.

        Raises:
            SizeMismatchError: If the two images differ in size.
        """
        first, second = sample.arrays["image"], sample.arrays[self.direction.value]
        if first.shape != second.shape:
            raise SizeMismatchError(
                f"the image is {first.shape[1]}x{first.shape[0]}, its {self.direction} frame "
                f"{second.shape[1]}x{second.shape[0]}: flow needs equal sizes"
            )
        found = compute_optical_flow(first, second, self.estimator)
        return {"optical_flow": Cell(found.uv, found.valid)}


@dataclass(frozen=True, slots=True)
class MotionImage:
    """Column `flow`: SMSnet's 8-bit picture of the optical flow.

    Attributes:
        code: Its scale.
        direction: Which neighbour the flow points to.
    """

    code: SmsnetFlowCode = field(default_factory=SmsnetFlowCode)
    direction: Direction = Direction.PREVIOUS

    name = "motion image"
    version = 1
    inputs = (Input("optical_flow", Origin.COLUMN),)

    @property
    def outputs(self) -> tuple[Column, ...]:
        """File channels B=u, G=v, R=magnitude, the mask beside."""
        about = (("direction", self.direction.value), ("source", "optical_flow"))
        return (Column("flow", Kind.CODED, self.code, about),)

    @property
    def parameters(self) -> JsonDict:
        """The code."""
        return self.code.to_json()

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Return the vectors; the column's code makes the picture."""
        uv = sample.arrays["optical_flow"]
        residual = motion_residual(FlowField(uv, sample.valid["optical_flow"]), None)
        return {"flow": Cell(residual.uv, residual.valid)}
