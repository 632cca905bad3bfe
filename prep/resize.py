"""`prep resize`: every source of a sample on one grid, labels as train ids, the camera with them."""

from collections.abc import Mapping
from dataclasses import dataclass

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.columns import Cell, Column
from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import JsonDict, Sample, scale_map
from segprep.prep.resample import LabelMethod, resample
from segprep.prep.step import Input, Origin

__all__ = ["ResizeCamera", "ResizeColumn", "TargetSize"]

_IDS = (Kind.LABEL, Kind.INSTANCE)


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


@dataclass(frozen=True, slots=True)
class ResizeColumn:
    """Resamples one source by the rule of its kind.

    Attributes:
        column: What is made; the source of the same name is read.
        target: Its size.
        class_map: For labels: raw ids become train ids before they are resampled, so that merged classes vote together.
        labels: How ids are resampled.
    """

    column: Column
    target: TargetSize
    class_map: ClassMap | None = None
    labels: LabelMethod = "vote"

    version = 1

    @property
    def name(self) -> str:
        """One step per column, so that a new label method leaves the images alone."""
        return f"resize {self.column.name}"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The source, and the image's size, which decides the target and which all sources share."""
        own = Input(self.column.name, Origin.SOURCE)
        return (own,) if self.column.name == "image" else (own, Input("image", Origin.SOURCE_SIZE))

    @property
    def outputs(self) -> tuple[Column, ...]:
        """One column."""
        return (self.column,)

    @property
    def parameters(self) -> JsonDict:
        """Target, code and, for ids, method and class map."""
        values = self.target.to_json()
        values["code"] = None if self.column.code is None else self.column.code.to_json()
        if self.column.kind in _IDS:
            values["labels"] = self.labels
        if self.class_map is not None:
            # Names, colours and the order of ids do not change a pixel.
            values["raw_ids"] = [sorted(c.raw_ids) for c in self.class_map.classes]
            values["ignored_raw_ids"] = sorted(self.class_map.ignored_raw_ids)
        return values

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Resample.

        Raises:
            SizeMismatchError: If the source differs in size from its image.
            LabelIdError: If a label holds ids outside the class map.
        """
        name = self.column.name
        values = sample.arrays[name]
        source = (values.shape[1], values.shape[0])
        image = sample.meta.get("image_size", source)
        if source != tuple(image):
            raise SizeMismatchError(
                f"{name} is {source[0]}x{source[1]}, but its image is {image[0]}x{image[1]}: they must be the same size"
            )
        if self.class_map is not None:
            values = self.class_map.to_train_ids(values)
        resized, valid = resample(values, sample.valid.get(name), self._geometry(), self.target.of(source), self.labels)
        return {name: Cell(resized, valid, {"source_size": list(source)})}

    def _geometry(self) -> Kind:
        if self.column.kind is not Kind.CODED:
            return self.column.kind
        if isinstance(self.column.code, SmsnetFlowCode):
            return Kind.FLOW  # decoded vectors are resampled and scaled, then encoded again
        raise CodeRangeError(f"column {self.column.name} is coded for the eye: it cannot be resized, only made again")


@dataclass(frozen=True, slots=True)
class ResizeCamera:
    """Writes calibration, pose and motion at the workspace's resolution.

    Attributes:
        column: The camera column.
        target: Size of the images.
    """

    column: Column
    target: TargetSize

    name = "resize camera"
    version = 1
    inputs = (Input("camera", Origin.RECORD), Input("image", Origin.SOURCE_SIZE))

    @property
    def outputs(self) -> tuple[Column, ...]:
        """One column."""
        return (self.column,)

    @property
    def parameters(self) -> JsonDict:
        """The target."""
        return self.target.to_json()

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Scale the intrinsics by the exact ratios per axis.

        Raises:
            SizeMismatchError: If the calibration is for another size than the image's.
        """
        camera = sample.camera
        if camera is None:
            raise SizeMismatchError("the sample has no camera")
        source = sample.meta["image_size"]
        if (camera.width, camera.height) != tuple(source):
            raise SizeMismatchError(
                f"the camera is calibrated for {camera.width}x{camera.height}, but the image is {source[0]}x{source[1]}"
            )
        target = self.target.of(source)
        data = camera.transformed(scale_map(source, target), *target).to_json()
        data["pose"] = None if sample.pose is None else sample.pose.matrix.tolist()
        data["neighbour"] = sample.meta["neighbour"]
        return {self.column.name: Cell(data)}
