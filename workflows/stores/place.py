"""The place of a split's store: what stands there, what ought to, and putting another store there."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.atomic import sync_folder
from segprep.datasets.errors import ConflictError, DamagedStoreError
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.root import (
    StoreRoot,
    is_foreign,
    newer_schema,
    parse_root,
    read_attributes,
    read_root,
    wrong_split,
)
from segprep.datasets.shards.swap import exchange
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.ledger_view import WHOLE_STORE
from segprep.workflows.ledger.table import Table
from segprep.workflows.stores.order import StoreOrder

__all__ = ["FinishedStore", "StorePlace", "put_in_place", "settle", "unsettled"]

_ASIDE = ".old"


@dataclass(frozen=True, slots=True)
class FinishedStore:
    """What a store was finished with.

    Attributes:
        root: Its attributes.
        keys: Its samples.
    """

    root: StoreRoot
    keys: tuple[SampleKey, ...]


@dataclass(frozen=True, slots=True)
class StorePlace:
    """Where a split's store stands and is built, and what the ledger knows of it.

    Attributes:
        table: The open table.
        split: The split.
    """

    table: Table
    split: str

    @property
    def final(self) -> Path:
        """Where the finished store stands."""
        return self.table.workspace.store_path(self.split)

    @property
    def building(self) -> Path:
        """Where it is built."""
        return self.final.with_name(f"{self.final.name}.partial")

    def holds(self, fingerprint: str) -> bool:
        """Whether a store stands there, with files of the right sizes and just this content."""
        try:
            if not self.final.exists():
                return False
            return ShardStore.open(self.final, self.split).provenance.get("fingerprint") == fingerprint
        except DamagedStoreError:
            return False

    def standing_root(self, path: Path | None = None) -> StoreRoot | None:
        """Return the attributes of the store that stands there; None if they are damaged or of another split's store.

        Args:
            path: Where it stands for the moment; None for its own place.
        """
        path = path or self.final
        with contextlib.suppress(DamagedStoreError):
            root = read_root(path)
            return root if wrong_split(path, root.plan, self.split) is None else None
        return None

    def standing_plan(self) -> StorePlan | None:
        """Return the plan of the store that stands there, damaged or not; None if there is none.

        Raises:
            ConflictError: If something stands there that is not the workspace's to replace: the store of a newer
                segprep or of another program, or no store at all.
        """
        path = self.final
        if not path.exists():
            path = _aside(path)  # where `settle` will find it
        if not path.exists():
            return None
        attributes: JsonDict = {}
        if path.is_dir() and not path.is_symlink():
            # Damaged ones are ours, if we ever finished one: the ledger knows how it was made.
            with contextlib.suppress(DamagedStoreError):
                attributes = read_attributes(path)
        if is_foreign(attributes):
            raise ConflictError(f"{path} is a store that another program wrote: move it away, it would be replaced")
        if newer_schema(attributes):
            raise ConflictError(
                f"{path} has schema version {attributes['schema_version']} and was written by a newer segprep: update "
                "segprep, or move the store away"
            )
        standing = self.standing_root(path)
        if standing is not None:
            return standing.plan
        known = self.last_finished()
        if known is None and not self.shard_reports():
            raise ConflictError(f"{path} is in the way and no store of this workspace: move it away")
        return None if known is None else known.root.plan

    def shard_reports(self) -> dict[int, tuple[str, JsonDict]]:
        """Return number to (fingerprint, report) of the shards that were written, and of the whole store."""
        return self.table.ledger.shard_reports(self.split)

    def record_shard(self, index: int, fingerprint: str, report: JsonDict) -> None:
        """Commit that a shard was written."""
        self.table.ledger.record_shard(self.split, index, fingerprint, report)

    def last_finished(self) -> FinishedStore | None:
        """Return what the store was last finished with; None if there never was one."""
        _, report = self.shard_reports().get(WHOLE_STORE, ("", None))
        if report is None:
            return None
        try:
            return FinishedStore(parse_root(report["attributes"], self.split), tuple(map(SampleKey, report["keys"])))
        except DamagedStoreError:  # of another version of segprep
            return None

    def remember(self, order: StoreOrder, finished: FinishedStore) -> None:
        """Have the ledger know the order of the samples and what the store is finished with, to make it again."""
        self.table.ledger.set_store_order(self.split, order.keys, order.seed)
        attributes = finished.root.to_attributes()
        digest, _ = self.shard_reports().get(WHOLE_STORE, ("", None))
        if digest != attributes["digest"]:
            self.record_shard(
                WHOLE_STORE, attributes["digest"], {"attributes": attributes, "keys": list(finished.keys)}
            )


def unsettled(workspace: Workspace) -> list[Path]:
    """Return the places of stores where a killed `put_in_place` left something."""
    return [aside.with_name(aside.name.removesuffix(_ASIDE)) for aside in workspace.shards_dir.glob(f"*.zarr{_ASIDE}")]


def settle(place: Path) -> None:
    """Undo or end what a killed `put_in_place` left."""
    aside = _aside(place)
    if aside.exists() and not place.exists():
        aside.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


def put_in_place(built: Path, place: Path) -> None:
    """Put a finished store where its split's store is expected, and remove the one that stood there.

    Where the file system lets two folders change places, a process killed at any moment leaves the one or the other
    store there; elsewhere there is a moment without any, which `settle` ends.

    Raises:
        OSError: If a folder cannot be renamed.
    """
    aside = _aside(place)
    if not place.exists():
        built.rename(place)
    else:
        # By this name what stood there is recognised as something to remove.
        built.rename(aside)
        if not exchange(aside, place):
            aside.rename(built)
            place.rename(aside)
            built.rename(place)
    sync_folder(place.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _aside(place: Path) -> Path:
    return place.with_name(f"{place.name}{_ASIDE}")
