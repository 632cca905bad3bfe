"""What a file of the catalog holds: `SPEC`, `class_map`, `scan` and `write_miniature`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from segprep.datasets.classes import ClassMap
from segprep.datasets.notices import FoundValue, Notice
from segprep.datasets.record import Direction, SampleRecord

__all__ = ["DatasetMember", "DatasetSource", "DatasetSpec"]


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """What people should know of a dataset.

    Attributes:
        title: Its name in full.
        layout: The folders that `scan` expects, as a text to show.
        columns: All columns that it can offer.
        licence: Terms of use.
        citation: What to cite.
        max_gap: Largest time in seconds between a frame and its neighbour.
        schemes: Names of the class schemes that users can choose from, the default first; empty if there is one only.
        takes_lists: Whether samples are listed in files that the user names instead of found in folders.
        depth_range: (near, far) in metres between which nearly all depths lie; None if nobody knows.
        class_shares: Class name to its known share of the labelled pixels, for comparison; empty if nobody knows.
        categories: Class name to the category that it belongs to; empty if the data set has none.
        instance_pixels: Class name to the mean size of its instances in pixels, at the data set's own size, by which
            its benchmark weights them; empty if it has no such rule.
        smallest_instance: Smaller ids of its instance files are no instances.
        finds_classes: Whether nothing is known of the labels: `class_map` reads them, and how their files are read is
            decided there, too.
    """

    title: str
    layout: str
    columns: tuple[str, ...]
    licence: str
    citation: str
    max_gap: float
    schemes: tuple[str, ...] = ()
    takes_lists: bool = False
    depth_range: tuple[float, float] | None = None
    class_shares: Mapping[str, float] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    instance_pixels: Mapping[str, float] = field(default_factory=dict)
    smallest_instance: int = 1
    finds_classes: bool = False


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """What the user said of where a dataset is.

    Attributes:
        root: Folder that all its files lie in; paths of the records are relative to it.
        lists: Files that list the samples, for the dataset `list`; others have none.
        columns: What the entries of a row in lists without a header are; None for the formats' own meaning.
        scheme: One of the spec's `schemes`; None for the default.
        classes: For members that find classes: the class map that the user wrote, to which they add how label files
            are read; None if it is to be found.
        snap_distance: For members that find classes: see `ClassMap`; None for what `classes` says.
        notices: Where members leave what they guess and what looks wrong to them, while they list.
        values: Where members that find classes leave what the labels hold, the most frequent value first.
    """

    root: Path
    lists: tuple[Path, ...] = ()
    columns: tuple[str, ...] | None = None
    scheme: str | None = None
    classes: ClassMap | None = None
    snap_distance: float | None = None
    notices: list[Notice] = field(default_factory=list, compare=False)
    values: list[FoundValue] = field(default_factory=list, compare=False)


class DatasetMember(Protocol):
    """A module of the catalog."""

    SPEC: DatasetSpec

    def class_map(self, source: DatasetSource) -> ClassMap:
        """Return the classes.

        Raises:
            DatasetNotFoundError: If the root is not this dataset; the message tells the expected layout.
        """

    def scan(self, source: DatasetSource, direction: Direction) -> Iterable[SampleRecord]:
        """Yield all samples below the root in a fixed order, reading no pixels.

        Any subset of splits and parts is accepted. A label (or other part) whose folder exists but whose file does not
        stays in the record, so that the sample fails by name instead of vanishing.

        Raises:
            DatasetNotFoundError: If there are no images at all.
        """

    def write_miniature(self, root: Path, frames: int) -> None:
        """Write `frames` (at least 2) rendered samples in this layout: to try a pipeline, and for tests."""
