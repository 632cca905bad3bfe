"""`prep motion-labels`: column `motion_label`, judged from flow and depth or taken from an annotation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from segprep.datasets.codes import IdCode, VoidFirstCode
from segprep.datasets.errors import (
    CodeRangeError,
    ConfigurationError,
    MissingInputError,
    SizeMismatchError,
    UnreadableFileError,
)
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.made_classes import MOTION_CLASSES, class_attributes
from segprep.datasets.sample import JsonDict, Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.flow.field import FlowField
from segprep.prep.labels.resampling import LabelMethod, resize_labels
from segprep.prep.motion.annotation import AnnotationMap
from segprep.prep.motion.labels import MIN_SPEED, Tolerance, label_motion
from segprep.prep.motion.movable import Movable
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.step import Absent, BaseStep, Input, Origin, StepHead

__all__ = ["GivenMotionLabel", "MotionLabel"]

_ANNOTATION: Final = "motion_annotation"
_SAME_SHAPE: Final = 0.01  # width / height of an annotation may differ by this share from that of its image


def _column(source: str, *, void_first: bool) -> Column:
    about = (*class_attributes(MOTION_CLASSES), ("ids", "motion"), ("source", source))
    return Column("motion_label", Kind.LABEL, VoidFirstCode() if void_first else IdCode(), about)


def _files(*, void_first: bool) -> JsonDict:
    """Return what decides the files beside the labels; nothing where they hold them as they are."""
    return {"label_ids": "void0"} if void_first else {}


@dataclass(frozen=True)
class MotionLabel(BaseStep):
    """Column `motion_label`, a pseudo label: 0 static, 1 moving, 255 what cannot move or is not known.

    Attributes:
        movable: What can move.
        max_range: In metres; what is farther is not known. None for no limit.
        min_speed: In metres per second; what stands still is static where so slow a motion would have shown.
        tolerance: Errors of flow and depth to reckon with.
        void_first: Whether the files hold 0 for void, 1 static, 2 moving.
    """

    movable: Movable
    max_range: float | None = None
    min_speed: float = MIN_SPEED
    tolerance: Tolerance = field(default_factory=Tolerance)
    void_first: bool = False

    def __post_init__(self) -> None:
        if self.max_range is not None and not 0 < self.max_range < float("inf"):
            raise ConfigurationError(f"the range must be a number of metres above 0, not {self.max_range}")
        if not 0 < self.min_speed < float("inf"):
            raise ConfigurationError(f"the slowest speed must be a number of m/s above 0, not {self.min_speed}")

    @cached_property
    def head(self) -> StepHead:
        """From labels, both flows, depth and camera; instances where there are some."""
        return StepHead(
            name="motion label",
            version=2,
            inputs=(
                Input("label", Origin.COLUMN),
                Input("instance", Origin.COLUMN, optional=True),
                Input("optical_flow", Origin.COLUMN),
                Input("ego_flow", Origin.COLUMN),
                Input("depth", Origin.COLUMN),
                Input("camera", Origin.COLUMN),
            ),
            outputs=(_column("pseudo label: optical flow minus ego flow", void_first=self.void_first),),
            parameters=self.movable.to_json()
            | {"max_range": self.max_range, "min_speed": self.min_speed, "tolerance": asdict(self.tolerance)}
            | _files(void_first=self.void_first),
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Judge every thing that can move.

        Raises:
            Absent: If the sample has no neighbour, to which the time is known.
            MissingInputError: If it has no camera.
            SizeMismatchError: If the inputs differ in size.
            LabelIdError: If raw labels hold ids that the class map does not know.
            MotionError: If the intrinsics are singular, or no time lies between the frames.
        """
        if sample.camera is None:
            raise MissingInputError("the sample has no camera, and motion labels need its intrinsics")
        near = sample.meta.get("neighbour")
        if near is None:
            raise Absent("it has no neighbour")
        found = label_motion(
            self.movable.labels(sample),
            sample.arrays.get("instance"),
            FlowField(sample.arrays["optical_flow"], sample.valid["optical_flow"]),
            FlowField(sample.arrays["ego_flow"], sample.valid["ego_flow"]),
            sample.arrays["depth"],
            sample.valid["depth"],
            sample.camera,
            movable=self.movable.train_ids,
            seconds=float(near["time_difference"]),
            max_range=self.max_range,
            min_speed=self.min_speed,
            tolerance=self.tolerance,
        )
        return {"motion_label": Cell(found.label_HW, None, found.summary())}


