"""Whole shards written by zarr-python, one assignment per array, and made durable: what our writer is measured against.

The arrays are those of our stores, so that every file comes out with the same bytes. zarr-python gives a file its name
when it is whole; here file and folder are synced after that. It counts nothing, checks no ids, digests no file, keeps
no checksums of chunks. As ours, it writes chunks that hold nothing but the fill value, and so does not look for them.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from _read_data import Block

from segprep.datasets.atomic import sync_folder
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import valid_name
from segprep.datasets.shards.layout import CHUNK_CHECKSUMS, StorePlan
from segprep.datasets.shards.rows import ShardRows, row_values

__all__ = ["refuse_other_bytes", "write_by_zarr"]


def write_by_zarr(path: Path, plan: StorePlan, index: int, rows: ShardRows) -> None:
    """Write all files of one shard of a store that `create_store` began, as `write_shard` does."""
    layouts, place = plan.arrays(), plan.shard_rows(index)

    def write(name: str, values: Array) -> None:
        _opened(path / name)[place.start : place.stop] = values
        file = path / layouts[name].file(index)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        sync_folder(file.parent)

    with zarr.config.set({"array.write_empty_chunks": True}):
        for spec in plan.specs:
            cells = rows.cells(spec.name)
            if isinstance(cells, Block):
                write(spec.name, cells.stored)
                continue
            stored, valid = zip(*cells, strict=True)
            write(spec.name, np.stack(stored))
            if spec.masked:
                write(valid_name(spec.name), np.stack(valid))
        for name, values in row_values(plan, rows.rows).items():
            write(name, values)


def refuse_other_bytes(ours: Path, theirs: Path) -> None:
    """Refuse two stores whose files are not equal, but for the checksums of chunks, which zarr-python does not keep.

    Raises:
        SystemExit: If they are not.
    """
    files = {file.relative_to(path) for path in (ours, theirs) for file in path.rglob("*") if file.is_file()}
    for file in sorted(file for file in files if file.parts[0] != CHUNK_CHECKSUMS):
        if not all((path / file).exists() for path in (ours, theirs)):
            raise SystemExit(f"{file} is in only one of {ours} and {theirs}")
        if (ours / file).read_bytes() != (theirs / file).read_bytes():
            raise SystemExit(f"{file} differs between {ours} and {theirs}")


@cache
def _opened(path: Path) -> Any:  # noqa: ANN401  (an array of zarr-python, whose type depends on the version)
    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(path, mode="r+")
