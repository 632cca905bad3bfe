"""Checking that the files of cells are those that were written, by what the ledger recorded of them."""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.file_records import wrong_content, wrong_size
from segprep.datasets.sample import SampleKey
from segprep.datasets.workspace.folder import Workspace
from segprep.datasets.workspace.ledger_view import DoneCell, read_cells

__all__ = ["DamagedCell", "damaged_cells"]

_THREADS = 4  # hashing lets other threads run, and a disk delivers several files at once


@dataclass(frozen=True, slots=True)
class DamagedCell:
    """A done cell with a file that is not what was written.

    Attributes:
        key: Its sample.
        column: Its column.
        file: Path of the file relative to the workspace.
        reason: What is wrong with it.
    """

    key: SampleKey
    column: str
    file: str
    reason: str


def damaged_cells(
    workspace: Workspace,
    *,
    keys: Collection[SampleKey] | None = None,
    columns: Collection[str] | None = None,
    fast: bool = False,
) -> tuple[int, list[DamagedCell]]:
    """Compare the files of all done cells with what the ledger recorded of them.

    Args:
        workspace: Where they are.
        keys: Only cells of these samples.
        columns: Only cells of these columns.
        fast: Compare nothing but sizes.

    Returns:
        How many cells there are, and the damaged ones, each with its first damaged file.

    Raises:
        DamagedLedgerError, ConflictError, UnreadableFileError: As `read_cells`.
    """
    known = read_cells(workspace)
    cells = [
        cell for cell in known if (keys is None or cell.key in keys) and (columns is None or cell.column in columns)
    ]
    return len(cells), list(_damaged(workspace.root, cells, fast=fast))


def _damaged(root: Path, cells: Iterable[DoneCell], *, fast: bool) -> Iterator[DamagedCell]:
    look = wrong_size if fast else wrong_content

    def check(cell: DoneCell) -> DamagedCell | None:
        for file in cell.files:
            reason = look(root / file.path, file.record)
            if reason is not None:
                return DamagedCell(cell.key, cell.column, file.path, reason)
        return None

    with ThreadPoolExecutor(_THREADS) as threads:
        yield from (found for found in threads.map(check, cells) if found is not None)
