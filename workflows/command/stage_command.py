"""Commands that make columns: each declares its own options, and gets those that all of them share."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput
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
    parse_share,
)

__all__ = ["Named", "stage_command"]

_Dataset = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="With --root and --out: make or reuse a workspace first.", show_default=False),
]
_Root = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The dataset's folder, with --dataset.", show_default=False)
]
_Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The workspace to make or reuse, with --dataset.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Named:
    """Which stages a command is about.

    Attributes:
        command: What was typed, for messages.
        stages: Name of each stage to its arguments; empty where all was done already.
    """

    command: str
    stages: Mapping[str, dict[str, Any]]


def stage_command(
    app: typer.Typer, command: str, name: Callable[[dict[str, Any], Path | None], Named] | None = None
) -> Callable[[Callable[..., dict[str, Any]]], None]:
    """Register a command that makes columns.

    Args:
        app: Where to register it.
        command: Its name, also that of its stage unless `name` says otherwise.
        name: Takes what the decorated function returned, and `--out`.

    The decorated function has the command's own options as parameters, its docstring is the help text, and it returns
    argument name to value, None where the command line says nothing.
    """

    def register(own: Callable[..., dict[str, Any]]) -> None:
        def run(**options: Any) -> None:  # noqa: ANN401  (any option of any command)
            shared = {each: options.pop(each) for each in inspect.signature(_run).parameters if each in options}
            given = own(**options)
            named = Named(command, {command: given}) if name is None else name(given, shared["out"])
            if named.stages:
                _run(named, **shared)

        named = [p for p in inspect.signature(_run).parameters.values() if p.name != "named"]
        parameters = [*inspect.signature(own).parameters.values(), *named]
        # Typer reads both.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__doc__ = own.__doc__
        app.command(command)(run)

    return register


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
    from segprep.workflows.command.actions import StageCall, run_stage
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
