"""What a dataset says of one sample: which files hold what, and what is known of camera and motion."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from segprep.datasets.json_values import json_of, of_json
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Camera, JsonDict, Matrix, Pose, SampleKey

__all__ = ["Direction", "Neighbour", "SampleRecord", "SourceFile", "link_neighbours"]


class Direction(StrEnum):
    """On which side in time the neighbour of a labelled frame lies. Its image is the column of the same name."""

    PREVIOUS = "previous"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the dataset.

    Attributes:
        path: Relative to the dataset's root, with forward slashes.
        kind: What it holds.
        code: How its numbers are coded, as `Code.to_json()` gives it.
    """

    path: str
    kind: Kind
    code: JsonDict


@dataclass(frozen=True, slots=True, eq=False)
class Neighbour:
    """The other frame of a motion pair.

    Attributes:
        direction: Where it lies in time.
        frame: Its frame number.
        time_difference: Its time minus the sample's in seconds; negative for a previous frame.
        motion: (4, 4) transform of points from the sample's camera to the neighbour's, or None.
    """

    direction: Direction
    frame: int
    time_difference: float
    motion: Matrix | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SampleRecord:
    """One row of a dataset, before anything is read.

    Attributes:
        key: Unique in the workspace.
        split: For example "train".
        sources: Column name to file. A promised file that does not exist makes the sample fail; a column that the
            dataset does not offer for this sample is not in the mapping.
        sequence: Name of the recording, for neighbours.
        frame: Number within the sequence.
        time: Seconds since the start of the sequence.
        camera: At source resolution.
        pose: Of the camera.
        neighbour: See `link_neighbours`.
    """

    key: SampleKey
    split: str
    sources: Mapping[str, SourceFile]
    sequence: str | None = None
    frame: int | None = None
    time: float | None = None
    camera: Camera | None = None
    pose: Pose | None = None
    neighbour: Neighbour | None = field(default=None)

    def to_json(self) -> JsonDict:
        """Return a JSON object that `from_json` reads back exactly."""
        return json_of(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SampleRecord":
        """Build a record from what `to_json` returned."""
        return of_json(cls, data)


def link_neighbours(
    records: Iterable[SampleRecord],
    direction: Direction,
    max_gap: float,
    *,
    unlabelled: Iterable[SampleRecord] = (),
    tolerance: float = 1e-6,
) -> list[SampleRecord]:
    """Give each record the nearest earlier or later frame of its sequence, in any split.

    Args:
        records: Records with sequence, frame and time; those without stay alone.
        direction: On which side to look.
        max_gap: Largest time difference in seconds that still makes a pair.
        unlabelled: Frames that are no samples but can be neighbours; they may repeat the records' own frames.
        tolerance: Slack for times that are rounded.

    Returns:
        The records in the given order; linked ones have `neighbour` and a source named after the direction, and the
        motion between the two cameras where both poses are known.
    """
    ordered = list(records)
    sequences: dict[str, list[SampleRecord]] = {}
    for record in (*ordered, *unlabelled):
        if record.sequence is not None and record.time is not None and "image" in record.sources:
            sequences.setdefault(record.sequence, []).append(record)
    neighbour_of: dict[SampleKey, SampleRecord] = {}
    for frames in sequences.values():
        frames.sort(key=lambda r: r.time or 0.0, reverse=direction is Direction.NEXT)
        nearest: SampleRecord | None = None
        for other, record in pairwise(frames):
            if _seconds(other) != _seconds(record):  # frames of the same time are not neighbours of one another
                nearest = other
            if nearest is not None and abs(_seconds(nearest) - _seconds(record)) <= max_gap + tolerance:
                neighbour_of[record.key] = nearest
    return [_linked(r, neighbour_of[r.key], direction) if r.key in neighbour_of else r for r in ordered]


def _seconds(record: SampleRecord) -> float:
    return 0.0 if record.time is None else record.time


def _linked(record: SampleRecord, other: SampleRecord, direction: Direction) -> SampleRecord:
    motion = None if record.pose is None or other.pose is None else record.pose.motion_to(other.pose)
    neighbour = Neighbour(direction, other.frame or 0, _seconds(other) - _seconds(record), motion)
    return replace(record, neighbour=neighbour, sources={**record.sources, direction.value: other.sources["image"]})
