"""The one writer: annotated pictures become a folder that `prep init folder` takes, whole or not at all."""

import io
import json
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import tomlkit
from PIL import Image

from segprep.datasets.atomic import PARTIAL_SUFFIX, remove_partial_folders_of, write_failed
from segprep.datasets.class_files import CLASS_FILE
from segprep.datasets.errors import (
    ConfigurationError,
    ConflictError,
    DatasetNotFoundError,
    MachineError,
    SegprepError,
    UnreadableFileError,
)
from segprep.datasets.imageio import MAX_PIXELS, decode_image, encode_image, image_orientation
from segprep.datasets.imageio.exif import oriented, oriented_size
from segprep.datasets.importers._common.painting import label_type
from segprep.datasets.importers._common.source import CONVERTED, FoundFile, ImportSource, Problem
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, Importer
from segprep.datasets.json_values import json_of
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import Array, JsonDict, make_key

__all__ = ["REPORT_FILE", "ImportReport", "import_annotations"]

REPORT_FILE: Final = "import_report.json"

_UPRIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import brought.

    Attributes:
        splits: Split to number of pictures.
        classes: Their names.
        instances: Whether objects are told apart.
        problems: What could not be read.
        not_annotated: Names of pictures that nobody annotated.
        notes: What was decided where the source leaves a choice.
    """

    splits: dict[str, int]
    classes: tuple[str, ...]
    instances: bool
    problems: tuple[Problem, ...]
    not_annotated: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> JsonDict:
        """Return it for the file beside the pictures and for `--json`."""
        return json_of(self)


def import_annotations(
    importer: Importer, source: ImportSource, out: Path, progress: Progress | None = None
) -> ImportReport:
    """Write what a source holds as a folder that the catalog's `folder` reads.

    Pictures stay byte for byte (linked where the file system can), except those of formats that nothing else here
    reads, which become PNG.

    Args:
        importer: Reads the source.
        source: The annotations.
        out: The folder to make.
        progress: Told how many pictures are settled.

    Raises:
        ConflictError: If the folder exists.
        DatasetNotFoundError: If no picture can be imported; quotes the first reason.
        SegprepError: As `Importer.read`.
        WriteFailedError: If it cannot be written.
    """
    if out.exists() or out.is_symlink():
        raise ConflictError(f"{out} exists: name another folder, or move it away")
    annotations = _read(importer, source)
    if progress is not None:
        progress.start(len(annotations.pictures))
    with _new_folder(out) as folder:
        splits: Counter[str] = Counter()
        for picture, stem in _named(annotations.pictures, source):
            try:
                _write(folder / picture.split, stem, picture, annotations)
                splits[picture.split] += 1
            except (MachineError, ConfigurationError):  # of the disk, or a package that is missing: of no picture
                raise
            except (SegprepError, ValueError, KeyError, TypeError) as error:
                source.problem(picture.picture.name, error)
            if progress is not None:
                progress.advance()
        if not splits:
            raise _nothing(importer, source)
        report = ImportReport(
            dict(sorted(splits.items())),
            annotations.class_map.names,
            annotations.instances,
            tuple(source.problems),
            tuple(source.left_out),
            tuple(source.notes),
        )
        _save(folder / CLASS_FILE, tomlkit.dumps(annotations.class_map.to_json()).encode())
        _save(folder / REPORT_FILE, (json.dumps(report.to_json(), indent=1) + "\n").encode())
    return report


def _read(importer: Importer, source: ImportSource) -> Annotations:
    try:
        return importer.read(source)
    except SegprepError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"{source.path} cannot be imported: {error}") from error


def _named(pictures: Sequence[AnnotatedPicture], source: ImportSource) -> Iterator[tuple[AnnotatedPicture, str]]:
    """Give each picture a name of its own in its split: its file's, with its folders in front where that is taken."""
    stems = [unicodedata.normalize("NFC", PurePosixPath(p.picture.name).stem) for p in pictures]
    uses = Counter((p.split, stem.casefold()) for p, stem in zip(pictures, stems, strict=True))
    taken = set()
    for picture, stem in zip(pictures, stems, strict=True):
        if uses[picture.split, stem.casefold()] > 1:
            path = PurePosixPath(unicodedata.normalize("NFC", picture.picture.name))
            stem = "-".join((*path.parts[:-1], path.stem))
        name = (picture.split, stem.casefold())
        try:
            make_key(stem)
            if name in taken:
                raise ValueError("it is annotated twice, or another picture of this name was there before")
        except (ValueError, UnicodeEncodeError) as error:
            source.problem(picture.picture.name, error)
            continue
        taken.add(name)
        yield picture, stem


