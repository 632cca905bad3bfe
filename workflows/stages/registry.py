"""What each command makes: from arguments to steps."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace import Workspace
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.step import Origin, Step
from segprep.workflows.ledger.database import Ledger
from segprep.workflows.stages.flow import FLOW_DEFAULTS, flow_steps
from segprep.workflows.stages.modality import modality_of, modality_steps
from segprep.workflows.stages.motion_labels import MOTION_LABEL_DEFAULTS, motion_label_steps
from segprep.workflows.stages.resize import LABEL_DEFAULTS, resize_steps

__all__ = ["Resolved", "Stage", "build_steps", "in_order", "recorded_steps", "resolve"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A command that makes columns.

    Attributes:
        defaults: Argument names with the values that hold where nobody says anything.
        alternatives: Groups of arguments that exclude each other; giving one of a group takes the other groups back.
        details: Argument to those that only say more about it: choosing it anew takes them back.
        build: Makes the steps, in the order in which they depend on one another.
    """

    defaults: JsonDict
    build: Callable[[Workspace, Ledger, JsonDict], list[Step]]
    alternatives: tuple[tuple[str, ...], ...] = ()
    details: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Arguments of a command, and where each value came from."""

    values: JsonDict
    origins: dict[str, str]


def resolve(command: str, given: Mapping[str, Any], workspace: Workspace, ledger: Ledger) -> Resolved:
    """Settle a command's arguments: the command line, else the last run, else `prep.toml`, else the default.

    Args:
        command: Name of a stage.
        given: What the command line says; None for "nothing".
        workspace: Its `prep.toml` may have a table `[defaults.<command>]`.
        ledger: Knows the arguments of the last run.

    Raises:
        ConfigurationError: If `prep.toml` has an unknown command or argument, or alternatives are both given.
    """
    stage = _stage(command)
    said = {name: value for name, value in given.items() if value is not None}
    last = next((row.arguments for row in ledger.columns().values() if row.command == command), {})
    strangers = sorted(name for name in workspace.config.defaults if name not in _STAGES and not modality_of(name))
    if strangers:
        raise ConfigurationError(
            f"prep.toml: there are no defaults for {', '.join(strangers)}; commands that have some: "
            f'{", ".join(_STAGES)}, and modalities such as "modality jet"'
        )
    written = workspace.config.defaults.get(command, {})
    unknown = sorted(set(written) - set(stage.defaults))
    if unknown:
        raise ConfigurationError(f"prep.toml: [defaults.{command}] has unknown entries: {', '.join(unknown)}")
    layers = [("command line", said), ("last run", last), ("prep.toml", written), ("default", stage.defaults)]
    values: JsonDict = {}
    origins: dict[str, str] = {}
    for name in stage.defaults:
        origin, layer = next((o, layer) for o, layer in layers if name in layer)
        values[name], origins[name] = layer[name], origin
    names = [origin for origin, _ in layers]
    for choice, details in stage.details.items():
        for name in details:
            if names.index(origins[name]) > names.index(origins[choice]):
                values[name], origins[name] = stage.defaults[name], "default"
    for origin, layer in layers:
        chosen = [group for group in stage.alternatives if any(layer.get(name) is not None for name in group)]
        if len(chosen) > 1:
            said_here = [name for group in chosen for name in group if layer.get(name) is not None]
            raise ConfigurationError(f"{' and '.join(said_here)} exclude each other ({origin})")
        if chosen:
            for name in (name for group in stage.alternatives if group not in chosen for name in group):
                values[name], origins[name] = None, origin
            break
    return Resolved(values, origins)


def build_steps(
    command: str, workspace: Workspace, ledger: Ledger, arguments: JsonDict, before: Iterable[Step] = ()
) -> list[Step]:
    """Make a command's steps.

    Args:
        command: Name of a stage.
        workspace: The workspace.
        ledger: Its ledger.
        arguments: As `resolve` settled them.
        before: Steps that will be done before these ones.

    Raises:
        ConfigurationError: If an argument makes no sense.
        ConflictError: If a column that the steps read was never made, or comes from another command.
    """
    steps = _stage(command).build(workspace, ledger, arguments)
    existing = ledger.columns()
    for step in steps:
        for column in step.outputs:
            row = existing.get(column.name)
            if row is not None and row.command != command:
                raise ConflictError(
                    f"column {column.name} was made by `prep {row.command}`; `prep {command}` would replace it"
                )
    made = set(existing) | {column.name for step in (*before, *steps) for column in step.outputs}
    needed = {each.name for step in steps for each in step.inputs if each.origin is Origin.COLUMN and not each.optional}
    if needed - made:
        why = f"the dataset does not offer it. There are: {', '.join(sorted(made))}"
        raise ConflictError(
            f"`prep {command}` needs column {', '.join(sorted(needed - made))}, which does not exist: "
            + (why if existing else "run `prep resize` first")
        )
    return steps


def recorded_steps(workspace: Workspace, ledger: Ledger) -> list[tuple[str, Step]]:
    """Return (command, step) of everything that was made in a workspace, with the arguments of the last runs.

    The steps stand in the order in which they build on one another.
    """
    arguments = {row.command: row.arguments for row in ledger.columns().values()}
    commands = sorted(arguments, key=lambda c: (list(_STAGES).index(c) if c in _STAGES else len(_STAGES), c))
    return in_order((c, step) for c in commands for step in build_steps(c, workspace, ledger, arguments[c]))


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


def _stage(command: str) -> Stage:
    member = modality_of(command)
    if member is None:
        return _STAGES[command]
    return Stage(member.DEFAULTS, partial(modality_steps, member), getattr(member, "ALTERNATIVES", ()))


def _resize(workspace: Workspace, ledger: Ledger, arguments: JsonDict) -> list[Step]:
    factor, size = arguments["factor"], arguments["size"]
    if factor is None and size is None:
        raise ConfigurationError("say how large the images shall be: `prep resize --factor N` or `--size WxH`")
    if factor is not None and (not isinstance(factor, int) or factor < 1):
        raise ConfigurationError(f"the factor must be a whole number of at least 1, not {factor}")
    if size is not None and (len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size)):
        raise ConfigurationError(f"the size must be two whole numbers, width and height, not {size}")
    target = TargetSize(factor, None if size is None else (size[0], size[1]))
    return resize_steps(workspace.config.class_map, ledger.source_columns(), ledger.has_cameras(), target, arguments)


_STAGES: dict[str, Stage] = {
    "resize": Stage(
        defaults={"factor": None, "size": None, "format": "png", **LABEL_DEFAULTS},
        build=_resize,
        alternatives=(("factor",), ("size",)),
        details={"labels": ("threshold", "void_id", "priority", "share")},
    ),
    "flow": Stage(
        defaults=FLOW_DEFAULTS,
        build=flow_steps,
        details={"estimator": ("preset", "check", "at"), "pattern": ("flow_format", "flow_direction", "flow_size")},
    ),
    "motion-labels": Stage(
        defaults=MOTION_LABEL_DEFAULTS,
        build=motion_label_steps,
        details={"annotations": ("annotation_map",)},
    ),
}
"""The commands that make columns, but for modalities, in the order in which they build on one another."""
