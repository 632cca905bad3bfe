"""What `train run` and `train eval` do, between the command line and the parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segprep.datasets.errors import ConfigurationError, WorkspaceNotFoundError
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import find_workspace
from segprep.train.checkpoint import load_checkpoint
from segprep.train.config import RunConfig, config_toml, parse_config, read_toml
from segprep.train.data import Reader
from segprep.train.evaluate import SourceLabels, trained_classes
from segprep.train.loop import Outcome, Training
from segprep.train.network import build_segmenter, default_device
from segprep.train.report import Report, write_report
from segprep.train.runs import Run, create_run, find_run, next_name

__all__ = ["Place", "TrainedRun", "evaluate_run", "find_place", "resume_run", "start_run"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works.

    Attributes:
        shards: Folder of `<split>.zarr` that the command line or the workspace names; None if neither does and only
            earlier runs, which know theirs, were found.
        given: Whether the command line named the shards.
        runs: Folder of runs.
    """

    shards: Path | None
    given: bool
    runs: Path


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run and how it ended.

    Attributes:
        run: Its folder.
        outcome: Steps and scores.
        parameters: Number of trainable values.
        validated: Whether there was a `val.zarr`.
    """

    run: Run
    outcome: Outcome
    parameters: int
    validated: bool


def find_place(start: Path, shards: Path | None) -> Place:
    """Find the workspace at or above `start`; with `shards` named none is needed, and runs go to `start/runs`.

    Raises:
        WorkspaceNotFoundError: If there is no workspace, no `shards` and no earlier run.
    """
    try:
        workspace = find_workspace(start)
    except WorkspaceNotFoundError:
        runs = start.absolute() / "runs"
        if shards is None and not runs.is_dir():
            raise
        return Place(None if shards is None else shards.absolute(), shards is not None, runs)
    if shards is None:
        return Place(workspace.shards_dir, False, workspace.runs_dir)
    return Place(shards.absolute(), True, workspace.runs_dir)


def start_run(
    place: Place, name: str | None, config_file: Path | None, flags: Mapping[str, Any], max_minutes: float | None
) -> TrainedRun:
    """Begin a new run.

    Args:
        place: Where.
        name: Of the run; None takes the next free run-001, run-002, ...
        config_file: TOML, or None.
        flags: Tables as in the TOML file; they win.
        max_minutes: See `Training.train`.
    """
    table = {} if config_file is None else read_toml(config_file)
    config = parse_config(_merged(table, flags, place), "the command line" if config_file is None else str(config_file))
    training = _training(place, config)
    run = create_run(place.runs, name or next_name(place.runs), config_toml(config))
    return _train(training, run, max_minutes)


def resume_run(place: Place, name: str | None, max_minutes: float | None) -> TrainedRun:
    """Go on with the named run or the last one, by its own configuration, from its last checkpoint."""
    run = find_run(place.runs, name)
    training = _training(place, parse_config(read_toml(run.config_path), str(run.config_path)))
    training.restore(run)
    return _train(training, run, max_minutes)


def evaluate_run(
    place: Place, name: str | None, checkpoint: str | None, split: str, at: str | None, root: Path | None
) -> Report:
    """Evaluate a run on a split and write `eval-<split>/` into its folder.

    Args:
        place: Where.
        name: Of the run; None takes the last one.
        checkpoint: `best` or `last`; None takes `best` where there is one.
        split: Name of a store, without `.zarr`.
        at: `source` or `network` size; None takes `source` where the original labels can be read.
        root: Folder of the original dataset; None asks the workspace of the shards.

    Raises:
        ConfigurationError: If there is no checkpoint, the classes differ, or `at` is `source` and cannot be.
    """
    run = find_run(place.runs, name)
    config = parse_config(read_toml(run.config_path), str(run.config_path))
    pointers = ("best", "last") if checkpoint is None else (checkpoint,)
    pointer = next((p for p in pointers if (run.checkpoints / p).exists()), None)
    loaded = None if pointer is None else load_checkpoint(run.checkpoints, pointer)
    if pointer is None or loaded is None:
        raise ConfigurationError(f"the run {run.root} has no checkpoint {' or '.join(pointers)} yet: train it first")
    shards = _shards_of(place, config)
    store = ShardStore.open(shards / f"{split}.zarr")
    reader = Reader(store, config.data.inputs)
    segmenter = build_segmenter(config.model, reader.columns, len(trained_classes(loaded.state, store)))
    segmenter.network.load_state_dict(loaded.weights)
    source, why_not = _source_labels(store, root or _dataset_root(shards), at)
    return write_report(
        run.root / f"eval-{split}",
        segmenter.to(default_device()),
        reader,
        source,
        {"run": run.name, "checkpoint": pointer, "step": loaded.state["step"], "why_not_source": why_not},
    )


def _training(place: Place, config: RunConfig) -> Training:
    shards = _shards_of(place, config)
    val = shards / "val.zarr"
    return Training(config, ShardStore.open(shards / "train.zarr"), ShardStore.open(val) if val.exists() else None)


def _train(training: Training, run: Run, max_minutes: float | None) -> TrainedRun:
    outcome = training.train(run, max_minutes)
    return TrainedRun(run, outcome, training.parameters, training.val_reader is not None)


def _merged(table: Mapping[str, Any], flags: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Lay the flags over the file's tables. `--steps` replaces the file's epochs and the other way round."""
    merged = dict(table)
    for name, value in flags.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    for length, other in (("steps", "epochs"), ("epochs", "steps")):
        if length in flags and other not in flags:
            merged.pop(other, None)
    if place.given:
        merged["shards"] = str(place.shards)
    return merged


def _shards_of(place: Place, config: RunConfig) -> Path:
    """Return the folder that the command line names, else the run's own, else the workspace's."""
    if not place.given and config.shards is not None:
        return Path(config.shards)
    if place.shards is None:
        raise ConfigurationError("name the folder of the shards with --shards")
    return place.shards


def _dataset_root(shards: Path) -> Path | None:
    try:
        return find_workspace(shards).config.dataset_root
    except WorkspaceNotFoundError:
        return None


def _source_labels(store: ShardStore, root: Path | None, at: str | None) -> tuple[SourceLabels | None, str | None]:
    """Return the original labels if they shall and can be read, else why they cannot."""
    if at == "network":
        return None, None
    source = None if root is None else SourceLabels(store, root)
    why = "no workspace knows the dataset's root: name it with --root" if source is None else source.why_unreachable()
    if why is not None and at == "source":
        raise ConfigurationError(f"the original labels cannot be read: {why}")
    return (source if why is None else None), why
