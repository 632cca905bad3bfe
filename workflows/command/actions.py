"""What the commands that look at a workspace, or make one, do with their options; they print the result."""

import fnmatch
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import typer

from segprep.datasets.atomic import remove_partials_of
from segprep.datasets.errors import ConfigurationError, ExitCode, MachineError
from segprep.datasets.program.progress import Progress
from segprep.workflows.command import results
from segprep.workflows.command.printing import print_result, tell
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import open_table
from segprep.workflows.running.batches import Interrupted
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.samples.initialise import InitRequest, initialise
from segprep.workflows.samples.miniature import written_miniature
from segprep.workflows.stores.augment_request import AugmentRequest

__all__ = ["check", "flow_eval", "init", "show", "status", "write_list"]


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
        if good is not None:
            why_not = "not every file was checked" if result.not_checked else ""
            if result.bad_keys.issuperset(table.ledger.keys(selection)):
                why_not = why_not or "no sample is without errors"
            if why_not:
                tell(f"prep: {why_not}; {good} was not written")
            else:
                listed = write_lists(table, selection, good, columns=None, prepared=False, skip=result.bad_keys)
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
    remove_partials_of(path)
    write_image(path, panel)
    print_result([str(path)])
