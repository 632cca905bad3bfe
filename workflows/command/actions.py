"""What each `prep` command does with its options: open the workspace, call the library, print the result."""

import fnmatch
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from segprep.datasets.errors import (
    ConfigurationError,
    ConflictError,
    DamagedCellError,
    ExitCode,
    MachineError,
    SegprepError,
    TooManyBadSamplesError,
    WriteFailedError,
)
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.prep.step import Origin, Step
from segprep.workflows.command import results
from segprep.workflows.command.printing import print_result, tell
from segprep.workflows.ledger.damage import damage_told
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import Table, open_for_writing, open_table
from segprep.workflows.running.batches import Interrupted
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.running.runner import RunOptions, plan, run_steps
from segprep.workflows.running.scales import write_scales
from segprep.workflows.samples.initialise import InitRequest, initialise, written_miniature
from segprep.workflows.stages.registry import build_steps, in_order, resolve
from segprep.workflows.stores.augment_request import AugmentRequest

__all__ = [
    "ShardCall",
    "StageCall",
    "check",
    "flow_eval",
    "init",
    "run_stage",
    "shard",
    "show",
    "status",
    "write_list",
]


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


@dataclass(frozen=True, slots=True)
class ShardCall:
    """A call of `prep shard`."""

    columns: list[str] | None
    require_all: bool
    codec: str
    samples_per_shard: int | None
    splits: tuple[str, ...]
    cluster: ClusterOptions
    augment: AugmentRequest | None = None
    augment_splits: tuple[str, ...] = ("train",)
    seed: int | None = None


def init(request: InitRequest, miniature: Path | None, frames: int, place: Path, *, as_json: bool) -> None:
    """`prep init`."""
    if bool(request.given) == (miniature is not None):
        raise ConfigurationError(
            "name the dataset's folder: `prep init DATASET ROOT`, or `--miniature DIR` to render one"
        )
    if miniature is not None:
        request = replace(request, given=(miniature,))
    with nullcontext() if miniature is None else written_miniature(request.dataset, miniature, frames):
        inventory = initialise(place, request)
    print_result(inventory.to_json() if as_json else results.inventory(inventory))


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
            for stage, found in resolved.items():
                for name, value in found.values.items():
                    about = f"{stage}: " if len(resolved) > 1 else ""
                    tell(f"{about}{name} = {value!r} ({found.origins[name]})")
        if call.dry_run:
            verdicts = plan(table, steps, call.run)
            print_result(results.plan(call.command, arguments, steps, verdicts, as_json=call.as_json))
            return
        with _recorded(table, call.command, arguments), Progress(f"prep {call.command}", quiet=call.quiet) as progress:
            for stage, each in made.items():
                table.ledger.set_columns([c for step in each for c in step.outputs], stage, values[stage])
            write_scales(table, steps)
            try:
                summary = run_steps(table, steps, call.run, progress)
            except Interrupted:
                tell(f"prep: interrupted; what was finished is kept. `prep {call.command}` goes on from here")
                raise typer.Exit(ExitCode.INTERRUPTED) from None
            damaged = damage_told(table, summary.damaged, f"prep {call.command}")
        print_result(results.summary(call.command, summary, table.workspace, as_json=call.as_json))
        if summary.damaged:
            raise DamagedCellError(damaged)
        if summary.failed_samples > call.max_bad * summary.samples:
            raise TooManyBadSamplesError(
                f"{summary.failed_samples} of {summary.samples} samples failed, more than --max-bad {call.max_bad:.3g} "
                "allows. The others are done; mend the files above and run again"
            )
        if summary.not_made:
            raise MachineError(
                f"{summary.not_made_samples} of {summary.samples} samples were not done, because of the machine and "
                f"not of their files: see above. `prep {call.command}` tries them again"
            )


