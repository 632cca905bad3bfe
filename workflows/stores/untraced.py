"""Stores that do not say from which cells their rows were made: they still have one fingerprint over all of them."""

from pathlib import Path

from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.root import read_root
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import Table
from segprep.workflows.stores.planning import content_fingerprint, row_fingerprints

__all__ = ["holds_what_the_table_holds"]


def holds_what_the_table_holds(table: Table, store: ShardStore) -> bool:
    """Return whether `prep shard` would make the same store of the same samples and columns now.

    Raises:
        DamagedStoreError: If the store's keys or attributes cannot be read.
    """
    existing = table.columns()
    if not existing.keys() >= store.columns.keys():
        return False
    columns = [existing[name] for name in store.columns]
    samples = {sample.record.key: sample for sample in table.ledger.samples(Selection(splits=(store.split,)))}
    keys = list(dict.fromkeys(store.keys))
    if any(key not in samples or not samples[key].fingerprints.keys() >= store.columns.keys() for key in keys):
        return False
    rows = row_fingerprints(table.workspace, [samples[key] for key in keys], columns)
    drawn = store.provenance.get("augmentation")
    plan = read_root(Path(store.path)).plan
    found = content_fingerprint(table.workspace, plan, [rows[key] for key in keys], drawn)
    return bool(found == store.provenance.get("fingerprint"))
