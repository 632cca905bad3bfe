"""Columns and their cells: what a column holds, and how a cell becomes a file and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.codes import (
    Code,
    MaskPlace,
    PlainCode,
    RawLabelCode,
    SourceCode,
    code_from_json,
    source_code_from_json,
)
from segprep.datasets.codes.column import ColumnFacts, numbers_of
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.documents import parse_json
from segprep.datasets.errors import CodeRangeError, DamagedCellError, MissingInputError, UnreadableFileError
from segprep.datasets.file_records import OTHER_CONTENT, record_of
from segprep.datasets.imageio import decode_image, encode_image, image_orientation
from segprep.datasets.imageio.exif import UPRIGHT
from segprep.datasets.imageio.scans import decode_velodyne
from segprep.datasets.kinds import Flip, Kind, rule
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import Array, JsonDict, Mask, SampleKey
from segprep.datasets.source_files import read_file
from segprep.datasets.workspace import Workspace

__all__ = [
    "Cell",
    "Column",
    "FileDigests",
    "StoredCell",
    "decode_cell",
    "decode_file",
    "decode_source",
    "encode_cell",
    "read_cell",
    "read_record_cell",
]

FileDigests = Mapping[str, str]
"""SHA-256 in hexadecimal of files, by path relative to the workspace."""

_UNKNOWN: Final[FileDigests] = {}


@dataclass(frozen=True, slots=True)
class Column(ColumnFacts[Code | None, tuple[tuple[str, str], ...]]):
    """A column of the workspace. Cameras, which are JSON, have no code."""

    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def numbers(self) -> Numbers | None:
        """What its stored integers stand for; None for ids and cameras."""
        return None if self.code is None else numbers_of(self.code, dict(self.attributes))

    @property
    def holds_raw_ids(self) -> bool:
        """Whether a label column keeps the dataset's own ids instead of train ids."""
        return ("ids", "raw") in self.attributes

    @property
    def extension(self) -> str:
        """Suffix of the cells' files."""
        return ".json" if self.code is None else self.code.extension

    @property
    def has_mask_files(self) -> bool:
        """Whether each cell has a second file with its mask."""
        return self.code is not None and self.code.mask is MaskPlace.BESIDE

    def to_json(self) -> JsonDict:
        """Return a JSON object that `from_json` reads back."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "code": None if self.code is None else self.code.to_json(),
            "attributes": dict(self.attributes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Column":
        """Build a column from what `to_json` returned."""
        code = None if data["code"] is None else code_from_json(data["code"])
        return cls(data["name"], Kind(data["kind"]), code, tuple(sorted(data["attributes"].items())))


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A cell's value in memory, as steps make it.

    Attributes:
        values: The array (float32 for depth and flow, ids or 8-bit values otherwise), or a JSON object for cameras.
        valid: (H, W) bool for kinds with a mask.
        facts: What was found out beside the array, JSON values; kept in the ledger.
    """

    values: Array | JsonDict
    valid: Mask | None = None
    facts: JsonDict = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class StoredCell:
    """A cell as its files hold it.

    Attributes:
        files: One or two (path relative to the split's folder, bytes).
        cell: The cell as a reader of these files will see it (quantised), for later steps of the same run. Its facts
            gain the `shape` of the stored array, the `valid_share` of the pixels if it has a mask, and, where there
            are any, the number of `clipped` pixels, whose values the code could not express.
    """

    files: tuple[tuple[str, bytes], ...]
    cell: Cell


def decode_source(source: SourceFile, data: bytes, path: Path) -> Cell:
    """Decode a file of the dataset to values as steps see them: metres, pixels, ids, colours, points.

    Args:
        source: What the file holds and how.
        data: All its bytes.
        path: Stands in error messages.

    Raises:
        UnreadableFileError: If it cannot be decoded or does not fit the source's code.
    """
    _, values, valid = decode_file(source, data, path)
    return Cell(values, valid)


def decode_file(source: SourceFile, data: bytes, path: Path) -> tuple[Array, Array, Mask | None]:
    """Decode a file of the dataset to its picture (of a scan its points, (N, 4)), and to values and mask.

    Raises:
        UnreadableFileError: As `decode_source`.
    """
    code = source_code_from_json(source.code)
    if source.kind is Kind.POINTS:
        picture: Array = decode_velodyne(data, path)
    else:
        shows_palette = source.kind is Kind.IMAGE or (isinstance(code, RawLabelCode) and code.shows_palette)
        picture = decode_image(data, path, palette_colors=shows_palette)
        if rule(source.kind).flip is not Flip.MIRROR and image_orientation(path, data) != UPRIGHT:
            raise UnreadableFileError(
                f"{path} has an orientation in its EXIF data, which turns pixels, but not the directions that numbers "
                f"of {source.kind} mean: take it out (`exiftool -Orientation= {path.name}`)"
            )
    try:
        _refuse_other_bits(source.kind, code, picture)
        return picture, *code.decode(*code.from_file(picture))
    except CodeRangeError as error:
        raise UnreadableFileError(f"{path}: {error}") from error


