"""KITTI's raw recordings, synchronised and rectified: the left colour camera with laser scans, poses and times."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from segprep.datasets.catalog._common.broken_files import BrokenFiles
from segprep.datasets.catalog._common.files import files_by_stem, numbered_files, what_lies_in
from segprep.datasets.catalog._common.found_classes import UNLABELLED
from segprep.datasets.catalog._common.intrinsics import first_size
from segprep.datasets.catalog._common.recordings import SPLIT_LISTS, assumed_rate, listed_splits
from segprep.datasets.catalog._common.trajectories import rigid_pose
from segprep.datasets.catalog._kitti.calibration import CALIBRATION_FILES, KittiCalibration
from segprep.datasets.catalog._kitti.oxts import imu_pose, mercator_scale, read_oxts, read_times
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import PlainCode, VelodyneCode
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import Notice
from segprep.datasets.record import Direction, SampleRecord, SourceFile, link_neighbours
from segprep.datasets.sample import Camera, Matrix, Pose, make_key

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="KITTI raw data, synchronised and rectified",
    layout=f"""\
ROOT/<date>/<date>_drive_<NNNN>_sync/image_02/data/<frame>.png|jpg   the left colour camera
ROOT/<date>/<drive>/image_02/timestamps.txt, oxts/data/<frame>.txt   optional: times (else 10 per second) and poses
ROOT/<date>/<drive>/velodyne_points/data/<frame>.bin                 optional: scans, which become sparse depth
ROOT/<date>/{", ".join(CALIBRATION_FILES)}   optional
{SPLIT_LISTS}""",
    columns=("image", "points", "camera", "previous", "next"),
    licence="CC BY-NC-SA 3.0",
    citation=(
        "Geiger, Lenz, Stiller, Urtasun: Vision meets robotics: the KITTI dataset. International Journal of Robotics "
        "Research 32(11), 2013"
    ),
    max_gap=0.2,
    depth_range=(2.0, 80.0),
)

_FRAME_RATE: Final = 10.0
_CAMERA: Final = "image_02"
_SCANS: Final = "velodyne_points/data"


class _Drive(NamedTuple):
    date: str
    name: str
    folder: Path
    images: dict[str, str]  # the frame's digits to its file name


def class_map(source: DatasetSource) -> ClassMap:
    """Return a single class that nothing uses: there are no labels."""
    _drives(source.root, source.notices)
    return UNLABELLED


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the images of all drives, and the scans that were taken with them: some drives lack a few of them.

    A pose leads from the rectified camera 2 to a world of x east, y north and z up whose origin is where the inertial
    unit was at the drive's first packet.
    """
    drives, splits = _drives(source.root, source.notices), listed_splits(source.root)

    @cache
    def calibration(date: str) -> KittiCalibration | None:
        folder = source.root / date
        return KittiCalibration.from_files(folder) if (folder / CALIBRATION_FILES[0]).exists() else None

    broken = BrokenFiles()
    for drive in drives:
        records = _scan_drive(source, drive, splits.get(drive.name, "train"), calibration(drive.date), broken)
        yield from link_neighbours(records, direction, SPEC.max_gap)
    broken.tell(source.notices)


def write_miniature(root: Path, frames: int) -> None:
    """Write two rendered drives with calibration, packets, time stamps and scans, the second to validate on."""
    from segprep.datasets.catalog._kitti.miniature import write_kitti

    write_kitti(root, frames)


def _drives(root: Path, notices: list[Notice]) -> list[_Drive]:
    dates = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    found = []
    for date in dates:
        for folder in sorted(p for p in date.iterdir() if (p / _CAMERA / "data").is_dir()):
            images = numbered_files(folder / _CAMERA / "data", notices)
            if images:
                found.append(_Drive(date.name, folder.name, folder, images))
    if not found:
        folders = sorted(root.glob(f"*/*/{_CAMERA}/data"))
        reason = what_lies_in(folders[0]) if folders else f"there is no <date>/<drive>/{_CAMERA}/data in it"
        raise DatasetNotFoundError(
            f"{root} has no images of KITTI's raw data: {reason}. The expected layout is:\n{SPEC.layout}"
        )
    return found


def _scan_drive(
    source: DatasetSource, drive: _Drive, split: str, calibration: KittiCalibration | None, broken: BrokenFiles
) -> Iterator[SampleRecord]:
    stems = sorted(drive.images, key=int)
    data = drive.folder / _CAMERA / "data"
    times = _times(drive.folder / _CAMERA / "timestamps.txt", stems, source.notices, broken)
    T_cam2_imu = None if calibration is None else calibration.T_cam2_imu
    poses = _poses(drive.folder / "oxts" / "data", stems, T_cam2_imu, broken)
    camera = _camera(calibration, [data / drive.images[stem] for stem in stems])
    base = f"{drive.date}/{drive.name}"
    T_view_velo = None if calibration is None else calibration.T_view_velo
    scans = {} if T_view_velo is None else files_by_stem(drive.folder / _SCANS, (".bin",))
    scan_code = {} if T_view_velo is None else VelodyneCode(tuple(T_view_velo.ravel().tolist())).to_json()
    for stem in stems:
        image = f"{base}/{_CAMERA}/data/{drive.images[stem]}"
        sources = {"image": SourceFile(image, Kind.IMAGE, PlainCode().to_json())}
        if stem in scans:
            sources["points"] = SourceFile(f"{base}/{_SCANS}/{scans[stem]}", Kind.POINTS, scan_code)
        yield SampleRecord(
            key=make_key(f"{drive.name}_{stem}"),
            split=split,
            sources=sources,
            sequence=base,
            frame=int(stem),
            time=times.get(stem),
            camera=camera,
            pose=poses.get(stem),
        )


def _times(path: Path, stems: list[str], notices: list[Notice], broken: BrokenFiles) -> dict[str, float]:
    stamps = read_times(path)
    if stamps is None:
        notices.append(assumed_rate(_FRAME_RATE, path.name))
        return {stem: int(stem) / _FRAME_RATE for stem in stems}
    for stem in stems:
        if int(stem) not in stamps:
            broken.note("time", f"{path} has no line {int(stem) + 1} for the frame {stem}: get it again")
    return {stem: stamps[int(stem)] for stem in stems if int(stem) in stamps}


def _poses(folder: Path, stems: list[str], T_cam2_imu: Matrix | None, broken: BrokenFiles) -> dict[str, Pose | None]:
    """Return the poses of the frames that have a packet: T_world_imu T_cam2_imu^-1."""
    read = {stem: broken.read("pose", partial(read_oxts, folder / f"{stem}.txt")) for stem in stems}
    packets = {stem: packet for stem, packet in read.items() if packet is not None}
    if not packets or T_cam2_imu is None:
        return {}
    first = next(iter(packets.values()))
    scale = mercator_scale(first)
    to_origin = np.eye(4)
    to_origin[:3, 3] = -imu_pose(first, scale)[:3, 3]
    T_imu_cam2 = np.linalg.inv(T_cam2_imu)
    return {
        stem: rigid_pose((to_origin @ imu_pose(packet, scale) @ T_imu_cam2).ravel().tolist())
        for stem, packet in packets.items()
    }


def _camera(calibration: KittiCalibration | None, images: list[Path]) -> Camera | None:
    if calibration is None:
        return None
    size = calibration.size or first_size(images)
    return None if size is None else calibration.camera(size)
