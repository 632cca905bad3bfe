"""The training loop."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.augmentation.config import AugmentationConfig
from segprep.datasets.errors import ConfigurationError, ConflictError, SegprepError
from segprep.datasets.program.interrupt import StopRequest, Why
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.train.augment.online import OnlineAugmentation
from segprep.train.evaluation.metrics import MEAN_RULE
from segprep.train.learning.averaging import MovingAverage
from segprep.train.learning.config import RunConfig, config_json, config_table
from segprep.train.learning.ends import diverged, unread
from segprep.train.learning.extension import extension_told, write_extended
from segprep.train.learning.losses import Loss, class_weights
from segprep.train.learning.moving_statistics import MovingStatistics
from segprep.train.learning.old_best import judged_anew
from segprep.train.learning.optimizers import build_optimizer, set_rate
from segprep.train.learning.saving import Saver
from segprep.train.learning.schedule import Plateau, learning_rate
from segprep.train.learning.state import RunState
from segprep.train.learning.step import BatchPart, StepResult, TrainingStep
from segprep.train.learning.validation import Scores, Validation
from segprep.train.network.checkpoint import Checkpoint
from segprep.train.network.segmenter import Segmenter
from segprep.train.reading.order import Order, Row
from segprep.train.reading.reader import Batch, Reader, prefetched
from segprep.train.reading.sources import Source, identity
from segprep.train.runs.folder import Run
from segprep.train.runs.monitor import Monitor, draw_log
from segprep.train.runs.processes import Processes
from segprep.train.runs.services import Services

__all__ = ["RunOutcome", "Training"]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        step: Steps done, those before a resume included.
        steps: Steps of the whole run.
        why: `finished`, `plateau` where the schedule of that name ended it, or why it stopped earlier.
        metric: What the best weights are chosen by.
        best: Its best value so far; None without any validation.
    """

    step: int
    steps: int
    why: Literal["finished", "plateau"] | Why
    metric: str
    best: float | None


