"""What `prep check` finds: statements about samples and files, and the table of facts that they are drawn from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.workflows.checks.facts import FileFacts

__all__ = [
    "NEIGHBOURS",
    "Calibration",
    "Category",
    "CheckedSample",
    "Finding",
    "Severity",
    "by_split",
    "calibration_of",
    "columns_of",
    "percent",
]

NEIGHBOURS = tuple(direction.value for direction in Direction)
"""Names of the columns that hold another frame."""


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Category(StrEnum):
    """What a finding is about, in the order of reports."""

    NOT_CHECKED = "not checked"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    UNPAIRED = "unpaired"
    SIZE = "size"
    ORIENTATION = "orientation"
    FORMAT = "format"
    LABEL_IDS = "label ids"
    UNLABELLED = "unlabelled"
    CLASS_SHARES = "class shares"
    SAME_IMAGE = "same image"
    ALIKE = "alike images"
    DISTANCE = "distance"
    CALIBRATION = "calibration"
    MOTION = "motion"
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, doubtful or worth knowing.

    Attributes:
        severity: How bad it is.
        category: What it is about.
        message: What, where, and what to do.
        keys: The samples that it concerns.
        paths: The files that it concerns, relative to the dataset's root.
        unfit: Those of the samples that a list of good ones leaves out. What concerns the dataset as a whole, such as a
            wrong unit, is no reason to leave any out.
    """

    severity: Severity
    category: Category
    message: str
    keys: tuple[SampleKey, ...] = ()
    paths: tuple[str, ...] = ()
    unfit: tuple[SampleKey, ...] = ()

    def to_json(self) -> JsonDict:
        """Return it for `--json`."""
        return {
            "severity": self.severity.value,
            "category": self.category.value,
            "message": self.message,
            "keys": list(self.keys),
            "paths": list(self.paths),
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known of a sample's camera.

    Attributes:
        size: (width, height) that it was calibrated for.
        focal_length: In pixels, along x.
        baseline: In metres, or None.
    """

    size: tuple[int, int]
    focal_length: float
    baseline: float | None


@dataclass(frozen=True, slots=True)
class CheckedSample:
    """A sample with the facts of all its files; a file that several samples use was read once.

    Attributes:
        key: Of the sample.
        split: Of the sample.
        files: Column name to facts.
        camera: None if the dataset has none for it.
    """

    key: SampleKey
    split: str
    files: Mapping[str, FileFacts]
    camera: Calibration | None

    def size_of(self, column: str) -> tuple[int, int] | None:
        """Return (width, height) of a file, if it was read."""
        facts = self.files.get(column)
        return None if facts is None or facts.picture is None else facts.picture.size


def calibration_of(record: SampleRecord) -> Calibration | None:
    """Return what checks need of a record's camera."""
    camera = record.camera
    if camera is None:
        return None
    return Calibration((camera.width, camera.height), float(camera.K[0, 0]), camera.baseline)


def columns_of(samples: Sequence[CheckedSample]) -> list[str]:
    """Return the names of all columns that any sample has, in the order in which they appear."""
    return list(dict.fromkeys(name for sample in samples for name in sample.files))


def by_split(samples: Sequence[CheckedSample]) -> Iterator[tuple[str, list[CheckedSample]]]:
    """Yield the samples of each split, in the order in which splits appear."""
    splits: dict[str, list[CheckedSample]] = {}
    for sample in samples:
        splits.setdefault(sample.split, []).append(sample)
    yield from splits.items()


def percent(share: float) -> str:
    """Return a share as text: 0.1234 gives "12.3 %"."""
    return f"{100 * share:.1f} %"
