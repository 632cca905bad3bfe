"""Samples to predict of a workspace or of a store; neither needs labels."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.names import nearest_name
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, Pose, Sample, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Column, decode_cell
from segprep.datasets.workspace.ledger_view import read_columns, read_source_sizes, read_split
from segprep.train.predict.columns import kind_of_values
from segprep.train.predict.item import Item, LoadedItem

__all__ = ["store_items", "workspace_items"]


def store_items(store: ShardStore, wanted: Sequence[str]) -> tuple[list[Item], int]:
    """Return the original samples of a store, and how many augmented variants of them it holds beside.

    Args:
        store: The store.
        wanted: Its columns that are read.
    """
    state = {"store": str(store.path), "digest": store.digest}
    items = []
    for row, (key, variant) in enumerate(zip(store.keys, store.variants.tolist(), strict=True)):
        if variant == 0:
            inputs: JsonDict = {**state, "row": row}
            read = _row_reader(store, row, wanted, inputs)
            items.append(Item(key, f"{store.path}, sample {key}", read, _is(inputs)))
    return items, len(store) - len(items)


def workspace_items(workspace: Workspace, wanted: Sequence[str], splits: Sequence[str] = ()) -> tuple[list[Item], int]:
    """Return the samples of a workspace whose cells are done, and how many lack one.

    Args:
        workspace: The workspace.
        wanted: Its columns that are read.
        splits: Only samples of these; empty for all.

    Raises:
        ConfigurationError: If it has no such split.
        DamagedLedgerError: If its ledger cannot be read.
    """
    there, specs = read_columns(workspace)
    columns = {column.name: column for column in specs if column.name in wanted}
    for split in splits:
        if split not in there:
            raise ConfigurationError(f"{workspace.root} has no split {split!r}. {nearest_name(split, there)}")
    sizes = read_source_sizes(workspace)
    items, lacking = [], 0
    for split in splits or there:
        known = read_split(workspace, split)
        for key, done in () if known is None else known.cells.items():
            if any(name not in done for name in wanted):
                lacking += 1
                continue
            inputs: JsonDict = {name: done[name] for name in wanted}
            read = _cell_reader(workspace, split, key, columns, sizes.get(key), inputs)
            items.append(Item(f"{split}/{key}", f"{workspace.root}, sample {key}", read, _is(inputs)))
    return items, lacking


def _is(inputs: JsonDict) -> Callable[[Mapping[str, object]], bool]:
    return lambda recorded: recorded == inputs


def _row_reader(store: ShardStore, row: int, columns: Sequence[str], inputs: JsonDict) -> Callable[[], LoadedItem]:
    def read() -> LoadedItem:
        arrays: dict[str, Array] = {}
        valid: dict[str, Mask] = {}
        for name in columns:
            spec = store.columns[name]
            mask = store.read_valid(name, row) if spec.masked else None
            arrays[name], known = code_from_json(spec.code).decode(store.read(name, row), mask)
            if known is not None:
                valid[name] = known
        kinds = {
            name: kind_of_values(store.columns[name].kind, code_from_json(store.columns[name].code)) for name in arrays
        }
        height, width = next(iter(arrays.values())).shape[:2]
        K, pose = store.camera_K(row), store.pose(row)
        camera = None if K is None else Camera(K, width, height)
        sample = Sample(store.keys[row], arrays, kinds, valid, camera, None if pose is None else Pose(pose))
        original = store.source_size(row)
        return LoadedItem(sample, original if min(original) > 0 else (width, height), inputs)

    return read


def _cell_reader(
    workspace: Workspace,
    split: str,
    key: SampleKey,
    columns: Mapping[str, Column],
    original: tuple[int, int] | None,
    inputs: JsonDict,
) -> Callable[[], LoadedItem]:
    def read() -> LoadedItem:
        arrays: dict[str, Array] = {}
        kinds: dict[str, Kind] = {}
        valid: dict[str, Mask] = {}
        camera: Camera | None = None
        pose: Pose | None = None
        for name, column in columns.items():
            cell = decode_cell(workspace, split, column, key)
            if isinstance(cell.values, dict) or column.code is None:
                said: JsonDict = dict(cell.values)
                camera = Camera.from_json(said)
                pose = None if said.get("pose") is None else Pose(np.array(said["pose"]))
                continue
            arrays[name], kinds[name] = cell.values, kind_of_values(column.kind, column.code)
            if cell.valid is not None:
                valid[name] = cell.valid
        height, width = next(iter(arrays.values())).shape[:2]
        sample = Sample(key, arrays, kinds, valid, camera, pose)
        return LoadedItem(sample, original or (width, height), inputs)

    return read
