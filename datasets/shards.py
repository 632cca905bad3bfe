"""Reading a shard store."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.storage import LocalStore

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import DamagedStoreError, UnknownNameError
from segprep.datasets.sample import Array, JsonDict, Mask, SampleKey
from segprep.datasets.shard_columns import ArraySpec, valid_name
from segprep.datasets.shard_root import REMEDY, StoreRoot, read_root, record_of, wrong_size
from segprep.datasets.shard_statistics import Statistics

__all__ = ["ShardStore"]

Matrix = npt.NDArray[np.float64]

_MAX_NAMES_IN_MESSAGE = 8


class ShardStore:
    """A finished shard store, `<split>.zarr`. Make one with `open`.

    Safe to pickle and to use after a fork: each process opens the arrays for itself when it first reads.

    Attributes:
        path: The store's absolute path.
    """

    def __init__(self, path: Path, root: StoreRoot) -> None:
        self.path = path
        self._root = root
        self._layouts = root.plan.arrays()
        self._specs = {spec.name: spec for spec in root.plan.specs}
        self._keys: tuple[SampleKey, ...] | None = None
        self._rows: dict[str, Array] = {}
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._pid = os.getpid()

    @classmethod
    def open(cls, path: Path) -> "ShardStore":
        """Open a store after the checks that are cheap: attributes, metadata, presence and size of every file.

        Raises:
            DamagedStoreError: If there is no store, it is unfinished, of a newer schema, or a check fails. Names the
                files and the samples in them.
        """
        path = path.absolute()
        store = cls(path, read_root(path))
        store._check_files()
        return store

    def __getstate__(self) -> tuple[Path, StoreRoot]:
        return self.path, self._root

    def __setstate__(self, state: tuple[Path, StoreRoot]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __len__(self) -> int:
        return self._root.plan.rows

    def __repr__(self) -> str:
        return f"ShardStore({str(self.path)!r}, {len(self)} samples, {', '.join(self._specs)})"

    @property
    def split(self) -> str:
        """Name of the split."""
        return self._root.plan.split

    @property
    def columns(self) -> Mapping[str, ArraySpec]:
        """Columns by name."""
        return self._specs

    @property
    def class_map(self) -> ClassMap:
        """Classes of the column `label`."""
        return self._root.class_map

    @property
    def statistics(self) -> Mapping[str, Statistics]:
        """Sums over the stored values by column; instance ids have none."""
        return self._root.statistics

    @property
    def provenance(self) -> JsonDict:
        """What the maker of the store said about its origin."""
        return self._root.provenance

    @property
    def samples_per_shard(self) -> int:
        """Number of samples that share a file, per column; the last shard may have fewer."""
        return self._root.plan.samples_per_shard

    @property
    def keys(self) -> tuple[SampleKey, ...]:
        """The sample of each row; its variants have the same key."""
        if self._keys is None:
            self._keys = tuple(SampleKey(_text(row)) for row in self._row_array("key"))
        return self._keys

    @property
    def variants(self) -> npt.NDArray[np.int32]:
        """(rows,) int32: 0 is the untouched original, others are augmentations."""
        return self._row_array("variant")

    def read(self, column: str, index: int) -> Array:
        """Return one sample of a column, (H, W[, C]), as stored.

        Raises:
            UnknownNameError: If there is no such column.
            IndexError: If the index is not in 0..len - 1.
            DamagedStoreError: If the shard file is missing, cut or fails its checksum. Names file and sample.
        """
        return self._sample(self._spec(column).name, index)

    def read_valid(self, column: str, index: int) -> Mask:
        """Return the mask (H, W) of one sample, true where the column is valid; all true for columns without masks.

        Raises:
            UnknownNameError, IndexError, DamagedStoreError: As `read`.
        """
        spec = self._spec(column)
        if not spec.masked:
            self._check_index(index)
            return np.ones(spec.shape[:2], np.bool_)
        return self._sample(valid_name(column), index).astype(np.bool_)

    def read_batch(self, column: str, indices: Sequence[int], out: Array | None = None) -> Array:
        """Return samples of a column, (N, H, W[, C]), as stored.

        Args:
            column: Its name.
            indices: Rows in any order.
            out: Array to fill and return, of the result's shape and dtype.

        Raises:
            ValueError: If `out` has another shape or dtype.
            UnknownNameError, IndexError, DamagedStoreError: As `read`.
        """
        spec = self._spec(column)
        shape = (len(indices), *spec.shape)
        batch = np.empty(shape, spec.dtype) if out is None else out
        if batch.shape != shape or batch.dtype != np.dtype(spec.dtype):
            raise ValueError(f"out must be {shape} {spec.dtype}, not {batch.shape} {batch.dtype}")
        for place, index in enumerate(indices):  # one by one: fancy indexing in zarr-python is some 50 times slower
            batch[place] = self._sample(column, index)
        return batch

    def camera_K(self, index: int) -> Matrix | None:  # noqa: N802  (the field's notation)
        """Return the (3, 3) intrinsics at the stored size in pixels, or None where unknown."""
        return self._matrix("camera_K", index)

    def pose(self, index: int) -> Matrix | None:
        """Return the (4, 4) camera-to-world transform in metres, or None where unknown."""
        return self._matrix("pose", index)

    def motion(self, index: int) -> Matrix | None:
        """Return the (4, 4) transform of points to the neighbour's camera in metres, or None where unknown."""
        return self._matrix("motion", index)

    def source_size(self, index: int) -> tuple[int, int]:
        """Return (width, height) of the original image in pixels."""
        width, height = self._row("source_size", index).tolist()
        return width, height

    def source_paths(self, index: int) -> dict[str, str]:
        """Return the original files by column, relative to the dataset's root."""
        paths: dict[str, str] = json.loads(_text(self._row("source_paths", index)))
        return paths

    def augmentation(self, index: int) -> JsonDict:
        """Return what the augmentation of this row drew; empty for the untouched original."""
        drawn: JsonDict = json.loads(_text(self._row("augmentation", index)))
        return drawn

    def _spec(self, column: str) -> ArraySpec:
        if column not in self._specs:
            raise UnknownNameError(f"{self.path} has no column {column!r}. Its columns: {', '.join(self._specs)}")
        return self._specs[column]

    def _check_index(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} is not in 0..{len(self) - 1} of {self.path}")

    def _sample(self, name: str, index: int) -> Array:
        self._check_index(index)
        return self._load(name, index // self.samples_per_shard, index)

    def _row(self, name: str, index: int) -> Array:
        self._check_index(index)
        values: Array = self._row_array(name)[index]
        return values

    def _matrix(self, name: str, index: int) -> Matrix | None:
        matrix = self._row(name, index)
        return None if np.isnan(matrix).any() else matrix.copy()

    def _row_array(self, name: str) -> Array:
        if name not in self._rows:
            plan = self._root.plan
            parts = []
            for shard in range(plan.shards):
                rows = plan.shard_rows(shard)
                parts.append(self._load(name, shard, slice(rows.start, rows.stop)))
            whole = np.concatenate(parts)
            whole.setflags(write=False)
            self._rows[name] = whole
        return self._rows[name]

    def _load(self, name: str, shard: int, rows: int | slice) -> Array:
        """Read rows of one shard; zarr-python alone would return fill values for a missing or empty file."""
        file = self._layouts[name].file(shard)
        reason = wrong_size(self.path / file, self._root.files[file])
        if reason is None:
            try:
                return np.asarray(self._array(name)[rows])
            except (ValueError, RuntimeError, OSError) as error:
                reason = str(error)
        affected = range(rows, rows + 1) if isinstance(rows, int) else range(rows.start, rows.stop)
        raise DamagedStoreError(f"{self.path}: shard file {file} is damaged: {reason}. {self._lost(name, affected)}")

    def _array(self, name: str) -> zarr.Array[Any]:
        if self._pid != os.getpid():
            self._arrays, self._pid = {}, os.getpid()
        if name not in self._arrays:
            # The consolidated copy of the metadata is for other programs; the array's own file was checked.
            self._arrays[name] = zarr.open_array(LocalStore(self.path / name, read_only=True), mode="r", zarr_format=3)
        return self._arrays[name]

    def _check_files(self) -> None:
        plan = self._root.plan
        for name in self._layouts:
            file = f"{name}/zarr.json"
            reason = wrong_size(self.path / file, self._root.files[file])
            if reason is None and record_of((self.path / file).read_bytes()) != self._root.files[file]:
                reason = "its content is not what was written"
            if reason is not None:
                raise DamagedStoreError(f"{self.path}: {file} is damaged: {reason}. {REMEDY}")
        for name in self._layouts:
            for shard in range(plan.shards):
                file = self._layouts[name].file(shard)
                reason = wrong_size(self.path / file, self._root.files[file])
                if reason is not None:
                    lost = self._lost(name, plan.shard_rows(shard))
                    raise DamagedStoreError(f"{self.path}: shard file {file} is damaged: {reason}. {lost}")

    def _lost(self, name: str, rows: range) -> str:
        first = ", ".join(self._key_or_row(name, row) for row in rows[:_MAX_NAMES_IN_MESSAGE])
        more = f" and {len(rows) - _MAX_NAMES_IN_MESSAGE} more" if len(rows) > _MAX_NAMES_IN_MESSAGE else ""
        return f"Lost of {name}: {first}{more}. {REMEDY}"

    def _key_or_row(self, name: str, row: int) -> str:
        if name != "key":
            try:
                return f"sample {_text(self._load('key', row // self.samples_per_shard, row))} (row {row})"
            except DamagedStoreError:
                pass  # the keys are damaged too; the row's number still tells which sample it is
        return f"row {row}"


def _text(padded: Array) -> str:
    return padded.tobytes().rstrip(b"\0").decode()
