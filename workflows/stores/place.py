"""The place of a split's store: what stands there, what ought to, and putting another store there."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.atomic import sync_folder
from segprep.datasets.errors import ConflictError, DamagedStoreError
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.root import StoreRoot, is_foreign, newer_schema, parse_root, read_attributes, read_root
from segprep.datasets.shards.swap import exchange
from segprep.datasets.workspace import Workspace
from segprep.workflows.ledger.database import Ledger

__all__ = [
    "FinishedStore",
    "building_path",
    "last_finished",
    "put_in_place",
    "remember",
    "settle",
    "standing_plan",
    "unsettled",
]

# Among the reports of a split's shards the ledger keeps that of the whole store: its attributes and keys.
_WHOLE = -1
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


def building_path(workspace: Workspace, split: str) -> Path:
    """Return where a split's store is built."""
    final = workspace.store_path(split)
    return final.with_name(f"{final.name}.partial")


def standing_plan(workspace: Workspace, ledger: Ledger, split: str) -> StorePlan | None:
    """Return the plan of the store that stands in a split's place, damaged or not; None if there is none.

    Raises:
        ConflictError: If something stands there that is not the workspace's to replace: the store of a newer segprep or
            of another program, or no store at all.
    """
    place = workspace.store_path(split)
    if not place.exists():
        place = _aside(place)  # where `settle` will find it
    if not place.exists():
        return None
    attributes: JsonDict = {}
    if place.is_dir() and not place.is_symlink():
        with contextlib.suppress(DamagedStoreError):  # ours, if we ever finished one; the ledger knows how it was made
            attributes = read_attributes(place)
    if is_foreign(attributes):
        raise ConflictError(f"{place} is a store that another program wrote: move it away, it would be replaced")
    if newer_schema(attributes):
        raise ConflictError(
            f"{place} has schema version {attributes['schema_version']} and was written by a newer segprep: update "
            "segprep, or move the store away"
        )
    known = last_finished(ledger, split)
    with contextlib.suppress(DamagedStoreError):
        return read_root(place).plan
    if known is None and not ledger.shard_reports(split):
        raise ConflictError(f"{place} is in the way and no store of this workspace: move it away")
    return None if known is None else known.root.plan


def last_finished(ledger: Ledger, split: str) -> FinishedStore | None:
    """Return what a split's store was last finished with; None if there never was one."""
    _, report = ledger.shard_reports(split).get(_WHOLE, ("", None))
    if report is None:
        return None
    try:
        return FinishedStore(parse_root(report["attributes"], split), tuple(map(SampleKey, report["keys"])))
    except DamagedStoreError:  # of another version of segprep
        return None


def remember(ledger: Ledger, split: str, root: StoreRoot, keys: Sequence[SampleKey]) -> None:
    """Have the ledger know what a split's store is finished with, so that it can be made again."""
    attributes = root.to_attributes()
    digest, _ = ledger.shard_reports(split).get(_WHOLE, ("", None))
    if digest != attributes["digest"]:
        ledger.record_shard(split, _WHOLE, attributes["digest"], {"attributes": attributes, "keys": list(keys)})


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
