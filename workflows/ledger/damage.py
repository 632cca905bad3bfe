"""Cells that are not what was written: remembered, so that their stages make them again, and told with the remedy."""

from collections.abc import Sequence

from segprep.datasets.workspace.cell_files import DamagedCell, damaged_cells
from segprep.workflows.ledger.table import Table

__all__ = ["damage_told", "mark_again"]

_MOST_NAMED = 10


def damage_told(table: Table, damaged: Sequence[DamagedCell], again: str) -> str:
    """Return what is damaged, and what to run: the stages that make it again, then the command `again`."""
    named = [f"{cell.file} of sample {cell.key}: {cell.reason}" for cell in damaged[:_MOST_NAMED]]
    named += [f"and {len(damaged) - _MOST_NAMED} more"] if len(damaged) > _MOST_NAMED else []
    columns = {cell.column for cell in damaged}
    makers = {f"prep {row.command}": None for name, row in table.ledger.columns().items() if name in columns}
    commands = " and then ".join(f"`{command}`" for command in (*makers, *({again} - makers.keys())))
    count = "1 cell is" if len(damaged) == 1 else f"{len(damaged)} cells are"
    return f"{count} damaged: {'; '.join(named)}. Run {commands}"


def mark_again(table: Table, damaged: Sequence[DamagedCell]) -> list[DamagedCell]:
    """Remember and return those that still are damaged. The caller holds the writer lock: cells may be new by now."""
    keys, columns = {cell.key for cell in damaged}, {cell.column for cell in damaged}
    _, now = damaged_cells(table.workspace, keys=keys, columns=columns)
    still = [cell for cell in now if cell in damaged]
    table.ledger.mark_damaged(still)
    return still
