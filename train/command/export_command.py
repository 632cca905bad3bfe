"""`train export`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.train.command.network_options import CheckpointName, NamedNetwork
from segprep.train.command.said import say

__all__ = ["export_command"]

_HERE = Path()


def export_command(
    named: NamedNetwork = None,
    workspace: Directory = _HERE,
    checkpoint: CheckpointName = None,
    to: Annotated[Literal["onnx", "pt2", "torchscript"], typer.Option(help="Kind of file.")] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to. Default: in the run's folder, by its name.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    dataset: Annotated[
        str | None, typer.Option(help="Whose classes, of a run that learned several data sets; the first by default.")
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Pictures to compare answers on, or a folder of files for each column. Default: the run's store.",
            show_default=False,
        ),
    ] = None,
    shards: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of <split>.zarr, instead of the run's.", show_default=False),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Compute in 8 bits; ONNX only, needs the store.")] = False,
    calibration: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples that the ranges of the 8 bits are measured on.")
    ] = 100,
    as_json: JsonOutput = False,
) -> None:
    """Write a network as one file for other runtimes: columns in their own units in, class ids and probabilities out.

    Answers are compared with the network's on real samples; a file that would answer otherwise is not written.
    """
    from segprep.train.command.exporting import ExportWishes, export_run

    wishes = ExportWishes(
        to=to,
        out=out,
        force=force,
        dataset=dataset,
        samples=samples,
        shards=shards,
        calibration=calibration if int8 else None,
    )
    report = export_run(workspace, named, checkpoint, wishes, say)
    typer.echo(json.dumps(report.to_json()) if as_json else report.text())
