"""`prep verify --repair`: the damaged shards of a store are made again from the workspace's cells, byte by byte."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.program.progress import Progress
from segprep.datasets.shards.verify import Damage
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.stores.augment_request import AugmentRequest
from segprep.workflows.stores.place import StorePlace
from segprep.workflows.stores.planning import SplitPlan, plan_split
from segprep.workflows.stores.writing import write_split

__all__ = ["repair_store"]


def repair_store(
    table: Table, path: Path, damages: Sequence[Damage], cluster: ClusterOptions, progress: Progress
) -> None:
    """Make the damaged shards and metadata of a store again, and remove what does not belong to it.

    The repaired store is built beside the damaged one, whose good files it takes over, and then put in its place. The
    caller holds the writer lock.

    Raises:
        ConfigurationError: If the store is not one of the workspace's.
        ConflictError: If the workspace no longer holds what the store was made from, or the store is one of a newer
            segprep or of another program; nothing is changed.
        WriteFailedError: If the workspace cannot be written.
    """
    place = StorePlace(table, path.name.removesuffix(".zarr"))
    if path.resolve() != place.final.resolve() or place.split not in table.ledger.splits():
        raise ConfigurationError(
            f"{path} is no store of the workspace {table.workspace.root}, and only that can make its pixels again: go "
            "there, or name it with -C DIR"
        )
    rebuild = frozenset(damage.shard for damage in damages if damage.shard is not None)
    write_split(table, _plan(place, path), cluster, progress, rebuild=rebuild)


def _plan(place: StorePlace, path: Path) -> SplitPlan:
    """Return the plan by which a store was made: by its attributes, else by what the ledger knows of them."""
    known = place.last_finished()
    root = place.standing_root()
    if root is None:
        if known is None:
            raise ConflictError(f"{path} is damaged, and nobody knows how it was made: `prep shard` makes it anew")
        root = known.root
    augment = root.provenance.get("augmentation")
    plan = plan_split(
        place.table,
        place.split,
        [spec.name for spec in root.plan.specs],
        codec=root.plan.codec,
        per_shard=root.plan.samples_per_shard,
        require_all=False,
        augment=None if augment is None else AugmentRequest.from_json(augment),
        only=None if known is None or known.root != root else known.keys,
    )
    if plan.fingerprint == root.provenance.get("fingerprint"):
        # The same content, if perhaps by other versions of the libraries: whether by the same bytes, digests tell.
        return replace(plan, provenance=root.provenance)
    return plan
