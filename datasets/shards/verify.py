"""Checking a shard store file by file, without zarr-python, against what its writer recorded."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segprep.datasets.documents import parse_json
from segprep.datasets.errors import DamagedStoreError, StoreNotFoundError
from segprep.datasets.file_records import read_recorded, wrong_size
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import SampleKey
from segprep.datasets.shards.chunks import decode_chunk, split_shard
from segprep.datasets.shards.layout import ArrayLayout, StorePlan
from segprep.datasets.shards.metadata import ROOT_FILE, encode_root
from segprep.datasets.shards.root import (
    StoreRoot,
    newer_schema,
    read_attributes,
    read_root,
    wrong_split,
)
from segprep.datasets.shards.rows import text_of
from segprep.datasets.source_files import read_file

__all__ = ["Damage", "verify_store"]


# What file browsers, editors and network disks leave behind; no reader looks at it.
_LEFT_BY_PROGRAMS = re.compile(
    r"\._.*|\.DS_Store|\.directory|\.nfs.*|Thumbs\.db|desktop\.ini|.*~|#.*#|\..*\.sw[a-z]|.*\.(?:bak|orig)"
).fullmatch


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged, missing or foreign file.

    Attributes:
        file: Path relative to the store.
        reason: What is wrong with it.
        keys: The samples whose values are lost; a row whose own key is lost too appears as "row 17".
        shard: Number of the shard to write again, or None for metadata and foreign files.
    """

    file: str
    reason: str
    keys: tuple[str, ...] = ()
    shard: int | None = None


def verify_store(path: Path, *, fast: bool = False) -> list[Damage]:
    """Return everything that is wrong with a store; an empty list means that it is whole.

    Args:
        path: The store.
        fast: Compare only the sizes of the shard files. Otherwise compare every digest and decode every chunk, which
            also tells which samples of a damaged shard are lost.

    Raises:
        StoreNotFoundError: If there is no such folder.
        DamagedStoreError: If its schema is newer than this program, which therefore cannot tell.
        MachineError: If the machine is to blame that a file cannot be read; nothing is known then.
    """
    while True:
        try:
            root = read_root(path)
        except StoreNotFoundError:
            raise
        except DamagedStoreError as error:
            if _is_newer(path):
                raise
            return [Damage(ROOT_FILE, str(error))]
        damages = _damages(path, root, fast=fast)
        if not damages or not _replaced(path, root):
            return damages


def _is_newer(path: Path) -> bool:
    try:
        return newer_schema(read_attributes(path))
    except DamagedStoreError:
        return False


def _replaced(path: Path, root: StoreRoot) -> bool:
    """Return whether another store took the place of the one that was being checked."""
    try:
        return read_root(path) != root
    except DamagedStoreError:
        return False


def _damages(path: Path, root: StoreRoot, *, fast: bool) -> list[Damage]:
    plan = root.plan
    damages = _metadata_damages(path, root)
    misplaced = wrong_split(path, plan)
    if misplaced is not None:
        damages.append(Damage(ROOT_FILE, misplaced))
    keys = _Keys(path, plan)
    for layout in plan.arrays().values():
        for shard in range(plan.shards):
            file = layout.file(shard)
            lost = list(plan.shard_rows(shard))
            if fast:
                reason = wrong_size(path / file, root.files[file])
            else:
                reason, lost = _content_damage(path, root, layout, shard)
            if reason is not None:
                damages.append(Damage(file, reason, tuple(keys.name(row) for row in lost), shard))
    known = root.files.keys() | {ROOT_FILE}
    strays = sorted(f.relative_to(path).as_posix() for f in path.rglob("*") if not f.is_dir())
    strays = [file for file in strays if file not in known and not any(map(_LEFT_BY_PROGRAMS, file.split("/")))]
    damages += [Damage(file, "the file is no part of the store") for file in strays]
    return damages


def _metadata_damages(path: Path, root: StoreRoot) -> list[Damage]:
    damages = []
    sound: dict[str, Any] = {}
    for name in root.plan.arrays():
        file = f"{name}/{ROOT_FILE}"
        content, reason = read_recorded(path / file, root.files[file])
        if reason is None:
            sound[name] = parse_json(content)
        else:
            damages.append(Damage(file, reason))
    reason = _root_reason(path, root, sound)
    return damages if reason is None else [Damage(ROOT_FILE, reason), *damages]


def _root_reason(path: Path, root: StoreRoot, arrays: dict[str, Any]) -> str | None:
    """Return what is wrong with the root's file beside the attributes, which have a digest of their own.

    Args:
        path: The store.
        root: Its attributes.
        arrays: What is in the metadata files of arrays; those that are damaged are left out.
    """
    try:
        content = read_file(path / ROOT_FILE)
        document = parse_json(content)
        copies = document["consolidated_metadata"]["metadata"]
        for name, own in arrays.items():
            if copies.get(name) != own:
                return f"its consolidated copy of {name}/{ROOT_FILE} differs from that file"
        expected = encode_root(document["attributes"], {name: copies[name] for name in root.plan.arrays()})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, OSError):
            blame_machine(path / ROOT_FILE, error)
        return f"its consolidated metadata are not readable: {error!r}"
    return None if content == expected else "it is not written as it was, outside of the attributes' values"


def _content_damage(path: Path, root: StoreRoot, layout: ArrayLayout, shard: int) -> tuple[str | None, list[int]]:
    """Return what is wrong with a shard file, and the rows that are lost by it."""
    file = layout.file(shard)
    rows = root.plan.shard_rows(shard)
    content, wrong = read_recorded(path / file, root.files[file])
    if not content:
        return wrong, list(rows)
    reason, lost = _undecodable(content, layout, rows)
    if reason is None and wrong is not None:  # every chunk is sound, so this is another shard's file
        return wrong, list(rows)
    return reason, lost


def _undecodable(content: bytes, layout: ArrayLayout, rows: range) -> tuple[str | None, list[int]]:
    if not layout.sharded:
        try:
            decode_chunk(content, (layout.rows_per_file, *layout.shape[1:]), layout.dtype, layout.codec)
        except DamagedStoreError as error:
            return str(error), list(rows)
        return None, []
    try:
        chunks = split_shard(content, len(rows), layout.rows_per_file)
    except DamagedStoreError as error:
        return str(error), list(rows)
    reason, lost = None, []
    for row, chunk in zip(rows, chunks, strict=True):
        try:
            decode_chunk(chunk, layout.shape[1:], layout.dtype, layout.codec)
        except DamagedStoreError as error:
            reason = str(error)
            lost.append(row)
    return reason, lost


class _Keys:
    """The keys of rows, read when damage is found and as far as they are readable."""

    def __init__(self, path: Path, plan: StorePlan) -> None:
        self._path = path
        self._plan = plan
        self._keys: dict[int, list[SampleKey] | None] = {}

    def name(self, row: int) -> str:
        shard, place = divmod(row, self._plan.samples_per_shard)
        if shard not in self._keys:
            self._keys[shard] = self._read(shard)
        keys = self._keys[shard]
        return f"row {row}" if keys is None else keys[place]

    def _read(self, shard: int) -> list[SampleKey] | None:
        layout = self._plan.arrays()["key"]
        shape = (layout.rows_per_file, *layout.shape[1:])
        try:
            content = (self._path / layout.file(shard)).read_bytes()
            padded = decode_chunk(content, shape, layout.dtype, layout.codec)
            return [SampleKey(text_of(row)) for row in padded]
        except (OSError, DamagedStoreError, UnicodeDecodeError):
            return None
