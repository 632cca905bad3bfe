"""How a store stands to the workspace in whose folder it lies: what has changed since it was written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from segprep.datasets.errors import (
    ConfigurationError,
    ConflictError,
    DamagedLedgerError,
    UnreadableFileError,
    WorkspaceNotFoundError,
)
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.layout import CAMERA_CELL
from segprep.datasets.shards.rows import cell_digest
from segprep.datasets.workspace import Workspace, load_workspace
from segprep.datasets.workspace.ledger_view import KnownSplit, read_split

__all__ = ["UNTRACED", "changed_cells", "store_notices"]

UNTRACED: Final = "an older segprep wrote it, so it does not say which samples have changed since: see `prep status`"


def store_notices(store: ShardStore) -> list[str]:
    """Return sentences on what the workspace says of its store: nothing if it holds what the workspace holds now.

    Stores that lie outside of a workspace, and those of other programs, have none.

    Raises:
        DamagedStoreError: If the store's rows cannot be read.
    """
    workspace = _workspace_of(store)
    try:
        known = None if workspace is None or not store.digest else read_split(workspace, store.split)
    except (DamagedLedgerError, ConflictError, UnreadableFileError) as error:  # the store itself needs no ledger
        return [f"whether it is up to date is not known: {error}"]
    if workspace is None or known is None:
        return []
    notices = []
    if not known.wrote_shards:
        notices.append("this workspace did not write it: it comes from another one")
    elif known.last_store not in (None, store.digest):
        notices.append("it is not the store that the workspace wrote last, but an older one or another workspace's")
    notices += _changes(store, known)
    if "label" in store.columns and store.class_map != workspace.config.class_map:
        notices.append("prep.toml has other classes than it: run `prep resize`, then `prep shard`")
    return notices


def changed_cells(names: Sequence[str], digests: Array, now: Mapping[str, str]) -> list[str]:
    """Return which cells of a row are not those any more that it was made from.

    Args:
        names: Of a row's cells, as `ShardStore.cells`.
        digests: (cells, 8) uint8, a row of `ShardStore.cell_digests`.
        now: Column to fingerprint of the sample's done cells.
    """
    return [name for name, digest in zip(names, digests, strict=True) if cell_digest(now.get(name)) != digest.tobytes()]


def _workspace_of(store: ShardStore) -> Workspace | None:
    if not isinstance(store.path, Path):
        return None
    try:
        workspace = load_workspace(store.path.parent.parent)
    except (WorkspaceNotFoundError, ConfigurationError, UnreadableFileError):
        return None
    return workspace if workspace.store_path(store.split) == store.path else None


def _changes(store: ShardStore, known: KnownSplit) -> list[str]:
    digests = store.cell_digests
    rows = {key: row for row, key in enumerate(store.keys)}
    wanted = set(store.cells) - {CAMERA_CELL}
    new = sum(key not in rows and cells.keys() >= wanted for key, cells in known.cells.items())
    notices = [f"{_samples(new)} more could go into it: run `prep shard`"] if new else []
    gone = sum(key not in known.cells for key in rows)
    if gone:
        notices.append(f"{gone} of its {_samples(len(rows))} are not in the workspace any more: run `prep shard`")
    if digests is None:
        return [*notices, UNTRACED]
    now = known.cells
    found = {key: changed_cells(store.cells, digests[row], now[key]) for key, row in rows.items() if key in now}
    changed = {key: names for key, names in found.items() if names}
    if changed:
        columns = Counter(name for names in changed.values() for name in names)
        of = ", ".join(f"{name} of {n}" for name, n in sorted(columns.items()))
        notices.append(f"{len(changed)} of its {_samples(len(rows))} have changed since ({of}): run `prep shard`")
    return notices


def _samples(count: int) -> str:
    return f"{count} sample{'' if count == 1 else 's'}"