class Training:
    """A run: network, optimizer and where it stands. Making one checks everything that can be wrong at the start.

    Args:
        config: The configuration.
        sources: The data sets.
        segmenter: The network, with the weights that the run begins with: averages begin with them, too.
        processes: That train together; each makes its own object.

    Raises:
        ConfigurationError: If a column does not suit, the batch is larger than the data or cannot be divided, or the
            configuration names what does not exist.
    """

    def __init__(
        self, config: RunConfig, sources: Sequence[Source], segmenter: Segmenter, processes: Processes | None = None
    ) -> None:
        self.config, self.sources, self.segmenter = config, tuple(sources), segmenter
        self.processes = processes or Processes()
        self.device = segmenter.centre.device
        sizes = [len(source.train) for source in sources]
        self.order = Order(sizes, config.data.weights or None, config.seed)
        self._check_batch()
        masks = config.augmentation != AugmentationConfig() or bool(config.data.size)
        self._readers = [
            Reader(source.train, config.data.inputs, config.data.target, masks=masks) for source in sources
        ]
        size = (config.data.size[0], config.data.size[1]) if config.data.size else None
        self._augmentations = [
            OnlineAugmentation(reader, config.augmentation, config.seed, size, self.device) for reader in self._readers
        ]
        self.validation = Validation(self.segmenter, sources, config, self.processes)
        optimizer = build_optimizer(config.optimizer, self.segmenter.network, config.schedule.lr)
        scaler = torch.amp.GradScaler(self.device.type, enabled=config.model.precision == "fp16")
        decay = config.checkpoint.average
        self._average = MovingAverage(self.segmenter.network, decay) if decay else None
        # Those of a whole network that was trained are right from the beginning; a compiled one would be compiled anew.
        fresh = not config.model.start and not config.model.takes_published and not config.model.compile
        self._statistics = MovingStatistics(self.segmenter.network) if fresh else None
        self._optimizer = optimizer
        self._saver = Saver(config.checkpoint, self.segmenter, optimizer, scaler, self._average, self.processes)
        losses = [Loss(config.loss, _weights_of(config, source)) for source in sources]
        self._update = TrainingStep(self.segmenter, losses, optimizer, scaler, self.processes, config.optimizer)
        self.steps = config.total_steps(self.order.epoch_size)
        self.step = self._saved_step = 0
        self._owes_validation = False
        self.best: float | None = None
        self._plateau = Plateau()
        self._digests = tuple(identity(source.train) for source in self.sources)

    @property
    def parameters(self) -> int:
        """Number of trainable values."""
        return sum(p.numel() for p in self.segmenter.parameters() if p.requires_grad)

    def restore(
        self,
        run: Run,
        checkpoint: Checkpoint,
        say: Callable[[str], None] = lambda _: None,
        *,
        new_length: bool = False,
    ) -> None:
        """Go back to a checkpoint of the run. If the configuration has a new length, the run keeps it from now on.

        Args:
            run: The run.
            checkpoint: Of it.
            say: Gets sentences for the user.
            new_length: Whether somebody asked for the length; otherwise a checkpoint beyond the end is damaged.

        Raises:
            ConflictError: If the shards or the configuration are others than those that the run began with, or the
                run would become shorter.
            ConfigurationError: If it cannot be made longer.
            DamagedStoreError: If the checkpoint's state is not one of a run.
        """
        state = RunState.of(checkpoint)
        self._check_samples(state, run)
        state.check_config(self.config, run.config_path)
        if not new_length:
            state.check_steps(self.steps, checkpoint)
        longer = extension_told(run.name, state, self.config, self.steps)
        state.check_columns({name: len(each.centre) for name, each in self.segmenter.scalings.items()}, checkpoint)
        self.segmenter.scale_by(state.scalings)
        state = judged_anew(state, self.config.checkpoint.metric, run, self.segmenter, self.validation, say)
        self._saver.restore(checkpoint)
        self.step, self.best, self._plateau = state.step, state.best, state.plateau
        self._saved_step = state.step
        self._owes_validation = self._due() and self.validation.possible and not state.scores
        if longer is not None:
            say(longer)
            self.processes.once(lambda: write_extended(run.config_path, self.config, state, self.steps))

    def train(
        self, run: Run, max_minutes: float | None = None, say: Callable[[str], None] = lambda _: None
    ) -> RunOutcome:
        """Train to the end, or until Ctrl-C or `max_minutes`; either way the last step done is saved.

        Args:
            run: The run.
            max_minutes: Until it stops.
            say: Gets a sentence about a service that fails.

        Raises:
            DivergedError: If the loss or a weight is no longer finite; the last good checkpoint is kept, and the batch
                is named in `diverged.json`.
        """
        if (ended := self._ended()) is not None and not self._owes_validation:
            self.processes.once(lambda: draw_log(run))  # it may have been killed before it did
            return self._outcome(ended)
        stopped: Why | None = None
        logs = self.config.log_to and self.processes.first
        services = Services(run, self.config.log_to, config_table(self.config), say) if logs else None
        shown = Progress("step") if self.processes.first else nullcontext()
        with (
            Monitor(run, self.step, writes=self.processes.first, services=services) as monitor,
            shown as progress,
            StopRequest(max_minutes) as stop,
        ):
            if progress is not None:
                progress.start(self.steps, self.step)
            if self._owes_validation:  # its samples could not be read when the run ended
                self._validate_and_save(run, monitor, {"step": self.step}, validate=True)
            clock = time.perf_counter()
            for parts in self._batches(run, monitor):
                rate = learning_rate(self.config.schedule, self.step, self.steps, self._plateau.halvings)
                set_rate(self._optimizer, rate)
                if self._statistics is not None:
                    self._statistics.begin_step(self.step)
                result = self._update([self._on_device(part) for part in parts])
                self._check(result, parts, run)
                self.step += 1
                if self._average is not None:
                    self._average.update(self.segmenter.network, self.step)
                now = time.perf_counter()
                entry = _entry(self.step, result, rate, self.config.data.batch_size / (now - clock), self.sources)
                text = f"loss {result.loss:.4f}, lr {rate:.2e}, {entry['images_per_second']:.1f} images/s"
                stopped, due = self._stopped(stop), self._due()
                if stopped or due:
                    # Only where an uninterrupted run would validate, too: else another checkpoint could be the best.
                    entry = self._validate_and_save(run, monitor, entry, validate=due)
                    if progress is not None and due and self.validation.possible:
                        progress.note(f"step {self.step}: {text}, {self._validated(entry)}")
                else:
                    monitor.log(entry)
                if progress is not None:
                    progress.advance(1, text)
                if stopped is not None:
                    break
                clock = time.perf_counter()
        return self._outcome(stopped or self._ended() or "finished")

    def _due(self) -> bool:
        """Whether a run validates after the step that was done last."""
        return self.step == self.steps or self.step % self.config.validation_interval(self.steps) == 0

    def _ended(self) -> Literal["finished", "plateau"] | None:
        """Return why there is no further step, None if there is one."""
        if self.step >= self.steps:
            return "finished"
        return "plateau" if self._plateau.stop else None

    def _outcome(self, why: Literal["finished", "plateau"] | Why) -> RunOutcome:
        return RunOutcome(self.step, self.steps, why, self.config.checkpoint.metric, self.best)

    def _batches(self, run: Run, monitor: Monitor) -> Iterator[list[BatchPart]]:
        """Yield this process's share of each batch.

        Raises:
            SegprepError: If any process cannot read its share; what was learned is saved before.
        """
        batches = prefetched(self._read, self._rows())
        while self._ended() is None:
            failure: SegprepError | None = None
            try:
                parts = next(batches)
            except SegprepError as error:
                failure = error
            if self.processes.any(failure is not None):
                failure = next(each for each in self.processes.gathered(failure) if each is not None)
                if self.step > self._saved_step:
                    self._validate_and_save(run, monitor, validate=False)
                raise unread(failure, run, self.processes.count) from failure
            yield parts

    def _rows(self) -> Iterator[list[list[Row]]]:
        """Yield this process's rows of each step, in the parts in which they are computed."""
        batch, parts = self.config.data.batch_size, self.config.data.accumulate
        share = batch // (parts * self.processes.count)
        for step in range(self.step, self.steps):
            rows = self.order.rows(step * batch, batch)
            first = self.processes.rank * parts
            yield [rows[part * share : (part + 1) * share] for part in range(first, first + parts)]

    def _read(self, parts: Sequence[Sequence[Row]]) -> list[BatchPart]:
        """Read a process's share of a batch; a thread does it while the network computes."""
        return [[self._read_batch(rows) for rows in _by_dataset(part)] for part in parts]

    def _read_batch(self, rows: Sequence[Row]) -> Batch:
        batch = self._readers[rows[0].dataset].read(rows)
        # On a GPU it is done there, by the loop.
        return self._augmentations[batch.dataset].augmented(batch) if self.device.type == "cpu" else batch

    def _on_device(self, part: BatchPart) -> BatchPart:
        if self.device.type == "cpu":
            return part
        return [self._augmentations[batch.dataset].augmented(batch.to(self.device)) for batch in part]

    def _stopped(self, stop: StopRequest) -> Why | None:
        """Return why all processes stop now; a signal may have come to one of them only."""
        if self.step == self.steps:
            return None
        if self.processes.any(stop.why == "interrupted"):
            return "interrupted"
        return "time" if self.processes.any(stop.why == "time") else None

    def _check(self, result: StepResult, parts: Sequence[BatchPart], run: Run) -> None:
        """Refuse to go on from a loss that is no number, and say what was in the batch."""
        if result.finite:
            return
        keys = self.processes.gathered([[b.dataset, *b.keys] for part in parts for b in part])
        if self.processes.first:
            named = [(self.sources[int(d)].name, key) for each in keys for d, *own in each for key in own]
            content = {"step": self.step + 1, "loss": str(result.loss), "samples": named}
            atomic_write_bytes(run.root / "diverged.json", json.dumps(content, indent=1).encode())
        raise diverged(f"the loss became {result.loss} (its samples: {run.root / 'diverged.json'})", self.step + 1, run)

    def _validate_and_save(
        self, run: Run, monitor: Monitor, entry: JsonDict | None = None, *, validate: bool
    ) -> JsonDict:
        """Log a step with what the validation found, and save it; return what was logged.

        The log comes first: a killed run goes on after the step that was saved, and cuts off what was logged beyond.
        """
        if not all(bool(p.isfinite().all()) for p in self.segmenter.parameters()):
            raise diverged("a weight is no longer finite", self.step, run)
        self.processes.average_buffers(self.segmenter.network)
        scores = self._scores(run, monitor, entry) if validate and self.validation.possible else Scores({}, None)
        metric = scores.metric
        better = metric is not None and (self.best is None or metric > self.best)
        if metric is not None:
            self.best = metric if better else self.best
            if self.config.schedule.kind == "plateau":
                self._plateau = self._plateau.updated(metric, self.config.schedule)
        state = RunState(
            step=self.step,
            steps=self.steps,
            best=self.best,
            plateau=self._plateau,
            names=tuple(source.name for source in self.sources),
            class_maps=tuple(source.class_map.to_json() for source in self.sources),
            digests=self._digests,
            scalings=self.segmenter.scalings,
            scores=scores.entry,
            config=config_json(self.config),
            rule=MEAN_RULE,
            columns=tuple(column.to_json() for column in self._readers[0].columns),
            provenance=tuple(source.train.provenance for source in self.sources),
            device=str(self.device) if self.processes.count == 1 else self.device.type,
        )
        if entry is not None:
            entry = {**entry, **scores.entry}
            monitor.log(entry)
        self._saver.save(run.checkpoints, state, best=better)
        self._saved_step = self.step
        return entry or scores.entry

    def _scores(self, run: Run, monitor: Monitor, entry: JsonDict | None) -> Scores:
        """Validate with the averaged weights, if there are some.

        Raises:
            SegprepError: If samples cannot be read; what was learned is saved before, if one process trains.
        """
        averaged = nullcontext() if self._average is None else self._average.applied(self.segmenter.network)
        try:
            with averaged:
                scores, panel = self.validation.run(), self.validation.panel()
        except SegprepError as failure:
            if self.processes.count > 1:  # the others wait for what this one has predicted
                raise
            self._validate_and_save(run, monitor, entry, validate=False)
            raise unread(failure, run, self.processes.count) from failure
        monitor.panel(self.step, panel)
        return scores

    def _validated(self, entry: JsonDict) -> str:
        mean = f"validation mean IoU {entry['val_mean_iou']:.4f}" if "val_mean_iou" in entry else "nothing is labelled"
        metric = self.config.checkpoint.metric
        return mean if self.best is not None else f"{mean}; {metric} is not defined, so that no checkpoint is the best"

    def _check_samples(self, state: RunState, run: Run) -> None:
        """Refuse other samples than the run began with, before their classes fail to fit the weights."""
        if state.digests == self._digests:
            return
        if len(state.digests) != len(self._digests):
            raise ConflictError(f"{run.name} began with {len(state.digests)} data sets, not {len(self._digests)}")
        changed = [s.train.path for s, d in zip(self.sources, self._digests, strict=True) if d not in state.digests]
        raise ConflictError(
            f"{changed[0]} holds other samples than when {run.name} began: begin a new run"
            if changed
            else f"{run.name} began with the same data sets in another order: name them as config.toml does"
        )

    def _check_batch(self) -> None:
        data, count = self.config.data, self.processes.count
        if data.batch_size > self.order.epoch_size:
            held = ", ".join(f"{source.train.path} holds {len(source.train)} samples" for source in self.sources)
            larger = f"a batch of {data.batch_size} is larger than what there is"
            raise ConfigurationError(f"{larger} ({held}): lower --batch-size")
        if data.batch_size % (data.accumulate * count):
            raise ConfigurationError(
                f"a batch of {data.batch_size} cannot be divided into {data.accumulate} parts for each of {count} "
                "processes: change --batch-size"
            )


def _by_dataset(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each data set."""
    ordered = sorted(rows, key=lambda row: row.dataset)  # stable: in a data set the order stays
    return [list(own) for _, own in groupby(ordered, key=lambda row: row.dataset)]


def _weights_of(config: RunConfig, source: Source) -> torch.Tensor | None:
    kind = config.loss.class_weights
    return None if kind == "none" else class_weights(kind, source.label_statistics)


def _entry(step: int, result: StepResult, rate: float, images_per_second: float, sources: Sequence[Source]) -> JsonDict:
    entry: JsonDict = {
        "step": step, "loss": result.loss, "lr": rate, "images_per_second": round(images_per_second, 3)
    }  # fmt: skip
    if len(sources) > 1:
        entry |= {f"loss/{sources[dataset].name}": loss for dataset, loss in result.losses.items()}
    return entry
