"""`prep resize`: images and whatever else lies on their grid on a new one, the camera with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import JsonDict, Sample, scale_map
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.resizing.resample import resample
from segprep.prep.resizing.source import checked_size, source_facts
from segprep.prep.step import BaseStep, Input, Origin, StepHead

__all__ = ["ResizeCamera", "ResizeColumn", "TargetSize"]


@dataclass(frozen=True, slots=True)
class TargetSize:
    """The size to make: the image's size divided by a factor, or a fixed one.

    Attributes:
        factor: Whole divisor of the image's size; remainders are dropped, the whole image is kept.
        size: (width, height) instead.
    """

    factor: int | None = None
    size: tuple[int, int] | None = None

    def of(self, source: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) for an image of this size. Factor 4 of 1242x375 gives 310x93.

        Raises:
            SizeMismatchError: If nothing would be left.
        """
        if self.size is not None:
            return self.size
        factor = self.factor or 1
        target = source[0] // factor, source[1] // factor
        if min(target) < 1:
            raise SizeMismatchError(f"factor {factor} leaves nothing of an image of {source[0]}x{source[1]} pixels")
        return target

    def to_json(self) -> JsonDict:
        """Return the parameters that stand in the ledger."""
        return {"size": list(self.size)} if self.size is not None else {"factor": self.factor or 1}


@dataclass(frozen=True)
class ResizeColumn(BaseStep):
    """Resamples one source by the rule of its kind; labels, instances and depth have steps of their own.

    Attributes:
        column: What is made; the source of the same name is read.
        target: Its size.
    """

    column: Column
    target: TargetSize

    @cached_property
    def head(self) -> StepHead:
        """One step per column, so that a new label method leaves the images alone.

        It reads the source, and the image's size, which decides the target and which all sources share.
        """
        own, image = Input(self.column.name, Origin.SOURCE), Input("image", Origin.SOURCE_SIZE)
        code = None if self.column.code is None else self.column.code.to_json()
        return StepHead(
            name=f"resize {self.column.name}",
            version=1,
            inputs=(own,) if self.column.name == "image" else (own, image),
            outputs=(self.column,),
            parameters={**self.target.to_json(), "code": code},
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Resample.

        Raises:
            SizeMismatchError: If the source differs in size from its image.
            CodeRangeError: If it is coded for the eye and would change its size.
        """
        name = self.column.name
        source = checked_size(sample, name)
        # Decoded vectors of a motion image are resampled and scaled, then encoded again.
        kind = Kind.FLOW if isinstance(self.column.code, SmsnetFlowCode) else self.column.kind
        resized, valid = resample(sample.arrays[name], sample.valid.get(name), kind, self.target.of(source))
        return {name: Cell(resized, valid, source_facts(sample, name))}


@dataclass(frozen=True)
class ResizeCamera(BaseStep):
    """Writes calibration, pose and motion at the workspace's resolution.

    Attributes:
        column: The camera column.
        target: Size of the images.
    """

    column: Column
    target: TargetSize

    @cached_property
    def head(self) -> StepHead:
        """From what the catalog knows, and the image's size."""
        return StepHead(
            name="resize camera",
            version=1,
            inputs=(Input("camera", Origin.RECORD), Input("image", Origin.SOURCE_SIZE)),
            outputs=(self.column,),
            parameters=self.target.to_json(),
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Scale the intrinsics by the exact ratios per axis.

        Raises:
            SizeMismatchError: If the calibration is for another size than the image's.
        """
        if sample.camera is None:
            raise SizeMismatchError("the sample has no camera")
        source = sample.meta["image_size"]
        camera = sample.camera.calibrated_for(source)
        target = self.target.of(source)
        data = camera.transformed(scale_map(source, target), *target).to_json()
        data["pose"] = None if sample.pose is None else sample.pose.matrix.tolist()
        data["neighbour"] = sample.meta["neighbour"]
        return {self.column.name: Cell(data)}
