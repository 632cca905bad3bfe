"""`train eval`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.datasets.program.parameters import offer
from segprep.train.command.completion import checkpoints, runs, splits
from segprep.train.command.device import DeviceName
from segprep.train.command.said import say
from segprep.train.command.view_options import Flip, Scales, Stride, Window, numbers, views_of

__all__ = ["eval_command"]

_HERE = Path()


def eval_command(
    workspace: Directory = _HERE,
    shards: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of <split>.zarr, instead of the run's.", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run; the last one by default.", autocompletion=offer(runs)),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="best, last or step-N. Default: best, else last.", autocompletion=offer(checkpoints)),
    ] = None,
    split: Annotated[str, typer.Option(help="Which store.", autocompletion=offer(splits))] = "val",
    dataset: Annotated[str | None, typer.Option(help="Which data set's head, of a run that learned several.")] = None,
    at: Annotated[
        Literal["source", "network"] | None,
        typer.Option(help="Size to evaluate at. Default: that of the original labels where they can be read."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The original dataset, if the workspace does not know it.")
    ] = None,
    window: Window = None,
    stride: Stride = None,
    scales: Scales = "1",
    flip: Flip = False,
    only_classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Judge these classes of the data set only: all other labels are void. Default: all classes.",
            show_default=False,
        ),
    ] = None,
    bands: Annotated[
        str, typer.Option(metavar="A,B,...", help="Limits of bands of distance in metres, where the store has depth.")
    ] = "20,40,60",
    device: DeviceName = None,
    as_json: JsonOutput = False,
) -> None:
    """Evaluate a run: a table here; numbers, predictions and a panel in runs/<name>/eval-<split>/.

    Of other shards, another checkpoint, size, views or classes: beside it, in eval-<split>-<what>/.
    """
    from segprep.train.command.evaluation import evaluate_run
    from segprep.train.command.place import find_place

    place = find_place(workspace, [] if shards is None else [shards])
    report = evaluate_run(
        place,
        name,
        checkpoint,
        split,
        at,
        root,
        dataset,
        say,
        views=views_of(window, stride, scales, flip),
        only_classes=tuple(each.strip() for each in (only_classes or "").split(",") if each.strip()),
        bands=numbers("--bands", bands),
        device=device,
    )
    if as_json:
        typer.echo(json.dumps(report.metrics))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(report.table())
    console.print(report.summary(), markup=False)
    console.print(f"files: {report.folder}", markup=False)
