"""Checking that the files of cells are those that were written, by what the ledger recorded of them."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import SampleKey
from segprep.datasets.source_files import open_file
from segprep.datasets.workspace.folder import Workspace
from segprep.datasets.workspace.ledger_view import DoneCell, read_cells

__all__ = ["DamagedCell", "damaged_cells", "wrong_content"]

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


def wrong_content(path: Path, size: int, digest: str, *, fast: bool = False) -> str | None:
    """Return what is wrong with a file, or None.

    Args:
        path: The file.
        size: Its recorded size in bytes.
        digest: Its recorded SHA-256 in hexadecimal.
        fast: Do not read it: only its size is compared.

    Raises:
        MachineError: If the machine is to blame that it cannot be read.
    """
    try:
        found = path.stat().st_size
        if found != size:
            return f"it has {found} bytes instead of {size}"
        if fast:
            return None
        with open_file(path) as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        blame_machine(path, error)
        return f"the file is not readable: {error.strerror}"
    return None if content == digest else "its content is not what was written"


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
    def check(cell: DoneCell) -> DamagedCell | None:
        for file in cell.files:
            reason = wrong_content(root / file.path, file.size, file.digest, fast=fast)
            if reason is not None:
                return DamagedCell(cell.key, cell.column, file.path, reason)
        return None

    with ThreadPoolExecutor(_THREADS) as threads:
        yield from (found for found in threads.map(check, cells) if found is not None)
