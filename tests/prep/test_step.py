"""The base of steps: their facts stand in one place and are asked of it."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from segprep.datasets.codes import IdCode
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Sample, SampleKey
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.step import BaseStep, Input, Origin, Step, StepHead


@dataclass(frozen=True)
class _Threshold(BaseStep):
    least: int

    @cached_property
    def head(self) -> StepHead:
        column = Column("bright", Kind.MASK, IdCode(8), (("least", str(self.least)),))
        return StepHead("threshold", 7, (Input("image", Origin.COLUMN),), (column,), {"least": self.least})

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        return {"bright": Cell(sample.arrays["image"] >= self.least)}


def test_a_step_hands_on_the_facts_of_its_head() -> None:
    step: Step = _Threshold(5)
    assert (step.name, step.version, step.parameters) == ("threshold", 7, {"least": 5})
    assert [each.name for each in step.inputs] == ["image"]
    assert [each.name for each in step.outputs] == ["bright"]


def test_a_head_that_was_asked_for_changes_neither_equality_nor_what_travels_to_workers() -> None:
    asked, fresh = _Threshold(5), _Threshold(5)
    assert asked.head.parameters == {"least": 5}
    assert asked == fresh
    assert hash(asked) == hash(fresh)
    assert asked != _Threshold(6)
    arrived = pickle.loads(pickle.dumps(asked))
    assert (arrived, arrived.head) == (fresh, fresh.head)
    image = np.array([[4, 5]], np.uint8)
    made = arrived(Sample(SampleKey("a"), {"image": image}, {"image": Kind.IMAGE}))
    assert made["bright"].values.tolist() == [[False, True]]


def test_a_step_without_a_head_cannot_be_made() -> None:
    class Headless(BaseStep):
        def __call__(self, sample: Sample) -> Mapping[str, Cell]:
            return {}

    with pytest.raises(TypeError, match="head"):
        Headless()  # type: ignore[abstract]
