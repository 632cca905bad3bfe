"""`train time`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.datasets.program.parameters import offer
from segprep.train.command.completion import runs as runs_there
from segprep.train.command.said import say

__all__ = ["time_command"]

_HERE = Path()


def time_command(
    named: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|FILE]...",
            help="Runs, weights.safetensors, and .onnx, .pt2 or .torchscript files; the last run by default.",
            autocompletion=offer(runs_there),
            show_default=False,
        ),
    ] = None,
    workspace: Directory = _HERE,
    sizes: Annotated[
        str | None, typer.Option(metavar="WxH,...", help="Sizes of the pictures. Default: that of the training.")
    ] = None,
    batch_sizes: Annotated[str, typer.Option(metavar="N,...", help="Samples at once.")] = "1",
    runtimes: Annotated[
        str, typer.Option(metavar="NAME,...", help="How runs and weights are timed.")
    ] = "eager,compiled,onnx",
    threads: Annotated[int, typer.Option(min=0, metavar="N", help="Of the processor; 0 for all.")] = 0,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1. Default: the first GPU, else the CPU.", show_default=False)
    ] = None,
    warm_up: Annotated[int, typer.Option(min=0, metavar="N", help="Batches that do not count.")] = 10,
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="Batches that count.")] = 100,
    as_json: JsonOutput = False,
) -> None:
    """Time networks side by side: median, 90th and 99th percentile, images per second, memory."""
    from segprep.train.command.timing import TimingWishes, time_networks, timing_json, timing_text

    wishes = TimingWishes.read(sizes, batch_sizes, runtimes, threads, device, warm_up, runs)
    timings = time_networks(workspace, named or [], wishes, say)
    typer.echo(json.dumps(timing_json(timings, wishes)) if as_json else timing_text(timings, wishes))
