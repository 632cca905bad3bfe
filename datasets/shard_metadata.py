"""The `zarr.json` files of a shard store, made by zarr-python in memory so that a caller can write them durably."""

import warnings
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.buffer import Buffer
from zarr.errors import ZarrUserWarning
from zarr.storage import MemoryStore

from segprep.datasets.sample import JsonDict
from segprep.datasets.shard_codec import CODECS
from segprep.datasets.shard_layout import ArrayLayout, StorePlan

__all__ = ["ROOT_FILE", "array_files", "root_file"]

ROOT_FILE = "zarr.json"


def array_files(plan: StorePlan) -> dict[str, bytes]:
    """Return the metadata files of all arrays: path relative to the store, and content."""
    return {path: content for path, content in _files(plan, {}).items() if path != ROOT_FILE}


def root_file(plan: StorePlan, attributes: JsonDict) -> bytes:
    """Return the group's metadata file with its attributes and the consolidated metadata of all arrays."""
    return _files(plan, attributes)[ROOT_FILE]


def _files(plan: StorePlan, attributes: JsonDict) -> dict[str, bytes]:
    files: dict[str, Buffer] = {}
    store = MemoryStore(files)
    group = zarr.create_group(store, zarr_format=3, attributes=attributes)
    for layout in plan.arrays().values():
        _create(group, layout)
    with warnings.catch_warnings():
        # Consolidated metadata are an extension of Zarr v3, which zarr-python says whenever it writes them.
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        zarr.consolidate_metadata(store, zarr_format=3)
    return {path: content.to_bytes() for path, content in files.items()}


def _create(group: zarr.Group, layout: ArrayLayout) -> None:
    settings = CODECS[layout.codec]
    compressors: list[Any] = [Crc32cCodec()]
    if settings is not None:
        compressors.insert(0, BloscCodec(**settings.to_json(np.dtype(layout.dtype).itemsize)))
    whole_file = (layout.rows_per_file, *layout.shape[1:])
    group.create_array(
        layout.name,
        shape=layout.shape,
        dtype=layout.dtype,
        chunks=(1, *layout.shape[1:]) if layout.sharded else whole_file,
        shards=whole_file if layout.sharded else None,
        filters=None,
        compressors=compressors,
        fill_value=layout.fill,
        # One flat folder per array: nothing but the file itself and that folder has to be flushed to the disk.
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=layout.dims,
        attributes=layout.attributes,
    )
