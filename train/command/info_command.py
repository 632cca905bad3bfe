"""`train info`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from pathlib import Path

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.train.command.network_options import CheckpointName, NamedNetwork
from segprep.train.command.said import say

__all__ = ["info_command"]

_HERE = Path()


def info_command(
    named: NamedNetwork = None,
    workspace: Directory = _HERE,
    checkpoint: CheckpointName = None,
    as_json: JsonOutput = False,
) -> None:
    """Say what a trained network is, which arrays it takes and which classes it knows. Needs no shards."""
    from segprep.train.command.info import info_json, info_text
    from segprep.train.command.place import runs_of
    from segprep.train.predict.model import load
    from segprep.train.runs.folder import find_run

    folder = runs_of(workspace)
    info = info_json(load(named or find_run(folder, None).root, checkpoint, runs=folder, device="cpu", say=say))
    if as_json:
        typer.echo(json.dumps(info))
        return
    typer.echo(info_text(info))
