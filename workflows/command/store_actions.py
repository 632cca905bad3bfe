"""The `prep` commands about finished stores."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from segprep.datasets.atomic import remove_partials_of
from segprep.datasets.errors import (
    DamagedCellError,
    DamagedLedgerError,
    DamagedStoreError,
    ExitCode,
    SegprepError,
    StoreNotFoundError,
    WorkspaceLockedError,
    WorkspaceNotFoundError,
    WriteFailedError,
)
from segprep.datasets.program.progress import Progress
from segprep.datasets.shards.verify import Damage
from segprep.datasets.workspace import Workspace, find_workspace
from segprep.datasets.workspace.cell_files import DamagedCell, damaged_cells
from segprep.datasets.workspace.ledger_view import read_columns
from segprep.datasets.workspace.scales import wrong_scale_files
from segprep.workflows.command import results
from segprep.workflows.command.printing import print_result, tell
from segprep.workflows.ledger.damage import damage_told, mark_again
from segprep.workflows.ledger.table import Table, open_for_writing
from segprep.workflows.running.cluster import ClusterOptions

__all__ = ["peek", "stats", "verify"]

_MOST_NAMED = 10
_WRONG_SCALE = "it does not say what the cells' numbers mean; the command that makes the column writes it again"


def verify(stores: Sequence[Path], place: Path, *, fast: bool, repair: bool, as_json: bool) -> None:
    """`prep verify`."""
    with _repairing(place) if repair else nullcontext() as table:
        paths = list(stores) or sorted(find_workspace(place).shards_dir.glob("*.zarr"))
        cells: _Cells | None = None
        unknown: list[SegprepError] = []
        try:
            cells = None if stores else _cells(place, table, fast=fast)
        except DamagedLedgerError as damage:
            if not paths:
                raise
            unknown.append(damage)  # stores are checked without it
        if not paths and not (cells and cells.count):
            raise StoreNotFoundError("there is no store yet: run `prep shard` first")
        findings = _findings(paths, fast=fast)
        # Twice, because attributes that are damaged hide what else is.
        for _ in range(2 if repair else 0):
            findings = _repaired(paths, findings, table, place)
    _print(findings, cells, fast=fast, as_json=as_json)
    for path, notices in findings.notices.items():
        for notice in notices:
            tell(f"prep: {path}: {notice}")
    errors: list[SegprepError] = [*map(DamagedStoreError, findings.unreadable), *unknown]
    if cells is not None and cells.damaged:
        errors.append(DamagedCellError(cells.told))
    for each in errors[:-1]:
        tell(f"prep: {each}")
    if errors:
        raise errors[-1]
    if any(findings.damages.values()) or (cells is not None and cells.scales):
        raise typer.Exit(ExitCode.DAMAGED_STORE)


@dataclass(frozen=True, slots=True)
class _Cells:
    """What was found in the cells of a workspace.

    Attributes:
        workspace: The workspace.
        count: How many cells are done.
        scales: Files that say something else of the cells' numbers than the ledger, relative to the workspace.
        damaged: Those of the cells whose files are not what was written.
        told: What they are and what to run.
    """

    workspace: Workspace
    count: int
    scales: Sequence[str]
    damaged: Sequence[DamagedCell] = ()
    told: str = ""


@dataclass(frozen=True, slots=True)
class _Findings:
    """What was found in stores.

    Attributes:
        damages: By path.
        notices: What the workspace says of those that are whole, by path.
        foreign: The paths of those that another program wrote.
        unreadable: Why stores, which are not among the others, could not be checked.
    """

    damages: dict[str, Sequence[Damage]] = field(default_factory=dict)
    notices: dict[str, list[str]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)


def _cells(place: Path, table: Table | None, *, fast: bool) -> _Cells:
    """Check the cells of a workspace, and remember which are damaged: then their stages make them again.

    Args:
        place: In the workspace.
        table: It, if this process writes to it already.
        fast: Compare nothing but sizes.
    """
    workspace = find_workspace(place)
    count, damaged = damaged_cells(workspace, fast=fast)
    wrong = wrong_scale_files(workspace, *read_columns(workspace))
    cells = _Cells(workspace, count, [path.relative_to(workspace.root).as_posix() for path in wrong])
    if not damaged:
        return cells
    try:
        with _for_writing(table, place) as writing:
            damaged = mark_again(writing, damaged)
            return replace(cells, damaged=damaged, told=damage_told(writing, damaged, "prep verify"))
    except (WorkspaceLockedError, WriteFailedError) as error:
        names = ", ".join(cell.file for cell in damaged[:_MOST_NAMED])
        told = f"{len(damaged)} damaged: {names}. Run `prep verify` again when it can note them in the ledger: {error}"
        return replace(cells, damaged=damaged, told=told)


def _for_writing(table: Table | None, place: Path) -> AbstractContextManager[Table]:
    return open_for_writing(place) if table is None else nullcontext(table)


@contextmanager
def _repairing(place: Path) -> Iterator[Table | None]:
    """Open the workspace for writing, and end what a killed command has left of its last step; None outside of one."""
    from segprep.workflows.stores.place import settle, unsettled

    with ExitStack() as opened:
        table = None
        with suppress(WorkspaceNotFoundError):  # stores may lie elsewhere
            table = opened.enter_context(open_for_writing(place))
        for store in () if table is None else unsettled(table.workspace):
            settle(store)
        yield table


def _repaired(paths: Sequence[Path], findings: _Findings, table: Table | None, place: Path) -> _Findings:
    """Repair those of some stores that are damaged; return what is found in all of them afterwards."""
    from segprep.workflows.stores.repair import repair_store

    damaged = {Path(path): damages for path, damages in findings.damages.items() if damages}
    if not damaged:
        return findings
    for line in results.damages(findings.damages, as_json=False):
        tell(str(line))
    with _for_writing(table, place) as writing:
        for path, damages in damaged.items():
            with Progress(f"prep verify --repair {path.name}") as progress:
                repair_store(writing, path, damages, ClusterOptions(workers=0), progress)
            tell(f"prep: {path} is repaired")
    return _findings(paths, fast=False)


def _print(findings: _Findings, cells: _Cells | None, *, fast: bool, as_json: bool) -> None:
    of_cells: dict[str, Sequence[Damage]] = {}
    if cells is not None:
        of_cells[str(cells.workspace.root)] = [
            *(Damage(c.file, c.reason, (c.key,)) for c in cells.damaged),
            *(Damage(file, _WRONG_SCALE) for file in cells.scales),
        ]
    if as_json:
        print_result(results.damages(findings.damages | of_cells, as_json=True))
        return
    sound = {path for path in findings.foreign if not findings.damages[path]}
    ours = {path: damages for path, damages in findings.damages.items() if path not in sound}
    checked = "shapes and dtypes agree" if fast else "every sample decodes, and labels hold no other ids"
    told = [f"{path}: another program wrote it, without checksums to compare; {checked}" for path in sorted(sound)]
    lines = results.damages(ours, as_json=False) if ours else []
    if cells is not None:
        state = f"{len(cells.damaged)} are damaged" if cells.damaged else "whole"
        told.append(f"{cells.workspace.root}: {cells.count} cells, {state}")
        told += [f"  {file}: {_WRONG_SCALE}" for file in cells.scales]
    print_result([*lines, *told])


def _findings(paths: Sequence[Path], *, fast: bool) -> _Findings:
    from segprep.datasets.shards import ShardStore
    from segprep.datasets.shards.foreign import foreign_root, inspect_foreign
    from segprep.datasets.shards.verify import verify_store
    from segprep.datasets.standing import store_notices

    found = _Findings()
    for path in paths:
        try:
            root = foreign_root(path)
            if root is None:
                found.damages[str(path)] = verify_store(path, fast=fast)
                if not found.damages[str(path)]:
                    found.notices[str(path)] = store_notices(ShardStore.open(path))
            else:
                found.damages[str(path)] = inspect_foreign(path, root, fast=fast)
                found.foreign.add(str(path))
        except StoreNotFoundError:
            raise
        except DamagedStoreError as error:
            found.unreadable.append(str(error))
    return found


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
    remove_partials_of(picture)
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
