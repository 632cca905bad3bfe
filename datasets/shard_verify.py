"""Checking a shard store file by file, without zarr-python, against what its writer recorded."""

import json
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.errors import DamagedStoreError, StoreNotFoundError
from segprep.datasets.sample import SampleKey
from segprep.datasets.shard_codec import decode_chunk, split_shard
from segprep.datasets.shard_layout import ArrayLayout, StorePlan
from segprep.datasets.shard_metadata import ROOT_FILE
from segprep.datasets.shard_root import StoreRoot, read_root, record_of, wrong_size

__all__ = ["Damage", "verify_store"]


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
    """
    if not path.is_dir():
        raise StoreNotFoundError(f"there is no shard store {path}: no such folder. `prep shard` makes one")
    try:
        root = read_root(path)
    except DamagedStoreError as error:
        return [Damage(ROOT_FILE, str(error))]
    plan = root.plan
    damages = _metadata_damages(path, root)
    keys = _Keys(path, plan)
    for layout in plan.arrays().values():
        for shard in range(plan.shards):
            file = layout.file(shard)
            reason = wrong_size(path / file, root.files[file])
            lost = list(plan.shard_rows(shard))
            if reason is None and not fast:
                reason, lost = _content_damage(path, root, layout, shard)
            if reason is not None:
                damages.append(Damage(file, reason, tuple(keys.name(row) for row in lost), shard))
    known = root.files.keys() | {ROOT_FILE}
    strays = sorted(f.relative_to(path).as_posix() for f in path.rglob("*") if not f.is_dir())
    damages += [Damage(file, "the file is no part of the store") for file in strays if file not in known]
    return damages


def _metadata_damages(path: Path, root: StoreRoot) -> list[Damage]:
    damages = []
    consolidated = json.loads((path / ROOT_FILE).read_bytes()).get("consolidated_metadata") or {}
    for name in root.plan.arrays():
        file = f"{name}/{ROOT_FILE}"
        reason = wrong_size(path / file, root.files[file])
        if reason is None:
            content = (path / file).read_bytes()
            if record_of(content) != root.files[file]:
                reason = "its content is not what was written"
            elif consolidated.get("metadata", {}).get(name) != json.loads(content):
                damages.append(Damage(ROOT_FILE, f"its consolidated copy of {file} differs from that file"))
        if reason is not None:
            damages.append(Damage(file, reason))
    return damages


def _content_damage(path: Path, root: StoreRoot, layout: ArrayLayout, shard: int) -> tuple[str | None, list[int]]:
    """Return what is wrong with the content of a file of the right size, and the rows that are lost by it."""
    file = layout.file(shard)
    rows = root.plan.shard_rows(shard)
    try:
        content = (path / file).read_bytes()
    except OSError as error:
        return f"the file is not readable: {error.strerror}", list(rows)
    reason, lost = _undecodable(content, layout, rows)
    if reason is None and record_of(content) != root.files[file]:
        # Every chunk is sound, so this is another shard than the one that was written.
        return "its SHA-256 digest is not the recorded one", list(rows)
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
        except (OSError, DamagedStoreError):
            return None
        return [SampleKey(row.tobytes().rstrip(b"\0").decode()) for row in padded]