def _write(folder: Path, stem: str, annotated: AnnotatedPicture, annotations: Annotations) -> None:
    file = annotated.picture
    data = file.read()
    suffix = PurePosixPath(file.name).suffix.lower()
    converted = suffix in CONVERTED
    if converted:
        data, suffix = _as_png(data, file), ".png"
    shown = decode_image(data, file.place)
    orientation = image_orientation(file.place, data)
    upright = (shown.shape[1], shown.shape[0])
    stored = oriented_size(upright, orientation)
    wide, high = size = annotated.size or upright
    if size not in (upright, stored):
        raise ValueError(f"the annotation is of a picture of {wide}x{high}, and it has {upright[0]}x{upright[1]}")
    painted = annotated.paint(*size)
    label = _turned(painted.label_HW, upright, stored, orientation).astype(label_type(annotations.class_map))
    instance = None
    if annotations.instances:
        numbers = np.zeros_like(painted.label_HW) if painted.instance_HW is None else painted.instance_HW
        instance = _turned(numbers, upright, stored, orientation).astype(np.uint16)
    _keep(folder / "image_data" / f"{stem}{suffix}", data, None if converted else file)
    _save(folder / "label_data" / f"{stem}.png", encode_image(".png", label))
    if instance is not None:
        _save(folder / "instance_data" / f"{stem}.png", encode_image(".png", instance))


def _turned(drawn: Array, upright: tuple[int, int], stored: tuple[int, int], orientation: int) -> Array:
    """Return what was drawn on a picture as its file stores it, or as it is shown, as it is shown."""
    size = (drawn.shape[1], drawn.shape[0])
    if size == upright:
        return drawn
    if size != stored:
        raise ValueError(f"the mask has {size[0]}x{size[1]} pixels, and the picture {upright[0]}x{upright[1]}")
    return oriented(drawn, orientation)


def _as_png(data: bytes, file: FoundFile) -> bytes:
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(f"{opened.width}x{opened.height} pixels are more than the {MAX_PIXELS} accepted")
            if getattr(opened, "n_frames", 1) > 1:
                raise ValueError("it holds several pictures")
            deep = opened.mode.startswith("I;16")
            grey = opened.mode in ("1", "L")
            turned = opened if deep else opened.convert("L" if grey else "RGB")
            pixels = np.asarray(turned)
            orientation = opened.getexif().get(0x0112, _UPRIGHT)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableFileError(f"{file.place} is no readable picture: {error}") from error
    pixels = oriented(pixels, orientation if orientation in range(1, 9) else _UPRIGHT)
    return encode_image(".png", pixels.astype(np.uint16) if deep else pixels)


def _keep(path: Path, data: bytes, file: FoundFile | None) -> None:
    """Link a file, or write its bytes where that cannot be."""
    source = None if file is None else file.tree.path(file.name)
    if source is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(source.resolve(), path)
            return
    _save(path, data)


def _save(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise write_failed(path, error) from error


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Make a folder under a temporary name, and give it its own when all is in it."""
    partial = out.with_name(f"{out.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    remove_partial_folders_of(out)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise write_failed(partial, error) from error
    try:
        yield partial
        if out.exists():
            raise ConflictError(f"{out} was made by another process just now: name another folder")
        try:
            partial.rename(out)
        except OSError as error:
            raise write_failed(out, error) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _nothing(importer: Importer, source: ImportSource) -> DatasetNotFoundError:
    if source.problems:
        first = source.problems[0]
        more = f" ({len(source.problems) - 1} more)" if len(source.problems) > 1 else ""
        return DatasetNotFoundError(f"{source.path}: no picture can be imported. {first.file}: {first.reason}{more}")
    return DatasetNotFoundError(f"{source.path} holds no annotated picture; expected is:\n{importer.SPEC.layout}")
