"""Writing a shard store: first its metadata, then shard by shard in any order and process, last its attributes.

A shard's files belong to one call of `write_shard`; no two processes may write the same shard.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes, remove_partials
from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import (
    ConfigurationError,
    ConflictError,
    DamagedStoreError,
    SizeMismatchError,
)
from segprep.datasets.file_records import FileRecord, record_of, wrong_size
from segprep.datasets.sample import Array, JsonDict
from segprep.datasets.shards.chunks import checksum_of, encode_chunk, join_shard
from segprep.datasets.shards.columns import ArraySpec, valid_name
from segprep.datasets.shards.layout import CHUNK_CHECKSUMS, ArrayLayout, StorePlan
from segprep.datasets.shards.metadata import ROOT_FILE, array_files, root_file
from segprep.datasets.shards.parts import ColumnParts, EncodedRows
from segprep.datasets.shards.root import StoreRoot
from segprep.datasets.shards.rows import ShardRows, row_values
from segprep.datasets.shards.statistics import Statistics, statistics_from_json, sum_of

__all__ = ["ShardReport", "create_store", "finish_store", "write_shard"]


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What `finish_store` must know of a written shard.

    Attributes:
        index: Which shard.
        files: Path relative to the store, of every file written.
        statistics: By column, over this shard's samples.
    """

    index: int
    files: Mapping[str, FileRecord]
    statistics: Mapping[str, Statistics]

    def to_json(self) -> JsonDict:
        """Return an object of plain values that `from_json` reads back exactly."""
        return {
            "index": self.index,
            "files": {path: [r.size, r.sha256] for path, r in self.files.items()},
            "statistics": {name: s.to_json() for name, s in self.statistics.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ShardReport":
        """Build a report from what `to_json` returned."""
        return cls(
            index=data["index"],
            files={path: FileRecord(size, sha256) for path, (size, sha256) in data["files"].items()},
            statistics={name: statistics_from_json(s) for name, s in data["statistics"].items()},
        )


def create_store(path: Path, plan: StorePlan) -> None:
    """Write the metadata of the group and its arrays, or accept those of an earlier run of the same plan.

    The group has no attributes yet, so that readers know the store as unfinished.

    Raises:
        ConflictError: If the folder holds a finished store or one of another plan.
        WriteFailedError: If it cannot be written.
    """
    # The root first: it tells another plan, however early the run of that plan was killed.
    for name, content in ({ROOT_FILE: root_file(plan, {})} | array_files(plan)).items():
        file = path / name
        if not file.exists():
            _write(file, [content])
        elif file.read_bytes() != content:
            raise ConflictError(
                f"{file} belongs to a finished store or to one of other columns or sizes. Delete {path}"
            )


def write_shard(path: Path, plan: StorePlan, index: int, rows: ShardRows | EncodedRows) -> ShardReport:
    """Write all files of one shard, each whole or not at all.

    Raises:
        SizeMismatchError: If a block's shape is not the plan's.
        CodeRangeError: If a block's dtype is not the plan's, or a row's text is longer than the plan says.
        LabelIdError: If a label is neither a train id of its column nor 255.
        WriteFailedError: If a file cannot be written.
    """
    expected = plan.shard_rows(index)
    if not 0 <= index < plan.shards or len(rows.rows) != len(expected):
        raise SizeMismatchError(
            f"{len(rows.rows)} samples are no shard {index} of {plan.shards} of a store of {plan.rows}"
        )
    layouts = plan.arrays()
    files: dict[str, FileRecord] = {}
    statistics: dict[str, Statistics] = {}
    checksums: list[list[int]] = []

    def write(name: str, parts: list[bytes]) -> None:
        file = layouts[name].file(index)
        files[file] = _write(path / file, parts)

    def write_chunks(name: str, chunks: Sequence[bytes]) -> None:
        checksums.append([checksum_of(chunk) for chunk in chunks])
        write(name, join_shard(chunks, plan.samples_per_shard))

    for spec in plan.specs:
        parts = rows.columns[spec.name] if isinstance(rows, EncodedRows) else _encoded(spec, plan.codec, rows)
        if len(parts.chunks) != len(expected):
            raise SizeMismatchError(f"column {spec.name} has {len(parts.chunks)} rows of {len(expected)}")
        if parts.statistics is not None:
            statistics[spec.name] = parts.statistics
        write_chunks(spec.name, parts.chunks)
        if spec.masked:
            write_chunks(valid_name(spec.name), parts.mask_chunks)
    values_of = row_values(plan, rows.rows)
    if plan.traced:
        values_of[CHUNK_CHECKSUMS] = np.array(checksums, np.uint32).T
    for name, values in values_of.items():
        write(name, [_encode_rows(layouts[name], values)])
    return ShardReport(index, files, statistics)


def finish_store(
    path: Path, plan: StorePlan, reports: Iterable[ShardReport], class_map: ClassMap, provenance: Mapping[str, Any]
) -> None:
    """Write the attributes, which declare the store finished. Left-over temporary files are removed.

    Args:
        path: The store's folder; it may be renamed afterwards.
        plan: The plan that the shards were written by.
        reports: One of each shard, in any order.
        class_map: Of the column `label`.
        provenance: JSON values. For equal bytes wherever the store is made, no time, host or absolute path.

    Raises:
        DamagedStoreError: If a shard was not reported, or a file is absent or of another size than reported.
        ConfigurationError: If the class map is not that of the labels, or the provenance is not JSON.
        WriteFailedError: If it cannot be written.
    """
    label = next((s for s in plan.specs if s.name == "label"), None)
    if label is not None and label.classes != class_map.names:
        raise ConfigurationError(f"the labels of {path} have the classes {label.classes}, not {class_map.names}")
    by_index = {report.index: report for report in reports}
    missing = [i for i in range(plan.shards) if i not in by_index]
    if missing or len(by_index) != plan.shards:
        raise DamagedStoreError(f"{path}: not one report of each of {plan.shards} shards; missing: {missing}")
    statistics: dict[str, Statistics] = {}
    files: dict[str, FileRecord] = {name: record_of(content) for name, content in array_files(plan).items()}
    for _, report in sorted(by_index.items()):
        files |= report.files
        for name, part in report.statistics.items():
            statistics[name] = sum_of(statistics[name], part) if name in statistics else part
    for name, record in files.items():
        reason = wrong_size(path / name, record)
        if reason is not None:
            raise DamagedStoreError(f"{path}: {name} is not what was reported: {reason}. Write its shard again")
    try:
        attributes = StoreRoot(plan, class_map, statistics, dict(provenance), files).to_attributes()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"the provenance of {path} cannot be stored: {error}") from error
    for folder in (path, *(path / name for name in plan.arrays())):
        remove_partials(folder)
    _write(path / ROOT_FILE, [root_file(plan, attributes)])


def _encoded(spec: ArraySpec, codec: str, rows: ShardRows) -> ColumnParts:
    """Encode a column's cells one by one, so that little more than the bytes of its file are in memory."""
    parts = ColumnParts(spec, codec)
    for number, (stored, valid) in enumerate(rows.cells(spec.name)):
        if number == len(rows.rows):
            raise SizeMismatchError(f"column {spec.name} has more than {number} rows")
        parts.add(rows.rows[number], stored, valid)
    return parts


def _encode_rows(layout: ArrayLayout, values: Array) -> bytes:
    whole = np.full((layout.rows_per_file, *layout.shape[1:]), layout.fill, layout.dtype)
    whole[: len(values)] = values
    return encode_chunk(whole, layout.codec)


def _write(file: Path, parts: Sequence[bytes]) -> FileRecord:
    with ThreadPoolExecutor(1) as beside:  # while the disk works
        record = beside.submit(record_of, *parts)
        atomic_write_bytes(file, *parts, durable=True)
        return record.result()
