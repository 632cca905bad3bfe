"""One optimizer step over a batch that may lie in several parts, data sets and processes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segprep.train.learning.losses import Loss, exact_dtype
from segprep.train.learning.optimizers import hold_frozen_statistics
from segprep.train.learning.sections import OptimizerConfig
from segprep.train.models._network import Logits
from segprep.train.network.segmenter import Segmenter
from segprep.train.reading.reader import Batch
from segprep.train.runs.processes import Processes

__all__ = ["BatchPart", "StepResult", "TrainingStep"]

BatchPart = Sequence[Batch]
"""What is computed at once: batches of different data sets."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did.

    Attributes:
        loss: Of the whole batch, before the update.
        losses: By number of the data set; those without samples in the batch are missing.
    """

    loss: float
    losses: dict[int, float]

    @property
    def finite(self) -> bool:
        """Whether the loss is a number."""
        return math.isfinite(self.loss)


class TrainingStep:
    """Computes a loss, its gradient, and updates.

    The loss of a data set is the sum over its pixels in the whole batch divided by their count in the whole batch, so
    that it does not matter in how many parts or processes the batch lies. The loss of the batch is the mean over the
    data sets, each weighted by its number of samples (as in PARIS).

    Args:
        segmenter: The network.
        losses: Of each data set.
        optimizer: Of the network's parameters.
        scaler: For fp16; disabled for the other precisions.
        processes: That share a batch.
        config: Of the optimizer.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        losses: Sequence[Loss],
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        processes: Processes,
        config: OptimizerConfig,
    ) -> None:
        self._segmenter, self._losses, self._optimizer = segmenter, losses, optimizer
        self._scaler, self._processes, self._config = scaler, processes, config

    def __call__(self, parts: Sequence[BatchPart]) -> StepResult:
        """Update the weights by this process's parts of a batch, all on the network's device."""
        self._segmenter.train()
        hold_frozen_statistics(self._segmenter)
        counts, samples = self._counts(parts)
        shares = samples / samples.sum()
        weights = shares / counts.clamp(min=1e-12)  # of a pixel sum; without any labelled pixel the sum is 0
        self._optimizer.zero_grad(set_to_none=True)
        sums = torch.zeros_like(counts)
        for part in parts:
            total: Tensor | None = None
            for dataset, output, labels_NHW in self._outputs(part):
                own = self._sum(dataset, output, labels_NHW)
                sums[dataset] += own.detach()
                weighted = own * weights[dataset].to(own.dtype)
                total = weighted if total is None else total + weighted
            assert total is not None
            self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self._update()
        sums = self._processes.sum(sums)
        losses = (sums / counts.clamp(min=1e-12)).tolist()
        loss = float((sums * weights).sum())
        return StepResult(loss, {d: losses[d] for d, share in enumerate(samples.tolist()) if share})

    def _counts(self, parts: Sequence[BatchPart]) -> tuple[Tensor, Tensor]:
        """Return (data sets,): what the losses are divided by, and the samples; of the whole batch."""
        device = parts[0][0].labels_NHW.device
        both = torch.zeros(2, len(self._losses), dtype=exact_dtype(device), device=device)
        for part in parts:
            for batch in part:
                both[0, batch.dataset] += self._losses[batch.dataset].count(batch.labels_NHW)
                both[1, batch.dataset] += len(batch.rows)
        counts, samples = self._processes.sum(both).unbind()
        return counts, samples

    def _outputs(self, part: BatchPart) -> list[tuple[int, Logits, Tensor]]:
        """Return (data set, logits, labels); samples of one size go through the network together."""
        ordered = sorted(part, key=lambda batch: batch.dataset)
        joint = len({tuple(batch.labels_NHW.shape[1:]) for batch in ordered}) == 1
        found = []
        for group in [ordered] if joint else [[batch] for batch in ordered]:
            inputs = [batch.inputs_NHWC for batch in group]
            counts = [0] * len(self._losses)
            for batch in group:
                counts[batch.dataset] = len(batch.rows)
            outputs = self._segmenter(inputs[0] if len(inputs) == 1 else torch.cat(inputs), counts)
            for batch in group:
                output = outputs[batch.dataset]
                assert output is not None
                found.append((batch.dataset, output, batch.labels_NHW))
        return found

    def _sum(self, dataset: int, output: Logits, labels_NHW: Tensor) -> Tensor:
        loss = self._losses[dataset]
        total = loss.total(output.main, labels_NHW)
        for weight, logits_NCHW in output.auxiliary:
            total = total + weight * loss.total(logits_NCHW, labels_NHW)
        return total

    def _update(self) -> None:
        self._processes.sum_gradients(self._segmenter.parameters())
        if self._config.clip_norm:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._segmenter.parameters(), self._config.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
