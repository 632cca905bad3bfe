"""The one loader: what steps read of a sample, from the dataset's files and the cells of a workspace or elsewhere."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segprep.datasets.errors import ConfigurationError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import image_orientation, image_size
from segprep.datasets.imageio.exif import UPRIGHT
from segprep.datasets.kinds import Kind
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, Pose, Sample, SampleKey
from segprep.datasets.source_files import read_file
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Cell, Column, decode_cell, decode_source, read_cell
from segprep.prep.step import Input, Origin, Step
from segprep.workflows.ledger.database import KnownSample
from segprep.workflows.ledger.freshness import file_source

__all__ = ["Loaded", "Reading", "SampleInputs", "StoredInputs", "read_train_ids"]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An input in memory.

    Attributes:
        cell: Its value; JSON where it is no array: a size, or a camera with its `pose` and `neighbour`.
        kind: Of an array; None where only the reader of the file knows.
        orientation: In the EXIF data of a picture of the dataset, which was applied.
    """

    cell: Cell
    kind: Kind | None = None
    orientation: int = UPRIGHT


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a sample by whoever makes no columns of it.

    Attributes:
        inputs: As those of a step.
    """

    inputs: tuple[Input, ...]


class SampleInputs:
    """The inputs of one sample. Each is read once, however many steps need it.

    Args:
        key: The sample's.
        read: Gives an input that is not in memory yet; None for an optional one that the sample does not have.
    """

    def __init__(self, key: SampleKey, read: Callable[[Input], Loaded | None]) -> None:
        self._key = key
        self._read = read
        self._loaded: dict[tuple[Origin, str, str], Loaded | None] = {}

    def keep(self, column: Column, cell: Cell | None) -> None:
        """Have later steps see what an earlier one made of a column: None if there was nothing to make."""
        self._loaded[Origin.COLUMN, column.name, ""] = None if cell is None else Loaded(cell, column.kind)

    def sample(self, step: Step | Reading) -> Sample:
        """Return what a step sees.

        Raises:
            MissingInputError: If a file does not exist.
            UnreadableFileError: If a file cannot be read or decoded.
        """
        arrays: dict[str, Array] = {}
        kinds: dict[str, Kind] = {}
        valid: dict[str, Mask] = {}
        meta: JsonDict = {}
        camera, pose = None, None
        for each in step.inputs:
            place = each.origin, each.name, each.pattern
            if place not in self._loaded:
                self._loaded[place] = self._read(each)
            loaded = self._loaded[place]
            if loaded is None:
                continue
            if loaded.orientation != UPRIGHT:
                meta[f"{each.name}_orientation"] = loaded.orientation
            values, mask = loaded.cell.values, loaded.cell.valid
            if isinstance(values, dict) and each.origin is Origin.SOURCE_SIZE:
                meta.update(values)
                continue
            if isinstance(values, dict):
                camera = Camera.from_json(values)
                pose = None if values.get("pose") is None else Pose(values["pose"])
                meta["neighbour"] = values.get("neighbour")
                continue
            arrays[each.name] = values
            if loaded.kind is not None:
                kinds[each.name] = loaded.kind
            if mask is not None:
                valid[each.name] = mask
        return Sample(self._key, arrays, kinds, valid, camera, pose, meta)


@dataclass(frozen=True, slots=True, eq=False)
class StoredInputs:
    """The inputs of a sample of a workspace.

    Attributes:
        workspace: Where they are.
        known: The sample.
        columns: The columns that exist, by name.
        contents: Files of the dataset that were read already, by path; each is taken out when it is decoded.
        integers: Give what shards hold instead of values: a column's stored integers, and train ids of labels.
        sizes: What a step gets that wants only the size of a file of the dataset, for those that were decoded.
    """

    workspace: Workspace
    known: KnownSample
    columns: Mapping[str, Column]
    contents: dict[str, bytes] = field(default_factory=dict)
    integers: bool = False
    sizes: dict[str, Loaded] = field(default_factory=dict)

    def read(self, each: Input) -> Loaded | None:
        """Return an input; None for an optional one that the sample does not have.

        Raises:
            MissingInputError: If a file does not exist.
            UnreadableFileError: If it cannot be read or decoded.
            DamagedCellError: If a cell's file is not the one that was written.
            ConfigurationError: If nothing is known that reads a file of another program.
        """
        root, record = self.workspace.config.dataset_root, self.known.record
        match each.origin:
            case Origin.SOURCE | Origin.SOURCE_SIZE if each.optional and each.name not in record.sources:
                return None
            case Origin.SOURCE:
                source = record.sources[each.name]
                path = root / source.path
                data = self.contents.pop(source.path, None) or self._source(path, source)
                cell = decode_source(source, data, path)
                orientation = UPRIGHT if source.kind is Kind.POINTS else image_orientation(path, data)
                if not isinstance(cell.values, dict):
                    self.sizes[each.name] = _size_of(each.name, cell.values.shape[1::-1], orientation)
                return Loaded(cell, source.kind, orientation)
            case Origin.SOURCE_SIZE if each.name in self.sizes:
                return self.sizes[each.name]
            case Origin.SOURCE_SIZE:
                path = root / record.sources[each.name].path
                return _size_of(each.name, image_size(path), image_orientation(path))
            case Origin.RECORD if record.camera is None:
                return None
            case Origin.RECORD:
                known = record.to_json()
                return Loaded(Cell(known["camera"] | {"pose": known["pose"], "neighbour": known["neighbour"]}))
            case Origin.COLUMN if each.optional and self.known.done(each.name) is None:
                return None
            case Origin.COLUMN:
                column = self.columns[each.name]
                if self.integers and column.code is not None:
                    return Loaded(Cell(*read_train_ids(self.workspace, self.known, column)), column.kind)
                digests = self.known.digests(each.name)
                return Loaded(decode_cell(self.workspace, record.split, column, record.key, digests), column.kind)
            case Origin.FILE:
                # It need not be a picture, so its own reader opens it.
                if each.read is None:
                    raise ConfigurationError(f"nothing is known that reads {each.name}")
                return Loaded(each.read(root / file_source(each, record).path))

    def _source(self, path: Path, source: SourceFile) -> bytes:
        """Read a file of the dataset that was hashed before, if at all, and is what it was then."""
        try:
            stat = path.stat()
            data = read_file(path)
        except FileNotFoundError as error:
            raise MissingInputError(f"{path} does not exist, but the dataset's layout promises it") from error
        except OSError as error:
            raise UnreadableFileError(f"{path} cannot be read: {error.strerror}") from error
        row = self.known.sources.get(source.path)
        same_time = row is not None and (row.size, row.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        if row is not None and same_time and hashlib.sha256(data).hexdigest() != row.digest:
            raise UnreadableFileError(
                f"{path} holds something else than when it was read first, with the same size and time. "
                f"If it is right, run `touch {path}`, then the command again"
            )
        return data


def _size_of(name: str, size: Sequence[int], orientation: int) -> Loaded:
    return Loaded(Cell({f"{name}_size": tuple(size)}), orientation=orientation)


def read_train_ids(workspace: Workspace, known: KnownSample, column: Column) -> tuple[Array, Mask | None]:
    """Read a cell's stored integers and mask as shards hold them: labels are train ids, whatever the files hold.

    Raises:
        MissingInputError, UnreadableFileError, DamagedCellError: As `read_cell`.
    """
    record = known.record
    stored, valid = read_cell(workspace, record.split, column, record.key, known.digests(column.name))
    return (workspace.config.class_map.train_ids_of(stored) if column.holds_raw_ids else stored), valid
