"""Writing what the numbers in columns' files mean."""

from collections.abc import Sequence

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.workspace.scales import scale_files
from segprep.prep.step import Step
from segprep.workflows.ledger.table import Table

__all__ = ["write_scales"]


def write_scales(table: Table, steps: Sequence[Step]) -> None:
    """Write `scale.json` beside the files of columns whose numbers need decoding, for readers without segprep."""
    columns = [column for step in steps for column in step.outputs]
    for path, content in scale_files(table.workspace, table.ledger.splits(), columns):
        if not path.is_file() or path.read_bytes() != content:
            atomic_write_bytes(path, content)
