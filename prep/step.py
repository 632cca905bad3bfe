"""What a step is: arrays of one sample in, columns of that sample out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from segprep.datasets.columns import Cell, Column
from segprep.datasets.sample import JsonDict, Sample

__all__ = ["Input", "Origin", "Step"]


class Origin(StrEnum):
    """Where an input of a step comes from."""

    SOURCE = "source"  # a file of the dataset
    SOURCE_SIZE = "source-size"  # only (width, height) of a file of the dataset, as `sample.meta["<name>_size"]`
    RECORD = "record"  # what the catalog knows: camera, pose, neighbour
    COLUMN = "column"  # a cell of the workspace


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a step.

    Attributes:
        name: A source name or a column name; the arrays of the sample carry it.
        origin: Where it comes from.
        optional: For sources: the step does without where the dataset has none for a sample.
    """

    name: str
    origin: Origin
    optional: bool = False


class Step(Protocol):
    """Makes columns of one sample. Knows no files, no ledger, no parallelism.

    A sample that does not have one of the inputs gets absent cells. An exception of `segprep.datasets.errors` makes the
    sample's cells failed, with the message as the reason.

    Attributes:
        name: Stands in the ledger; with version and parameters it decides what is stale.
        version: Raised whenever the output changes for equal inputs and parameters.
        inputs: What `__call__` finds in the sample.
        outputs: The columns that it returns, all of them.
        parameters: JSON values only.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def inputs(self) -> tuple[Input, ...]: ...  # noqa: D102
    @property
    def outputs(self) -> tuple[Column, ...]: ...  # noqa: D102
    @property
    def parameters(self) -> JsonDict: ...  # noqa: D102

    def __call__(self, sample: Sample) -> Mapping[str, Cell]: ...  # noqa: D102
