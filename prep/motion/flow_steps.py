"""`prep flow`: optical flow between the labelled frame and its neighbour, and SMSnet's motion image."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from segprep.datasets.codes import KittiFlowCode, SmsnetFlowCode
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict, Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.flow.estimators import ESTIMATORS
from segprep.flow.field import FlowField
from segprep.flow.flow_files import read_flow
from segprep.flow.opencv import OPENCV, USUAL, behaviour
from segprep.prep.motion.optical import compute_optical_flow, motion_residual, residual_facts
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.step import BaseStep, Input, Origin, StepHead

__all__ = ["MotionImage", "OpticalFlow", "PrecomputedFlow", "optical_flow_column"]

_VERSIONS: Final = {"dis": 4}  # since 4 it starts from nothing; what the others make has been the same since 3


def optical_flow_column(direction: Direction) -> Column:
    """Return the column of optical flow: KITTI's lossless 16-bit code, whose valid bit holds the check."""
    return Column("optical_flow", Kind.FLOW, KittiFlowCode(), (("direction", direction.value),))


def _never(_: object) -> bool:
    return False


@dataclass(frozen=True)
class OpticalFlow(BaseStep):
    """Column `optical_flow`: vectors on the labelled frame's grid that point to where its pixels are in the neighbour.

    Attributes:
        estimator: Name of a flow estimator.
        preset: One of its presets, None for its default.
        direction: Which neighbour.
        check: Whether the way back is estimated, too; pixels whose ways do not meet are invalid.
        source_to: Where the flow is estimated on the dataset's own images: the size that its vectors are brought to.
            None estimates on the workspace's images.
    """

    estimator: str = "dis"
    preset: str | None = None
    direction: Direction = Direction.PREVIOUS
    check: bool = True
    source_to: TargetSize | None = None

    @cached_property
    def head(self) -> StepHead:
        """From the image and its neighbour, as stored in the workspace or as the dataset has them.

        Parameters are the estimator with its settings, direction, what decides the size, and for estimators whose
        result depends on it, how OpenCV interpolates. Where that is not known, `prep flow` is refused.
        """
        origin = Origin.COLUMN if self.source_to is None else Origin.SOURCE
        member = ESTIMATORS.load(self.estimator)
        config = member.config_from(self.preset)
        values: JsonDict = {"estimator": self.estimator, "settings": asdict(config), "direction": self.direction.value}
        values["check"] = self.check
        if self.source_to is not None:
            values["source_to"] = self.source_to.to_json()
        if getattr(member, "rests_on_opencv", _never)(config):
            values[OPENCV] = behaviour() or USUAL
        return StepHead(
            name="optical flow",
            version=_VERSIONS.get(self.estimator, 3),
            inputs=(Input("image", origin), Input(self.direction.value, origin)),
            outputs=(optical_flow_column(self.direction),),
            parameters=values,
        )

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
        found = compute_optical_flow(first, second, self.estimator, self.preset, check=self.check)
        if self.source_to is not None:
            found = found.resized(*self.source_to.of(found.size))
        return {"optical_flow": Cell(found.uv, found.valid)}


@dataclass(frozen=True)
class PrecomputedFlow(BaseStep):
    """Column `optical_flow` from files that another program made.

    Attributes:
        pattern: Where the files are, see `segprep.flow.flow_files.fill_pattern`.
        file_format: See `FlowFormat`.
        direction: Which neighbour the vectors point to.
        target: Size of the result; vectors are rescaled with the grid.
        made_at: (width, height) that the files have if it is neither the dataset's nor the workspace's.
    """

    pattern: str
    file_format: str
    direction: Direction
    target: TargetSize
    made_at: tuple[int, int] | None = None

    @cached_property
    def head(self) -> StepHead:
        """From the file and the image's size. Where the files are decides nothing, only what they hold."""
        read = partial(_read_vectors, self.file_format)
        return StepHead(
            name="precomputed flow",
            version=1,
            inputs=(
                Input("precomputed", Origin.FILE, pattern=self.pattern, read=read),
                Input("image", Origin.SOURCE_SIZE),
            ),
            outputs=(optical_flow_column(self.direction),),
            parameters={
                "file_format": self.file_format,
                "direction": self.direction.value,
                "target": self.target.to_json(),
                "made_at": None if self.made_at is None else list(self.made_at),
            },
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Rescale the flow.

        Raises:
            SizeMismatchError: If the file has another size than stated.
        """
        found = FlowField(sample.arrays["precomputed"], sample.valid["precomputed"])
        source = sample.meta["image_size"]
        target = self.target.of(source)
        expected = [self.made_at] if self.made_at is not None else [(source[0], source[1]), target]
        if found.size not in expected:
            sizes = " or ".join(f"{w}x{h}" for w, h in dict.fromkeys(expected))
            raise SizeMismatchError(
                f"the flow file is {found.size[0]}x{found.size[1]}, expected {sizes}: if it was computed on images of "
                f"that size, say --flow-size {found.size[0]}x{found.size[1]}"
            )
        found = found.resized(*target)
        return {"optical_flow": Cell(found.uv, found.valid)}


def _read_vectors(file_format: str, path: Path) -> Cell:
    found = read_flow(path, file_format)
    return Cell(found.uv, found.valid)


@dataclass(frozen=True)
class MotionImage(BaseStep):
    """SMSnet's 8-bit picture of the motion: column `flow`, of what the ego flow leaves of the optical flow.

    Attributes:
        code: Its scale.
        direction: Which neighbour the flow points to.
        ego: Whether the ego flow is subtracted.
        column: Its name.
    """

    code: SmsnetFlowCode = field(default_factory=SmsnetFlowCode)
    direction: Direction = Direction.PREVIOUS
    ego: bool = False
    column: str = "flow"

    @cached_property
    def head(self) -> StepHead:
        """One step per column, from the flow and what is subtracted; file channels B=u, G=v, R=magnitude."""
        flow, ego = Input("optical_flow", Origin.COLUMN), Input("ego_flow", Origin.COLUMN)
        source = "optical_flow - ego_flow" if self.ego else "optical_flow"
        about = (("direction", self.direction.value), ("source", source))
        return StepHead(
            name="motion image" if self.column == "flow" else f"motion image {self.column}",
            version=2,
            inputs=(flow, ego) if self.ego else (flow,),
            outputs=(Column(self.column, Kind.CODED, self.code, about),),
            parameters=self.code.to_json(),
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Return the vectors; the column's code makes the picture.

        Raises:
            SizeMismatchError: If the two flows differ in size.
        """
        optical, ego = (
            FlowField(sample.arrays[name], sample.valid[name]) if name in sample.arrays else None
            for name in ("optical_flow", "ego_flow")
        )
        if optical is None:
            raise SizeMismatchError("there is no optical flow")
        residual = motion_residual(optical, ego)
        return {self.column: Cell(residual.uv, residual.valid, residual_facts(residual))}
