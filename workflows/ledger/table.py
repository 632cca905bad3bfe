"""The open table: a workspace with its ledger, as one object."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from segprep.datasets.errors import ConfigurationError, DatasetNotFoundError
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.workspace import CONFIG_NAME, Workspace, find_workspace, load_workspace
from segprep.datasets.workspace.cells import Column
from segprep.datasets.workspace.ledger_file import no_samples
from segprep.workflows.ledger.database import Ledger, Selection

__all__ = ["Table", "open_for_writing", "open_table"]


class Table:
    """A workspace whose ledger is open. Use as a context manager.

    Args:
        workspace: The workspace; selections without splits mean those that its `prep.toml` names.
        writes: Whether the ledger is changed, too; the caller holds the writer lock then.

    Raises:
        ConfigurationError: If `prep.toml` names splits that the dataset does not have.
        ConflictError, DamagedLedgerError, UnreadableFileError, WriteFailedError: As `Ledger`.

    Attributes:
        workspace: Where the files are, and what `prep.toml` says.
        ledger: What is known of samples, cells and columns.
    """

    def __init__(self, workspace: Workspace, *, writes: bool = False) -> None:
        self.workspace = workspace
        self.ledger = Ledger(workspace.ledger_path, workspace.config.splits, writes=writes)
        try:
            self._require_known_splits()
        except BaseException:
            self.ledger.__exit__()
            raise

    def __enter__(self) -> Self:
        self.ledger.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.ledger.__exit__(*exc)

    def columns(self) -> dict[str, Column]:
        """Return the columns by name; `ledger.columns` knows the commands that made them, too."""
        return {name: row.column for name, row in self.ledger.columns().items()}

    def _require_known_splits(self) -> None:
        known = self.ledger.all_splits()
        if not known:
            raise no_samples(self.workspace.ledger_path)
        unknown = [split for split in self.workspace.config.splits if split not in known]
        if unknown:
            raise ConfigurationError(
                f"{self.workspace.root / CONFIG_NAME}: splits names {', '.join(unknown)}, which the dataset does not "
                f"have; there are: {', '.join(known)}"
            )

    def require_samples(self, selection: Selection) -> None:
        """Refuse a selection that names splits that the dataset does not have, or means no sample.

        Raises:
            ConfigurationError: If it does.
        """
        self.require_splits(selection.splits)
        if not self.ledger.count(selection):
            splits = ", ".join(selection.splits or self.ledger.splits())
            raise ConfigurationError(f"no key in split {splits} matches --only {selection.only!r}: see `prep list`")

    def require_splits(self, names: Sequence[str]) -> None:
        """Refuse names of splits that the dataset does not have.

        Raises:
            ConfigurationError: If there are any.
        """
        known = self.ledger.splits()
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ConfigurationError(f"no split {', '.join(unknown)}; there are: {', '.join(known)}")

    def require_dataset(self) -> None:
        """Say once that the dataset is not mounted, instead of failing every sample.

        Raises:
            DatasetNotFoundError: If it is not.
        """
        if not self.workspace.config.dataset_root.is_dir():
            raise DatasetNotFoundError(
                f"the dataset {self.workspace.config.dataset_root} is not there: mount it, or correct root in "
                f"{self.workspace.root / CONFIG_NAME}"
            )


def open_table(place: Path) -> Table:
    """Open the workspace that `place` lies in for reading.

    Raises:
        WorkspaceNotFoundError: If neither `place` nor a folder above it is one.
        ConfigurationError: If its `prep.toml` cannot be understood.
        ConflictError, DamagedLedgerError, UnreadableFileError: As `Table`.
    """
    return Table(find_workspace(place))


@contextmanager
def open_for_writing(place: Path) -> Iterator[Table]:
    """Open the workspace that `place` lies in as the one process that writes to it.

    It is read when no other process can change it any more, so that what is decided by it is still true when it is
    written.

    Raises:
        WorkspaceLockedError: If another process writes; names host and process.
        WriteFailedError: If the lock cannot be made.
        WorkspaceNotFoundError, ConfigurationError, ConflictError, DamagedLedgerError: As `open_table`.
    """
    root = find_workspace(place).root
    with writer_lock(root), Table(load_workspace(root), writes=True) as table:
        yield table
