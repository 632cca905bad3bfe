"""What each command makes: from arguments to steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace import Workspace
from segprep.prep.resize import TargetSize
from segprep.prep.step import Origin, Step
from segprep.workflows.flow_stage import FLOW_DEFAULTS, flow_steps
from segprep.workflows.ledger import Ledger
from segprep.workflows.motion_label_stage import MOTION_LABEL_DEFAULTS, motion_label_steps
from segprep.workflows.resize_stage import LABEL_DEFAULTS, resize_steps

__all__ = ["STAGES", "Resolved", "Stage", "build_steps", "recorded_steps", "resolve"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A command that makes columns.

    Attributes:
        defaults: Argument names with the values that hold where nobody says anything.
        alternatives: Arguments that exclude each other; giving one takes the others back.
        details: Argument to those that only say more about it: choosing it anew takes them back.
        build: Makes the steps, in the order in which they depend on one another.
    """

    defaults: JsonDict
    build: Callable[[Workspace, Ledger, JsonDict], list[Step]]
    alternatives: tuple[str, ...] = ()
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
    stage = STAGES[command]
    said = {name: value for name, value in given.items() if value is not None}
    last = next((row.arguments for row in ledger.columns().values() if row.command == command), {})
    strangers = sorted(set(workspace.config.defaults) - set(STAGES))
    if strangers:
        raise ConfigurationError(
            f"prep.toml: there are no defaults for {', '.join(strangers)}; commands that have some: {', '.join(STAGES)}"
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
        chosen = [name for name in stage.alternatives if layer.get(name) is not None]
        if len(chosen) > 1:
            raise ConfigurationError(f"{' and '.join(chosen)} exclude each other ({origin})")
        if chosen:
            for name in stage.alternatives:
                values[name], origins[name] = (layer[name] if name in chosen else None), origin
            break
    return Resolved(values, origins)


def build_steps(command: str, workspace: Workspace, ledger: Ledger, arguments: JsonDict) -> list[Step]:
    """Make a command's steps.

    Raises:
        ConfigurationError: If an argument makes no sense.
        ConflictError: If a column that the steps read was never made, or comes from another command.
    """
    steps = STAGES[command].build(workspace, ledger, arguments)
    existing = ledger.columns()
    for step in steps:
        for column in step.outputs:
            row = existing.get(column.name)
            if row is not None and row.command != command:
                raise ConflictError(
                    f"column {column.name} was made by `prep {row.command}`; `prep {command}` would replace it"
                )
    made = set(existing) | {column.name for step in steps for column in step.outputs}
    needed = {each.name for step in steps for each in step.inputs if each.origin is Origin.COLUMN}
    if needed - made:
        raise ConflictError(
            f"`prep {command}` needs column {', '.join(sorted(needed - made))}, which does not exist"
            + (": run `prep resize` first" if not existing else ": the dataset has no neighbouring frames")
        )
    return steps


def recorded_steps(workspace: Workspace, ledger: Ledger) -> list[tuple[str, Step]]:
    """Return (command, step) of everything that was made in a workspace, with the arguments of the last runs.

    The steps stand in the order in which they build on one another.
    """
    arguments = {row.command: row.arguments for row in ledger.columns().values()}
    return [
        (command, step)
        for command in STAGES
        if command in arguments
        for step in build_steps(command, workspace, ledger, arguments[command])
    ]


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


STAGES: dict[str, Stage] = {
    "resize": Stage(
        defaults={"factor": None, "size": None, "format": "png", **LABEL_DEFAULTS},
        build=_resize,
        alternatives=("factor", "size"),
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
"""The commands that make columns, in the order in which they build on one another."""
