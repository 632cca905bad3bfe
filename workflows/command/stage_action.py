"""What the commands that make columns do: bring them up to date, and end with what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from segprep.datasets.errors import (
    ConfigurationError,
    DamagedCellError,
    ExitCode,
    MachineError,
    TooManyBadSamplesError,
)
from segprep.datasets.program.layers import Settled
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.prep.step import Origin, Step
from segprep.workflows.command import results
from segprep.workflows.command.printing import print_result, tell
from segprep.workflows.command.recorded_run import recorded
from segprep.workflows.ledger.damage import damage_told
from segprep.workflows.ledger.table import Table, open_for_writing, open_table
from segprep.workflows.running.batches import Interrupted
from segprep.workflows.running.runner import RunOptions, Summary, plan, run_steps
from segprep.workflows.running.scales import write_scales
from segprep.workflows.samples.initialise import InitRequest, initialise
from segprep.workflows.stages.registry import build_steps, in_order, resolve

__all__ = ["StageCall", "run_stage"]


@dataclass(frozen=True, slots=True)
class StageCall:
    """A call of a command that makes columns.

    Attributes:
        command: As it was typed: "resize", or "modality hha jet".
        stages: Name of each stage to what the command line says about it, as TOML would have it.
    """

    command: str
    stages: Mapping[str, JsonDict]
    workspace: Path
    explicit: tuple[str | None, Path | None, Path | None]
    run: RunOptions
    max_bad: float
    dry_run: bool
    as_json: bool
    quiet: bool
    verbose: bool


def run_stage(call: StageCall) -> None:
    """`prep resize`, `prep flow`, ...: bring the command's columns up to date."""
    place = _workspace_of(call)
    with open_table(place) if call.dry_run else open_for_writing(place) as table:
        table.require_samples(call.run.selection)
        resolved = {stage: resolve(stage, given, table) for stage, given in call.stages.items()}
        made: dict[str, list[Step]] = {}
        for stage, found in resolved.items():
            before = [step for steps in made.values() for step in steps]
            made[stage] = build_steps(stage, table, found.arguments, before)
        steps = [step for _, step in in_order((stage, step) for stage, each in made.items() for step in each)]
        if any(each.origin is Origin.SOURCE for step in steps for each in step.inputs):
            table.require_dataset()
        values = {stage: found.values for stage, found in resolved.items()}
        arguments = values if len(values) > 1 else next(iter(values.values()))
        if call.verbose:
            _tell_origins(resolved)
        if call.dry_run:
            verdicts = plan(table, steps, call.run)
            print_result(results.plan(call.command, arguments, steps, verdicts, as_json=call.as_json))
            return
        with recorded(table, call.command, arguments):
            for stage, each in made.items():
                table.ledger.set_columns([c for step in each for c in step.outputs], stage, values[stage])
            write_scales(table, steps)
            summary = _run(table, steps, call)
            print_result(results.summary(call.command, summary, table.workspace, as_json=call.as_json))
            _raise_what_failed(table, summary, call)


def _tell_origins(resolved: Mapping[str, Settled[Any]]) -> None:
    for stage, found in resolved.items():
        about = f"{stage}: " if len(resolved) > 1 else ""
        for name, value in found.values.items():
            tell(f"{about}{name} = {value!r} ({found.origins[name]})")


def _run(table: Table, steps: Sequence[Step], call: StageCall) -> Summary:
    with Progress(f"prep {call.command}", quiet=call.quiet) as progress:
        try:
            return run_steps(table, steps, call.run, progress)
        except Interrupted:
            tell(f"prep: interrupted; what was finished is kept. `prep {call.command}` goes on from here")
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def _raise_what_failed(table: Table, summary: Summary, call: StageCall) -> None:
    """End with the error that decides the exit code: damaged inputs, too many bad samples, or the machine's.

    Raises:
        DamagedCellError, TooManyBadSamplesError, MachineError: The first of them that is true.
    """
    if summary.damaged:
        raise DamagedCellError(damage_told(table, summary.damaged, f"prep {call.command}"))
    if summary.failed_samples > call.max_bad * summary.samples:
        raise TooManyBadSamplesError(
            f"{summary.failed_samples} of {summary.samples} samples failed, more than --max-bad {call.max_bad:.3g} "
            "allows. The others are done; mend the files above and run again"
        )
    if summary.not_made:
        raise MachineError(
            f"{summary.not_made_samples} of {summary.samples} samples were not done, because of the machine and not "
            f"of their files: see above. `prep {call.command}` tries them again"
        )


def _workspace_of(call: StageCall) -> Path:
    dataset, root, out = call.explicit
    if dataset is None and root is None and out is None:
        return call.workspace
    if dataset is None or root is None or out is None:
        raise ConfigurationError("--dataset, --root and --out belong together; without them the workspace is used")
    return initialise(out, InitRequest(dataset, (root,))).workspace.root
