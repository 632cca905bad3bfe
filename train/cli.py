"""The `train` command. Thin: it reads options, calls the library and prints.

Whatever needs torch or Zarr is imported when a command runs, so that `train --help` is quick.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from segprep.datasets.command_line import Directory, JsonOutput, new_app, run_app
from segprep.datasets.errors import ConfigurationError, ExitCode

__all__ = ["app", "main"]

app = new_app(
    "train",
    "Train segmentation networks on the shards of a workspace, and evaluate them.",
    "0 done, 1 bug, 2 usage, 3 bad input, 5 conflict with what exists, 6 damaged store, 130 interrupted.",
)

_HERE = Path()
Shards = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of <split>.zarr, instead of the workspace's.", show_default=False),
]


@app.command("run")
def run_command(
    workspace: Directory = _HERE,
    shards: Shards = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; run-001, run-002, ... by default.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the last run, or the one that --name says.")
    ] = False,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="TOML configuration; flags win.")] = None,
    inputs: Annotated[str | None, typer.Option(help="Columns, with commas: image,flow. Default: image.")] = None,
    model: Annotated[str | None, typer.Option(help="Network. Default: frrn.")] = None,
    base_channels: Annotated[int | None, typer.Option(help="Width of the network. Default: 48.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32 or bf16. Default: bf16 where the processor has instructions for it.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Length of the run in passes over the data. Default: 60.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the run in steps, instead of epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples per step. Default: 4.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate of the first step. Default: 0.001.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="poly (falls to 0) or exponential (PARIS). Default: poly.")
    ] = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="Flip half of the samples. Default: flip.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and flips. Default: 0.")] = None,
    val_every: Annotated[
        int | None, typer.Option(help="Steps between validations, which also save. Default: a tenth of the run.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Stop and save after so much time; --resume goes on.", min=0)
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Train on shards/train.zarr of the workspace, validate on shards/val.zarr, write runs/<name>/."""
    from segprep.train import commands

    top = {"seed": seed, "epochs": epochs, "steps": steps, "val_every": val_every}
    flags: dict[str, Any] = {k: v for k, v in top.items() if v is not None}
    tables: dict[str, dict[str, Any]] = {
        "data": {"inputs": None if inputs is None else inputs.split(","), "batch_size": batch_size, "flip": flip},
        "model": {"name": model, "base_channels": base_channels, "precision": precision},
        "schedule": {"kind": schedule, "lr": lr},
    }
    for table, values in tables.items():
        given = {k: v for k, v in values.items() if v is not None}
        flags |= {table: given} if given else {}
    place = commands.find_place(workspace, shards)
    if resume and (flags or config):
        raise ConfigurationError(
            "--resume goes on by the run's own configuration: leave out every option but --name, --shards and "
            "--max-minutes"
        )
    if resume:
        trained = commands.resume_run(place, name, max_minutes)
    else:
        trained = commands.start_run(place, name, config, flags, max_minutes)
    outcome, run = trained.outcome, trained.run
    if as_json:
        typer.echo(json.dumps({"run": str(run.root), "parameters": trained.parameters, **asdict(outcome)}))
    else:
        best = "" if outcome.best_mean_iou is None else f", best validation mean IoU {outcome.best_mean_iou:.4f}"
        typer.echo(f"{run.root}: step {outcome.step} of {outcome.steps}{best}")
    if not trained.validated:
        typer.echo("there is no val.zarr beside train.zarr: nothing was validated, `last` is the result", err=True)
    if outcome.why != "finished":
        reason = "interrupted" if outcome.why == "interrupted" else f"stopped after {max_minutes:g} minutes"
        again = f"train run --resume --name {run.name}" + ("" if workspace == _HERE else f" -C {workspace}")
        typer.echo(f"{reason}; the learning rate has not come to its end. Saved; go on with `{again}`", err=True)
    if outcome.why == "interrupted":
        raise typer.Exit(ExitCode.INTERRUPTED)


@app.command("eval")
def eval_command(
    workspace: Directory = _HERE,
    shards: Shards = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; the last one by default.")] = None,
    checkpoint: Annotated[
        Literal["best", "last"] | None, typer.Option(help="Which weights. Default: best, else last.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which store.")] = "val",
    at: Annotated[
        Literal["source", "network"] | None,
        typer.Option(help="Size to evaluate at. Default: that of the original labels where they can be read."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The original dataset, if the workspace does not know it.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Evaluate a run: a table here; numbers, predictions and a panel in runs/<name>/eval-<split>/."""
    from segprep.train import commands

    report = commands.evaluate_run(commands.find_place(workspace, shards), name, checkpoint, split, at, root)
    if as_json:
        typer.echo(json.dumps(report.metrics))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(report.table())
    console.print(report.summary(), markup=False)
    console.print(f"files: {report.folder}", markup=False)


def main() -> None:
    """Run `train`."""
    raise SystemExit(run_app(app, "train"))
