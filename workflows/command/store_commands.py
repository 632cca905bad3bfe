"""The `prep` commands that write and read stores; what they need is imported when they run."""

from pathlib import Path
from typing import Annotated

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.datasets.program.parameters import offer
from segprep.workflows.command.completion import columns as column_names
from segprep.workflows.command.completion import splits
from segprep.workflows.command.options import (
    Augment,
    DryRun,
    Preset,
    Quiet,
    Scheduler,
    Seed,
    SplitNames,
    VariantSize,
    Workers,
    parse_names,
    parse_pair,
)

__all__ = ["store_commands"]

_HERE = Path()


def store_commands(app: typer.Typer) -> None:
    """Register `shard`, `verify`, `stats` and `peek`."""
    for name, command in (("shard", _shard), ("verify", _verify), ("stats", _stats), ("peek", _peek)):
        app.command(name)(command)


def _shard(
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Columns to store. Default: all, except neighbouring images.",
            show_default=False,
            autocompletion=offer(column_names),
        ),
    ] = None,
    require_all: Annotated[bool, typer.Option("--require-all", help="Refuse to leave any sample out.")] = False,
    codec: Annotated[
        str,
        typer.Option(
            metavar="lz4|zstd|none", help="Compression.", autocompletion=offer(lambda _: ("lz4", "zstd", "none"))
        ),
    ] = "lz4",
    samples_per_shard: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Default: about 64 MB, at least 32.", show_default=False)
    ] = None,
    augment: Augment = None,
    preset: Preset = None,
    size: VariantSize = None,
    seed: Seed = None,
    augment_splits: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="Splits that get variants; the others stay as they are.",
            autocompletion=offer(splits),
        ),
    ] = "train",
    workspace: Directory = _HERE,
    workers: Workers = None,
    scheduler: Scheduler = None,
    split: SplitNames = None,
    dry_run: DryRun = False,
    as_json: JsonOutput = False,
    quiet: Quiet = False,
) -> None:
    """Freeze the table into one Zarr store per split, of the samples or of augmented variants of them."""
    from segprep.workflows.command import shard_action
    from segprep.workflows.running.cluster import ClusterOptions
    from segprep.workflows.stores.augment_request import augment_request

    call = shard_action.ShardCall(
        columns=parse_names(columns),
        require_all=require_all,
        codec=codec,
        samples_per_shard=samples_per_shard,
        splits=tuple(split or ()),
        cluster=ClusterOptions(workers, scheduler),
        augment=augment_request(augment, preset, parse_pair(size), seed),
        augment_splits=parse_names(augment_splits) or (),
        seed=seed,
    )
    shard_action.shard(workspace, call, dry_run=dry_run, as_json=as_json, quiet=quiet)


def _verify(
    stores: Annotated[
        list[Path] | None, typer.Argument(help="Stores; default: all of the workspace.", show_default=False)
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Only presence and sizes, not every checksum.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make what is damaged again from the workspace, byte by byte.")
    ] = False,
    workspace: Directory = _HERE,
    as_json: JsonOutput = False,
) -> None:
    """Check that stores and, if none is named, the workspace's cells are what was written; exit with 6 if not."""
    from segprep.workflows.command import store_actions

    store_actions.verify(stores or [], workspace, fast=fast, repair=repair, as_json=as_json)


def _stats(
    stores: Annotated[
        list[Path] | None, typer.Argument(help="Stores; default: all of the workspace.", show_default=False)
    ] = None,
    workspace: Directory = _HERE,
    as_json: JsonOutput = False,
) -> None:
    """Show pixels and weights of the classes, and mean, deviation and valid share of every column."""
    from segprep.workflows.command import store_actions

    store_actions.stats(stores or [], workspace, as_json=as_json)


def _peek(
    store: Annotated[Path, typer.Argument(help="A store, such as shards/train.zarr.")],
    key: Annotated[str, typer.Argument(help="A sample's key, a glob, or the number of a row.")],
    variant: Annotated[
        int | None, typer.Option(min=0, metavar="K", help="Which variant. Default: the first.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Default: beside the store.", show_default=False)
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Print what a store holds of one sample, and draw its columns in one PNG. Needs no workspace."""
    from segprep.workflows.command import store_actions

    store_actions.peek(store, key, variant, out, as_json=as_json)
