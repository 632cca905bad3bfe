"""The samples of Cityscapes, with fine or coarse annotations."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Final

from segprep.datasets.catalog._cityscapes import layout
from segprep.datasets.catalog._cityscapes.calibration import (
    FRAME_RATE,
    Odometry,
    camera_motion,
    mean_odometry,
    read_camera,
    read_odometry,
    read_timestamp,
)
from segprep.datasets.catalog._cityscapes.classes import SMALLEST_INSTANCE
from segprep.datasets.catalog._cityscapes.layout import FrameName, Part
from segprep.datasets.catalog._common.broken_files import BrokenFiles
from segprep.datasets.catalog._common.recordings import assumed_rate
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import DisparityCode, IdCode, PlainCode, RawLabelCode
from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.imageio import image_size
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, SampleRecord, SourceFile, link_neighbours
from segprep.datasets.sample import Camera, JsonDict, make_key

__all__ = ["scan_cityscapes"]

_CODES: Final[Mapping[Kind, JsonDict]] = {
    Kind.IMAGE: PlainCode().to_json(),
    Kind.LABEL: RawLabelCode().to_json(),
    Kind.INSTANCE: IdCode(bits=16, smallest=SMALLEST_INSTANCE).to_json(),
    Kind.DISPARITY: DisparityCode(step=1 / 256, zero_code=1).to_json(),
}

_SizeOf = Callable[[str], tuple[int, int] | None]  # city to (width, height)


def scan_cityscapes(
    source: DatasetSource, annotation: str, splits: Iterable[str], direction: Direction, max_gap: float
) -> Iterator[SampleRecord]:
    """Yield the samples of all splits that have images, sorted by city, sequence and frame.

    A sample is a frame with an image in leftImg8bit or with an annotation; where leftImg8bit was not downloaded, its
    image is that of leftImg8bit_sequence. Folders are listed once; calibration, odometry and time stamps are read for
    samples and their neighbours only, and the size of the images from one header per city.

    Args:
        source: The dataset; it gets what is guessed, and which camera, vehicle or timestamp files are broken: their
            samples do without.
        annotation: "gtFine" or "gtCoarse"; the other is not looked at.
        splits: Folders below each part, in this order.
        direction: Which neighbour to look for.
        max_gap: Largest time in seconds to the neighbour.

    Raises:
        DatasetNotFoundError: If there are no images.
    """
    splits = tuple(splits)
    layout.require_images(source.root, annotation, splits)
    broken = BrokenFiles()
    for split in splits:
        yield from _scan_split(source, annotation, split, direction, max_gap, broken)
    broken.tell(source.notices)


def _scan_split(
    source: DatasetSource, annotation: str, split: str, direction: Direction, max_gap: float, broken: BrokenFiles
) -> Iterator[SampleRecord]:
    root = source.root
    (images,) = layout.frame_files(root, split, layout.IMAGE)
    (video,) = layout.frame_files(root, split, layout.SEQUENCE_IMAGE)
    if not images and not video:
        return
    label, instance = layout.label_part(annotation), layout.instance_part(annotation)
    labels, instances = layout.frame_files(root, split, label, instance)
    (disparities,) = layout.frame_files(root, split, layout.DISPARITY)
    pictures = images or {frame: video[frame] for frame in labels.keys() & video.keys()}
    parts: list[tuple[str, Kind, Part, Mapping[FrameName, str]]] = [("image", Kind.IMAGE, layout.IMAGE, pictures)]
    if (root / annotation / split).is_dir():
        parts.append(("label", Kind.LABEL, label, labels))
    if instances:  # they share the folder of the labels, which says nothing of them
        parts.append(("instance", Kind.INSTANCE, instance, instances))
    if (root / layout.DISPARITY.folder / split).is_dir():
        parts.append(("disparity", Kind.DISPARITY, layout.DISPARITY, disparities))

    size_of = _city_sizes(root, images or video)
    in_order = sorted(images.keys() | video.keys())
    for frame in sorted(pictures.keys() | labels.keys() | instances.keys()):
        other = _frame_beside(in_order, frame, direction)
        times = _times(source, split, [frame] if other is None else [frame, other], broken)
        record = SampleRecord(
            key=make_key(frame.stem),
            split=split,
            sources={
                column: SourceFile(files.get(frame, part.path(split, frame)), kind, _CODES[kind])
                for column, kind, part, files in parts
            },
            sequence=f"{split}/{frame.sequence}",
            frame=frame.number,
            time=times[0],
            camera=_camera(root, split, frame, size_of, broken),
        )
        if other is None:
            yield record
            continue
        picture = SourceFile(video.get(other) or images[other], Kind.IMAGE, _CODES[Kind.IMAGE])
        candidate = replace(
            record, key=make_key(other.stem), sources={"image": picture}, frame=other.number, time=times[1]
        )
        (linked,) = link_neighbours([record], direction, max_gap, unlabelled=[candidate])
        yield _with_motion(root, linked, frame, other, broken)


def _frame_beside(in_order: Sequence[FrameName], frame: FrameName, direction: Direction) -> FrameName | None:
    """Return the nearest earlier or later frame of the same sequence."""
    at = bisect_left(in_order, frame) - 1 if direction is Direction.PREVIOUS else bisect_right(in_order, frame)
    other = in_order[at] if 0 <= at < len(in_order) else None
    return other if other is not None and (other.city, other.sequence) == (frame.city, frame.sequence) else None


def _times(source: DatasetSource, split: str, frames: Sequence[FrameName], broken: BrokenFiles) -> list[float]:
    """Return times that can be compared with each other: all from time stamps, or all from frame numbers."""
    stamps = [
        broken.read("time", partial(read_timestamp, source.root / layout.TIMESTAMP.path(split, frame)))
        for frame in frames
    ]
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == len(frames):
        return known
    notice = assumed_rate(FRAME_RATE, layout.TIMESTAMP.folder)
    if len(frames) > 1 and notice not in source.notices:
        source.notices.append(notice)
    return [frame.number / FRAME_RATE for frame in frames]


def _with_motion(
    root: Path, record: SampleRecord, frame: FrameName, other: FrameName, broken: BrokenFiles
) -> SampleRecord:
    near, camera = record.neighbour, record.camera
    if near is None or camera is None or camera.mount is None:
        return record
    known = [o for o in (_odometry(root, record.split, f, broken) for f in (frame, other)) if o is not None]
    if not known:
        return record
    motion = camera_motion(camera.mount, mean_odometry(known), near.time_difference)
    return replace(record, neighbour=replace(near, motion=motion))


def _odometry(root: Path, split: str, frame: FrameName, broken: BrokenFiles) -> Odometry | None:
    paths = (root / part.path(split, frame) for part in (layout.VEHICLE, layout.SEQUENCE_VEHICLE))
    found = (broken.read("motion", partial(read_odometry, path)) for path in paths)
    return next((odometry for odometry in found if odometry is not None), None)


def _camera(root: Path, split: str, frame: FrameName, size_of: _SizeOf, broken: BrokenFiles) -> Camera | None:
    size = size_of(frame.city)
    path = root / layout.CAMERA.path(split, frame)
    return None if size is None else broken.read("camera", partial(read_camera, path, *size))


def _city_sizes(root: Path, images: Mapping[FrameName, str]) -> _SizeOf:
    """Return a function that finds the size of a city's images; None where no header can be read."""
    by_city: dict[str, list[str]] = {}
    for frame, path in sorted(images.items()):
        by_city.setdefault(frame.city, []).append(path)

    @cache
    def size_of(city: str) -> tuple[int, int] | None:
        for path in by_city.get(city, ()):
            with suppress(UnreadableFileError, MissingInputError):  # a sample of its own, which fails by name later
                return image_size(root / path)
        return None

    return size_of
