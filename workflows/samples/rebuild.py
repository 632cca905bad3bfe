"""`prep rebuild`: a new ledger from the dataset's samples, and from what is whole of the old one."""

import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from segprep.datasets.atomic import sync_folder, write_failed
from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.progress import Progress
from segprep.datasets.workspace import LEDGER_NAME, Workspace
from segprep.datasets.workspace.cell_files import damaged_cells
from segprep.datasets.workspace.ledger_file import JOURNALS
from segprep.workflows.ledger.database import Ledger, Selection
from segprep.workflows.ledger.salvage import Salvage, salvage
from segprep.workflows.ledger.table import Table
from segprep.workflows.samples.initialise import InitRequest, list_again

__all__ = ["Rebuilt", "rebuild"]

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a new ledger knows.

    Attributes:
        samples: How many samples the dataset has.
        cells: How many cells are known, whatever their state.
        lost: How many rows of the old ledger were not whole; a page that cannot be read counts as one.
        damaged: How many known cells have files that are not what was written; they are made again.
        incomplete: Columns with cells that are to be made again.
        aside: Where the old ledger is; None if there was none.
    """

    samples: int
    cells: int
    lost: int
    damaged: int
    incomplete: tuple[str, ...]
    aside: Path | None


def rebuild(workspace: Workspace, request: InitRequest, progress: Progress) -> Rebuilt:
    """Make the ledger of a workspace again. The caller holds the writer lock.

    The samples are listed as `prep init` lists them. A cell is kept if its row in the old ledger is whole; then its
    files are compared with what the row says of them. Killed at any moment, it leaves the old ledger or the new one.

    Args:
        workspace: Its folder and what its `prep.toml` says.
        request: The dataset, and where it is; without a place where `prep.toml` says.
        progress: Advances by the sample.

    Raises:
        ConfigurationError: If the dataset is read from lists, and none is named.
        ConflictError: If the old ledger was written by a newer version, or by another program.
        DatasetNotFoundError: If the dataset is not there.
        WriteFailedError: If the workspace cannot be written.
    """
    request = _completed(request, workspace)
    ledger = workspace.ledger_path
    new = ledger.with_name(f"{LEDGER_NAME}.rebuilt")
    _remove(new)  # of a process that was killed
    with salvage(ledger) or nullcontext() as old:
        inventory = list_again(workspace, request, [] if old is None else old.notices(), new)
        with Ledger(new, writes=True) as made:
            progress.start(made.count(Selection()))
            known = Counter[str]() if old is None else _copied(old, made, progress)
            samples = made.count(Selection())
            columns = made.columns()
    lost = 0 if old is None else old.lost
    aside = _put_in_place(new, ledger)
    with Table(inventory.workspace, writes=True) as table:
        _, damaged = damaged_cells(table.workspace)
        table.ledger.mark_damaged(damaged)
    wrong = {cell.column for cell in damaged}
    incomplete = tuple(name for name in columns if known[name] < samples or name in wrong)
    return Rebuilt(samples, known.total(), lost, len(damaged), incomplete, aside)


def _completed(request: InitRequest, workspace: Workspace) -> InitRequest:
    """Return what the user says of the dataset with what `prep.toml` says where that is enough."""
    place = workspace.config.dataset_root
    if not CATALOG.load(request.dataset).SPEC.takes_lists:
        return request if request.given else replace(request, given=(place,))
    if not request.given:
        raise ConfigurationError(
            f"the dataset {request.dataset} is read from lists, whose names are not known any more: name them, with "
            "--columns if it was given, as for `prep init`"
        )
    return request if request.root is not None else replace(request, root=place)


def _copied(old: Salvage, made: Ledger, progress: Progress) -> Counter[str]:
    """Copy what is whole of a ledger; returns how many cells of each column that were."""
    known = Counter[str]()
    for column in old.columns().values():
        made.set_columns([column.column], column.command, column.arguments)
    everything = made.keys(Selection())
    for start in range(0, len(everything), _BATCH):
        keys = everything[start : start + _BATCH]
        cells = [row for key in keys for row in old.cells(key)]
        paths = {s.path for key in keys for s in made.sample(key).record.sources.values()}
        paths.update(path for row in cells for path in row.facts.get("read", []))
        made.record(cells, [row for path in sorted(paths) for row in old.sources([path])])
        known.update(row.column for row in cells)
        progress.advance(len(keys))
    for split in made.all_splits():
        before = old.lost
        reports, (order, seed) = old.shard_reports(split), old.store_order(split)
        if old.lost == before:  # `prep shard` writes a store again of which not all is known
            made.set_store_order(split, order, seed)
            for place, (fingerprint, report) in reports.items():
                made.record_shard(split, place, fingerprint, report)
    return known


def _put_in_place(new: Path, ledger: Path) -> Path | None:
    """Give a new ledger its name, and keep the old one under another."""
    held = [suffix for suffix in ("", *JOURNALS) if _beside(ledger, suffix).exists()]
    aside = next(path for path in _names_aside(ledger) if not path.exists())
    try:
        for suffix in held:
            shutil.copy2(_beside(ledger, suffix), _beside(aside, suffix))
        for suffix in JOURNALS:  # SQLite would take an old one for the new ledger's
            _beside(ledger, suffix).unlink(missing_ok=True)
        new.replace(ledger)
    except OSError as error:
        raise write_failed(error.filename or ledger, error) from error
    sync_folder(ledger.parent)
    return aside if held else None


def _names_aside(ledger: Path) -> Iterable[Path]:
    number = 1
    while True:
        yield _beside(ledger, ".damaged" if number == 1 else f".damaged-{number}")
        number += 1


def _remove(ledger: Path) -> None:
    try:
        for suffix in ("", *JOURNALS):
            _beside(ledger, suffix).unlink(missing_ok=True)
    except OSError as error:
        raise write_failed(ledger, error) from error


def _beside(ledger: Path, suffix: str) -> Path:
    return ledger.with_name(ledger.name + suffix)
