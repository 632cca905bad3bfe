"""The `zarr.json` files of a shard store, made in memory so that a caller can write them durably."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.chunks import CODECS
from segprep.datasets.shards.layout import ArrayLayout, StorePlan

__all__ = ["ROOT_FILE", "array_files", "encode_root", "root_file"]

ROOT_FILE = "zarr.json"


def array_files(plan: StorePlan) -> dict[str, bytes]:
    """Return the metadata files of all arrays: path relative to the store, and content."""
    files: dict[str, Buffer] = {}
    group = zarr.create_group(MemoryStore(files), zarr_format=3)
    for layout in plan.arrays().values():
        _create(group, layout)
    return {path: content.to_bytes() for path, content in files.items() if path != ROOT_FILE}


def root_file(plan: StorePlan, attributes: JsonDict) -> bytes:
    """Return the group's metadata file with its attributes and the consolidated metadata of all arrays."""
    arrays = {path.removesuffix(f"/{ROOT_FILE}"): json.loads(content) for path, content in array_files(plan).items()}
    return encode_root(attributes, arrays)


def encode_root(attributes: JsonDict, arrays: Mapping[str, Any]) -> bytes:
    """Return the one spelling of a group's metadata file: as zarr-python writes it with consolidated metadata.

    Args:
        attributes: Of the group.
        arrays: Name of each array to the content of its metadata file.
    """
    consolidated = {"kind": "inline", "must_understand": False, "metadata": dict(sorted(arrays.items()))}
    document = {
        "attributes": attributes,
        "zarr_format": 3,
        "consolidated_metadata": consolidated,
        "node_type": "group",
    }
    return json.dumps(document, indent=2, allow_nan=False).encode()


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
