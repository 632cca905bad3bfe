"""What `train run` does, between the command line and the parts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch

from segprep.datasets.atomic import remove_partials
from segprep.datasets.errors import ClusterLostError, ConfigurationError, ConflictError, DamagedStoreError
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.standing import store_notices
from segprep.train.command.device import device_of_resume
from segprep.train.command.memory import memory_explained
from segprep.train.command.place import TrainingPlace, shards_of
from segprep.train.learning.beginning import first_segmenter, fresh_segmenter
from segprep.train.learning.config import RunConfig, config_toml, parse_config, read_toml
from segprep.train.learning.extension import same_but_length, was_extended, with_length
from segprep.train.learning.loop import RunOutcome, Training
from segprep.train.learning.protocols import ProtocolStage, merged_tables, stages_of
from segprep.train.learning.unused import check_validated, unused_entries
from segprep.train.network.checkpoint import checkpoint_name, list_checkpoints, load_checkpoint, remove_unused
from segprep.train.network.device import chosen_device
from segprep.train.network.pointers import checkpoint_kept, checkpoint_path
from segprep.train.network.segmenter import native_precision
from segprep.train.reading.labels import refuse_one_class, told_of_ignored
from segprep.train.reading.sources import Source, open_sources
from segprep.train.runs.folder import Run, create_run, find_run, next_name
from segprep.train.runs.processes import Processes, joined_processes
from segprep.train.runs.resuming import resume_command
from segprep.train.runs.services import check_services

__all__ = ["NOT_VALIDATED", "TrainedRun", "read_configuration", "resume_run", "start_run"]

Say = Callable[[str], None]

NOT_VALIDATED: Final = "there is no val.zarr beside train.zarr"
_LESS_MEMORY: Final = (
    "begin a run with a smaller --batch-size, with more parts of a batch (--accumulate) or smaller pictures (--size), "
    "or go on with --resume where there is more memory. The checkpoints that a run has are kept"
)


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run and how it ended.

    Attributes:
        run: Its folder.
        outcome: Steps and scores.
        parameters: Number of trainable values.
        validated: Whether there was a `val.zarr`.
        processes: That trained it; of several, the first one tells the user.
    """

    run: Run
    outcome: RunOutcome
    parameters: int
    validated: bool
    processes: Processes


def read_configuration(
    place: TrainingPlace, name: str, file: Path | None, flags: Mapping[str, Any], device: torch.device | None = None
) -> list[tuple[str, RunConfig]]:
    """Return the name and the configuration of each run that a file and flags, which win, describe.

    Args:
        place: Where.
        name: Of the run, or of the protocol.
        file: TOML, or None.
        flags: Tables as in the TOML file.
        device: Decides the precision where nobody says it; None leaves it to torch.

    Raises:
        ConfigurationError: If an entry makes no sense.
    """
    table = {} if file is None else read_toml(file)
    origin = "the command line" if file is None else str(file)
    shards = {"shards": [str(folder) for folder in place.shards]} if place.given else {}
    return [
        (
            stage.run,
            parse_config(_with_precision(stage.table, device), _where(origin, stage, table), {**flags, **shards}),
        )
        for stage in stages_of(table, name)
    ]


def start_run(
    place: TrainingPlace,
    name: str | None,
    file: Path | None,
    flags: Mapping[str, Any],
    max_minutes: float | None,
    say: Say = lambda _: None,
    device: str | None = None,
) -> list[TrainedRun]:
    """Begin a new run, or the runs of a protocol one after the other.

    Args:
        place: Where.
        name: Of the run; None takes the next free run-001, run-002, ...
        file: TOML, or None.
        flags: Tables as in the TOML file; they win.
        max_minutes: See `Training.train`; it ends the protocol, too.
        say: Gets sentences for the user.
        device: Name of the device; None leaves it to torch.

    Raises:
        ConfigurationError: If there is no such device.
    """
    chosen = chosen_device(device)
    with memory_explained(_LESS_MEMORY), joined_processes(chosen) as processes:
        say = say if processes.first else _silent
        name = processes.gathered(name or next_name(place.runs))[0]
        trained = []
        for run_name, config in read_configuration(place, name, file, flags, chosen):
            trained.append(_started(place, run_name, config, processes, max_minutes, say))
            if trained[-1].outcome.why in ("interrupted", "time"):
                break
    return trained


