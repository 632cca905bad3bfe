"""What `train eval` does, between the command line and the parts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from segprep.datasets.errors import ConfigurationError, WorkspaceNotFoundError
from segprep.datasets.shards import ShardStore
from segprep.datasets.standing import store_notices
from segprep.datasets.workspace import find_workspace
from segprep.train.command.place import TrainingPlace, shards_of
from segprep.train.evaluation.predictions import SourceLabels
from segprep.train.evaluation.report import Report, write_report
from segprep.train.learning.config import parse_config, read_toml
from segprep.train.learning.state import RunState
from segprep.train.network.checkpoint import checkpoint_name, load_checkpoint, load_into
from segprep.train.network.segmenter import build_segmenter, default_device, input_columns
from segprep.train.reading.reader import Reader
from segprep.train.runs.folder import find_run

__all__ = ["evaluate_run"]


def evaluate_run(
    place: TrainingPlace,
    name: str | None,
    checkpoint: str | None,
    split: str,
    at: str | None,
    root: Path | None,
    dataset: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Evaluate a run on a split and write `eval-<split>/` into its folder.

    Args:
        place: Where.
        name: Of the run; None takes the last one.
        checkpoint: `best`, `last` or `step-N`; None takes `best` where there is one.
        split: Name of a store, without `.zarr`.
        at: `source` or `network` size; None takes `source` where the original labels can be read.
        root: Folder of the original dataset; None asks the workspace of the shards.
        dataset: Which data set's head, of a run that learned several; its results go to `eval-<split>-<dataset>/`.
        say: Gets sentences for the user.

    Raises:
        ConflictError: If the configuration is another than the run was trained by.
        DamagedStoreError: If the checkpoint is damaged.
        ConfigurationError: If there is no checkpoint, the classes differ, or `at` is `source` and cannot be.
    """
    run = find_run(place.runs, name)
    config = parse_config(read_toml(run.config_path), str(run.config_path))
    pointers = ("best", "last") if checkpoint is None else (checkpoint_name(checkpoint),)
    pointer = next((p for p in pointers if (run.checkpoints / p).exists()), None)
    loaded = None if pointer is None else load_checkpoint(run.checkpoints, pointer, say)
    if pointer is None or loaded is None:
        raise ConfigurationError(f"the run {run.root} has no checkpoint {' or '.join(pointers)} yet: train it first")
    state = RunState.of(loaded)
    head = _head(state.names, dataset, run.name)
    folders = shards_of(place, config.shards)
    folder = folders[head] if len(folders) == len(state.names) else folders[0]
    store = ShardStore.open(folder / f"{split}.zarr", split)
    for notice in store_notices(store):
        say(f"{store.path}: {notice}")
    reader = Reader(store, config.data.inputs, config.data.target)
    state.check_classes(head, reader)
    state.check_config(config, run.config_path)
    columns = input_columns(reader.columns, store.statistics)
    model = replace(config.model, compile=False)  # which takes longer than most evaluations
    segmenter = build_segmenter(model, columns, state.class_counts, state.scalings, config.data.blank)
    load_into(segmenter.network, loaded, averaged=True)
    source, why_not = _source_labels(reader, root or _dataset_root(folder), at)
    about = {"run": run.name, "checkpoint": pointer, "step": state.step, "why_not_source": why_not}
    suffix = f"-{state.names[head]}" if len(state.names) > 1 else ""
    return write_report(run.root / f"eval-{split}{suffix}", segmenter.to(default_device()), reader, source, about, head)


def _head(names: Sequence[str], wanted: str | None, run: str) -> int:
    if wanted is None and len(names) == 1:
        return 0
    if wanted not in names:
        missing = "say which with --dataset" if wanted is None else f"there is no data set {wanted!r}"
        raise ConfigurationError(f"{run} learned {', '.join(names)}: {missing}")
    return names.index(wanted)


def _dataset_root(shards: Path) -> Path | None:
    try:
        return find_workspace(shards).config.dataset_root
    except WorkspaceNotFoundError:
        return None


def _source_labels(reader: Reader, root: Path | None, at: str | None) -> tuple[SourceLabels | None, str | None]:
    """Return the original labels if they shall and can be read, else why they cannot."""
    if at == "network":
        return None, None
    source = None if root is None else SourceLabels(reader.store, root)
    why = "no workspace knows the dataset's root: name it with --root" if source is None else source.why_unreachable()
    if reader.class_map is not reader.store.class_map:
        why = f"column {reader.label.name!r} was made, and has no files of its own in the dataset"
    if why is not None and at == "source":
        raise ConfigurationError(f"the original labels cannot be read: {why}")
    return (source if why is None else None), why
