"""Where Cityscapes keeps what: `ROOT/<part>/<split>/<city>/<city>_<sequence>_<frame><ending>`.

Files belong together by folder and name, never by their place in a listing: gtCoarse lies beside gtFine, and some
frames have one part and not the other.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from segprep.datasets.errors import DatasetNotFoundError

__all__ = [
    "CAMERA",
    "DISPARITY",
    "IMAGE",
    "SEQUENCE_IMAGE",
    "SEQUENCE_VEHICLE",
    "TIMESTAMP",
    "VEHICLE",
    "FrameName",
    "Part",
    "frame_files",
    "instance_part",
    "label_part",
    "layout_text",
    "require_images",
]

_NAME: Final = re.compile(r"(?P<sequence>.+_\d+)_(?P<number>\d+)")


class FrameName(NamedTuple):
    """What the files of one frame have in common; sorts by city, sequence and time.

    Attributes:
        city: Name of the city's folder.
        sequence: For example "aachen_000000".
        number: Of the frame within the sequence.
        digits: The number as file names write it, "000019".
    """

    city: str
    sequence: str
    number: int
    digits: str

    @property
    def stem(self) -> str:
        """City, sequence and frame: "aachen_000000_000019"."""
        return f"{self.sequence}_{self.digits}"


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of file.

    Attributes:
        folder: Below the root.
        ending: Of the file name, after the frame's stem.
    """

    folder: str
    ending: str

    def path(self, split: str, frame: FrameName) -> str:
        """Return where this part of a frame lies, relative to the root."""
        return f"{self.folder}/{split}/{frame.city}/{frame.stem}{self.ending}"


IMAGE: Final = Part("leftImg8bit", "_leftImg8bit.png")
SEQUENCE_IMAGE: Final = Part("leftImg8bit_sequence", "_leftImg8bit.png")
DISPARITY: Final = Part("disparity", "_disparity.png")
CAMERA: Final = Part("camera", "_camera.json")
VEHICLE: Final = Part("vehicle", "_vehicle.json")
SEQUENCE_VEHICLE: Final = Part("vehicle_sequence", "_vehicle.json")
TIMESTAMP: Final = Part("timestamp_sequence", "_timestamp.txt")


def label_part(annotation: str) -> Part:
    """Return where the class ids of "gtFine" or "gtCoarse" lie."""
    return Part(annotation, f"_{annotation}_labelIds.png")


def instance_part(annotation: str) -> Part:
    """Return where the instance ids of "gtFine" or "gtCoarse" lie."""
    return Part(annotation, f"_{annotation}_instanceIds.png")


def layout_text(annotation: str, splits: Iterable[str]) -> str:
    """Describe the layout to a user."""
    return f"""\
ROOT/leftImg8bit/<split>/<city>/<city>_<seq>_<frame>_leftImg8bit.png     <split>: {", ".join(splits)}
ROOT/{annotation}/<split>/<city>/<city>_<seq>_<frame>_{annotation}_labelIds.png and _{annotation}_instanceIds.png
and, where you have them, <part>/<split>/<city>/<city>_<seq>_<frame>_<ending> of
disparity (.png), camera (.json), vehicle (.json),
leftImg8bit_sequence (_leftImg8bit.png), vehicle_sequence (_vehicle.json), timestamp_sequence (_timestamp.txt)"""


def frame_files(root: Path, split: str, *parts: Part) -> tuple[dict[FrameName, str], ...]:
    """List parts that share a folder, reading each of its cities once and looking at names alone.

    Args:
        root: Of the dataset.
        split: Folder below the part's.
        *parts: All in one folder.

    Returns:
        For each part, frame to path relative to the root; in no particular order.
    """
    found: tuple[dict[FrameName, str], ...] = tuple({} for _ in parts)
    for city, name in _names(root / parts[0].folder / split):
        for files, part in zip(found, parts, strict=True):
            frame = _frame(city, name, part)
            if frame is not None:
                files[frame] = f"{part.folder}/{split}/{city}/{name}"
    return found


def require_images(root: Path, annotation: str, splits: Iterable[str]) -> None:
    """Refuse a folder that is not this dataset.

    Raises:
        DatasetNotFoundError: If no split has an image.
    """
    splits = tuple(splits)
    for part in (IMAGE, SEQUENCE_IMAGE):
        for split in splits:
            if any(_frame(city, name, part) for city, name in _names(root / part.folder / split)):
                return
    raise DatasetNotFoundError(
        f"{root} is not Cityscapes: it has no images in leftImg8bit/<split>/<city>; the expected layout is:\n"
        f"{layout_text(annotation, splits)}"
    )


def _frame(city: str, name: str, part: Part) -> FrameName | None:
    if not name.endswith(part.ending):
        return None
    # macOS writes accents apart from their letters, and the parts of a frame must still find each other.
    match = _NAME.fullmatch(unicodedata.normalize("NFC", name.removesuffix(part.ending)))
    if match is None:
        return None
    return FrameName(unicodedata.normalize("NFC", city), match["sequence"], int(match["number"]), match["number"])


def _names(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (city, file name) of all files that lie in the folders of a split."""
    for city in _entries(folder):
        if city.is_dir():
            files = _entries(Path(city.path))
            yield from ((city.name, file.name) for file in files if not file.name.startswith("."))


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
