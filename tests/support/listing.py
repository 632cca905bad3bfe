"""Listing a dataset, and what is said of it beside its samples."""

from pathlib import Path
from types import ModuleType

from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.record import Direction, SampleRecord

__all__ = ["scan_telling"]


def scan_telling(member: ModuleType, root: Path) -> tuple[list[SampleRecord], list[str]]:
    """Return the samples, and the texts of the notices."""
    source = DatasetSource(root)
    return list(member.scan(source, Direction.PREVIOUS)), [notice.text for notice in source.notices]
