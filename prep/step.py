"""What a step is: arrays of one sample in, columns of that sample out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from segprep.datasets.sample import JsonDict, Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.flow.opencv import OPENCV, USUAL

__all__ = ["UNSAID", "Absent", "BaseStep", "Input", "Origin", "Step", "StepHead"]


UNSAID: Final[Mapping[str, object]] = MappingProxyType({OPENCV: USUAL})
"""Parameters that recipes leave out: what was made before steps stated them was made so, and stays valid."""


class Absent(Exception):  # noqa: N818  (no error: there is nothing to make)
    """The dataset offers nothing that this step could work on for this sample. The text says what is lacking."""


class Origin(StrEnum):
    """Where an input of a step comes from."""

    SOURCE = "source"  # a file of the dataset; an EXIF orientation but 1 stands in `sample.meta["<name>_orientation"]`
    SOURCE_SIZE = "source-size"  # only (width, height) of a file of the dataset, as `sample.meta["<name>_size"]`
    RECORD = "record"  # what the catalog knows: camera, pose, neighbour
    COLUMN = "column"  # a cell of the workspace
    FILE = "file"  # a file that another program made, found by a pattern


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a step.

    Attributes:
        name: A source name or a column name; the arrays of the sample carry it.
        origin: Where it comes from.
        optional: For sources and columns: the step does without where there is none for a sample.
        pattern: For files: see `segprep.flow.flow_files.fill_pattern`; relative to the dataset's root.
        read: For files: gives array and mask of a path; must be importable by worker processes.
    """

    name: str
    origin: Origin
    optional: bool = False
    pattern: str = ""
    read: Callable[[Path], Cell] | None = None


class Step(Protocol):
    """Makes columns of one sample. Knows no files, no ledger, no parallelism.

    A sample that does not have one of the inputs gets absent cells, and so does one for which `Absent` is raised. An
    exception of `segprep.datasets.errors` makes the sample's cells failed, with the message as the reason.

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


@dataclass(frozen=True, slots=True)
class StepHead:
    """What the runner and the ledger know of a step, see `Step`."""

    name: str
    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Column, ...]
    parameters: JsonDict


@dataclass(frozen=True)
class BaseStep(ABC):
    """A `Step` whose facts stand in one place: a frozen dataclass derives from it and gives `head` and `__call__`.

    The head is asked for again and again, so that it is best a `functools.cached_property`; such a dataclass has no
    slots.
    """

    @property
    @abstractmethod
    def head(self) -> StepHead:
        """The step's facts, which follow from its fields."""

    @abstractmethod
    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Make the columns of one sample."""

    @property
    def name(self) -> str:
        """See `Step`."""
        return self.head.name

    @property
    def version(self) -> int:
        """See `Step`."""
        return self.head.version

    @property
    def inputs(self) -> tuple[Input, ...]:
        """See `Step`."""
        return self.head.inputs

    @property
    def outputs(self) -> tuple[Column, ...]:
        """See `Step`."""
        return self.head.outputs

    @property
    def parameters(self) -> JsonDict:
        """See `Step`."""
        return self.head.parameters
