"""The `prep` command. Thin: it reads options, calls the library and prints.

Whatever needs NumPy, OpenCV, Dask or Zarr is imported when a command runs, so that `prep --help` is quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from segprep.datasets.program.command_line import Directory, JsonOutput, group_commands, new_app, run_app
from segprep.datasets.program.parameters import offer
from segprep.datasets.record import Direction
from segprep.workflows.command.completion import columns as column_names
from segprep.workflows.command.completion import datasets
from segprep.workflows.command.import_command import import_command
from segprep.workflows.command.modality_command import ModalityCommand
from segprep.workflows.command.options import (
    Augment,
    Limit,
    ListsColumns,
    ListsRoot,
    Only,
    Preset,
    Quiet,
    Scheduler,
    Seed,
    SplitNames,
    VariantSize,
    Workers,
    parse_names,
    parse_pair,
)
from segprep.workflows.command.stage_command import stage_command
from segprep.workflows.command.store_commands import store_commands
from segprep.workflows.stages.arguments import DEPTH_UNIT_NAMES, FlowArguments, MotionLabelArguments, ResizeArguments

__all__ = ["app", "main"]

app = new_app(
    "prep",
    "Prepare multimodal segmentation datasets. A workspace is a table: commands add columns, `shard` freezes it.",
    "0 done, 1 bug, 2 usage, 3 bad input, 4 too many bad samples, 5 conflict with what exists, 6 damaged store, "
    "cell or ledger, 130 interrupted.",
)

_HERE = Path()


@app.command()
def init(
    dataset: Annotated[
        str, typer.Argument(help="Name in the catalog; a wrong one lists them.", autocompletion=offer(datasets))
    ],
    given: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ROOT|LIST...",
            help="The dataset's folder; for the dataset `list` its lists (.csv, .txt, .jsonl, .parquet).",
            show_default=False,
        ),
    ] = None,
    root: ListsRoot = None,
    columns: ListsColumns = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEME|FILE",
            help="One of the dataset's class schemes (cityscapes: 19, 11), or a class map of your own: TOML, or "
            "PARIS's JSON.",
            show_default=False,
        ),
    ] = None,
    miniature: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Render a small dataset in this layout there, and use it.", show_default=False
        ),
    ] = None,
    frames: Annotated[int, typer.Option(min=2, metavar="N", help="Frames of the miniature.")] = 12,
    neighbour: Annotated[
        Direction | None,
        typer.Option(help="Which neighbouring frame makes a motion pair. Default: previous.", show_default=False),
    ] = None,
    depth_unit: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT",
            help=f"What the numbers of depth files are, where the dataset does not know: {DEPTH_UNIT_NAMES}. Kept in "
            "prep.toml.",
            show_default=False,
        ),
    ] = None,
    snap_labels: Annotated[
        float | None,
        typer.Option(
            metavar="DISTANCE",
            help="Take what is no known label value for the nearest one that is at most so far away in grey levels or "
            "RGB, and ignore what is farther: for JPEG labels. Kept in prep.toml.",
            show_default=False,
        ),
    ] = None,
    workspace: Directory = _HERE,
    as_json: JsonOutput = False,
) -> None:
    """Recognise a dataset, list its samples, and make a workspace here."""
    from segprep.workflows.command import actions as commands
    from segprep.workflows.samples.initialise import InitRequest

    row = parse_names(columns)
    request = InitRequest(dataset, tuple(given or ()), root, row, classes, neighbour, depth_unit, snap_labels)
    commands.init(request, miniature, frames, workspace, as_json=as_json)


app.command("import")(import_command)


@app.command()
def rebuild(
    given: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ROOT|LIST...",
            help="Where the dataset is; default: where prep.toml says. The dataset `list` needs its lists.",
            show_default=False,
        ),
    ] = None,
    root: ListsRoot = None,
    columns: ListsColumns = None,
    workspace: Directory = _HERE,
    as_json: JsonOutput = False,
) -> None:
    """Make a ledger that is damaged or missing again: list the samples, and keep the cells that it still knows."""
    from segprep.workflows.command.rebuild_action import rebuild_ledger

    rebuild_ledger(workspace, given or [], root, parse_names(columns), as_json=as_json)


stage_command(app, "resize", ResizeArguments)
stage_command(app, "flow", FlowArguments)
stage_command(app, "motion-labels", MotionLabelArguments)


@app.command(cls=ModalityCommand)
def modality() -> None:
    """Make further columns from depth, image and near infrared; or, with --depth-file and --out, from single files."""


@app.command("flow-eval")
def flow_eval(
    truth: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN|FILE",
            help="Files of true flow, e.g. 'flow_occ/{stem}.png', relative to the dataset's root, or the file of the "
            "single sample that --only chooses; with --flow one file.",
        ),
    ],
    column: Annotated[
        str, typer.Option(metavar="NAME", help="The column to compare.", autocompletion=offer(column_names))
    ] = "optical_flow",
    flow: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare this file, without a workspace.", show_default=False),
    ] = None,
    flow_format: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="auto (by suffix; .png is KITTI's), flo, kitti, vkitti, npy, pfm.",
            autocompletion=offer(lambda _: ("auto", "flo", "kitti", "vkitti", "npy", "pfm")),
        ),
    ] = "auto",
    workspace: Directory = _HERE,
    split: SplitNames = None,
    only: Only = None,
    limit: Limit = None,
    as_json: JsonOutput = False,
) -> None:
    """Compare flow with its truth: end-point error, outliers, angular error, over valid pixels."""
    from segprep.workflows.command import actions as commands
    from segprep.workflows.ledger.database import Selection

    selection = Selection(tuple(split or ()), only, limit)
    commands.flow_eval(workspace, selection, truth, column, flow, flow_format, as_json=as_json)


@app.command()
def check(
    write_list: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a list of the samples without errors (.csv, .txt, .jsonl, .parquet; csv and txt hold one "
            "split: put {split} into the name).",
            show_default=False,
        ),
    ] = None,
    workspace: Directory = _HERE,
    workers: Workers = None,
    scheduler: Scheduler = None,
    split: SplitNames = None,
    only: Only = None,
    limit: Limit = None,
    as_json: JsonOutput = False,
    quiet: Quiet = False,
) -> None:
    """Decode every source file and say what is wrong with the dataset; exit with 4 if anything is."""
    from segprep.workflows.command import actions as commands
    from segprep.workflows.ledger.database import Selection
    from segprep.workflows.running.cluster import ClusterOptions

    selection = Selection(tuple(split or ()), only, limit)
    cluster = ClusterOptions(workers, scheduler)
    commands.check(workspace, selection, cluster, write_list, as_json=as_json, quiet=quiet)


@app.command("list")
def write_list(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="By its suffix: .csv as PARIS has it, .txt as SSMA has it, .jsonl or .parquet with everything that is "
            "known. csv and txt hold one split: put {split} into the name.",
        ),
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Default: image,label in csv and txt, everything in the others.",
            show_default=False,
            autocompletion=offer(column_names),
        ),
    ] = None,
    prepared: Annotated[
        bool, typer.Option("--prepared", help="List the workspace's own files instead of the dataset's.")
    ] = False,
    description: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Write the classes too, as PARIS's JSON description.", show_default=False),
    ] = None,
    workspace: Directory = _HERE,
    split: SplitNames = None,
    only: Only = None,
    limit: Limit = None,
    as_json: JsonOutput = False,
) -> None:
    """Write a list of the samples, which other tools and `prep init list` read."""
    from segprep.workflows.command import actions as commands
    from segprep.workflows.ledger.database import Selection

    selection = Selection(tuple(split or ()), only, limit)
    names = parse_names(columns)
    commands.write_list(workspace, selection, out, names, description, prepared=prepared, as_json=as_json)


@app.command()
def status(workspace: Directory = _HERE, as_json: JsonOutput = False) -> None:
    """Show the table of what exists, what failed, what is stale and why."""
    from segprep.workflows.command import actions as commands

    commands.status(workspace, as_json=as_json)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="The sample's key; a glob takes the first match.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Default: show/KEY.png in the workspace.", show_default=False)
    ] = None,
    augment: Augment = None,
    preset: Preset = None,
    size: VariantSize = None,
    seed: Seed = None,
    variant: Annotated[
        int | None,
        typer.Option(min=0, metavar="K", help="The variant K that a store holds, made again.", show_default=False),
    ] = None,
    workspace: Directory = _HERE,
) -> None:
    """Draw every column of a sample in one PNG, or how variants of it would look."""
    from segprep.workflows.command import actions as commands
    from segprep.workflows.stores.augment_request import augment_request

    commands.show(key, out, workspace, augment_request(augment, preset, parse_pair(size), seed), variant)


store_commands(app)

group_commands(
    app,
    {
        "Bring in": ["import", "init", "rebuild"],
        "Prepare": ["resize", "flow", "motion-labels", "modality"],
        "Look": ["check", "status", "show", "flow-eval"],
        "Store": ["shard", "verify", "stats", "peek"],
        "Take away": ["list"],
    },
)


def main() -> None:
    """Run `prep`."""
    raise SystemExit(run_app(app, "prep"))