def resume_run(
    place: TrainingPlace,
    name: str | None,
    file: Path | None,
    max_minutes: float | None,
    say: Say = lambda _: None,
    checkpoint: str = "last",
    device: str | None = None,
    length: Mapping[str, Any] = MappingProxyType({}),
) -> list[TrainedRun]:
    """Go on with the named run or the last one, by its own configuration, from one of its checkpoints.

    Args:
        place: Where.
        name: Of the run; with a file, of the protocol.
        file: Of a protocol: its finished runs are left, the first unfinished one goes on, the others begin.
        max_minutes: See `Training.train`.
        say: Gets sentences for the user.
        checkpoint: Of the one run, as people write it.
        device: Name of the device; None goes on where the run, or the last run of the protocol, was trained.
        length: `steps` or `epochs` of a longer run; empty leaves its length.

    Raises:
        ConfigurationError: If there is no such checkpoint or device, or the run cannot be made longer.
        ConflictError: If a run of the protocol was begun by another configuration.
    """
    run = find_run(place.runs, name) if file is None else _last_of_protocol(place, name or "", file)
    chosen = chosen_device(device) if run is None else device_of_resume(device, run, checkpoint, say)
    with memory_explained(_LESS_MEMORY), joined_processes(chosen) as processes:
        say = say if processes.first else _silent
        if file is None:
            assert run is not None
            config = _longer(run, length) if length else _config_of(run)
            return [_resumed(place, run, config, processes, max_minutes, say, checkpoint, new_length=bool(length))]
        trained = []
        for run_name, config in read_configuration(place, name or "", file, {}):
            run = Run(place.runs / run_name)
            if not run.config_path.exists():
                trained.append(_started(place, run_name, config, processes, max_minutes, say))
            elif (own := _config_of(run)) == config or (was_extended(run.config_path) and same_but_length(own, config)):
                trained.append(_resumed(place, run, own, processes, max_minutes, say))
            else:
                raise ConflictError(f"{run.root} was begun by another configuration than {file}: choose another --name")
            if trained[-1].outcome.why in ("interrupted", "time"):
                break
    return trained


def _config_of(run: Run) -> RunConfig:
    return parse_config(read_toml(run.config_path), str(run.config_path))


def _longer(run: Run, length: Mapping[str, Any]) -> RunConfig:
    if checkpoint_path(run.checkpoints, "last") is None:
        raise ConfigurationError(f"{run.name} has no checkpoint that could be extended: --resume it alone first")
    return with_length(_config_of(run), length.get("steps"), length.get("epochs"))


def _last_of_protocol(place: TrainingPlace, name: str, file: Path) -> Run | None:
    runs = [Run(place.runs / stage.run) for stage in stages_of(read_toml(file), name)]
    return next((run for run in reversed(runs) if run.config_path.exists()), None)


def _with_precision(table: Mapping[str, Any], device: torch.device | None) -> Mapping[str, Any]:
    """Return a configuration whose network computes as the device does natively, unless the table says how."""
    if device is None:
        return table
    return merged_tables({"model": {"precision": native_precision(device)}}, table)


def _started(
    place: TrainingPlace, name: str, config: RunConfig, processes: Processes, max_minutes: float | None, say: Say
) -> TrainedRun:
    check_services(config.log_to)
    sources = _sources(place, config, say)
    if not config.data.one_class:
        refuse_one_class(sources)
    check_validated(config, sources)
    for sentence in (*told_of_ignored(sources), *unused_entries(config, sources)):
        say(sentence)
    segmenter = first_segmenter(config, sources, processes, place.runs, say)
    training = Training(config, sources, segmenter, processes)
    if (why := training.validation.why_undefined()) is not None:
        raise ConfigurationError(f"{why}: choose another checkpoint.metric, or shard other samples for val")
    run = processes.once(lambda: create_run(place.runs, name, config_toml(config)))
    with _only_writer(run, processes):
        return _train(training, run, max_minutes, say)


