"""What a worker does for `prep check`: read each file of the dataset once, decode it, return small facts."""

import hashlib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import SegprepError
from segprep.datasets.imageio import image_orientation
from segprep.datasets.imageio.exif import UPRIGHT
from segprep.datasets.kinds import Kind
from segprep.datasets.machine import machine_error
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import Array, Mask
from segprep.datasets.source_files import read_file
from segprep.datasets.workspace.cells import decode_file
from segprep.prep.inspection.facts import (
    DistanceFacts,
    LabelFacts,
    PictureFacts,
    count_labels,
    describe,
    measure_distances,
)
from segprep.prep.inspection.label_form import LabelForm, label_form
from segprep.prep.inspection.likeness import likeness_hash

__all__ = ["FileFacts", "Problem", "Trouble", "inspect_files"]


class Trouble(StrEnum):
    """Why nothing is known of a file."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    NOT_CHECKED = "not checked"  # the machine is to blame


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file, and why."""

    trouble: Trouble
    reason: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of one file of the dataset.

    Attributes:
        path: Relative to the dataset's root.
        kind: What it should hold.
        problem: Why nothing else is known; None if it was read.
        picture: Its form, upright; None for points.
        orientation: In its EXIF data, which was applied.
        digest: SHA-256 of the file; of images only.
        likeness: See `likeness_hash`; of images only.
        labels: Of labels only.
        form: Of labels only.
        distances: Of depth (metres) and disparity (pixels) only.
    """

    path: str
    kind: Kind
    problem: Problem | None = None
    picture: PictureFacts | None = None
    orientation: int = UPRIGHT
    digest: bytes = b""
    likeness: int | None = None
    labels: LabelFacts | None = None
    form: LabelForm | None = None
    distances: DistanceFacts | None = None


def inspect_files(root: Path, class_map: ClassMap, sources: Sequence[SourceFile]) -> list[FileFacts]:
    """Read and decode files; one that cannot be read gives the reason."""
    return [_inspect(root, class_map, source) for source in sources]


def _inspect(root: Path, class_map: ClassMap, source: SourceFile) -> FileFacts:
    try:
        data = read_file(root / source.path)
    except FileNotFoundError:
        return _trouble(source, Trouble.MISSING, f"{source.path} does not exist")
    except OSError as error:
        return _failed(source, error, f"{source.path} cannot be read: {error.strerror or error}")
    try:
        picture, values, valid = decode_file(source, data, Path(source.path))
        return FileFacts(
            source.path,
            source.kind,
            picture=describe(picture) if source.kind is not Kind.POINTS else None,
            orientation=image_orientation(Path(source.path), data) if source.kind is not Kind.POINTS else UPRIGHT,
            digest=hashlib.sha256(data).digest() if source.kind is Kind.IMAGE else b"",
            likeness=likeness_hash(picture) if source.kind is Kind.IMAGE else None,
            labels=count_labels(values, class_map) if source.kind is Kind.LABEL else None,
            form=label_form(data, picture) if source.kind is Kind.LABEL else None,
            distances=_distances(source.kind, picture, values, valid),
        )
    except SegprepError as error:
        text = str(error)
        return _failed(source, error, text if source.path in text else f"{source.path}: {text}")
    except Exception as error:  # noqa: BLE001  (one strange file must not end a check of thousands; the reason is kept)
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        return _failed(source, error, f"{source.path}: {type(error).__name__}: {error} (at {place})")


def _distances(kind: Kind, picture: Array, values: Array, valid: Mask | None) -> DistanceFacts | None:
    if kind not in (Kind.DEPTH, Kind.DISPARITY):
        return None
    return measure_distances(values, valid, zero_is_far=kind is Kind.DISPARITY, picture=picture)


def _failed(source: SourceFile, error: Exception, reason: str) -> FileFacts:
    failed = machine_error(error)
    if failed is None:
        return _trouble(source, Trouble.UNREADABLE, reason)
    text = str(failed)
    return _trouble(source, Trouble.NOT_CHECKED, text if source.path in text else f"{source.path}: {text}")


def _trouble(source: SourceFile, trouble: Trouble, reason: str) -> FileFacts:
    return FileFacts(source.path, source.kind, Problem(trouble, reason))
