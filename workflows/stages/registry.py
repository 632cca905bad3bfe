"""What each command makes: from arguments to steps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.program.layers import COMMAND_LINE, Layer, Settled, settled
from segprep.datasets.program.tables import Place
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace import CONFIG_NAME
from segprep.prep.step import Origin, Step
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.arguments import FlowArguments, MotionLabelArguments, ResizeArguments
from segprep.workflows.stages.flow import flow_steps
from segprep.workflows.stages.modality import modality_of, modality_steps
from segprep.workflows.stages.motion_labels import motion_label_steps
from segprep.workflows.stages.resize import resize_steps

__all__ = ["Stage", "build_steps", "in_order", "recorded_steps", "resolve"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A command that makes columns.

    Attributes:
        arguments: The dataclass of its options.
        build: Makes the steps, in the order in which they depend on one another.
    """

    arguments: type[Any]
    build: Callable[[Table, Any], list[Step]]


def resolve(command: str, given: Mapping[str, Any], table: Table) -> Settled[Any]:
    """Settle a command's arguments: the command line, else the last run, else `prep.toml`, else the default.

    Args:
        command: Name of a stage.
        given: What the command line says, as TOML would have it.
        table: Its `prep.toml` may have a table `[defaults.<command>]`; its ledger knows the arguments of the last run.

    Raises:
        ConfigurationError: If `prep.toml` has an unknown command or argument, a value makes no sense, or alternatives
            are both given.
    """
    last = next((row.arguments for row in table.ledger.columns().values() if row.command == command), {})
    written = table.workspace.config.defaults
    strangers = sorted(name for name in written if name not in _STAGES and not modality_of(name))
    if strangers:
        raise ConfigurationError(
            f"prep.toml: there are no defaults for {', '.join(strangers)}; commands that have some: "
            f'{", ".join(_STAGES)}, and modalities such as "modality jet"'
        )
    layers = [
        Layer("command line", given, COMMAND_LINE),
        _last_run(command, last),
        Layer("prep.toml", written.get(command, {}), Place(CONFIG_NAME, ("defaults", command))),
    ]
    return settled(_stage(command).arguments, layers)


def build_steps(command: str, table: Table, arguments: object, before: Iterable[Step] = ()) -> list[Step]:
    """Make a command's steps.

    Args:
        command: Name of a stage.
        table: The open table.
        arguments: Of the stage's own class, as `resolve` settled them.
        before: Steps that will be done before these ones.

    Raises:
        ConfigurationError: If an argument makes no sense.
        ConflictError: If a column that the steps read was never made, or comes from another command.
    """
    steps = _stage(command).build(table, arguments)
    existing = table.ledger.columns()
    for step in steps:
        for column in step.outputs:
            row = existing.get(column.name)
            if row is not None and row.command != command:
                raise ConflictError(
                    f"column {column.name} was made by `prep {row.command}`; `prep {command}` would replace it"
                )
    made = set(existing) | {column.name for step in (*before, *steps) for column in step.outputs}
    needed = {each.name for step in steps for each in step.inputs if each.origin is Origin.COLUMN and not each.optional}
    lacking = sorted(needed - made)
    if lacking:
        why = _why_lacking(lacking, existing, table.workspace.config.neighbour)
        raise ConflictError(f"`prep {command}` needs column {', '.join(lacking)}, which does not exist: {why}")
    return steps


def _why_lacking(columns: Sequence[str], existing: Iterable[str], neighbour: Direction) -> str:
    """Say why columns were never made, and what may help."""
    there = ", ".join(sorted(existing))
    if not there:
        return "run `prep resize` first"
    if neighbour.value not in columns:
        return f"the dataset does not offer it. There are: {there}"
    side, other = ("an earlier", "next") if neighbour is Direction.PREVIOUS else ("a later", "previous")
    return (
        f"no frame has {side} neighbour close in time. Take the other side with `prep init DATASET ROOT --neighbour "
        f"{other}` and `prep resize`; a dataset that says nothing of order or time has neither"
    )


def recorded_steps(table: Table) -> list[tuple[str, Step]]:
    """Return (command, step) of everything that was made in a workspace, with the arguments of the last runs.

    The steps stand in the order in which they build on one another.
    """
    last = {row.command: row.arguments for row in table.ledger.columns().values()}
    commands = sorted(last, key=lambda c: (list(_STAGES).index(c) if c in _STAGES else len(_STAGES), c))
    arguments = {c: settled(_stage(c).arguments, [_last_run(c, last[c])]).arguments for c in commands}
    return in_order((c, step) for c in commands for step in build_steps(c, table, arguments[c]))


def in_order(steps: Iterable[tuple[str, Step]]) -> list[tuple[str, Step]]:
    """Return (command, step) such that no step stands before one whose columns it reads; else as they were given."""
    waiting, ordered = list(steps), list[tuple[str, Step]]()
    while waiting:
        lacking = {column.name for _, step in waiting for column in step.outputs}
        ready = (
            pair
            for pair in waiting
            if not any(each.origin is Origin.COLUMN and each.name in lacking for each in pair[1].inputs)
        )
        chosen = next(ready, waiting[0])  # a step that reads its own column will say so itself
        waiting.remove(chosen)
        ordered.append(chosen)
    return ordered


def _last_run(command: str, arguments: JsonDict) -> Layer:
    return Layer("last run", arguments, Place(f"the last run of `prep {command}`"), strict=False)


def _stage(command: str) -> Stage:
    member = modality_of(command)
    return _STAGES[command] if member is None else Stage(member.Arguments, partial(modality_steps, member))


_STAGES: dict[str, Stage] = {
    "resize": Stage(ResizeArguments, resize_steps),
    "flow": Stage(FlowArguments, flow_steps),
    "motion-labels": Stage(MotionLabelArguments, motion_label_steps),
}
"""The commands that make columns, but for modalities, in the order in which they build on one another."""
