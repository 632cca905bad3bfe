"""`train run`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segprep.datasets.errors import ConfigurationError, ExitCode
from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.datasets.program.parameters import offer
from segprep.train.command.completion import checkpoints, runs
from segprep.train.command.device import DeviceName
from segprep.train.command.run_options import said_tables, takes_run_options
from segprep.train.command.said import say

if TYPE_CHECKING:
    from segprep.train.command.run import TrainedRun

__all__ = ["run_command"]

_HERE = Path()
_LENGTHS = {"steps", "epochs"}
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
        bool,
        typer.Option(
            "--resume", help="Continue the last run, or the one that --name says; --steps or --epochs make it longer."
        ),
    ] = False,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="With --resume: go on from best or step-N instead of last.", autocompletion=offer(checkpoints)
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|NAME",
            help="TOML configuration, or a protocol: adapnet, fcn8s, paris, segnet, smsnet or ssma; flags win.",
        ),
    ] = None,
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
    device: DeviceName = None,
    as_json: JsonOutput = False,
    **given: Any,  # noqa: ANN401  (the options of the configuration)
) -> None:
    """Train on train.zarr of the workspace's shards, validate on val.zarr, write runs/<name>/.

    In several processes: torchrun --nproc-per-node N --no-python train run ...
    """
    from segprep.train.command import run as commands
    from segprep.train.command.place import find_place
    from segprep.train.learning.config import config_toml
    from segprep.train.learning.protocols import configuration_file
    from segprep.train.network.device import chosen_device

    config = None if config is None else configuration_file(config, say)
    flags = said_tables(given, settings or ())
    place = find_place(workspace, [*(shards or ()), *_further(shards, more_shards)])
    if print_config and resume:
        raise ConfigurationError("--print-config shows what a new run would take; that of a run is in its config.toml")
    if print_config:
        where = None if device is None else chosen_device(device)
        for _, each in commands.read_configuration(place, name or "run", config, flags, where):
            typer.echo(config_toml(each))
        return
    if resume and (flags.keys() - _LENGTHS or (flags and config is not None)):
        raise ConfigurationError(
            "--resume goes on by the run's own configuration: leave out every option but --name, --config of a "
            "protocol, --checkpoint, --shards, --device and --max-minutes, or --steps or --epochs of a longer run"
        )
    if checkpoint is not None and (config is not None or not resume):
        raise ConfigurationError("--checkpoint says from where --resume goes on with one run: give it with --resume")
    if resume:
        trained = commands.resume_run(place, name, config, max_minutes, say, checkpoint or "last", device, flags)
    else:
        trained = commands.start_run(place, name, config, flags, max_minutes, say, device)
    _report(trained, max_minutes, as_json)


def _further(shards: list[Path] | None, more: list[Path] | None) -> list[Path]:
    if more and not shards:
        raise ConfigurationError(
            f"{more[0]}: folders of shards come after --shards; a list, as of --inputs, is written without blanks"
        )
    return more or []


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
            say(f"{NOT_VALIDATED}: nothing was validated, `last` is the result")
    if last.outcome.why in ("interrupted", "time") and last.processes.first:
        reason = "interrupted" if last.outcome.why == "interrupted" else f"stopped after {max_minutes:g} minutes"
        again = resume_command(last.run, last.processes.count)
        say(f"{reason}; the learning rate has not come to its end. Saved; go on with `{again}`")
    if last.outcome.why == "interrupted":
        raise typer.Exit(ExitCode.INTERRUPTED)