def _refuse_other_bits(kind: Kind, code: SourceCode, picture: Array) -> None:
    """Refuse numbers of 16 bits where 8 are expected, and the other way round: they would mean something else."""
    if isinstance(code, PlainCode) and picture.dtype in (np.uint8, np.uint16) and picture.dtype != code.dtype:
        found = 8 * picture.dtype.itemsize
        remedy = "convert it to 8 bits"
        if kind is not Kind.IMAGE:
            remedy = (
                f"convert it to {code.bits} bits, or, if all files of the column have {found}, write its code "
                f"{json.dumps(replace(code, bits=found, lossy=False).to_json())} into a list in .jsonl"
            )
        raise CodeRangeError(f"{kind} is read as numbers of {code.bits} bits, and this file has {found}: {remedy}")


def encode_cell(column: Column, key: SampleKey, cell: Cell) -> StoredCell:
    """Turn a cell into the bytes of its files.

    Raises:
        CodeRangeError: If the array's shape or type does not fit the column's code.
    """
    name = f"{column.name}_data/{key}{column.extension}"
    if isinstance(cell.values, dict):
        return StoredCell(((name, json.dumps(cell.values, indent=1, sort_keys=True).encode()),), cell)
    if column.code is None:
        raise CodeRangeError(f"column {column.name} holds JSON, not arrays")
    encoded = column.code.encode(cell.values, cell.valid)
    data = encode_image(column.extension, column.code.to_file(encoded.stored, encoded.valid))
    stored, files = encoded.stored, [(name, data)]
    if isinstance(column.code, PlainCode) and column.code.lossy:
        stored = column.code.from_file(decode_image(data, Path(name)))[0]
    if column.has_mask_files:
        mask = np.ones(cell.values.shape[:2], np.bool_) if encoded.valid is None else encoded.valid
        files.append((f"{column.name}_valid/{key}.png", encode_image(".png", mask.astype(np.uint8) * 255)))
    facts = cell.facts | {"shape": list(encoded.stored.shape)}
    if encoded.valid is not None:
        facts["valid_share"] = round(float(encoded.valid.mean()), 6)
    if encoded.clipped:
        facts["clipped"] = encoded.clipped
    return StoredCell(tuple(files), Cell(*column.code.decode(stored, encoded.valid), facts))


def read_cell(
    workspace: Workspace, split: str, column: Column, key: SampleKey, digests: FileDigests = _UNKNOWN
) -> tuple[Array, Mask | None]:
    """Read a cell's stored integers and mask, as the shards hold them.

    Args:
        workspace: Where it is.
        split: Of the sample.
        column: What it holds.
        key: The sample.
        digests: What the ledger knows of its files.

    Raises:
        MissingInputError: If a file does not exist.
        DamagedCellError: If a file is not the one that was written.
        UnreadableFileError: If it cannot be decoded or does not fit the column's code.
    """
    if column.code is None:
        raise CodeRangeError(f"column {column.name} holds JSON, not arrays")
    path = workspace.cell_path(split, column.name, key, column.extension)
    try:
        stored, valid = column.code.from_file(decode_image(_content(path, _digest(workspace, path, digests)), path))
    except CodeRangeError as error:
        raise UnreadableFileError(f"{path}: {error}") from error
    if column.has_mask_files:
        path = workspace.mask_path(split, column.name, key)
        mask = decode_image(_content(path, _digest(workspace, path, digests)), path)
        if mask.shape != stored.shape[:2]:
            raise UnreadableFileError(
                f"{path} is {mask.shape[1]}x{mask.shape[0]}, its image is {stored.shape[1]}x{stored.shape[0]}"
            )
        valid = mask > 0
    return stored, valid


def decode_cell(
    workspace: Workspace, split: str, column: Column, key: SampleKey, digests: FileDigests = _UNKNOWN
) -> Cell:
    """Read a cell as steps see it: metres, pixels, ids; JSON for cameras. Arguments and errors as `read_cell`."""
    if column.code is None:
        path = workspace.cell_path(split, column.name, key, column.extension)
        return Cell(read_record_cell(path, _digest(workspace, path, digests)))
    stored, valid = read_cell(workspace, split, column, key, digests)
    return Cell(*column.code.decode(stored, valid))


def read_record_cell(path: Path, digest: str | None = None) -> JsonDict:
    """Read a JSON cell, and compare it with the SHA-256 of what was written if that is known.

    Raises:
        MissingInputError: If it does not exist.
        DamagedCellError: If it is not the file that was written.
        UnreadableFileError: If it is no JSON object.
    """
    content = _content(path, digest)
    try:
        data = parse_json(content)
    except ValueError as error:
        raise UnreadableFileError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise UnreadableFileError(f"{path} holds {type(data).__name__}, not a JSON object")
    return data


def _digest(workspace: Workspace, path: Path, digests: FileDigests) -> str | None:
    return digests.get(path.relative_to(workspace.root).as_posix())


def _content(path: Path, digest: str | None) -> bytes:
    """Return a file's bytes, if they are those that were written as far as anybody knows."""
    try:
        data = read_file(path)
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} does not exist") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
    if digest is not None and record_of(data).sha256 != digest:
        raise DamagedCellError(f"{path} is damaged: {OTHER_CONTENT}. `prep verify` names the command that mends it")
    return data