@dataclass(frozen=True)
class GivenMotionLabel(BaseStep):
    """Column `motion_label` from an annotation: its ids are mapped, then resampled by majority.

    Attributes:
        ids: Meaning of the annotation's ids.
        target: Size of the result, from that of the sample's image. The annotation may have another size than the
            image, if it shows the same view.
        pattern: Where the annotations are, see `segprep.flow.flow_files.fill_pattern`.
        movable: What can move, by the label column; the rest becomes 255. None to take the annotation as it is.
        void_first: Whether the files hold 0 for void, 1 static, 2 moving.
    """

    ids: AnnotationMap
    target: TargetSize
    pattern: str
    movable: Movable | None = None
    void_first: bool = False

    @cached_property
    def head(self) -> StepHead:
        """From the annotation, the image's size, and the labels where they are needed.

        Everything is a parameter but where the annotations are: what they hold matters.
        """
        label = () if self.movable is None else (Input("label", Origin.COLUMN),)
        annotation = Input(_ANNOTATION, Origin.FILE, pattern=self.pattern, read=_read_ids)
        movable = {"movable": None} if self.movable is None else self.movable.to_json()
        return StepHead(
            name="given motion label",
            version=1,
            inputs=(annotation, Input("image", Origin.SOURCE_SIZE), *label),
            outputs=(_column("annotation", void_first=self.void_first),),
            parameters=self.target.to_json()
            | {"annotation": self.ids.to_json()}
            | movable
            | _files(void_first=self.void_first),
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Map and resample.

        Raises:
            LabelIdError: If the annotation holds ids without a meaning.
            SizeMismatchError: If it has another shape than its image, or the result another size than the labels.
        """
        annotation_HW = sample.arrays[_ANNOTATION]
        motion_HW = self.ids.to_motion(annotation_HW)
        size, image = (motion_HW.shape[1], motion_HW.shape[0]), tuple(sample.meta["image_size"])
        if abs(size[0] * image[1] / (size[1] * image[0]) - 1) > _SAME_SHAPE:
            raise SizeMismatchError(
                f"the motion annotation is {size[0]}x{size[1]}, its image {image[0]}x{image[1]}: they cannot show the "
                "same view"
            )
        resized_HW = resize_labels(motion_HW, self.target.of((image[0], image[1])), LabelMethod())
        if self.movable is not None:
            movable_HW = self.movable.shown(sample)
            if movable_HW.shape != resized_HW.shape:
                raise SizeMismatchError(
                    f"the motion label becomes {resized_HW.shape[1]}x{resized_HW.shape[0]}, but the label is "
                    f"{movable_HW.shape[1]}x{movable_HW.shape[0]}: use the size of `prep resize`"
                )
            resized_HW[~movable_HW] = IGNORE_ID
        return {"motion_label": Cell(resized_HW, None, {"source_size": list(size)})}


def _read_ids(path: Path) -> Cell:
    """Read an image of 8- or 16-bit ids.

    Raises:
        MissingInputError, UnreadableFileError: If it cannot be read, or holds no ids.
    """
    try:
        ids_HW, _ = IdCode(bits=16).from_file(read_image(path))
    except CodeRangeError as error:
        raise UnreadableFileError(f"{path}: {error}") from error
    return Cell(ids_HW)
