"""Pictures to predict: files, patterns and folders, with their other columns in folders beside."""

import glob
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Final

from segprep.datasets.catalog._common.files import PICTURES, files_by_stem
from segprep.datasets.errors import ConfigurationError, MissingInputError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, Sample, SampleKey
from segprep.train.predict.item import Item, LoadedItem
from segprep.train.predict.source_columns import ColumnFiles, FileColumn, read_column, same_files

__all__ = ["PictureReading", "camera_of", "find_pictures", "picture_items"]

_PATTERN: Final = re.compile(r"[*?\[]")
_SUFFIXES: Final = (*PICTURES, ".npy", ".npz", ".pfm", ".flo", ".h5", ".hdf5", ".mat")


@dataclass(frozen=True, slots=True)
class PictureReading:
    """How pictures and their other columns are read.

    Attributes:
        primary: The column that the named pictures are.
        columns: How the files of each column are read.
        folders: Folder of each further column; its files are called as the pictures.
        neighbour: The column that is the picture before, or behind, in its folder by name: `previous` or `next`.
        camera: fx, fy, cx and cy in pixels of the pictures.
    """

    primary: str
    columns: Mapping[str, FileColumn]
    folders: Mapping[str, Path]
    neighbour: str | None = None
    camera: tuple[float, float, float, float] | None = None


def find_pictures(named: str, but_below: Path) -> dict[str, Path]:
    """Return the pictures that a file, a folder or a pattern means, by the names of their outputs, in their order.

    Of a folder these are all pictures in it and below it, of a pattern (`*`, `?`, `[...]`, `**` for any folders) those
    that fit; their names are their paths from there on, without suffix.

    Args:
        named: What a user typed.
        but_below: Folder of the outputs, which are no inputs.

    Raises:
        MissingInputError: If there is none; names what was looked for.
        ConfigurationError: If two of them would get the same name.
    """
    path = Path(named).expanduser()
    if path.is_file():
        return {path.stem: path}
    if path.is_dir():
        base, found = path, [p for p in path.rglob("*") if p.suffix.lower() in PICTURES]
    elif _PATTERN.search(named):
        fixed = path.parts[:-1]
        cut = next((i for i, part in enumerate(fixed) if _PATTERN.search(part)), len(fixed))
        base = Path(*fixed[:cut])
        found = [Path(each) for each in glob.glob(str(path), recursive=True)]  # noqa: PTH207  (`**` from any root)
    else:
        raise MissingInputError(f"{named} does not exist: name pictures, a folder, a pattern, a workspace or a store")
    outputs = but_below.resolve()
    pictures: dict[str, Path] = {}
    for each in sorted(found):
        relative = each.relative_to(base)
        hidden = any(part.startswith(".") for part in relative.parts)
        if hidden or not each.is_file() or outputs in each.resolve().parents:
            continue
        name = relative.with_suffix("").as_posix()
        if name in pictures:
            raise ConfigurationError(f"{pictures[name]} and {each} would get the same name: predict them apart")
        pictures[name] = each
    if not pictures:
        endings = f" that ends in {', '.join(PICTURES)}" if path.is_dir() else ""
        raise MissingInputError(f"{named} holds no picture{endings}" if path.is_dir() else f"nothing fits {named}")
    return pictures


def picture_items(pictures: Mapping[str, Path], reading: PictureReading) -> list[Item]:
    """Return what to predict of pictures by the names of their outputs, with the files of their other columns."""
    beside = {
        column: _BesideFiles(column, folder) for column, folder in reading.folders.items() if column != reading.primary
    }
    neighbours = _neighbours(pictures, backwards=reading.neighbour == "next") if reading.neighbour else {}
    items = []
    for name, path in pictures.items():
        files: dict[str, Path] = {reading.primary: path}
        if reading.neighbour is not None:
            files[reading.neighbour] = neighbours[name]
        files |= {column: each.of(name) for column, each in beside.items()}
        items.append(Item(name, str(path), _reader(name, files, reading), same_files(files)))
    return items


class _BesideFiles:
    """The files of a folder by the names of the pictures that they belong to."""

    def __init__(self, column: str, folder: Path) -> None:
        if not folder.is_dir():
            raise MissingInputError(f"--columns {column}={folder}: there is no such folder")
        self._folder = folder
        self._known: dict[Path, dict[str, str]] = {}

    def of(self, name: str) -> Path:
        """Return the file of a picture; where there is none, a path that says what is missing when it is read."""
        place = PurePosixPath(name)
        folder = self._folder / place.parent
        if folder not in self._known:
            try:
                self._known[folder] = files_by_stem(folder, _SUFFIXES)
            except ValueError as error:
                raise ConfigurationError(str(error)) from error
        return folder / self._known[folder].get(place.name, f"{place.name}.png")


def _neighbours(pictures: Mapping[str, Path], *, backwards: bool) -> dict[str, Path]:
    """Return for each picture the one before it in its folder, or behind it; the first one has itself."""
    found: dict[str, Path] = {}
    ordered = sorted(pictures, reverse=backwards)
    for _, group in groupby(ordered, key=lambda name: PurePosixPath(name).parent):
        last: str | None = None
        for name in group:
            found[name] = pictures[name if last is None else last]
            last = name
    return found


def _reader(name: str, files: ColumnFiles, reading: PictureReading) -> Callable[[], LoadedItem]:
    def read() -> LoadedItem:
        arrays: dict[str, Array] = {}
        valid: dict[str, Mask] = {}
        inputs: JsonDict = {}
        for column, path in files.items():
            arrays[column], mask, inputs[column] = read_column(reading.columns[column], path)
            if mask is not None:
                valid[column] = mask
            if arrays[column].shape[:2] != arrays[reading.primary].shape[:2]:
                own, other = arrays[column].shape, arrays[reading.primary].shape
                raise SizeMismatchError(
                    f"{path} is {own[1]}x{own[0]}, its picture {files[reading.primary]} {other[1]}x{other[0]}: the "
                    "columns of a sample lie on one grid"
                )
        kinds = {column: reading.columns[column].kind_of_values for column in files}
        for mask_name in [column for column, kind in kinds.items() if kind is Kind.MASK]:
            column = mask_name.removesuffix("_valid")
            known = arrays.pop(mask_name) > 0
            valid[column] = known & valid.get(column, known)
            del kinds[mask_name]
        height, width = arrays[reading.primary].shape[:2]
        camera = None if reading.camera is None else camera_of(reading.camera, width, height)
        return LoadedItem(Sample(SampleKey(name), arrays, kinds, valid, camera), (width, height), inputs)

    return read


def camera_of(numbers: Sequence[float], width: int, height: int) -> Camera:
    """Return the camera of fx, fy, cx and cy in pixels, of a picture of this size."""
    fx, fy, cx, cy = numbers
    return Camera([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], width, height)  # type: ignore[arg-type]  # it is converted
