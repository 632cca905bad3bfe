"""The samples of one RGB-D recording in the general layout."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from segprep.datasets.catalog._common.calibration_files import find_camera
from segprep.datasets.catalog._common.files import PICTURES, files_by_stem, what_lies_in
from segprep.datasets.catalog._common.recordings import assumed_rate, natural_order
from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.catalog._common.trajectories import read_pose_rows, read_trajectory_log
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import Code, DepthCode, PlainCode, RawLabelCode
from segprep.datasets.codes.depth_units import DEPTH_SUFFIXES
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, Pose, make_key

__all__ = ["IMAGE_FOLDERS", "LABEL_FOLDERS", "first_folder", "scan_recording"]

IMAGE_FOLDERS: Final = ("images", "color", "rgb")
LABEL_FOLDERS: Final = ("label", "labels")

_FRAME_RATE: Final = 30.0


class _Part(NamedTuple):
    column: str
    folder: Path
    files: Mapping[str, str]  # stem to name
    kind: Kind
    code: JsonDict


def first_folder(recording: Path, names: Sequence[str], suffixes: Sequence[str] = PICTURES) -> Path | None:
    """Return the first of a recording's folders of these names that holds pictures, or other files."""
    return next((recording / name for name in names if files_by_stem(recording / name, suffixes)), None)


def scan_recording(
    source: DatasetSource, name: str, folder: Path, split: str, depth_code: DepthCode
) -> Iterator[SampleRecord]:
    """Yield the samples of a recording, in the order of their names.

    Args:
        source: The dataset; its root may have the camera of all recordings, and it gets what is guessed and
            which folders and files are left out.
        name: Of the recording; empty where the dataset's root is the recording.
        folder: Where it lies.
        split: Of its samples.
        depth_code: Of its depth files.

    Raises:
        UnreadableFileError: If a text file is broken, or has not one row per image.
    """
    parts = list(_parts(folder, depth_code, source.notices))
    images = parts[0]
    stems = sorted({stem for part in parts for stem in part.files}, key=natural_order)
    order = _row_order(folder, sorted(images.files, key=natural_order))
    poses, times = _poses(folder, order), _times(folder, order, source.notices)
    pictures = [images.folder / images.files[stem] for stem in order if stem in images.files]
    camera = find_camera((folder, source.root), pictures, source.notices)
    numbered = len({int(stem) for stem in stems if stem.isdecimal()}) == len(stems)
    prefix = f"{name}/" if name else ""
    for index, stem in enumerate(stems):
        sources = {
            part.column: SourceFile(
                f"{prefix}{part.folder.name}/{part.files.get(stem, f'{stem}.png')}", part.kind, part.code
            )
            for part in parts
        }
        yield SampleRecord(
            key=make_key(f"{name}_{stem}" if name else stem),
            split=split,
            sources=sources,
            sequence=name or "recording",
            frame=int(stem) if numbered else index,
            time=times.get(stem),
            camera=camera,
            pose=poses.get(stem),
        )


def _parts(folder: Path, depth_code: DepthCode, notices: list[Notice]) -> Iterator[_Part]:
    parts: tuple[tuple[str, tuple[str, ...], Kind, Code], ...] = (
        ("image", IMAGE_FOLDERS, Kind.IMAGE, PlainCode()),
        ("depth", ("depth",), Kind.DEPTH, depth_code),
        ("label", LABEL_FOLDERS, Kind.LABEL, RawLabelCode()),
    )
    for column, names, kind, code in parts:
        suffixes = DEPTH_SUFFIXES if kind is Kind.DEPTH else PICTURES
        found = first_folder(folder, names, suffixes)
        if found is not None:
            yield _Part(column, found, files_by_stem(found, suffixes, notices), kind, code.to_json())
            continue
        unused = [folder / each for each in names if (folder / each).is_dir()]
        notices += [Notice(About.SUSPECT, column, what_lies_in(each, suffixes)) for each in unused]


def _row_order(folder: Path, stems: list[str]) -> list[str]:
    """Return the names that the rows of the text files are about."""
    lines = read_lines(folder / "frames.txt")
    if lines is None:
        return stems
    known, order = set(stems), dict[str, None]()
    for line in lines:
        name = line.text.rpartition("/")[2]
        stem = name if name in known else Path(name).stem
        if stem in order:
            raise line.unreadable(f"{stem} stands in the list twice")
        order[stem] = None
    return list(order)


def _poses(folder: Path, order: Sequence[str]) -> dict[str, Pose | None]:
    rows_file, log_file = folder / "poses.txt", folder / "trajectory.log"
    if rows_file.exists():
        rows = read_pose_rows(rows_file)
        _check_count(rows_file, len(rows), order)
        return dict(zip(order, rows, strict=True))
    blocks = read_trajectory_log(log_file)
    beyond = [index + 1 for index in blocks if index >= len(order)]
    if beyond:
        _check_count(log_file, max(beyond), order)
    return {order[index]: pose for index, pose in blocks.items()}


def _times(folder: Path, order: Sequence[str], notices: list[Notice]) -> dict[str, float]:
    """Return seconds since the first image of the rows."""
    path = folder / "timestamps.txt"
    lines = read_lines(path)
    if lines is None:
        notices.append(assumed_rate(_FRAME_RATE, path.name))
        return {stem: index / _FRAME_RATE for index, stem in enumerate(order)}
    times = [line.finite_numbers(1)[0] for line in lines]
    _check_count(path, len(times), order)
    return {stem: time - times[0] for stem, time in zip(order, times, strict=True)}


def _check_count(path: Path, rows: int, order: Sequence[str]) -> None:
    if rows != len(order):
        raise UnreadableFileError(
            f"{path} is about {rows} images, but there are {len(order)}: name those that it is about in "
            "frames.txt, one per row"
        )