def flow_eval(
    place: Path, selection: Selection, truth: str, column: str, flow: Path | None, flow_format: str, *, as_json: bool
) -> None:
    """`prep flow-eval`."""
    from segprep.workflows.views.flow_errors import evaluate_column, evaluate_file

    if flow is not None:
        found = evaluate_file(flow, Path(truth), flow_format)
        print_result(found.to_json() if as_json else results.flow_errors(found))
        return
    with open_table(place) as table:
        table.require_samples(selection)
        of_column = evaluate_column(table, selection, column, truth, flow_format)
    lacking = {"without_flow": of_column.without_flow, "without_truth": of_column.without_truth}
    if as_json:
        print_result(of_column.evaluation.to_json() | lacking)
        return
    print_result(results.flow_errors(of_column.evaluation))
    if any(lacking.values()):
        tell(f"prep: left out: {lacking['without_flow']} without {column}, {lacking['without_truth']} without truth")


def check(
    place: Path, selection: Selection, cluster: ClusterOptions, good: Path | None, *, as_json: bool, quiet: bool
) -> None:
    """`prep check`."""
    from segprep.workflows.checks.checking import check_dataset
    from segprep.workflows.checks.findings_table import draw_findings
    from segprep.workflows.samples.listing import check_target, write_lists

    with open_table(place) as table, Progress("prep check", quiet=quiet) as progress:
        table.require_dataset()
        table.require_samples(selection)
        if good is not None:
            check_target(table, selection, good)  # now, and not when hours of work are done
        try:
            result = check_dataset(table, selection, cluster, progress)
        except Interrupted:
            tell("prep: interrupted; `prep check` starts from the beginning")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        listed = None
        if good is not None and result.not_checked:
            tell(f"prep: not every file was checked; {good} was not written")
        elif good is not None and set(table.ledger.keys(selection)) - set(result.bad_keys):
            listed = write_lists(table, selection, good, columns=None, prepared=False, skip=result.bad_keys)
        elif good is not None:
            tell(f"prep: no sample is without errors; {good} was not written")
    written = [] if listed is None else results.lists(listed)
    if as_json:
        print_result(result.to_json() | ({} if listed is None else {"lists": listed.to_json()}))
    else:
        print_result([*draw_findings(result), *written])
    if result.not_checked:
        raise MachineError(
            f"{result.not_checked} files were not checked, because of the machine and not of the files: see above. "
            "Run `prep check` again"
        )
    if result.errors:
        raise typer.Exit(ExitCode.TOO_MANY_BAD)


def write_list(
    place: Path,
    selection: Selection,
    out: Path,
    columns: Sequence[str] | None,
    description: Path | None,
    *,
    prepared: bool,
    as_json: bool,
) -> None:
    """`prep list`."""
    from segprep.datasets.class_files import write_paris_description
    from segprep.workflows.samples.listing import prepared_class_map, refuse_inside_dataset, write_lists

    with open_table(place) as table:
        table.require_samples(selection)
        config = table.workspace.config
        if description is not None:
            refuse_inside_dataset(table.workspace, description)
        listed = write_lists(table, selection, out, columns=columns, prepared=prepared)
        if description is not None:
            described = prepared_class_map(config.class_map, table.columns()) if prepared else config.class_map
            write_paris_description(description, described, config.dataset)
    print_result(listed.to_json() if as_json else results.lists(listed))


def status(place: Path, *, as_json: bool) -> None:
    """`prep status`."""
    from segprep.workflows.views.status import read_status

    with open_table(place) as table:
        found = read_status(table)
    print_result(found.to_json() if as_json else results.status(found))


