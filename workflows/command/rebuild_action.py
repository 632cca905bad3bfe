"""What `prep rebuild` does with its options: make the ledger again, and say what to run next."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import RenderableType

from segprep.datasets.errors import SegprepError
from segprep.datasets.json_values import json_of
from segprep.datasets.program.progress import Progress
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.workspace import find_workspace, load_workspace
from segprep.workflows.command.printing import print_result
from segprep.workflows.ledger.table import open_table
from segprep.workflows.samples.initialise import InitRequest
from segprep.workflows.samples.rebuild import Rebuilt, rebuild
from segprep.workflows.stages.registry import recorded_steps

__all__ = ["rebuild_ledger"]


def rebuild_ledger(
    place: Path, given: Sequence[Path], root: Path | None, columns: tuple[str, ...] | None, *, as_json: bool
) -> None:
    """`prep rebuild`."""
    found = find_workspace(place).root
    with writer_lock(found), Progress("prep rebuild") as progress:
        workspace = load_workspace(found)
        rebuilt = rebuild(workspace, InitRequest(workspace.config.dataset, tuple(given), root, columns), progress)
    commands = _makers(found, rebuilt.incomplete)
    print_result(json_of(rebuilt) | {"commands": commands} if as_json else _told(rebuilt, commands))


def _makers(place: Path, columns: Sequence[str]) -> list[str]:
    """Return the commands that make columns, those first on which others build."""
    with open_table(place) as table:
        order: list[str] = []
        with suppress(SegprepError):  # a plug-in may be missing, or what a command reads: it will say so itself
            order = [command for command, _ in recorded_steps(table)]
        made = {row.command for name, row in table.ledger.columns().items() if name in columns}
    known = [command for command in dict.fromkeys(order) if command in made]
    return [f"prep {command}" for command in [*known, *sorted(made.difference(known))]]


def _told(rebuilt: Rebuilt, commands: Sequence[str]) -> list[RenderableType]:
    told: list[RenderableType] = [f"{rebuilt.samples} samples are listed, {rebuilt.cells} cells are known"]
    if rebuilt.lost:
        told.append(f"{rebuilt.lost} rows or pages of the old ledger were damaged; what they said is made again")
    if rebuilt.damaged:
        told.append(f"{rebuilt.damaged} cells have files that are not what was written")
    if rebuilt.aside is not None:
        told.append(f"the old ledger is {rebuilt.aside}: remove it when all is well")
    if commands:
        told.append(f"Run {', then '.join(f'`{command}`' for command in commands)}: without options, as the last time")
    elif not rebuilt.cells:
        told.append("No cell is known: run `prep resize` and what was made after it, with the options that they had")
    return told
