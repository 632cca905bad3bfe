"""`prep import`: other tools' annotations become a folder that `prep init folder` takes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segprep.datasets.errors import ExitCode
from segprep.datasets.program.command_line import JsonOutput
from segprep.datasets.program.parameters import offer
from segprep.workflows.command.completion import importers
from segprep.workflows.command.options import Quiet

if TYPE_CHECKING:
    from segprep.datasets.importers._common.writing import ImportReport

__all__ = ["import_command"]

_MOST_SHOWN = 20


def import_command(
    form: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="What wrote the annotations: coco, labelme, cvat ...; a wrong name lists all.",
            autocompletion=offer(importers),
        ),
    ],
    source: Annotated[Path, typer.Argument(help="The export: a folder, a .zip, or a single file of annotations.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to make; it must not exist.")],
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A folder or .zip with the pictures, where they do not lie with the annotations.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOutput = False,
    quiet: Quiet = False,
) -> None:
    """Make a folder that `prep init folder` takes from the annotations of another tool; exit with 4 if some are bad."""
    from segprep.datasets.importers import importer_called
    from segprep.datasets.importers._common.source import ImportSource
    from segprep.datasets.importers._common.writing import import_annotations
    from segprep.datasets.program.progress import Progress
    from segprep.workflows.command.printing import print_result

    importer = importer_called(form)
    with ImportSource(source, pictures) as opened, Progress("prep import", quiet=quiet) as progress:
        report = import_annotations(importer, opened, out, progress)
    print_result(report.to_json() | {"folder": str(out)} if as_json else list(_told(report, out)))
    if report.problems:
        raise typer.Exit(ExitCode.TOO_MANY_BAD)


def _told(report: "ImportReport", out: Path) -> list[str]:
    counts = ", ".join(f"{number} {split}" for split, number in report.splits.items())
    lines = [f"{out}: {counts}; classes: {', '.join(report.classes)}" + ("; instances" if report.instances else "")]
    lines += report.notes
    if report.not_annotated:
        lines.append(f"{len(report.not_annotated)} pictures have no annotation and are left out")
    lines += [f"not imported: {problem.file}: {problem.reason}" for problem in report.problems[:_MOST_SHOWN]]
    if len(report.problems) > _MOST_SHOWN:
        lines.append(f"{len(report.problems) - _MOST_SHOWN} more are listed in {out / 'import_report.json'}")
    return [*lines, f"Next: prep init folder {out.absolute()}, in another folder"]
