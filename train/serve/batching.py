"""One thread that computes: samples of one size that come within some milliseconds go through the network together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from segprep.datasets.sample import Array
from segprep.train.serve.limits import Limits
from segprep.train.serve.servable import Servable

__all__ = ["Batcher", "Probabilities"]

Probabilities = npt.NDArray[np.float32]
"""(classes, H, W)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    stored_HWC: Array
    dataset: str | None
    answer: "Future[Probabilities]" = field(default_factory=Future)

    @property
    def sort(self) -> tuple[object, ...]:
        """Equal for jobs that can share a batch."""
        return self.stored_HWC.shape, self.stored_HWC.dtype, self.dataset


class Batcher:
    """The network's own thread with its queue.

    Args:
        model: Computes.
        limits: See `Limits`.
        threads: Of torch; None leaves it as many as it takes by itself.
        batched: Gets the size of each batch.
    """

    def __init__(
        self,
        model: Servable,
        limits: Limits,
        threads: int | None = None,
        batched: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._model, self._limits, self._threads, self._batched = model, limits, threads, batched
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._finishing = False
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many samples wait."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether somebody computes."""
        return self._thread.is_alive()

    def submit(self, stored_HWC: Array, dataset: str | None = None) -> "Future[Probabilities]":
        """Let the network compute a sample; the future gets (classes, H, W) float32, or the error.

        Raises:
            RuntimeError: After `stop`.
        """
        job = _Job(stored_HWC, dataset)
        with self._changed:
            if self._stopping:
                raise RuntimeError("the network's thread was stopped")
            self._waiting.append(job)
            self._changed.notify()
        return job.answer

    def finish(self) -> None:
        """Let no sample wait for others any more. A handler of signals may call it."""
        with self._changed:
            self._finishing = True
            self._changed.notify()

    def stop(self) -> None:
        """Compute what waits, then end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        while jobs := self._next_batch():
            begun = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            if begun:
                self._compute(begun)

    def _next_batch(self) -> list[_Job]:
        """Wait for jobs of one sort; none when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if not self._waiting:
                return []
            sort = self._waiting[0].sort
            end = time.monotonic() + self._limits.batch_s
            while self._count(sort) < self._limits.batch_size and not (self._finishing or self._stopping):
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            alike = [job for job in self._waiting if job.sort == sort][: self._limits.batch_size]
            taken = {id(job) for job in alike}
            self._waiting = deque(job for job in self._waiting if id(job) not in taken)
            return alike

    def _count(self, sort: tuple[object, ...]) -> int:
        return sum(job.sort == sort for job in self._waiting)

    def _compute(self, jobs: Sequence[_Job]) -> None:
        try:
            inputs_NHWC = torch.from_numpy(np.stack([job.stored_HWC for job in jobs]))
            answers_NCHW = self._model.probabilities(inputs_NHWC, dataset=jobs[0].dataset).cpu().numpy()
        except Exception as error:  # noqa: BLE001  (whoever waits for the answer judges it)
            if len(jobs) == 1:
                jobs[0].answer.set_exception(error)
                return
            for job in jobs:  # what one sample did wrong, or a batch too large for the memory, costs the others nothing
                self._compute([job])
            return
        self._batched(len(jobs))
        for job, answer_CHW in zip(jobs, answers_NCHW, strict=True):
            job.answer.set_result(answer_CHW)
