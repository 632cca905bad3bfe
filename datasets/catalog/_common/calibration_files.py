"""Which file of a recording says its camera; what looks like a calibration and is not read is never passed over."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from segprep.datasets.catalog._common.intrinsics import first_size, read_intrinsics, read_pinhole_json
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.notices import About, Notice
from segprep.datasets.sample import Camera

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
_LIKELY_JSON: Final = re.compile(r".*intrinsic.*\.json", re.IGNORECASE)
_SOUNDS_LIKE: Final = re.compile(
    r"(?!.*(?:extrinsic|pose|traj|time|stamp))(?:k|.*intrinsic.*|.*calib.*|.*camera.*|cam\d*)\.(?:.*\.)?[a-z]+",
    re.IGNORECASE,
)
_SUFFIXES: Final = (".txt", ".json", ".yaml", ".yml", ".xml", ".toml", ".ini", ".cfg", ".csv", ".npy", ".npz", ".mat")
_FOLDERS: Final = ("intrinsic", "intrinsics", "calibration", "calib")  # ScanNet has the first

CAMERA_FILES: Final = ", ".join((*_SURE, "camera*.json"))
"""What `find_camera` looks for first, as a text to show."""

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
            `CAMERA_FILES` and further usual names, also in a folder for calibration; the first counts.
        images: Those of the camera. Text files do not say for which size they are: the first readable header does.
        notices: Gets a notice for each file whose name sounds like a calibration and that is not read, and one if the
            camera is assumed.
        assumed: Counts if there are no such files.

    Raises:
        UnreadableFileError: If one of `CAMERA_FILES` is broken, or there are several JSON files.
    """
    for place in dict.fromkeys(places):
        files = _files(place)
        found = _read(place, files, images)
        for name in files:
            unread = name in found.reasons or Path(name).suffix.lower() not in (".txt", ".json")
            if name != found.file and (unread or found.file is None) and _SOUNDS_LIKE.fullmatch(Path(name).name):
                why = found.reasons.get(name, "this form is not read")
                text = f"{place / name} looks like a calibration and was not used: {why}. {_FORMS}"
                notices.append(Notice(About.SUSPECT, "camera", text))
        if found.file is not None:
            return found.camera
    if assumed is None:
        return None
    notices.append(assumed.notice())
    return assumed.camera


class _Found(NamedTuple):
    camera: Camera | None
    file: str | None  # that says it
    reasons: dict[str, str]  # why others could not be read


def _files(place: Path) -> list[str]:
    """Return the names of files that can hold a calibration, relative to the place."""
    folders = [place, *(place / name for name in _FOLDERS)]
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path.relative_to(place).as_posix() for path in found if path.suffix.lower() in _SUFFIXES and path.is_file()]


def _read(place: Path, files: Sequence[str], images: Sequence[Path]) -> _Found:
    reasons: dict[str, str] = {}
    by_name = {Path(name).name.lower(): name for name in reversed(files)}  # of the place itself, before its folders
    text_files = [by_name[name.lower()] for name in (*_SURE, *_LIKELY) if name.lower() in by_name]
    json_files = [name for name in files if _JSON.fullmatch(name)]
    for name in text_files:
        try:
            K = read_intrinsics(place / name)
        except UnreadableFileError as error:
            if name in _SURE:
                raise
            reasons[name] = str(error)
            continue
        size = first_size(images)
        return _Found(None if K is None or size is None else Camera(K, *size), name, reasons)
    if len(json_files) > 1:
        raise UnreadableFileError(
            f"{place} has {', '.join(json_files)}, and nothing tells which of them holds: keep one"
        )
    if json_files:
        return _Found(read_pinhole_json(place / json_files[0]), json_files[0], reasons)
    for name in (name for name in files if _LIKELY_JSON.fullmatch(Path(name).name)):
        try:
            return _Found(read_pinhole_json(place / name), name, reasons)
        except UnreadableFileError as error:
            reasons[name] = str(error)
    return _Found(None, None, reasons)
