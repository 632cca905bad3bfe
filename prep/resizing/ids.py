"""`prep resize` for ids: labels as train ids or as the dataset's own, and instances that follow them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import IdCode, VoidFirstCode
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.sample import Array, JsonDict, Sample
from segprep.datasets.snapping import count_far
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.labels.resampling import LabelMethod, resize_instances, resize_labels
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.resizing.source import checked_size, source_facts
from segprep.prep.step import BaseStep, Input, Origin, StepHead

__all__ = ["LabelIds", "ResizeInstance", "ResizeLabel"]


@dataclass(frozen=True, slots=True)
class LabelIds:
    """Which ids labels are resampled as, and which they end up as.

    Attributes:
        class_map: From the dataset's own ids or colours to train ids.
        method: How ids are resampled.
        raw: Whether the dataset's own ids are kept.
        void_first: Whether the files of train ids hold 0 for void and the classes from 1.
    """

    class_map: ClassMap
    method: LabelMethod = field(default_factory=LabelMethod)
    raw: bool = False
    void_first: bool = False

    def resampled_as(self, source: Array) -> Array:
        """Map the content of a label file to the ids that the method sees: raw ones, or merged classes together.

        PARIS's method votes among raw ids; everything else does so among train ids unless raw ones are kept.
        """
        if self.raw or self.method.name == "paris":
            return self.class_map.to_known_raw_ids(source)
        return self.class_map.to_train_ids(source)

    def stored_as(self, resized_HW: Array) -> Array:
        """Map resampled ids to those that are kept."""
        if self.raw or self.method.name != "paris":
            return resized_HW
        void = resized_HW == self.method.void
        known = resized_HW.dtype.type(self.class_map.classes[0].raw_ids[0])
        train_HW = self.class_map.train_ids_of(np.where(void, known, resized_HW))
        train_HW[void] = IGNORE_ID
        return train_HW

    def column(self) -> Column:
        """Return the label column."""
        if not self.raw:
            code = VoidFirstCode() if self.void_first else IdCode()
            return Column("label", Kind.LABEL, code, (("ids", "train"),))
        return Column("label", Kind.LABEL, IdCode(8 if self.class_map.largest_raw_id < 256 else 16), (("ids", "raw"),))

    def to_json(self) -> JsonDict:
        """Return what decides the result."""
        return {
            "labels": self.method.to_json(),
            "label_ids": "raw" if self.raw else "void0" if self.void_first else "train",
            "class_map": self.class_map.pixel_rules(regrouping=not self.raw),
        }


@dataclass(frozen=True)
class ResizeLabel(BaseStep):
    """Column `label`.

    Attributes:
        ids: Method and class map.
        target: Size of the result.
    """

    ids: LabelIds
    target: TargetSize

    @cached_property
    def head(self) -> StepHead:
        """Train ids in 8 bits, or the dataset's own."""
        return StepHead(
            name="resize label",
            version=2,
            inputs=(Input("label", Origin.SOURCE), Input("image", Origin.SOURCE_SIZE)),
            outputs=(self.ids.column(),),
            parameters=self.target.to_json() | self.ids.to_json(),
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Map and resample.

        Raises:
            SizeMismatchError: If the label differs in size from its image.
            LabelIdError: If it holds ids or colours outside the class map.
        """
        source = checked_size(sample, "label")
        ids_HW = self.ids.resampled_as(sample.arrays["label"])
        resized_HW = resize_labels(ids_HW, self.target.of(source), self.ids.method)
        facts = source_facts(sample, "label")
        if self.ids.class_map.snap_distance:
            raw, class_map = sample.arrays["label"], self.ids.class_map
            known, _ = class_map.known_values(colors=raw.ndim == 3)
            facts["far_from_known"] = count_far(raw, known, class_map.snap_distance)
        return {"label": Cell(self.ids.stored_as(resized_HW), None, facts)}


@dataclass(frozen=True)
class ResizeInstance(BaseStep):
    """Column `instance`: of each target pixel the instance that covers most of what its label won with.

    Attributes:
        ids: Method and class map of the labels.
        target: Size of the result.
    """

    ids: LabelIds
    target: TargetSize

    @cached_property
    def head(self) -> StepHead:
        """From the instances, and the label where there is one."""
        return StepHead(
            name="resize instance",
            version=2,
            inputs=(
                Input("instance", Origin.SOURCE),
                Input("label", Origin.SOURCE, optional=True),
                Input("image", Origin.SOURCE_SIZE),
            ),
            outputs=(Column("instance", Kind.INSTANCE, IdCode(bits=16)),),
            parameters=self.target.to_json() | self.ids.to_json(),
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Resample; without a label the instances are voted on by themselves.

        Raises:
            SizeMismatchError: If instances or label differ in size from the image.
            LabelIdError: If the label holds ids or colours outside the class map.
        """
        source = checked_size(sample, "instance")
        label_HW: Array | None = None
        if "label" in sample.arrays:
            checked_size(sample, "label")
            label_HW = self.ids.resampled_as(sample.arrays["label"])
        resized_HW = resize_instances(sample.arrays["instance"], label_HW, self.target.of(source), self.ids.method)
        return {"instance": Cell(resized_HW, None, source_facts(sample, "instance"))}
