"""What `train eval` does, between the command line and the parts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from segprep.datasets.errors import ConfigurationError, WorkspaceNotFoundError
from segprep.datasets.sample import make_key
from segprep.datasets.shards import ShardStore
from segprep.datasets.standing import store_notices
from segprep.datasets.workspace import find_workspace
from segprep.train.command.memory import memory_explained
from segprep.train.command.place import TrainingPlace, shards_of
from segprep.train.evaluation.distance import DEFAULT_BANDS
from segprep.train.evaluation.predictions import SourceLabels
from segprep.train.evaluation.report import Report, write_report
from segprep.train.evaluation.subject import Subject, evaluation_folder
from segprep.train.learning.config import RunConfig, parse_config, read_toml
from segprep.train.learning.state import RunState
from segprep.train.network.checkpoint import checkpoint_name, load_checkpoint, load_into
from segprep.train.network.device import chosen_device
from segprep.train.network.pointers import checkpoint_path
from segprep.train.network.segmenter import build_segmenter, input_columns
from segprep.train.predict.views import Views, check_views, scored
from segprep.train.reading.reader import Batch, Reader
from segprep.train.reading.sources import identity, shards_name
from segprep.train.runs.folder import Run, find_run

__all__ = ["evaluate_run"]

_ONE_VIEW = Views()


def evaluate_run(
    place: TrainingPlace,
    name: str | None,
    checkpoint: str | None,
    split: str,
    at: str | None,
    root: Path | None,
    dataset: str | None = None,
    say: Callable[[str], None] = lambda _: None,
    *,
    views: Views = _ONE_VIEW,
    only_classes: tuple[str, ...] = (),
    bands: tuple[float, ...] = DEFAULT_BANDS,
    device: str | None = None,
) -> Report:
    """Evaluate a run on a split and write `eval-<split>/` into its folder.

    What is not usual stands behind that name, other shards, another checkpoint, the size of the network, views: see
    `evaluation_folder`.

    Args:
        place: Where.
        name: Of the run; None takes the last one.
        checkpoint: `best`, `last` or `step-N`; None takes `best` where there is one.
        split: Name of a store, without `.zarr`.
        at: `source` or `network` size; None takes `source` where the original labels can be read.
        root: Folder of the original dataset; None asks the workspace of the shards.
        dataset: Which data set's head, of a run that learned several; its name is part of the folder's, too.
        say: Gets sentences for the user.
        views: Windows, scales and flips that are averaged.
        only_classes: The classes that count; all if there are none.
        bands: Limits of the bands of distance in metres.
        device: Name of the device; None leaves it to torch.

    Raises:
        ConflictError: If the configuration is another than the run was trained by.
        DamagedStoreError: If the checkpoint is damaged.
        ConfigurationError: If there is no checkpoint or device, the classes differ, `at` is `source` and cannot be, or
            a column cannot follow the views.
    """
    where = chosen_device(device)
    run = find_run(place.runs, name)
    config = parse_config(read_toml(run.config_path), str(run.config_path))
    there = [each for each in ("best", "last") if checkpoint_path(run.checkpoints, each) is not None]
    pointers = there[:1] if checkpoint is None else [checkpoint_name(checkpoint)]
    loaded = load_checkpoint(run.checkpoints, pointers[0], say) if pointers else None
    if loaded is None:
        wanted = " or ".join(pointers or ("best", "last"))
        raise ConfigurationError(f"the run {run.root} has no checkpoint {wanted} yet: train it first")
    state = RunState.of(loaded)
    head = _head(state.names, dataset, run.name)
    folders = shards_of(place, config.shards)
    folder = folders[head] if len(folders) == len(state.names) else folders[0]
    store = ShardStore.open(folder / f"{split}.zarr", split)
    for notice in store_notices(store):
        say(f"{store.path}: {notice}")
    reader = Reader(store, config.data.inputs, config.data.target, masks=not views.single)
    check_views(views, reader.columns)
    state.check_classes(head, reader)
    state.check_config(config, run.config_path)
    columns = input_columns(reader.columns, store.statistics)
    state.check_columns({column.name: column.channels for column in columns}, loaded)
    model = replace(config.model, compile=False)  # which takes longer than most evaluations
    segmenter = build_segmenter(model, columns, state.class_counts, state.scalings, config.data.blank)
    load_into(segmenter.network, loaded, averaged=True)
    source, why_not = _source_labels(reader, root or _dataset_root(folder), at)
    subject = Subject(
        run=run.name,
        checkpoint=pointers[0],
        step=state.step,
        dataset=state.names[head] if len(state.names) > 1 else None,
        split=split,
        store=str(store.path),
        digest=store.digest or identity(store),
        at="network" if source is None else "source",
        why_not_source=why_not,
        views=views.to_json(),
        only_classes=only_classes,
        bands=bands,
    )
    own = [each.resolve() for each in _own_folders(run, config)]
    marks = (
        subject.dataset,
        None if folder.resolve() in own else shards_name(folder),
        None if pointers == there[:1] else subject.checkpoint,
        "network" if at == "network" else None,
        *_view_marks(views),
        make_key(f"only-{'-'.join(only_classes)}") if only_classes else None,
        f"bands-{'-'.join(f'{limit:g}' for limit in bands)}" if bands != DEFAULT_BANDS else None,
    )
    files = evaluation_folder(run.root, subject, *marks)
    remedy = "end other programs" if source is None else "end other programs, or evaluate with --at network"
    segmenter = segmenter.to(where).eval()

    def score(batch: Batch) -> Tensor:
        """On the network's device; by windows, which larger pictures need, the sum lies where the batch is."""
        there = batch if views.window else batch.to(segmenter.centre.device)
        return scored(segmenter, reader.columns, there.inputs_NHWC, views, head, valid_NHW=there.valid_NHW)

    with memory_explained(remedy):
        return write_report(files, score, reader, source, subject)


def _view_marks(views: Views) -> list[str]:
    """Return what of the views is not usual, as parts of a folder's name."""
    marks = []
    if views.window is not None:
        marks.append("window-{}x{}".format(*views.window))
    if views.stride is not None:
        marks.append("stride-{}x{}".format(*views.stride))
    if views.scales != (1.0,):
        marks.append(f"scales-{'-'.join(f'{scale:g}' for scale in views.scales)}")
    return [*marks, "flip"] if views.flip else marks


def _own_folders(run: Run, config: RunConfig) -> list[Path]:
    """Return the shards that a run learned from, whatever the command line names now."""
    if config.shards:
        return [Path(folder) for folder in config.shards]
    try:
        return [find_workspace(run.root).shards_dir]
    except WorkspaceNotFoundError:
        return []


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
