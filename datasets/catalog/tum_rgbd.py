"""TUM's RGB-D benchmark and recordings in its format: lists of timed images and a trajectory of timed quaternions."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from segprep.datasets.catalog._common.calibration_files import CAMERA_FILES, AssumedCamera, find_camera
from segprep.datasets.catalog._common.found_classes import UNLABELLED
from segprep.datasets.catalog._common.intrinsics import intrinsic_matrix
from segprep.datasets.catalog._common.recordings import SPLIT_LISTS, find_recordings, listed_splits
from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.catalog._common.timed_poses import UNIT_NAMES, time_unit
from segprep.datasets.catalog._common.trajectories import nearest_pairs
from segprep.datasets.catalog._common.trajectory_files import TRAJECTORY_FILES, find_poses
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import DepthCode, PlainCode
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import Direction, SampleRecord, SourceFile, link_neighbours
from segprep.datasets.sample import Camera, make_key

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="TUM RGB-D SLAM dataset and benchmark",
    layout=f"""\
ROOT/<sequence>/rgb.txt, depth.txt    "timestamp file" per line       (or ROOT/rgb.txt: one sequence)
ROOT/<sequence>/groundtruth.txt       optional: "timestamp tx ty tz qx qy qz qw", camera to world; or one of
                                      {TRAJECTORY_FILES}
ROOT/<sequence>/<file>                images; depth in steps of 1/5000 m
ROOT/<sequence>/                      optional: one of {CAMERA_FILES}; else by freiburg1, 2 or 3 in the name
{SPLIT_LISTS}""",
    columns=("image", "depth", "camera", "previous", "next"),
    licence="CC BY 4.0",
    citation=(
        "Sturm, Engelhard, Endres, Burgard, Cremers: A benchmark for the evaluation of RGB-D SLAM systems. IROS 2012"
    ),
    max_gap=0.2,
    depth_range=(0.5, 8.0),
)

_TOLERANCE_S: Final = 0.02
_DEPTH: Final = DepthCode(1 / 5000, far_code=False)

# fx, fy, cx, cy of the colour cameras (Freiburg 1, 2, 3) and the ROS default, for 640x480 images:
# https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats. Depth is registered to colour. Their lens distortion,
# which the images of Freiburg 1 and 2 still have, is not corrected.
_INTRINSICS: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "1": (517.3, 516.5, 318.6, 255.3),
    "2": (520.9, 521.0, 325.1, 249.7),
    "3": (535.4, 539.2, 320.1, 247.6),
    "": (525.0, 525.0, 319.5, 239.5),
}
_FREIBURG: Final = re.compile(r"(?:freiburg|(?:^|[_-])fr)([123])(?!\d)")


class _TimedFile(NamedTuple):
    time: float
    path: str  # relative to the sequence's folder


def class_map(source: DatasetSource) -> ClassMap:
    """Return a single class that nothing uses: there are no labels."""
    _sequences(source.root)
    return UNLABELLED


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the colour images of all sequences, each with the depth image nearest in time and the pose at its time.

    Depth belongs to one image and is at most 0.02 s away. Poses are interpolated between rows. An image that finds
    none has none.
    """
    sequences, splits = _sequences(source.root), listed_splits(source.root)
    for name, folder in sequences.items():
        records = _scan_sequence(source, name, folder, splits.get(name, "train"))
        yield from link_neighbours(records, direction, SPEC.max_gap)


def write_miniature(root: Path, frames: int) -> None:
    """Write two rendered sequences, the second to validate on; depth images and poses have times of their own."""
    from segprep.datasets.catalog._common.miniature import number_line, rendered_recordings, write_lines
    from segprep.datasets.catalog._rgbd.tum_miniature import write_sequence

    for recording in rendered_recordings(("rgbd_dataset_street1", "rgbd_dataset_street2"), frames):
        write_sequence(root / recording.name, recording, _DEPTH)
        K = recording.camera.K
        write_lines(root / recording.name / "K.txt", [number_line((K[0, 0], K[1, 1], K[0, 2], K[1, 2]))])
    write_lines(root / "val.txt", ["rgbd_dataset_street2"])


def _sequences(root: Path) -> dict[str, Path]:
    found = find_recordings(root, lambda folder: bool(read_lines(folder / "rgb.txt")))
    if not found:
        raise DatasetNotFoundError(
            f"{root} has no sequence with images in rgb.txt; the expected layout is:\n{SPEC.layout}"
        )
    return found


def _scan_sequence(source: DatasetSource, name: str, folder: Path, split: str) -> Iterator[SampleRecord]:
    images, depths = (_timed_files(folder / name, source.notices) for name in ("rgb.txt", "depth.txt"))
    stems = [PurePosixPath(image.path).stem for image in images]
    times = [image.time for image in images]
    poses = find_poses(folder, stems, dict(zip(stems, times, strict=True)), source.notices, "groundtruth.txt")
    depth_of = nearest_pairs(times, [depth.time for depth in depths], _TOLERANCE_S)
    camera = _camera(source, folder, [folder / image.path for image in images])
    if depths and 2 * len(depth_of) < len(images):
        text = (
            f"only {len(depth_of)} of {len(images)} images have an entry of {folder / 'depth.txt'} within "
            f"{_TOLERANCE_S:g} s: are the times of both of the same clock?"
        )
        source.notices.append(Notice(About.SUSPECT, "times", text))
    prefix = f"{name}/" if name else ""
    for index, (stem, image) in enumerate(zip(stems, images, strict=True)):
        sources = {"image": SourceFile(prefix + image.path, Kind.IMAGE, PlainCode().to_json())}
        if index in depth_of:
            sources["depth"] = SourceFile(prefix + depths[depth_of[index]].path, Kind.DEPTH, _DEPTH.to_json())
        yield SampleRecord(
            key=make_key(f"{name}_{stem}" if name else stem),
            split=split,
            sources=sources,
            sequence=name or "sequence",
            frame=index,
            time=image.time - times[0],
            camera=camera,
            pose=poses.get(stem),
        )


def _timed_files(path: Path, notices: list[Notice]) -> list[_TimedFile]:
    """Read lines "timestamp file", in the order of time."""
    found = []
    for line in read_lines(path) or ():
        first, *rest = line.text.split(maxsplit=1)
        (time,) = line._replace(text=first).finite_numbers(1)
        name = PurePosixPath(*rest)
        if not name.name or name.is_absolute() or ".." in name.parts:
            raise line.unreadable(f"a time and a file below {path.parent} are expected, not {line.text[:80]!r}")
        try:
            make_key(name.stem)
        except ValueError as error:
            raise line.unreadable(str(error)) from error
        found.append(_TimedFile(time, name.as_posix()))
    unit = time_unit([file.time for file in found])
    if unit != 1.0:
        notices.append(Notice(About.GUESSED, "times", f"those of {path} are taken for {UNIT_NAMES[unit]}"))
    return sorted(file._replace(time=file.time * unit) for file in found)


def _camera(source: DatasetSource, folder: Path, images: list[Path]) -> Camera | None:
    match = _FREIBURG.search(folder.resolve().name.lower())
    camera = Camera(intrinsic_matrix(*_INTRINSICS[match[1] if match else ""]), 640, 480)
    whose = f"the published one of Freiburg {match[1]}" if match else "the usual one of such sensors"
    assumed = AssumedCamera(camera, f"{whose}, without lens distortion")
    return find_camera((folder, source.root), images, source.notices, assumed)
