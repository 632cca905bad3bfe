"""What `prep shard` does with its options: plan each split's store, write it, and say what it holds."""

from dataclasses import dataclass
from pathlib import Path

import typer

from segprep.datasets.errors import ConflictError, ExitCode
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.workflows.command import results
from segprep.workflows.command.printing import print_result, tell
from segprep.workflows.command.recorded_run import recorded
from segprep.workflows.ledger.table import open_for_writing, open_table
from segprep.workflows.running.batches import Interrupted
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.stores.augment_request import AugmentRequest
from segprep.workflows.stores.place import StorePlace
from segprep.workflows.stores.planning import plan_split
from segprep.workflows.stores.writing import SplitResult, write_split

__all__ = ["ShardCall", "shard"]


@dataclass(frozen=True, slots=True)
class ShardCall:
    """A call of `prep shard`."""

    columns: tuple[str, ...] | None
    require_all: bool
    codec: str
    samples_per_shard: int | None
    splits: tuple[str, ...]
    cluster: ClusterOptions
    augment: AugmentRequest | None = None
    augment_splits: tuple[str, ...] = ("train",)
    seed: int | None = None


def shard(place: Path, call: ShardCall, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """`prep shard`."""
    with open_table(place) if dry_run else open_for_writing(place) as table:
        table.require_splits(call.splits)
        if call.augment is not None:
            table.require_splits(call.augment_splits)
        plans = [
            plan_split(
                table,
                split,
                call.columns,
                codec=call.codec,
                per_shard=call.samples_per_shard,
                require_all=call.require_all,
                augment=call.augment if split in call.augment_splits else None,
                seed=call.seed,
            )
            for split in call.splits or table.ledger.prepared_splits()
        ]
        if not plans:
            raise ConflictError("there are no columns to shard yet: run `prep resize` first")
        unprepared = [] if call.splits else sorted(set(table.ledger.splits()) - {p.store.split for p in plans})
        if unprepared:
            tell(f"prep: nothing was made for split {', '.join(unprepared)} yet; it gets no store")
        unequal = results.unequal_columns(plans)
        if unequal is not None:
            tell(f"prep: {unequal}")
        if dry_run:
            held = {p.store.split for p in plans if StorePlace(table, p.store.split).holds(p.fingerprint)}
            would = [(p, SplitResult(False, {}) if p.store.split in held else None) for p in plans]
            print_result(results.shards(table.workspace, would, as_json=as_json))
            return
        arguments: JsonDict = {
            "columns": call.columns,
            "codec": call.codec,
            "splits": list(call.splits),
            "samples_per_shard": call.samples_per_shard,
            "augment": None if call.augment is None else call.augment.to_json(),
            "augment_splits": list(call.augment_splits),
        }
        with recorded(table, "shard", arguments):
            written = []
            for each in plans:
                with Progress(f"prep shard {each.store.split}", quiet=quiet) as progress:
                    try:
                        written.append((each, write_split(table, each, call.cluster, progress)))
                    except Interrupted:
                        tell("prep: interrupted; finished shards are kept. `prep shard` goes on from here")
                        raise typer.Exit(ExitCode.INTERRUPTED) from None
    print_result(results.shards(table.workspace, written, as_json=as_json))
