"""Options that several commands share, and what they mean."""

from pathlib import Path
from typing import Annotated

import typer

from segprep.datasets.program.parameters import offer
from segprep.datasets.program.values import parse_size
from segprep.workflows.command.completion import augmentation_presets, splits

__all__ = [
    "Augment",
    "DryRun",
    "Limit",
    "ListsColumns",
    "ListsRoot",
    "MaxBad",
    "Only",
    "Preset",
    "Quiet",
    "RetryFailed",
    "Scheduler",
    "Seed",
    "SplitNames",
    "VariantSize",
    "Verbose",
    "Workers",
    "parse_names",
    "parse_pair",
]

ListsRoot = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where the paths in lists start. Default: the lists' folder.", show_default=False),
]
ListsColumns = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="What stands in a row of lists without a header, e.g. image,depth,label.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Local worker processes; 0 runs in this process. Default: one per core.",
        show_default=False,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Use a Dask cluster that you run, e.g. tcp://host:8786.", show_default=False),
]
Only = Annotated[str | None, typer.Option(metavar="GLOB", help="Only samples whose key matches.", show_default=False)]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N samples.", show_default=False)]
SplitNames = Annotated[
    list[str] | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Only this split; may be repeated.",
        show_default=False,
        autocompletion=offer(splits),
    ),
]
MaxBad = Annotated[
    str, typer.Option(metavar="SHARE", help="Exit with 4 if a larger share of the samples failed, e.g. 1% or 0.01.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try samples again that failed before.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Augment = Annotated[
    int | None,
    typer.Option(metavar="N", help="N variants of each sample, all of them drawn.", show_default=False),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="What variants are drawn from: ssma (default), paris, fcn, flip, none, or a TOML file of ranges.",
        show_default=False,
        autocompletion=offer(augmentation_presets),
    ),
]
VariantSize = Annotated[
    str | None,
    typer.Option(metavar="WxH", help="Size of the variants. Default: the samples'.", show_default=False),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, metavar="S", help="Of all draws, and of the samples' order. Default: 0.", show_default=False),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say where each parameter comes from.")]


def parse_names(text: str | None) -> tuple[str, ...] | None:
    """Return the names in a text such as "pole, traffic sign"."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def parse_pair(text: str | None) -> tuple[int, int] | None:
    """Return (width, height) as `parse_size` does."""
    size = parse_size(text)
    return None if size is None else (size[0], size[1])
