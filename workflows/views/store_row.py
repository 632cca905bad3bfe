"""`prep peek`: one row of a store in numbers, and every column of it in one picture."""

import fnmatch
from pathlib import Path

import numpy as np

from segprep.datasets.codes import code_from_json
from segprep.datasets.drawing.sheet import compose
from segprep.datasets.drawing.tile import RgbPicture
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array, JsonDict, Mask
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.workspace.cells import Column
from segprep.workflows.views.tiles import column_tile

__all__ = ["default_path", "describe_row", "draw_row", "find_row"]


def find_row(store: ShardStore, key: str, variant: int | None) -> int:
    """Return the first row whose key is `key` or matches it as a glob.

    Args:
        store: An open store.
        key: A key, a glob, or the number of a row.
        variant: Of the sample; None for the first one that is stored.

    Raises:
        ConfigurationError: If there is none.
    """
    rows = [i for i, each in enumerate(store.keys) if each == key or fnmatch.fnmatchcase(each, key)]
    if not rows and key.isdecimal() and int(key) < len(store):
        rows = [int(key)]
    if not rows:
        raise ConfigurationError(
            f"{store.path} has no sample {key!r}; its {len(store)} rows begin with {store.keys[0]}: give a key, a glob "
            "such as '*07961', or a row's number"
        )
    found = [i for i in rows if variant is None or store.variants[i] == variant]
    if not found:
        offered = sorted({int(store.variants[i]) for i in rows if store.keys[i] == store.keys[rows[0]]})
        raise ConfigurationError(f"sample {store.keys[rows[0]]} has no variant {variant} here; it has {offered}")
    return found[0]


def describe_row(store: ShardStore, row: int) -> JsonDict:
    """Return what a store holds of a row, as JSON values."""
    matrices = {"camera_K": store.camera_K(row), "pose": store.pose(row), "motion": store.motion(row)}
    return {
        "store": str(store.path),
        "row": row,
        "key": store.keys[row],
        "variant": int(store.variants[row]),
        "augmentation": store.augmentation(row),
        "source_size": list(store.source_size(row)),
        "source_paths": store.source_paths(row),
        **{name: None if matrix is None else matrix.tolist() for name, matrix in matrices.items()},
        "columns": {name: _describe_column(store, spec, row) for name, spec in store.columns.items()},
    }


def draw_row(store: ShardStore, row: int) -> RgbPicture:
    """Draw all columns of a row, (H, W, 3) uint8 RGB."""
    tiles = []
    for name, spec in store.columns.items():
        column = Column(name, spec.kind, code_from_json(spec.code), tuple(sorted(_texts(store, spec).items())))
        tiles.append(column_tile(column, *_read(store, spec, row), store.class_map))
    return compose(f"{store.split}: {store.keys[row]}, variant {store.variants[row]}", tiles)


def _describe_column(store: ShardStore, spec: ArraySpec, row: int) -> JsonDict:
    stored, valid = _read(store, spec, row)
    seen = stored if valid is None else stored[valid]
    far = spec.far_number
    finite = seen if far is None else seen[seen != far]
    return {
        "kind": spec.kind.value,
        "shape": list(stored.shape),
        "dtype": spec.dtype,
        "code": spec.code,
        "smallest": int(finite.min()) if finite.size else None,
        "largest": int(finite.max()) if finite.size else None,
        "infinitely_far": None if far is None else (seen.size - finite.size) / stored.size,
        "valid": None if valid is None else round(float(np.mean(valid)), 6),
    }


def _read(store: ShardStore, spec: ArraySpec, row: int) -> tuple[Array, Mask | None]:
    return store.read(spec.name, row), store.read_valid(spec.name, row) if spec.masked else None


def _texts(store: ShardStore, spec: ArraySpec) -> dict[str, str]:
    """Return the attributes, and the classes where they are no classes of the dataset."""
    own = {"classes": ",".join(spec.classes)} if spec.classes not in ((), store.class_map.names) else {}
    return own | {name: str(value) for name, value in spec.attributes.items()}


def default_path(path: Path, store: ShardStore, row: int) -> Path:
    """Return where the picture goes if nobody says: beside the store at `path`."""
    return path.absolute().with_name(f"{store.split}-{store.keys[row]}-{store.variants[row]}.png")
