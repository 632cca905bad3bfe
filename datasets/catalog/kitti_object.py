"""KITTI's object benchmark: single frames of the left colour camera, each with a laser scan and its calibration."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from segprep.datasets.catalog._common.broken_files import BrokenFiles
from segprep.datasets.catalog._common.files import files_by_stem, what_lies_in
from segprep.datasets.catalog._common.found_classes import UNLABELLED
from segprep.datasets.catalog._common.intrinsics import first_size
from segprep.datasets.catalog._kitti.calibration import KittiCalibration
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import PlainCode, VelodyneCode
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, SampleRecord, SourceFile
from segprep.datasets.sample import Camera, make_key

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="KITTI object detection benchmark, with laser scans",
    layout="""\
ROOT/training|testing/image_2/<frame>.png|jpg   the left colour camera   (or ROOT/image_2: one split, "train")
ROOT/training|testing/velodyne/<frame>.bin      optional: scans, which become sparse depth
ROOT/training|testing/calib/<frame>.txt         P2, R0_rect, Tr_velo_to_cam; scans need it""",
    columns=("image", "points", "camera"),
    licence="CC BY-NC-SA 3.0",
    citation=(
        "Geiger, Lenz, Urtasun: Are we ready for autonomous driving? The KITTI vision benchmark suite. CVPR 2012"
    ),
    max_gap=0.0,
    depth_range=(2.0, 80.0),
)

_SPLITS: Final = {"training": "train", "testing": "test"}
_IMAGES, _SCANS, _CALIBRATION = "image_2", "velodyne", "calib"


def class_map(source: DatasetSource) -> ClassMap:
    """Return a single class that nothing uses: there are no labels of pixels."""
    _parts(source.root)
    return UNLABELLED


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield all frames. They come from many recordings in no order, so that none has a neighbour."""
    for folder, split in _parts(source.root).items():
        yield from _scan_folder(source, folder, split)


def write_miniature(root: Path, frames: int) -> None:
    """Write rendered frames with scans and calibration, a quarter of them, at least one, in `testing`."""
    from segprep.datasets.catalog._kitti.miniature import write_kitti_object

    write_kitti_object(root, frames)


def _parts(root: Path) -> dict[str, str]:
    """Return the folders below the root that hold frames ("" for the root itself), with their splits."""
    if files_by_stem(root / _IMAGES):
        return {"": "train"}
    found = {folder: split for folder, split in _SPLITS.items() if files_by_stem(root / folder / _IMAGES)}
    if not found:
        reason = what_lies_in(next((root / f / _IMAGES for f in _SPLITS if (root / f).is_dir()), root / _IMAGES))
        raise DatasetNotFoundError(f"{root} has no images of KITTI: {reason}. The expected layout is:\n{SPEC.layout}")
    return found


def _scan_folder(source: DatasetSource, folder: str, split: str) -> Iterator[SampleRecord]:
    place, prefix = source.root / folder, f"{folder}/" if folder else ""
    images = files_by_stem(place / _IMAGES, notices=source.notices)
    broken = BrokenFiles()
    has_scans = (place / _SCANS).is_dir()
    for stem in sorted(images):
        sources = {"image": SourceFile(f"{prefix}{_IMAGES}/{images[stem]}", Kind.IMAGE, PlainCode().to_json())}
        calibration_file = place / _CALIBRATION / f"{stem}.txt"
        camera: Camera | None = None
        read = partial(KittiCalibration.from_object_file, calibration_file)
        calibration = broken.read("camera", read) if calibration_file.exists() else None
        if calibration is not None:
            size = first_size([place / _IMAGES / images[stem]])
            camera = None if size is None else calibration.camera(size)
            T = calibration.T_view_velo
            if has_scans and T is not None:
                code = VelodyneCode(tuple(T.ravel().tolist())).to_json()
                sources["points"] = SourceFile(f"{prefix}{_SCANS}/{stem}.bin", Kind.POINTS, code)
        yield SampleRecord(
            key=make_key(f"{folder}_{stem}" if folder else stem),
            split=split,
            sources=sources,
            camera=camera,
        )
    broken.tell(source.notices)
