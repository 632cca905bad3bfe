"""The `prep` commands about finished stores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from segprep.datasets.errors import ExitCode, StoreNotFoundError
from segprep.datasets.progress import Progress
from segprep.datasets.shard_verify import Damage
from segprep.datasets.workspace import find_workspace
from segprep.workflows import report
from segprep.workflows.cluster import ClusterOptions
from segprep.workflows.disks import writer_lock
from segprep.workflows.ledger import Ledger
from segprep.workflows.printing import print_result, tell

__all__ = ["peek", "stats", "verify"]


def verify(stores: Sequence[Path], place: Path, *, fast: bool, repair: bool, as_json: bool) -> None:
    """`prep verify`."""
    from segprep.datasets.shard_verify import verify_store

    paths = _stores(stores, place)
    found = {str(path): verify_store(path, fast=fast) for path in paths}
    # Twice, because attributes that are damaged hide what else is.
    for _ in range(2 if repair else 0):
        damaged = {Path(path): damages for path, damages in found.items() if damages}
        if damaged:
            for line in report.damages(found, as_json=False):
                tell(str(line))
            _repair(damaged, place)
            found = {str(path): verify_store(path) for path in paths}
    print_result(report.damages(found, as_json=as_json))
    if any(found.values()):
        raise typer.Exit(ExitCode.DAMAGED_STORE)


def _repair(damaged: Mapping[Path, Sequence[Damage]], place: Path) -> None:
    from segprep.workflows.repair import repair_store

    workspace = find_workspace(place)
    with Ledger(workspace.ledger_path, workspace.config.splits) as ledger, writer_lock(workspace.root):
        for path, damages in damaged.items():
            with Progress(f"prep verify --repair {path.name}") as progress:
                repair_store(workspace, ledger, path, damages, ClusterOptions(workers=0), progress)
            tell(f"prep: {path} is repaired")


def stats(stores: Sequence[Path], place: Path, *, as_json: bool) -> None:
    """`prep stats`."""
    from segprep.datasets.shards import ShardStore
    from segprep.workflows.store_statistics import draw_statistics, statistics_json

    found = {str(path): ShardStore.open(path) for path in _stores(stores, place)}
    print_result(statistics_json(found) if as_json else draw_statistics(found))


def peek(path: Path, key: str, variant: int | None, out: Path | None, *, as_json: bool) -> None:
    """`prep peek`."""
    from segprep.datasets.imageio import write_image
    from segprep.datasets.shards import ShardStore
    from segprep.workflows.peek import default_path, describe_row, draw_row, find_row

    store = ShardStore.open(path)
    row = find_row(store, key, variant)
    picture = out or default_path(path, store, row)
    write_image(picture, draw_row(store, row))
    found = describe_row(store, row)
    print_result(found | {"picture": str(picture)} if as_json else report.row(found, picture))


def _stores(stores: Sequence[Path], place: Path) -> list[Path]:
    """Return the named stores, else those of the workspace.

    Raises:
        StoreNotFoundError: If there is none.
    """
    paths = list(stores) or sorted(find_workspace(place).shards_dir.glob("*.zarr"))
    if not paths:
        raise StoreNotFoundError("there is no store yet: run `prep shard` first")
    return paths
