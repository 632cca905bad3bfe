"""What a file of the catalog holds: `SPEC`, `class_map`, `scan` and `write_miniature`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segprep.datasets.classes import ClassMap
from segprep.datasets.record import Direction, SampleRecord

__all__ = ["DatasetMember", "DatasetSpec", "files_by_stem"]

_PICTURES = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")


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
    """

    title: str
    layout: str
    columns: tuple[str, ...]
    licence: str
    citation: str
    max_gap: float


class DatasetMember(Protocol):
    """A module of the catalog."""

    SPEC: DatasetSpec

    def class_map(self, root: Path) -> ClassMap:
        """Return the classes.

        Raises:
            DatasetNotFoundError: If `root` is not this dataset; the message tells the expected layout.
        """

    def scan(self, root: Path, direction: Direction) -> Iterable[SampleRecord]:
        """Yield all samples below `root` in a fixed order, reading no pixels.

        Any subset of splits and parts is accepted. A label (or other part) whose folder exists but whose file does not
        stays in the record, so that the sample fails by name instead of vanishing.

        Raises:
            DatasetNotFoundError: If there are no images at all.
        """

    def write_miniature(self, root: Path, frames: int) -> None:
        """Write `frames` (at least 2) rendered samples in this layout: to try a pipeline, and for tests."""


def files_by_stem(folder: Path, suffixes: Sequence[str] = _PICTURES) -> dict[str, str]:
    """Return stem to file name for the pictures of a folder; empty if there is no such folder.

    Raises:
        ValueError: If two files differ only in their suffix, so that a stem does not say which is meant.
    """
    if not folder.is_dir():
        return {}
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in found:
                raise ValueError(f"{folder} has both {found[path.stem]} and {path.name}: keep one of them")
            found[path.stem] = path.name
    return found
