"""Which file of a recording says its camera; what looks like a calibration and is not read is never passed over.

The text of a form that none reads, a second camera, a lens that bends and a size of other pictures are told.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from segprep.datasets.catalog._common.calibration import Calibration
from segprep.datasets.catalog._common.calibration_documents import read_json_calibration, read_yaml_calibration
from segprep.datasets.catalog._common.colmap import read_colmap_cameras
from segprep.datasets.catalog._common.intrinsics import first_size, read_intrinsics
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.notices import About, Notice
from segprep.datasets.sample import Camera, scale_map

__all__ = ["CAMERA_FILES", "AssumedCamera", "find_camera"]

_SURE: Final = ("K.txt", "camera-intrinsics.txt", "intrinsics.txt")
_LIKELY: Final = (
    "intrinsics.K.txt",
    "intrinsic.txt",
    "intrinsics_color.txt",
    "intrinsic_color.txt",
    "camera_intrinsics.txt",
    "camera.txt",
    "calibration.txt",
    "calib.txt",
)
_JSON: Final = re.compile(r"camera.*\.json", re.IGNORECASE)
_DOCUMENTS: Final = re.compile(
    r"(?!.*(?:extrinsic|pose|traj|stamp))(?:k|.*intrinsic.*|.*calib.*|.*camera.*|.*camchain.*|cam\d*|ost|sensor)\.(?:.*\.)?"
    r"(?:json|ya?ml)|transforms\.json",
    re.IGNORECASE,
)
_OTHER_CAMERA: Final = re.compile(r"depth|right|stereo|infra|thermal|(?:^|[/_-])ir|cam[1-9]", re.IGNORECASE)
_SOUNDS_LIKE: Final = re.compile(
    r"(?!.*(?:extrinsic|pose|traj|time|stamp))(?:k|.*intrinsic.*|.*calib.*|.*camera.*|cam\d*)\.(?:.*\.)?[a-z]+",
    re.IGNORECASE,
)
_SUFFIXES: Final = (".txt", ".json", ".yaml", ".yml", ".xml", ".toml", ".ini", ".cfg", ".csv", ".npy", ".npz", ".mat")
_FOLDERS: Final = ("intrinsic", "intrinsics", "calibration", "calib", "sparse", "sparse/0")  # ScanNet has the first

CAMERA_FILES: Final = ", ".join((*_SURE, "camera*.json"))
"""What `find_camera` looks for first, as a text to show."""

_COLMAP: Final = "cameras.txt"
_FORMS: Final = 'Write "fx fy cx cy" or a 3x3 matrix, for these images, into K.txt beside it'


class AssumedCamera(NamedTuple):
    """A camera that counts if no file says another one.

    Attributes:
        camera: The camera.
        whose: What is known of it, for people.
    """

    camera: Camera
    whose: str

    def notice(self) -> Notice:
        """Say that it was assumed."""
        (fx, _, cx), (_, fy, cy), _ = self.camera.K.tolist()
        numbers = f"fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g} for {self.camera.width}x{self.camera.height}"
        text = f'no file says it; taken is {self.whose}: {numbers}. A file K.txt with "fx fy cx cy" would count'
        return Notice(About.GUESSED, "camera", text)


def find_camera(
    places: Iterable[Path], images: Sequence[Path], notices: list[Notice], assumed: AssumedCamera | None = None
) -> Camera | None:
    """Read the intrinsics that lie in the nearest of some folders; None if no image tells their size.

    Args:
        places: The nearest first: of the recording, then those that it lies in. Each is looked through for
            `CAMERA_FILES` and further usual names, also in a folder for calibration; the first counts. JSON and YAML
            are read in the forms of ROS, Kalibr, OpenCV, RealSense, NeRF tools and Open3D.
        images: Those of the camera. Text files do not say for which size they are: the first readable header does.
        notices: Gets a notice for each file whose name sounds like a calibration and that is not read, and one if the
            camera is assumed.
        assumed: Counts if there are no such files.

    Raises:
        UnreadableFileError: If one of `CAMERA_FILES` is broken, or there are several JSON files.
    """
    for place in dict.fromkeys(places):
        files = _files(place)
        found = _read(place, files)
        for name in files:
            unread = name in found.reasons or Path(name).suffix.lower() not in (".txt", ".json", ".yaml", ".yml")
            named = name in found.reasons or _SOUNDS_LIKE.fullmatch(Path(name).name)
            if name != found.file and (unread or found.file is None) and named:
                why = found.reasons.get(name, "this form is not read")
                text = f"{place / name} looks like a calibration and was not used: {why}. {_FORMS}"
                notices.append(Notice(About.SUSPECT, "camera", text))
        if found.file is not None:
            return _camera(place / found.file, found.calibration, images, notices)
    if assumed is None:
        return None
    notices.append(assumed.notice())
    return assumed.camera


class _Found(NamedTuple):
    calibration: Calibration | None
    file: str | None  # that says it
    reasons: dict[str, str]  # why others were not used


def _files(place: Path) -> list[str]:
    """Return the names of files that can hold a calibration, relative to the place."""
    folders = [place, *(place / name for name in _FOLDERS)]
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path.relative_to(place).as_posix() for path in found if path.suffix.lower() in _SUFFIXES and path.is_file()]


def _read(place: Path, files: Sequence[str]) -> _Found:
    by_name = {Path(name).name.lower(): name for name in reversed(files)}  # of the place itself, before its folders
    sure = [by_name[name.lower()] for name in _SURE if name.lower() in by_name]
    sure_json = [name for name in files if _JSON.fullmatch(name)]
    if not sure and len(sure_json) > 1 and not any(name.lower() in by_name for name in _LIKELY):
        raise UnreadableFileError(
            f"{place} has {', '.join(sure_json)}, and nothing tells which of them holds: keep one"
        )
    likely = [by_name[name.lower()] for name in _LIKELY if name.lower() in by_name]
    models = [name for name in files if Path(name).name == _COLMAP]
    documents = [name for name in files if _DOCUMENTS.fullmatch(Path(name).name) and name not in sure_json]
    documents.sort(key=lambda name: _OTHER_CAMERA.search(name) is not None)
    reasons: dict[str, str] = {}
    found = _Found(None, None, reasons)
    for name in (*sure, *likely, *sure_json, *documents, *models):
        try:
            calibration = _read_one(place / name)
        except UnreadableFileError as error:
            if found.file is None and (name in sure or name in sure_json):
                raise
            reasons[name] = str(error)
            continue
        if found.calibration is None:
            found = _Found(calibration, name, reasons)
        elif not np.allclose(calibration.K, found.calibration.K, rtol=1e-3):
            reasons[name] = f"{found.file} counts, and this one says another camera"
    return found


def _read_one(path: Path) -> Calibration:
    match path.suffix.lower():
        case ".json":
            return read_json_calibration(path)
        case ".yaml" | ".yml":
            return read_yaml_calibration(path)
    if path.name == _COLMAP:
        return read_colmap_cameras(path)
    return Calibration(read_intrinsics(path))


def _camera(
    path: Path, calibration: Calibration | None, images: Sequence[Path], notices: list[Notice]
) -> Camera | None:
    """Return the camera of the pictures, and tell where the file speaks of others or of a lens that bends."""
    pictures = first_size(images)
    if calibration is None or (calibration.size is None and pictures is None):
        return None
    width, height = size = calibration.size or pictures or (0, 0)
    camera = Camera(calibration.K, width, height)
    if calibration.distortion is not None:
        shift = calibration.distortion.largest_shift(calibration.K, size)
        numbers = ", ".join(f"{value:.6g}" for value in calibration.distortion.coefficients)
        far = "by an unknown distance" if shift is None else f"by up to {shift:.1f} pixels"
        text = (
            f"{path} says that the lens bends ({calibration.distortion.model or 'no model named'}: {numbers}), which "
            f"moves pixels {far}, and nothing is undone: undistort the pictures first and give the K of these, if they "
            "are not undistorted already"
        )
        notices.append(Notice(About.SUSPECT, "camera", text))
    if pictures is None or pictures == size:
        return camera
    sizes = f"{path} is for {width}x{height}, and the pictures are {pictures[0]}x{pictures[1]}"
    if abs(width * pictures[1] - height * pictures[0]) > max(width, height):  # more than a pixel of rounding
        notices.append(Notice(About.SUSPECT, "camera", f"{sizes}, of another shape: give the K of these"))
        return camera
    text = f"{sizes}: K is scaled, as if these were resized whole"
    notices.append(Notice(About.GUESSED, "camera", text))
    return camera.transformed(scale_map(size, pictures), *pictures)
