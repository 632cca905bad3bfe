"""The `prep` commands about finished stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from segprep.datasets.errors import DamagedStoreError, ExitCode, StoreNotFoundError, WorkspaceNotFoundError
from segprep.datasets.program.progress import Progress
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.shards.verify import Damage
from segprep.datasets.workspace import find_workspace
from segprep.workflows.command import results
from segprep.workflows.command.printing import print_result, tell
from segprep.workflows.ledger.table import open_table
from segprep.workflows.running.cluster import ClusterOptions

__all__ = ["peek", "stats", "verify"]


def verify(stores: Sequence[Path], place: Path, *, fast: bool, repair: bool, as_json: bool) -> None:
    """`prep verify`."""
    if repair:
        _settle(place)
    paths = _stores(stores, place)
    findings = _findings(paths, fast=fast)
    # Twice, because attributes that are damaged hide what else is.
    for _ in range(2 if repair else 0):
        damaged = {Path(path): damages for path, damages in findings.damages.items() if damages}
        if damaged:
            for line in results.damages(findings.damages, as_json=False):
                tell(str(line))
            _repair(damaged, place)
            findings = _findings(paths, fast=False)
    if as_json:
        print_result(results.damages(findings.damages, as_json=True))
    else:
        sound = {path for path in findings.foreign if not findings.damages[path]}
        ours = {path: damages for path, damages in findings.damages.items() if path not in sound}
        checked = "shapes and dtypes agree" if fast else "every sample decodes, and labels hold no other ids"
        told = [f"{path}: another program wrote it, without checksums to compare; {checked}" for path in sorted(sound)]
        lines = results.damages(ours, as_json=False) if ours else []
        print_result([*lines, *told])
    for message in findings.unreadable[:-1]:
        tell(f"prep: {message}")
    if findings.unreadable:
        raise DamagedStoreError(findings.unreadable[-1])
    if any(findings.damages.values()):
        raise typer.Exit(ExitCode.DAMAGED_STORE)


@dataclass(frozen=True, slots=True)
class _Findings:
    """What was found in stores.

    Attributes:
        damages: By path.
        foreign: The paths of those that another program wrote.
        unreadable: Why stores, which are not among the others, could not be checked.
    """

    damages: dict[str, Sequence[Damage]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)


def _findings(paths: Sequence[Path], *, fast: bool) -> _Findings:
    from segprep.datasets.shards.foreign import foreign_root, inspect_foreign
    from segprep.datasets.shards.verify import verify_store

    found = _Findings()
    for path in paths:
        try:
            root = foreign_root(path)
            if root is None:
                found.damages[str(path)] = verify_store(path, fast=fast)
            else:
                found.damages[str(path)] = inspect_foreign(path, root, fast=fast)
                found.foreign.add(str(path))
        except StoreNotFoundError:
            raise
        except DamagedStoreError as error:
            found.unreadable.append(str(error))
    return found


def _settle(place: Path) -> None:
    """End what a killed command has left of its last step, so that there is one store to check."""
    from segprep.workflows.stores.place import settle, unsettled

    try:
        workspace = find_workspace(place)
    except WorkspaceNotFoundError:  # stores may lie elsewhere
        return
    if unsettled(workspace):
        with writer_lock(workspace.root):
            for store in unsettled(workspace):
                settle(store)


def _repair(damaged: Mapping[Path, Sequence[Damage]], place: Path) -> None:
    from segprep.workflows.stores.repair import repair_store

    with open_table(place) as table, table.writing():
        for path, damages in damaged.items():
            with Progress(f"prep verify --repair {path.name}") as progress:
                repair_store(table, path, damages, ClusterOptions(workers=0), progress)
            tell(f"prep: {path} is repaired")


def stats(stores: Sequence[Path], place: Path, *, as_json: bool) -> None:
    """`prep stats`."""
    from segprep.datasets.shards import ShardStore
    from segprep.workflows.views.store_statistics import draw_statistics, statistics_json

    found = {str(path): ShardStore.open(path) for path in _stores(stores, place)}
    print_result(statistics_json(found) if as_json else draw_statistics(found))


def peek(path: Path, key: str, variant: int | None, out: Path | None, *, as_json: bool) -> None:
    """`prep peek`."""
    from segprep.datasets.imageio import write_image
    from segprep.datasets.shards import ShardStore
    from segprep.workflows.views.store_row import default_path, describe_row, draw_row, find_row

    store = ShardStore.open(path)
    row = find_row(store, key, variant)
    picture = out or default_path(path, store, row)
    write_image(picture, draw_row(store, row))
    found = describe_row(store, row)
    print_result(found | {"picture": str(picture)} if as_json else results.row(found, picture))


def _stores(stores: Sequence[Path], place: Path) -> list[Path]:
    """Return the named stores, else those of the workspace.

    Raises:
        StoreNotFoundError: If there is none.
    """
    paths = list(stores) or sorted(find_workspace(place).shards_dir.glob("*.zarr"))
    if not paths:
        raise StoreNotFoundError("there is no store yet: run `prep shard` first")
    return paths
