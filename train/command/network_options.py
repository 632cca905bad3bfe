"""Which trained network a command uses: options that several commands have."""

from typing import Annotated

import typer

from segprep.datasets.program.parameters import offer
from segprep.train.command.completion import checkpoints, runs

__all__ = ["CheckpointName", "NamedNetwork"]

NamedNetwork = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN|FILE]",
        help="A run's name or folder, or weights.safetensors; the last run by default.",
        autocompletion=offer(runs),
        show_default=False,
    ),
]
CheckpointName = Annotated[
    str | None,
    typer.Option(help="best, last or step-N of a run. Default: best, else last.", autocompletion=offer(checkpoints)),
]
