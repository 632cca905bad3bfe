"""`train list`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.train.command.said import say

__all__ = ["list_command"]

_HERE = Path()


def list_command(
    workspace: Directory = _HERE,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="What differs between the configurations of two runs.", show_default=False),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """List the runs of a workspace: network, inputs, how far, best score, when, size. Needs no shards."""
    from segprep.train.command import listing
    from segprep.train.command.place import runs_of

    folder = runs_of(workspace)
    if diff is not None:
        differences = listing.differences(folder, *diff)
        typer.echo(json.dumps(differences) if as_json else listing.differences_text(differences, *diff))
        return
    summaries = listing.summaries(folder)
    if as_json:
        typer.echo(json.dumps([listing.summary_json(each) for each in summaries]))
    elif summaries:
        listing.print_table(summaries)
    else:
        say(f"there is no run in {folder} yet: begin one with `train run`")
    for each in summaries:
        if each.why is not None and not as_json:
            say(f"{each.name}: {each.why}")
