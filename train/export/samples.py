"""Real samples of a network's columns, in the columns' own units: from its run's store, or from a folder of files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import CodeRangeError, MissingInputError, SizeMismatchError, UnreadableFileError
from segprep.datasets.imageio import SUFFIXES, read_image
from segprep.datasets.sample import Array, Mask
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.workspace import find_workspace
from segprep.train.export.facts import taken_dtype
from segprep.train.predict.model import Model

__all__ = ["Samples", "folder_samples", "original_indices", "run_store", "store_samples", "stored_values"]

Values = tuple[Array, ...]
"""Of one sample, by column in their order: (H, W) or (H, W, C), NaN where invalid."""

_FOLDERS: Final = ("{}", "{}_data")  # of a column: as people call it, and as `prep` does


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples to compare answers on.

    Attributes:
        values: Of each sample.
        source: Where they came from.
    """

    values: tuple[Values, ...]
    source: str


def run_store(model: Model, split: str, head: int = 0, shards: Path | None = None) -> ShardStore:
    """Open a store that a network learned from.

    Args:
        model: The network.
        split: Such as `val`.
        head: Number of the data set, of a network that learned several.
        shards: Folder of the stores; None takes that of the run, else that of the workspace round the weights.

    Raises:
        SegprepError: If there is none, or it is damaged.
        ConfigurationError: If it lacks a column.
    """
    if shards is None:
        named = model.config.shards
        folder = Path(named[min(head, len(named) - 1)]) if named else _workspace_shards(model)
    else:
        folder = shards
    return ShardStore.open(folder / f"{split}.zarr", split)


def _workspace_shards(model: Model) -> Path:
    return find_workspace(model.path.resolve().parent).shards_dir


def original_indices(store: ShardStore, count: int | None = None) -> list[int]:
    """Return rows that are no augmented variants, at most `count`, evenly over the store; of variants only all rows."""
    rows = [int(index) for index in np.flatnonzero(store.variants == 0)] or list(range(len(store)))
    if count is None or len(rows) <= count:
        return rows
    return [rows[int(place)] for place in np.linspace(0, len(rows) - 1, count)]


def stored_values(store: ShardStore, columns: Sequence[ArraySpec], index: int) -> Values:
    """Return what a row of a store holds, in the units of its columns.

    Raises:
        MissingInputError: If the store lacks a column.
        DamagedStoreError: If it is damaged.
    """
    values = []
    for column in columns:
        if column.name not in store.columns:
            raise MissingInputError(f"{store.path} has no column {column.name!r}, which the network takes")
        code = code_from_json(store.columns[column.name].code)
        decoded = code.decode(store.read(column.name, index), store.read_valid(column.name, index))
        values.append(_taken(column, *decoded))
    return tuple(values)


def store_samples(store: ShardStore, columns: Sequence[ArraySpec], count: int) -> Samples:
    """Return some samples of a store, evenly over it; errors as of `stored_values`."""
    indices = original_indices(store, count)
    return Samples(tuple(stored_values(store, columns, index) for index in indices), str(store.path))


def folder_samples(folder: Path, columns: Sequence[ArraySpec], count: int) -> Samples:
    """Return samples of files, as a workspace keeps them.

    Args:
        folder: Of pictures, for a network of one column; of a folder for each column else, `<column>` or
            `<column>_data`, in which files of one sample have one name.
        columns: What the network takes.
        count: How many samples at most.

    Raises:
        MissingInputError: If a folder or a file is missing.
        UnreadableFileError: If a file holds something else than its column.
        SizeMismatchError: If the columns of a sample differ in size.
    """
    folders = {column.name: _column_folder(folder, column.name, len(columns)) for column in columns}
    first = folders[columns[0].name]
    names = [path.name for path in sorted(first.iterdir()) if path.suffix.lower() in SUFFIXES][:count]
    if not names:
        raise MissingInputError(f"{first} holds no picture ({', '.join(sorted(SUFFIXES))})")
    values = tuple(tuple(_read(column, folders[column.name], name) for column in columns) for name in names)
    for name, each in zip(names, values, strict=True):
        sizes = {array.shape[:2] for array in each}
        if len(sizes) > 1:
            raise SizeMismatchError(f"the columns of {Path(name).stem} in {folder} differ in size")
    return Samples(values, str(folder))


def _column_folder(folder: Path, column: str, columns: int) -> Path:
    found = next((folder / each.format(column) for each in _FOLDERS if (folder / each.format(column)).is_dir()), None)
    if found is not None:
        return found
    if columns > 1 or not folder.is_dir():
        wanted = f"{folder / column} or {folder / (column + '_data')}" if columns > 1 else str(folder)
        raise MissingInputError(f"there is no folder {wanted} with files of the column {column!r}")
    return folder


def _read(column: ArraySpec, folder: Path, name: str) -> Array:
    path = folder / name
    if not path.is_file():
        path = next((each for each in sorted(folder.glob(f"{path.stem}.*")) if each.suffix.lower() in SUFFIXES), path)
    if not path.is_file():
        raise MissingInputError(f"there is no {path} beside the other columns of this sample")
    code = code_from_json(column.code)
    try:
        return _taken(column, *code.decode(*code.from_file(read_image(path))))
    except CodeRangeError as error:
        raise UnreadableFileError(f"{path} is no file of the column {column.name!r}: {error}") from error


def _taken(column: ArraySpec, values: Array, valid: Mask | None) -> Array:
    taken = np.array(values, taken_dtype(column))
    if valid is not None and taken.dtype.kind == "f":
        taken[~valid] = np.nan
    return taken
