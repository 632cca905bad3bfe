"""What a shell offers after Tab: columns, runs and stores that are there. What cannot be read offers nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

from segprep.datasets.errors import SegprepError
from segprep.datasets.kinds import Kind
from segprep.train.network.pointers import CHECKPOINT_NAME, POINTERS

if TYPE_CHECKING:
    import typer

    from segprep.train.command.place import TrainingPlace

__all__ = ["checkpoints", "columns", "experts", "runs", "splits"]


def runs(ctx: "typer.Context") -> list[str]:
    """Return the names of the runs."""
    place = _place(ctx)
    return [] if place is None else [path.parent.name for path in sorted(place.runs.glob("*/config.toml"))]


def checkpoints(ctx: "typer.Context") -> list[str]:
    """Return the names of the checkpoints of the run that `--name` says, or of all runs."""
    place, name = _place(ctx), ctx.params.get("name")
    folders = [] if place is None else place.runs.glob(f"{name or '*'}/checkpoints/*")
    return sorted({p.name for p in folders if p.name in POINTERS or CHECKPOINT_NAME.fullmatch(p.name)})


def splits(ctx: "typer.Context") -> list[str]:
    """Return the names of the stores."""
    return sorted({path.stem for folder in _shards(ctx) for path in folder.glob("*.zarr")})


def columns(ctx: "typer.Context") -> list[str]:
    """Return the columns of the shards that a network can take."""
    from segprep.datasets.shards import ShardStore

    for folder in _shards(ctx):
        try:
            store = ShardStore.open(folder / "train.zarr")
        except (SegprepError, OSError):
            continue
        return [name for name, spec in store.columns.items() if spec.kind not in (Kind.LABEL, Kind.INSTANCE)]
    return []


def experts(ctx: "typer.Context") -> list[str]:
    """Return what `--expert` takes, a column and a run."""
    return [f"{column}={run}" for column in columns(ctx) for run in runs(ctx)]


def _shards(ctx: "typer.Context") -> tuple[Path, ...]:
    place = _place(ctx)
    return () if place is None else place.shards


def _place(ctx: "typer.Context") -> "TrainingPlace | None":
    from segprep.train.command.place import find_place

    shards = ctx.params.get("shards") or ()
    try:
        return find_place(Path(ctx.params.get("workspace") or "."), [shards] if isinstance(shards, Path) else shards)
    except (SegprepError, OSError):
        return None
