"""Reading a shard store."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import (
    DamagedStoreError,
    MachineError,
    StoreChangedError,
    StoreNotFoundError,
    UnknownNameError,
)
from segprep.datasets.machine import machine_error
from segprep.datasets.sample import Array, JsonDict, Mask, Matrix, SampleKey
from segprep.datasets.shards.arrays import Corner, StoreArrays, UnreadableRowsError
from segprep.datasets.shards.columns import ArraySpec, valid_name
from segprep.datasets.shards.layout import CELL_DIGESTS
from segprep.datasets.shards.local import LocalArrays
from segprep.datasets.shards.remote import ZarrArrays, other_root
from segprep.datasets.shards.root import MISPLACED_REMEDY, REMEDY, StoreRoot, read_root, wrong_split
from segprep.datasets.shards.rows import text_of
from segprep.datasets.shards.statistics import Statistics

__all__ = ["ShardStore"]


_MAX_NAMES_IN_MESSAGE = 8


class ShardStore:
    """A finished shard store, `<split>.zarr`. Make one with `open`.

    Threads may share it, and it may be pickled and used after a fork: what is open stays with its process.
    A local store that segprep wrote is read by mapping its files, every other one by zarr-python.

    Attributes:
        path: The store's absolute path, or its URL.
    """

    def __init__(self, path: Path | str, root: StoreRoot) -> None:
        self.path = path
        self._root = root
        self._specs = {spec.name: spec for spec in root.plan.specs}
        self._keys: tuple[SampleKey, ...] | None = None
        self._rows: dict[str, Array] = {}
        local = isinstance(path, Path) and root.files
        self._arrays: StoreArrays = LocalArrays(Path(path), root) if local else ZarrArrays(path, root)

    @classmethod
    def open(cls, path: Path | str, split: str | None = None) -> "ShardStore":
        """Open a store after the checks that are cheap: attributes, metadata, presence and size of every file.

        Args:
            path: A folder, or a URL of a kind that fsspec knows, for example `s3://bucket/train.zarr`.
            split: The split that it must hold. None if only its name tells: `train.zarr`, `val.zarr` and `test.zarr`
                must hold what they are called.

        Raises:
            DamagedStoreError: If there is no store, it is unfinished, of a newer schema, of another split, or a check
                fails. Names the files and the samples in them.
        """
        path = path if isinstance(path, str) and "://" in path else Path(path).absolute()
        root = _root(path)
        misplaced = wrong_split(path, root.plan, split)
        if misplaced is not None:
            raise DamagedStoreError(f"{path}: {misplaced}. {MISPLACED_REMEDY}")
        store = cls(path, root)
        try:
            store._arrays.check()
        except UnreadableRowsError as error:
            raise store._damaged(error) from error
        return store

    def __getstate__(self) -> tuple[Path | str, StoreRoot]:
        return self.path, self._root

    def __setstate__(self, state: tuple[Path | str, StoreRoot]) -> None:
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
    def digest(self) -> str | None:
        """SHA-256 over the store's attributes, those of all its files among them; None for another program's store."""
        return self._root.digest

    @property
    def samples_per_shard(self) -> int:
        """Number of samples that share a file, per column; the last shard may have fewer."""
        return self._root.plan.samples_per_shard

    @property
    def keys(self) -> tuple[SampleKey, ...]:
        """The sample of each row; its variants have the same key.

        Raises:
            DamagedStoreError: If they cannot be read.
        """
        if self._keys is None:
            try:
                self._keys = tuple(SampleKey(text_of(row)) for row in self._row_array("key"))
            except UnicodeDecodeError as error:
                raise DamagedStoreError(f"{self.path}: its keys are no UTF-8 ({error})") from error
        return self._keys

    @property
    def variants(self) -> npt.NDArray[np.int32]:
        """(rows,) int32: 0 is the untouched original, others are augmentations."""
        return self._row_array("variant")

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the workspace's cells that each row was made from: the columns, and the camera."""
        return self._root.plan.cells

    @property
    def cell_digests(self) -> npt.NDArray[np.uint8] | None:
        """(rows, cells, 8) uint8: the first bytes of the fingerprint of each cell, zeros where there was none.

        None if the store does not tell: it was written before segprep kept them, or by another program.
        """
        return self._row_array(CELL_DIGESTS) if self._root.plan.traced else None

    def read(self, column: str, index: int) -> Array:
        """Return one sample of a column, (H, W[, C]), as stored.

        Raises:
            UnknownNameError: If there is no such column.
            IndexError: If the index is not in 0..len - 1.
            DamagedStoreError: If the shard file is missing, cut or fails its checksum. Names file and sample.
            MachineError: If the machine is to blame that it cannot be read: too many open files, a failing disk.
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
        return np.not_equal(self._sample(valid_name(column), index), 0)

    def read_batch(self, column: str, indices: Sequence[int], out: Array | None = None) -> Array:
        """Return samples of a column, (N, H, W[, C]), as stored.

        Args:
            column: Its name.
            indices: Rows in any order.
            out: Array to fill and return, of the result's shape and dtype. Fastest where each sample is contiguous:
                then it is decoded straight into it.

        Raises:
            ValueError: If `out` has another shape or dtype.
            UnknownNameError, IndexError, DamagedStoreError: As `read`.
        """
        spec = self._spec(column)
        batch = _output(spec, (len(indices), *spec.shape), out)
        self._fill(column, indices, batch, None)
        return batch

    def read_crops(
        self,
        column: str,
        indices: Sequence[int],
        corners: Sequence[Corner],
        size: tuple[int, int],
        out: Array | None = None,
    ) -> Array:
        """Return a window of each sample of a column, (N, h, w[, C]), as stored.

        Columns of one store have one size: the same corners give the same part of every column. Of uncompressed
        columns nothing but the window is read, once the sample's checksum was compared.

        Args:
            column: Its name.
            indices: Rows in any order.
            corners: (y, x) of each window's first pixel.
            size: (h, w) of all windows.
            out: Array to fill and return, of the result's shape and dtype.

        Raises:
            ValueError: If a window does not lie within the sample, there are not as many corners as indices, or `out`
                has another shape or dtype.
            UnknownNameError, IndexError, DamagedStoreError: As `read`.
        """
        spec = self._spec(column)
        height, width = size
        inside = all(0 <= y <= spec.shape[0] - height and 0 <= x <= spec.shape[1] - width for y, x in corners)
        if len(corners) != len(indices) or height < 1 or width < 1 or not inside:
            raise ValueError(
                f"{len(indices)} windows of {width}x{height} at (y, x) = {list(corners)} do not lie within samples of "
                f"{spec.shape[1]}x{spec.shape[0]}"
            )
        batch = _output(spec, (len(indices), height, width, *spec.shape[2:]), out)
        self._fill(column, indices, batch, corners)
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
        paths: dict[str, str] = self._json("source_paths", index)
        return paths

    def augmentation(self, index: int) -> JsonDict:
        """Return what the augmentation of this row drew; empty for the untouched original."""
        return self._json("augmentation", index)

    def _spec(self, column: str) -> ArraySpec:
        if column not in self._specs:
            raise UnknownNameError(f"{self.path} has no column {column!r}. Its columns: {', '.join(self._specs)}")
        return self._specs[column]

    def _check_index(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} is not in 0..{len(self) - 1} of {self.path}")

    def _row(self, name: str, index: int) -> Array:
        self._check_index(index)
        values: Array = self._row_array(name)[index]
        return values

    def _json(self, name: str, index: int) -> JsonDict:
        try:
            data = json.loads(text_of(self._row(name, index)))  # names of files may be no UTF-8
        except (ValueError, RecursionError) as error:
            raise DamagedStoreError(f"{self.path}: {name} of row {index} is not readable: {error}") from error
        if not isinstance(data, dict):
            raise DamagedStoreError(f"{self.path}: {name} of row {index} is no JSON object")
        return data

    def _matrix(self, name: str, index: int) -> Matrix | None:
        matrix = self._row(name, index)
        return None if np.isnan(matrix).any() else matrix.copy()

    def _row_array(self, name: str) -> Array:
        if name not in self._rows:
            try:
                whole = self._arrays.rows(name)
            except UnreadableRowsError as error:
                raise self._damaged(error) from error
            whole.setflags(write=False)
            self._rows[name] = whole
        return self._rows[name]

    def _sample(self, name: str, index: int) -> Array:
        self._check_index(index)
        try:
            return self._arrays.read(name, index)
        except UnreadableRowsError as error:
            raise self._damaged(error) from error

    def _fill(self, name: str, indices: Sequence[int], out: Array, corners: Sequence[Corner] | None) -> None:
        for index in indices:
            self._check_index(index)
        try:
            self._arrays.fill(name, indices, out, corners)
        except UnreadableRowsError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: UnreadableRowsError) -> DamagedStoreError | MachineError:
        failed = machine_error(error)
        if failed is not None:
            return failed
        if self._arrays.replaced():
            return StoreChangedError(f"{self.path} was written anew since it was opened: run the command again")
        first = ", ".join(self._key_or_row(error.array, row) for row in error.rows[:_MAX_NAMES_IN_MESSAGE])
        more = f" and {len(error.rows) - _MAX_NAMES_IN_MESSAGE} more" if len(error.rows) > _MAX_NAMES_IN_MESSAGE else ""
        lost = f" Lost of {error.array}: {first}{more}." if error.rows else ""
        return DamagedStoreError(f"{self.path}: {error.where} is damaged: {error.reason}.{lost} {REMEDY}")

    def _key_or_row(self, name: str, row: int) -> str:
        if name != "key":
            try:
                keys, place = self._arrays.rows_near("key", row)
                return f"sample {text_of(keys[place])} (row {row})"
            except (UnreadableRowsError, UnicodeDecodeError):
                pass  # the keys are damaged too; the row's number still tells which sample it is
        return f"row {row}"


def _root(path: Path | str) -> StoreRoot:
    if isinstance(path, Path):
        try:
            return read_root(path)
        except DamagedStoreError:
            root = other_root(path)
            if root is None:
                raise
            return root
    root = other_root(path)
    if root is None:
        raise StoreNotFoundError(f"there is no finished shard store at {path}")
    return root


def _output(spec: ArraySpec, shape: tuple[int, ...], out: Array | None) -> Array:
    if out is None:
        return np.empty(shape, spec.dtype)
    if out.shape != shape or out.dtype != np.dtype(spec.dtype):
        raise ValueError(f"out must be {shape} {spec.dtype}, not {out.shape} {out.dtype}")
    return out
