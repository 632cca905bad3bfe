"""Commands that make columns: options of their own, made of a class of arguments, and those that all of them share."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.datasets.program.layers import parse_setting
from segprep.datasets.program.parameters import offer, parameters, said_by
from segprep.datasets.program.tables import options_of
from segprep.datasets.program.values import parse_share
from segprep.workflows.command.completion import LOOK_UP, datasets
from segprep.workflows.command.options import (
    DryRun,
    Limit,
    MaxBad,
    Only,
    Quiet,
    RetryFailed,
    Scheduler,
    SplitNames,
    Verbose,
    Workers,
)

__all__ = ["SHARED_NAMES", "Named", "stage_command", "with_shared_options"]

_Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="With --root and --out: make or reuse a workspace first.",
        show_default=False,
        autocompletion=offer(datasets),
    ),
]
_Root = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The dataset's folder, with --dataset.", show_default=False)
]
_Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The workspace to make or reuse, with --dataset.", show_default=False)
]
_Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any option by its name in prep.toml, with a value as there; may be repeated.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Named:
    """Which stages a command is about.

    Attributes:
        command: What was typed, for messages.
        stages: Name of each stage to what the command line says of its arguments, as TOML would have it; empty where
            all was done already.
    """

    command: str
    stages: Mapping[str, dict[str, Any]]


Name = Callable[[dict[str, Any], dict[str, Any], Path | None], Named]
"""Takes the command's own options, what `--set` says, and `--out`."""


def stage_command(app: typer.Typer, command: str, arguments: type) -> None:
    """Register a command that makes columns.

    Args:
        app: Where to register it.
        command: Its name, which is that of its stage.
        arguments: The dataclass of its options, whose docstring is the help text.
    """
    options = options_of(arguments)

    def name(given: dict[str, Any], settings: dict[str, Any], _: Path | None) -> Named:
        return Named(command, {command: said_by(options, given | settings)})

    app.command(command, help=arguments.__doc__)(with_shared_options(parameters(options, LOOK_UP), name))


def with_shared_options(own: Sequence[inspect.Parameter], name: Name) -> Callable[..., None]:
    """Return a function for Typer that has these options and those of all commands that make columns."""

    def run(**options: Any) -> None:  # noqa: ANN401  (any option of any command)
        settings: dict[str, Any] = {}
        for text in options.pop("settings") or ():
            settings |= parse_setting(text, "depth=depth")
        given = {each.name: options.pop(each.name) for each in own}
        named = name(given, settings, options["out"])
        if named.stages:
            _run(named, **options)

    shared = [each for each in inspect.signature(_run).parameters.values() if each.name != "named"]
    settings = inspect.Parameter("settings", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Settings)
    every = [*own, settings, *shared]
    # Typer reads both.
    run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in every}
    return run


def _run(
    named: Named,
    *,
    dataset: _Dataset = None,
    root: _Root = None,
    out: _Out = None,
    workspace: Directory = Path(),
    workers: Workers = None,
    scheduler: Scheduler = None,
    split: SplitNames = None,
    only: Only = None,
    limit: Limit = None,
    max_bad: MaxBad = "1%",
    retry_failed: RetryFailed = False,
    dry_run: DryRun = False,
    as_json: JsonOutput = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a stage; what it needs is imported here, so that `--help` is quick."""
    from segprep.workflows.command.stage_action import StageCall, run_stage
    from segprep.workflows.ledger.database import Selection
    from segprep.workflows.running.cluster import ClusterOptions
    from segprep.workflows.running.runner import RunOptions

    selection = Selection(tuple(split or ()), only, limit)
    run_stage(
        StageCall(
            command=named.command,
            stages=named.stages,
            workspace=workspace,
            explicit=(dataset, root, out),
            run=RunOptions(ClusterOptions(workers, scheduler), selection, retry_failed),
            max_bad=parse_share(max_bad),
            dry_run=dry_run,
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
        )
    )


SHARED_NAMES: Final = ("settings", *(name for name in inspect.signature(_run).parameters if name != "named"))
"""Names of the options that all commands that make columns have."""
