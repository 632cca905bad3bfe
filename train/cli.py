"""The `train` command. Thin: it reads options, calls the library and prints.

Whatever needs torch or Zarr is imported when a command runs, so that `train --help` is quick.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from segprep.datasets.errors import ConfigurationError, ExitCode
from segprep.datasets.program.command_line import Directory, JsonOutput, new_app, run_app
from segprep.datasets.program.parameters import offer
from segprep.train.command.completion import checkpoints, runs, splits
from segprep.train.command.run_options import said_tables, takes_run_options

if TYPE_CHECKING:
    from segprep.train.command.run import TrainedRun

__all__ = ["app", "main"]

app = new_app(
    "train",
    "Train segmentation networks on the shards of a workspace, and evaluate them.",
    "0 done, 1 bug, 2 usage, 3 bad input, 5 conflict with what exists, 6 damaged store, 130 interrupted.",
)

_HERE = Path()
Shards = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR...", help="Folders of <split>.zarr, one per data set, instead of the workspace's.",
        show_default=False,
    ),
]  # fmt: skip
MoreShards = Annotated[
    list[Path] | None, typer.Argument(metavar="[DIR]...", help="Further folders after --shards.", show_default=False)
]


@app.command("run")
@takes_run_options(before="max_minutes")
def run_command(
    more_shards: MoreShards = None,
    workspace: Directory = _HERE,
    shards: Shards = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run; run-001, run-002, ... by default.", autocompletion=offer(runs)),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the last run, or the one that --name says.")
    ] = False,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="With --resume: go on from best or step-N instead of last.", autocompletion=offer(checkpoints)
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="TOML configuration; flags win.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any entry of the configuration: optimizer.clip_norm=1."),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the whole configuration as TOML and stop.")
    ] = False,
    max_minutes: Annotated[
        float | None, typer.Option(help="Stop and save after so much time; --resume goes on.", min=0)
    ] = None,
    as_json: JsonOutput = False,
    **given: Any,  # noqa: ANN401  (the options of the configuration)
) -> None:
    """Train on train.zarr of the workspace's shards, validate on val.zarr, write runs/<name>/.

    In several processes: torchrun --nproc-per-node N --no-python train run ...
    """
    from segprep.train.command import run as commands
    from segprep.train.command.place import find_place
    from segprep.train.learning.config import config_toml

    flags = said_tables(given, settings or ())
    place = find_place(workspace, [*(shards or ()), *_further(shards, more_shards)])
    if print_config and resume:
        raise ConfigurationError("--print-config shows what a new run would take; that of a run is in its config.toml")
    if print_config:
        for _, each in commands.read_configuration(place, name or "run", config, flags):
            typer.echo(config_toml(each))
        return
    if resume and flags:
        raise ConfigurationError(
            "--resume goes on by the run's own configuration: leave out every option but --name, --config of a "
            "protocol, --checkpoint, --shards and --max-minutes"
        )
    if checkpoint is not None and (config is not None or not resume):
        raise ConfigurationError("--checkpoint says from where --resume goes on with one run: give it with --resume")
    if resume:
        trained = commands.resume_run(place, name, config, max_minutes, _say, checkpoint or "last")
    else:
        trained = commands.start_run(place, name, config, flags, max_minutes, _say)
    _report(trained, max_minutes, as_json)


@app.command("eval")
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
    as_json: JsonOutput = False,
) -> None:
    """Evaluate a run: a table here; numbers, predictions and a panel in runs/<name>/eval-<split>/.

    Of other shards, another checkpoint or size: beside it, in eval-<split>-<what>/.
    """
    from segprep.train.command.evaluation import evaluate_run
    from segprep.train.command.place import find_place

    place = find_place(workspace, [] if shards is None else [shards])
    report = evaluate_run(place, name, checkpoint, split, at, root, dataset, _say)
    if as_json:
        typer.echo(json.dumps(report.metrics))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(report.table())
    console.print(report.summary(), markup=False)
    console.print(f"files: {report.folder}", markup=False)


@app.command("info")
def info_command(
    named: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|FILE]",
            help="A run's name or folder, or weights.safetensors; the last run by default.",
            autocompletion=offer(runs),
            show_default=False,
        ),
    ] = None,
    workspace: Directory = _HERE,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="best, last or step-N of a run. Default: best, else last.", autocompletion=offer(checkpoints)
        ),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Say what a trained network is, which arrays it takes and which classes it knows. Needs no shards."""
    from segprep.train.command.info import info_json, info_text
    from segprep.train.command.place import runs_of
    from segprep.train.predict.model import load
    from segprep.train.runs.folder import find_run

    folder = runs_of(workspace)
    info = info_json(load(named or find_run(folder, None).root, checkpoint, runs=folder, device="cpu", say=_say))
    if as_json:
        typer.echo(json.dumps(info))
        return
    typer.echo(info_text(info))


def main() -> None:
    """Run `train`."""
    raise SystemExit(run_app(app, "train"))


def _further(shards: list[Path] | None, more: list[Path] | None) -> list[Path]:
    if more and not shards:
        raise ConfigurationError(
            f"{more[0]}: folders of shards come after --shards; a list, as of --inputs, is written without blanks"
        )
    return more or []


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _report(trained: Sequence["TrainedRun"], max_minutes: float | None, as_json: bool) -> None:
    """Print how runs ended, of several processes in the first one; exit as interrupted if the last one was."""
    from segprep.train.command.run import NOT_VALIDATED
    from segprep.train.runs.resuming import resume_command

    last = trained[-1]
    for each in trained if last.processes.first else ():
        outcome, run = each.outcome, each.run
        if as_json:
            typer.echo(json.dumps({"run": str(run.root), "parameters": each.parameters, **asdict(outcome)}))
        else:
            best = "" if outcome.best is None else f", best validation {outcome.metric} {outcome.best:.4f}"
            typer.echo(f"{run.root}: step {outcome.step} of {outcome.steps}{best}")
        if not each.validated:
            _say(f"{NOT_VALIDATED}: nothing was validated, `last` is the result")
    if last.outcome.why in ("interrupted", "time") and last.processes.first:
        reason = "interrupted" if last.outcome.why == "interrupted" else f"stopped after {max_minutes:g} minutes"
        again = resume_command(last.run, last.processes.count)
        _say(f"{reason}; the learning rate has not come to its end. Saved; go on with `{again}`")
    if last.outcome.why == "interrupted":
        raise typer.Exit(ExitCode.INTERRUPTED)