def show(key: str, out: Path | None, place: Path, augment: AugmentRequest | None, variant: int | None) -> None:
    """`prep show`."""
    from segprep.datasets.imageio import write_image
    from segprep.workflows.views.sample import draw_sample
    from segprep.workflows.views.sample_variants import draw_stored_variant, draw_variants

    if augment is not None and variant is not None:
        raise ConfigurationError("--augment draws new variants, --variant one that a store holds: give one of them")
    with open_table(place) as table:
        found = [k for k in table.ledger.keys(Selection()) if k == key or fnmatch.fnmatchcase(k, key)]
        if not found:
            raise ConfigurationError(f"no sample has the key {key!r}, or matches it; a glob such as '*07961' may help")
        name: str = found[0]
        if augment is not None:
            panel, name = draw_variants(table, found[0], augment), f"{found[0]}-variants"
        elif variant is not None:
            panel, name = draw_stored_variant(table, found[0], variant), f"{found[0]}-{variant}"
        else:
            panel = draw_sample(table, found[0])
    path = out or table.workspace.root / "show" / f"{name}.png"
    write_image(path, panel)
    print_result([str(path)])


def shard(place: Path, call: ShardCall, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """`prep shard`."""
    from segprep.workflows.stores.place import StorePlace
    from segprep.workflows.stores.planning import plan_split
    from segprep.workflows.stores.writing import SplitResult, write_split

    with open_table(place) if dry_run else open_for_writing(place) as table:
        table.require_splits(call.splits)
        if call.augment is not None:
            table.require_splits(call.augment_splits)
        plans = [
            plan_split(
                table,
                split,
                call.columns,
                codec=call.codec,
                per_shard=call.samples_per_shard,
                require_all=call.require_all,
                augment=call.augment if split in call.augment_splits else None,
                seed=call.seed,
            )
            for split in call.splits or table.ledger.prepared_splits()
        ]
        if not plans:
            raise ConflictError("there are no columns to shard yet: run `prep resize` first")
        unprepared = [] if call.splits else sorted(set(table.ledger.splits()) - {p.store.split for p in plans})
        if unprepared:
            tell(f"prep: nothing was made for split {', '.join(unprepared)} yet; it gets no store")
        unequal = results.unequal_columns(plans)
        if unequal is not None:
            tell(f"prep: {unequal}")
        if dry_run:
            held = {p.store.split for p in plans if StorePlace(table, p.store.split).holds(p.fingerprint)}
            would = [(p, SplitResult(False, {}) if p.store.split in held else None) for p in plans]
            print_result(results.shards(table.workspace, would, as_json=as_json))
            return
        arguments: JsonDict = {
            "columns": call.columns,
            "codec": call.codec,
            "splits": list(call.splits),
            "samples_per_shard": call.samples_per_shard,
            "augment": None if call.augment is None else call.augment.to_json(),
            "augment_splits": list(call.augment_splits),
        }
        with _recorded(table, "shard", arguments):
            written = []
            for each in plans:
                with Progress(f"prep shard {each.store.split}", quiet=quiet) as progress:
                    try:
                        written.append((each, write_split(table, each, call.cluster, progress)))
                    except Interrupted:
                        tell("prep: interrupted; finished shards are kept. `prep shard` goes on from here")
                        raise typer.Exit(ExitCode.INTERRUPTED) from None
    print_result(results.shards(table.workspace, written, as_json=as_json))


def _workspace_of(call: StageCall) -> Path:
    dataset, root, out = call.explicit
    if dataset is None and root is None and out is None:
        return call.workspace
    if dataset is None or root is None or out is None:
        raise ConfigurationError("--dataset, --root and --out belong together; without them the workspace is used")
    return initialise(out, InitRequest(dataset, (root,))).workspace.root


@contextmanager
def _recorded(table: Table, command: str, arguments: JsonDict) -> Iterator[None]:
    """Note the run with its library versions, its times and how it ended."""
    packages = ("segprep", "numpy", "opencv-python-headless", "pillow", "dask", "zarr")
    versions: dict[str, Any] = {"python": platform.python_version(), **{name: version(name) for name in packages}}
    run = table.ledger.start_run(command, arguments, versions, _now())
    code: int = ExitCode.BUG
    try:
        yield
        code = ExitCode.DONE
    except SegprepError as error:
        code = error.exit_code
        raise
    except typer.Exit as left:
        code = left.exit_code
        raise
    finally:
        with suppress(WriteFailedError):  # on a full disk the first error is the one to show
            table.ledger.finish_run(run, code, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
