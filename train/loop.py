"""The training loop."""

import hashlib
import math
import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segprep.datasets.errors import ConfigurationError, ConflictError, LabelIdError
from segprep.datasets.interrupt import StopRequest, Why
from segprep.datasets.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.datasets.shard_statistics import LabelStatistics
from segprep.datasets.shards import ShardStore
from segprep.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from segprep.train.config import RunConfig
from segprep.train.data import Reader, prefetched, training_rows
from segprep.train.evaluate import confusion_at_network_size
from segprep.train.losses import cross_entropy
from segprep.train.network import build_segmenter, default_device
from segprep.train.runs import Run
from segprep.train.schedule import learning_rate

__all__ = ["Outcome", "Training"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: Steps done, those before a resume included.
        steps: Steps of the whole run.
        why: `finished`, or why it stopped earlier.
        best_mean_iou: Of the best validation so far; None without any.
    """

    step: int
    steps: int
    why: Literal["finished"] | Why
    best_mean_iou: float | None


class Training:
    """A run: network, optimizer and where it stands. Making one checks everything that can be wrong at the start.

    Args:
        config: The configuration.
        train_store: What to learn from.
        val_store: What to choose the best weights by, or None.

    Raises:
        ConfigurationError: If a column is missing or does not suit, or the batch is larger than the data set.
        ConflictError: If the two stores have other classes.
        LabelIdError: If the labels hold ids that are no class.
    """

    def __init__(self, config: RunConfig, train_store: ShardStore, val_store: ShardStore | None) -> None:
        self.config = config
        self.reader = Reader(train_store, config.data.inputs, flip=config.data.flip)
        self.val_reader = None if val_store is None else Reader(val_store, config.data.inputs)
        _check_labels(train_store)
        if val_store is not None and val_store.class_map.names != train_store.class_map.names:
            raise ConflictError(f"{val_store.path} and {train_store.path} have different classes: shard both anew")
        if config.data.batch_size > len(train_store):
            raise ConfigurationError(
                f"a batch of {config.data.batch_size} is larger than {train_store.path}, which holds "
                f"{len(train_store)} samples: lower --batch-size"
            )
        self.device = default_device()
        torch.manual_seed(config.seed)
        self.segmenter = build_segmenter(config.model, self.reader.columns, len(train_store.class_map.names))
        self.segmenter.to(self.device)
        self.optimizer = torch.optim.Adam(self.segmenter.network.parameters(), lr=config.schedule.lr)
        self.steps = config.total_steps(len(train_store))
        self.step = 0
        self.best_mean_iou: float | None = None

    @property
    def parameters(self) -> int:
        """Number of trainable values."""
        return sum(p.numel() for p in self.segmenter.parameters() if p.requires_grad)

    def restore(self, run: Run) -> None:
        """Go back to the run's last checkpoint, if it has one.

        Raises:
            ConflictError: If the shards are others than those that the run began with.
            DamagedStoreError: If the checkpoint cannot be read.
        """
        checkpoint = load_checkpoint(run.checkpoints, "last")
        if checkpoint is not None:
            if checkpoint.state["samples"] != _identity(self.reader.store):
                raise ConflictError(
                    f"{self.reader.store.path} holds other samples than when {run.name} began: begin a new run"
                )
            self.segmenter.network.load_state_dict(checkpoint.weights)
            self.optimizer.load_state_dict(dict(checkpoint.optimizer))
            torch.set_rng_state(checkpoint.random_state)
            self.step = checkpoint.state["step"]
            self.best_mean_iou = checkpoint.state["best_mean_iou"]
        run.cut_log(self.step)

    def train(self, run: Run, max_minutes: float | None = None) -> Outcome:
        """Train to the end, or until Ctrl-C or `max_minutes`; either way the last step done is saved.

        Raises:
            ConfigurationError: If the loss or a weight is no longer finite; the last good checkpoint is kept.
        """
        rows = (
            training_rows(self.config.data, self.config.seed, len(self.reader.store), step)
            for step in range(self.step, self.steps)
        )
        interval = self.config.validation_interval(self.steps)
        why: Literal["finished"] | Why = "finished"
        with Progress("step") as progress, StopRequest(max_minutes) as stop:
            progress.start(self.steps, self.step)
            clock = time.perf_counter()
            for batch in prefetched(self.reader.read, rows):
                rate = learning_rate(self.config.schedule, self.step, self.steps)
                loss = self._update(batch.inputs_NHWC.to(self.device), batch.labels_NHW.to(self.device), rate, run)
                self.step += 1
                images_per_second = self.config.data.batch_size / (time.perf_counter() - clock)
                entry: JsonDict = {
                    "step": self.step, "loss": loss, "lr": rate, "images_per_second": round(images_per_second, 3)
                }  # fmt: skip
                text = f"loss {loss:.4f}, lr {rate:.2e}, {images_per_second:.1f} images/s"
                stopped = stop.why if self.step < self.steps else None
                if stopped or self.step == self.steps or self.step % interval == 0:
                    entry |= self._validate_and_save(run, validate=stopped != "interrupted")
                    if "val_mean_iou" in entry:
                        progress.note(f"step {self.step}: {text}, validation mean IoU {entry['val_mean_iou']:.4f}")
                run.log(entry)
                progress.advance(1, text)
                if stopped:
                    why = stopped
                    break
                clock = time.perf_counter()
        return Outcome(self.step, self.steps, why, self.best_mean_iou)

    def _update(self, inputs_NHWC: Tensor, labels_NHW: Tensor, rate: float, run: Run) -> float:
        self.segmenter.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = cross_entropy(self.segmenter(inputs_NHWC), labels_NHW)
        value = loss.item()
        if not math.isfinite(value):
            raise _diverged(f"the loss became {value}", self.step + 1, run)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value

    def _validate_and_save(self, run: Run, *, validate: bool) -> JsonDict:
        if not all(bool(p.isfinite().all()) for p in self.segmenter.parameters()):
            raise _diverged("a weight is no longer finite", self.step, run)
        scores: JsonDict = {}
        better = False
        if validate and self.val_reader is not None:
            mean_iou = confusion_at_network_size(
                self.segmenter, self.val_reader, self.config.data.batch_size
            ).mean_iou()
            if math.isfinite(mean_iou):
                scores = {"val_mean_iou": mean_iou}
                better = self.best_mean_iou is None or mean_iou > self.best_mean_iou
                self.best_mean_iou = mean_iou if better else self.best_mean_iou
        checkpoint = Checkpoint(
            weights=self.segmenter.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            random_state=torch.get_rng_state(),
            state={
                "step": self.step,
                "steps": self.steps,
                "best_mean_iou": self.best_mean_iou,
                **scores,
                "samples": _identity(self.reader.store),
                "class_map": self.reader.store.class_map.to_json(),
            },
        )
        save_checkpoint(run.checkpoints, checkpoint, best=better)
        return scores


def _check_labels(store: ShardStore) -> None:
    """Refuse a store without a labelled pixel; that its ids are classes, the writer of the store made sure."""
    statistics = store.statistics["label"]
    if isinstance(statistics, LabelStatistics) and not any(statistics.pixels):
        raise LabelIdError(f"no pixel of {store.path} is labelled: check the class map in prep.toml and shard anew")


def _diverged(what: str, step: int, run: Run) -> ConfigurationError:
    kept = "the last good checkpoint is kept in" if (run.checkpoints / "last").exists() else "no checkpoint yet in"
    return ConfigurationError(f"{what} at step {step}: lower --lr ({kept} {run.checkpoints})")


def _identity(store: ShardStore) -> str:
    """Return what changes when a store's rows or their order change."""
    rows = "\n".join(f"{key} {variant}" for key, variant in zip(store.keys, store.variants.tolist(), strict=True))
    return hashlib.sha256(rows.encode()).hexdigest()
