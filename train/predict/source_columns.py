"""Columns of what is predicted, read from files as people have them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segprep.datasets.codes import PlainCode, SourceCode, code_from_json
from segprep.datasets.codes.depth_units import depth_unit
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.file_records import digest_of, record_of
from segprep.datasets.kinds import Kind
from segprep.datasets.names import nearest_name
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import Array, JsonDict, Mask
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.source_files import read_input
from segprep.datasets.workspace.cells import decode_file
from segprep.train.predict.columns import kind_of_values

__all__ = ["ColumnFiles", "FileColumn", "file_columns", "read_column", "same_files"]

_PICTURES: Final = ("image", "previous", "next")
_DEPTH: Final = "depth"
_MASK_SUFFIX: Final = "_valid"

ColumnFiles = Mapping[str, Path]
"""The file of each column, or of `<column>_valid`, a mask."""


@dataclass(frozen=True, slots=True)
class FileColumn:
    """How files of a column are read."""

    kind: Kind
    code: SourceCode

    @property
    def kind_of_values(self) -> Kind:
        """Of the arrays that are read."""
        return kind_of_values(self.kind, self.code)


def file_columns(network: Sequence[ArraySpec], named: Sequence[str], unit: str | None) -> dict[str, FileColumn]:
    """Return how the files of columns are read.

    Args:
        network: The columns that the network takes: their files hold what those of a workspace do.
        named: Columns that files are given for; beside the network's own `image`, `previous`, `next`, `depth`, and
            `<column>_valid`, a mask.
        unit: Of depth files, see `depth_unit`; None reads them as the files of the workspace that trained the network.

    Raises:
        ConfigurationError: If nobody knows what the files of a column hold.
    """
    taken = {column.name: column for column in network}
    found: dict[str, FileColumn] = {}
    for name in named:
        if name == _DEPTH and unit is not None:
            kind, code = depth_unit(unit)
            if kind is not Kind.DEPTH:
                raise ConfigurationError(f"--depth-unit {unit} is one of disparities: give depth in a unit of metres")
            found[name] = FileColumn(kind, code)
        elif name in taken:
            found[name] = FileColumn(taken[name].kind, code_from_json(taken[name].code))
        elif name in _PICTURES:
            found[name] = FileColumn(Kind.IMAGE, PlainCode())
        elif name == _DEPTH:
            raise ConfigurationError("say what the numbers in the files of depth mean: --depth-unit mm, for example")
        elif name.endswith(_MASK_SUFFIX) and name.removesuffix(_MASK_SUFFIX) in named:
            found[name] = FileColumn(Kind.MASK, PlainCode(channels=()))
        else:
            known = dict.fromkeys([*taken, *_PICTURES, _DEPTH])
            raise ConfigurationError(f"the network takes no column {name!r}. {nearest_name(name, known)}")
    return found


def read_column(column: FileColumn, path: Path) -> tuple[Array, Mask | None, JsonDict]:
    """Return the values of a file, where they are valid, and what is recorded of the file.

    Raises:
        MissingInputError, UnreadableFileError, MachineError: If it cannot be read.
    """
    data = read_input(path)
    _, values, valid = decode_file(SourceFile(str(path), column.kind, column.code.to_json()), data, path)
    return values, valid, {"path": str(path), "mtime_ns": path.stat().st_mtime_ns, "sha256": record_of(data).sha256}


def same_files(files: ColumnFiles) -> Callable[[Mapping[str, object]], bool]:
    """Return whether recorded files are these, with the same content: see `Item.unchanged`."""

    def unchanged(inputs: Mapping[str, object]) -> bool:
        return inputs.keys() == files.keys() and all(_is_same(path, inputs[name]) for name, path in files.items())

    return unchanged


def _is_same(path: Path, recorded: object) -> bool:
    if not isinstance(recorded, dict) or recorded.get("path") != str(path):
        return False
    try:
        return path.stat().st_mtime_ns == recorded.get("mtime_ns") or digest_of(path) == recorded.get("sha256")
    except OSError:
        return False