def _resumed(
    place: TrainingPlace,
    run: Run,
    config: RunConfig,
    processes: Processes,
    max_minutes: float | None,
    say: Say,
    checkpoint: str = "last",
    *,
    new_length: bool = False,
) -> TrainedRun:
    check_services(config.log_to)
    with _only_writer(run, processes):
        processes.once(lambda: remove_partials(run.root))
        saved = load_checkpoint(run.checkpoints, checkpoint_name(checkpoint), say)
        if saved is None:
            _allow_beginning_anew(run, checkpoint, say)
        sources = _sources(place, config, say)
        segmenter = (
            first_segmenter(config, sources, processes, place.runs, say)
            if saved is None
            else fresh_segmenter(config, sources, processes)
        )
        training = Training(config, sources, segmenter, processes)
        if (why := training.validation.why_undefined()) is not None:
            say(why)
        if saved is not None:
            training.restore(run, saved, say, new_length=new_length)
            del saved  # its averages are as large as the network
        processes.once(lambda: remove_unused(run.checkpoints, config.checkpoint.keep))
        if lost := processes.once(lambda: run.cut_log(training.step)):
            say(f"{run.log_path}: {lost} lines that cannot be read are left out")
        return _train(training, run, max_minutes, say)


@contextmanager
def _only_writer(run: Run, processes: Processes) -> Iterator[None]:
    """Hold the run's lock; of several processes the first one does it for all."""
    with ExitStack() as held:
        processes.once(lambda: held.enter_context(writer_lock(run.root)))
        yield


def _allow_beginning_anew(run: Run, checkpoint: str, say: Say) -> None:
    """Refuse to begin a run again that has a checkpoint.

    A single one may be that of a process that was killed before `last` named it: it is made again.

    Raises:
        ConfigurationError: If another checkpoint than the last one was wished.
        DamagedStoreError: If only the name of the last one is lost.
    """
    known = [each.path.name for each in list_checkpoints(run.checkpoints)]
    if checkpoint != "last":
        raise ConfigurationError(f"{run.root} has no checkpoint {checkpoint}. There are: {', '.join(known) or 'none'}")
    if len(known) > 1:
        raise DamagedStoreError(
            f"{run.checkpoints / 'last'} is gone, but there are {', '.join(known)}: go on with --checkpoint {known[-1]}"
        )
    if known:
        say(f"{run.checkpoints / known[0]} was never named in {run.checkpoints / 'last'}: the run begins again")


def _sources(place: TrainingPlace, config: RunConfig, say: Say) -> tuple[Source, ...]:
    sources = open_sources(shards_of(place, config.shards), config.data.inputs, config.data.target)
    for store in (store for source in sources for store in (source.train, source.val) if store is not None):
        for notice in store_notices(store):
            say(f"{store.path}: {notice}")
    if all(source.val is None for source in sources):
        say(f"{NOT_VALIDATED}: nothing will be validated, and `last` will be the result")
    return sources


def _train(training: Training, run: Run, max_minutes: float | None, say: Say) -> TrainedRun:
    training.processes.once(lambda: run.describe_shards([source.to_json() for source in training.sources]))
    try:
        outcome = training.train(run, max_minutes, say)
    except ClusterLostError as error:
        kept = checkpoint_kept(run.checkpoints)
        again = resume_command(run, training.processes.count)
        raise ClusterLostError(f"{error} ({kept}): go on with `{again}`") from error
    return TrainedRun(run, outcome, training.parameters, training.validation.possible, training.processes)


def _where(origin: str, stage: ProtocolStage, table: Mapping[str, Any]) -> str:
    return f"{origin}, stage {stage.run}" if "stage" in table else origin


def _silent(_: str) -> None:
    """Say nothing: of several processes one talks."""
