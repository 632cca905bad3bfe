"""The samples of one RGB-D recording in the general layout."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from segprep.datasets.catalog._common.calibration_files import find_camera
from segprep.datasets.catalog._common.files import PICTURES, files_by_stem, what_lies_in
from segprep.datasets.catalog._common.frame_times import frame_times
from segprep.datasets.catalog._common.recordings import assumed_rate, natural_order
from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.catalog._common.trajectory_files import find_poses
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import Code, DepthCode, PlainCode, RawLabelCode
from segprep.datasets.codes.depth_units import DEPTH_SUFFIXES
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, make_key

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
    clock = frame_times(folder, order, source.notices)
    poses = find_poses(folder, order, clock, source.notices)
    times = _since_the_first(order, clock, source.notices)
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


def _since_the_first(
    order: Sequence[str], clock: Mapping[str, float] | None, notices: list[Notice]
) -> dict[str, float]:
    """Return seconds since the first image of the rows."""
    if clock is None:
        notices.append(assumed_rate(_FRAME_RATE, "timestamps.txt"))
        return {stem: index / _FRAME_RATE for index, stem in enumerate(order)}
    return {stem: time - clock[order[0]] for stem, time in clock.items()}
