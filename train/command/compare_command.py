"""`train compare`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.datasets.program.parameters import offer
from segprep.train.command.completion import runs, splits

__all__ = ["compare_command"]

_HERE = Path()


def compare_command(
    named: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|DIR...",
            help="Two or more: names of runs, or folders that `train eval` wrote.",
            autocompletion=offer(runs),
            show_default=False,
        ),
    ],
    workspace: Directory = _HERE,
    split: Annotated[
        str, typer.Option(help="Of runs: which evaluation, eval-<split>.", autocompletion=offer(splits))
    ] = "val",
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Draws of images for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of these draws.")] = 0,
    as_json: JsonOutput = False,
) -> None:
    """Compare evaluations in one table; whether a difference is more than chance says a bootstrap over the images.

    Evaluate first: `train eval --name RUN`. All must be of the same pictures at the same size.
    """
    from segprep.train.command.comparison import comparison_table, found_evaluations, intervals
    from segprep.train.evaluation.comparing import compared

    evaluations = found_evaluations(workspace, named, split)
    rows = compared(evaluations, draws, seed)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(comparison_table(evaluations))
    console.print(intervals(evaluations, rows), markup=False)
