"""What `prep init` sees of a dataset's physical quantities: a few depth files, all cameras, times and poses."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._member import DatasetSpec
from segprep.datasets.errors import ConfigurationError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import image_size, read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import SampleRecord
from segprep.datasets.sample import Camera
from segprep.datasets.source_files import read_input
from segprep.datasets.workspace.cells import decode_file
from segprep.prep.inspection.camera_doubts import camera_doubts
from segprep.prep.inspection.depth_doubts import Reading, depth_doubts
from segprep.prep.inspection.doubts import Doubt
from segprep.prep.inspection.facts import measure_distances
from segprep.prep.inspection.motion_doubts import Track, motion_doubts
from segprep.prep.inspection.ray_length import ray_votes
from segprep.prep.inspection.reflectance_doubts import reflectance_doubts
from segprep.prep.inspection.seen_depth import DepthRange, SeenDepth, range_text, seen_depth

__all__ = ["examine_quantities", "record_doubts"]

_FILES: Final = 8
_DISTANCES: Final = (Kind.DEPTH, Kind.DISPARITY, Kind.POINTS)
_MOST_CAMERAS: Final = 50


def examine_quantities(records: Sequence[SampleRecord], root: Path, spec: DatasetSpec, *, said: bool) -> list[Notice]:
    """Return what was seen of depth, and what looks wrong of depth, cameras, times and poses.

    At most 8 files of each column of depth are read, spread over the dataset; what cannot be read is told by its
    sample later.

    Args:
        records: All samples.
        root: Of their files.
        spec: Of the dataset.
        said: Whether the user says the unit of depth.

    Raises:
        ConfigurationError: If a quantity cannot be: the message says which option or file puts it right.
    """
    notices = [*_alone(records, spec.max_gap)]
    doubts: list[Doubt] = []
    medians: list[float] = []
    columns = {n: s.kind for r in records for n, s in r.sources.items() if s.kind in _DISTANCES}
    for column in columns:
        having = _spread(records, column)
        files = [_look(record, column, root) for record in having]
        seen = [each for each in files if isinstance(each, SeenDepth)]
        reading = Reading(column, having[0].sources[column].code, spec.depth_range, said)
        if seen:
            ranges = [each.range for each in seen]
            medians += [each.median for each in ranges]
            notices.append(_seen(reading, ranges))
            doubts += depth_doubts(reading, seen)
        elif unreadable := [each for each in files if isinstance(each, str)]:
            doubts.append(Doubt(column, f"none of {len(files)} files can be read so; the first says: {unreadable[0]}"))
    for column in dict.fromkeys(n for r in records for n, s in r.sources.items() if s.kind is Kind.NIR):
        largest = [each for record in _spread(records, column) if (each := _largest(record, column, root)) is not None]
        doubts += reflectance_doubts(column, largest)
    doubts += record_doubts(records, root, float(np.median(medians)) if medians else None)
    impossible = [f"{doubt.subject}: {doubt.text}" for doubt in doubts if doubt.impossible]
    if impossible:
        raise ConfigurationError(f"{root} cannot be as it is read. " + "; ".join(impossible))
    return [*notices, *(Notice(About.SUSPECT, doubt.subject, doubt.text) for doubt in dict.fromkeys(doubts))]


def record_doubts(records: Iterable[SampleRecord], root: Path | None, depth_m: float | None) -> Iterator[Doubt]:
    """Yield what is strange about cameras, times and poses.

    Args:
        records: The samples.
        root: Of their files; None leaves the sizes of images aside.
        depth_m: Median of what depth files show; None if nothing is known.
    """
    cameras: dict[tuple[object, ...], tuple[Camera, Path | None]] = {}
    tracks: dict[str, list[SampleRecord]] = {}
    for record in records:
        if record.camera is not None and len(cameras) < _MOST_CAMERAS:
            camera = record.camera
            image = record.sources.get("image")
            known = camera.K.tobytes(), camera.width, camera.height, camera.baseline
            cameras.setdefault(known, (camera, None if image is None or root is None else root / image.path))
        if record.sequence is not None and record.time is not None:
            tracks.setdefault(record.sequence, []).append(record)
    for camera, path in cameras.values():
        yield from camera_doubts(camera, None if path is None else _size(path))
    for name, frames in tracks.items():
        ordered = sorted(frames, key=lambda record: record.frame or 0)
        numbers, times = [r.frame or 0 for r in ordered], [r.time or 0.0 for r in ordered]
        yield from motion_doubts(Track(name, numbers, times, [r.pose for r in ordered]), depth_m)


def _spread(records: Sequence[SampleRecord], column: str) -> list[SampleRecord]:
    """Return some of the samples that have a column, from all parts of the dataset."""
    having = [record for record in records if column in record.sources]
    return [having[place] for place in np.unique(np.linspace(0, len(having) - 1, _FILES).astype(int)).tolist()]


def _largest(record: SampleRecord, column: str, root: Path) -> int | None:
    """Return the largest number of a picture of 16 bits."""
    with suppress(UnreadableFileError, MissingInputError):  # its sample fails by name later
        picture = read_image(root / record.sources[column].path)
        return int(picture.max()) if picture.dtype == np.uint16 else None
    return None


def _seen(reading: Reading, ranges: Sequence[DepthRange]) -> Notice:
    text = range_text(ranges, reading.code)
    if not reading.is_assumed:
        return Notice(About.SEEN, reading.column, text)
    return Notice(About.GUESSED, reading.column, f"{text}, as no file says the unit: `--depth-unit` says another one")


def _alone(records: Sequence[SampleRecord], max_gap: float) -> Iterator[Notice]:
    """Yield a notice if frames inside of recordings have no neighbour."""
    frames = [record for record in records if record.sequence is not None and record.time is not None]
    inner = len(frames) - len({record.sequence for record in frames})
    alone = inner - sum(record.neighbour is not None for record in frames)
    if max_gap > 0 and alone > 0:
        text = f"{alone} of {len(frames)} frames have none: frames more than {max_gap:g} s apart are taken for no pair"
        yield Notice(About.GUESSED, "neighbour", text)


def _look(record: SampleRecord, column: str, root: Path) -> SeenDepth | str | None:
    """Return what a file shows, why it cannot be read, or None if it does not exist or shows no depth."""
    source = record.sources[column]
    try:
        data = read_input(root / source.path)
        picture, values, valid = decode_file(source, data, root / source.path)
    except UnreadableFileError as error:
        return str(error)
    except MissingInputError:
        return None  # `prep init` lists what does not exist
    if source.kind is Kind.POINTS:
        ahead = values[values[:, 2] > 0, 2]
        return seen_depth(measure_distances(ahead[None], None, zero_is_far=False), None)
    facts = measure_distances(values, valid, zero_is_far=source.kind is Kind.DISPARITY, picture=picture)
    camera = record.camera
    if source.kind is Kind.DEPTH:
        seen = seen_depth(facts, None)
        if seen is None or valid is None or camera is None or values.shape != (camera.height, camera.width):
            return seen
        return replace(seen, votes=ray_votes(values, valid, camera))
    if camera is None or camera.baseline is None:
        return None
    return seen_depth(facts, float(camera.K[0, 0]) * camera.baseline * values.shape[1] / camera.width)


def _size(path: Path) -> tuple[int, int] | None:
    with suppress(UnreadableFileError, MissingInputError):
        return image_size(path)
    return None
