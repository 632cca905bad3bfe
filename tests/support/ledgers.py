"""Tables of samples that a test made up, without a dataset that `prep init` could list."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from segprep.datasets.record import SampleRecord
from segprep.datasets.workspace import Workspace
from segprep.workflows.ledger.database import Ledger
from segprep.workflows.ledger.making import make_ledger
from segprep.workflows.ledger.table import Table

__all__ = ["listed"]


@contextmanager
def listed(workspace: Workspace, records: Iterable[SampleRecord]) -> Iterator[Table]:
    """Open the table of a workspace for writing, with these samples in place of those that it had."""
    make_ledger(workspace.ledger_path)
    with Ledger(workspace.ledger_path, writes=True) as ledger:
        ledger.replace_samples(records)
    with Table(workspace, writes=True) as table:
        yield table
