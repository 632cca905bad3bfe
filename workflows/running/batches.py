"""Work on many items by many processes: batches of about a second, and items that kill their process stand alone."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from segprep.datasets.errors import MachineError
from segprep.datasets.machine import machine_error
from segprep.datasets.program.interrupt import StopRequest
from segprep.workflows.running.cluster import ClusterOptions, make_executor
from segprep.workflows.running.outcomes import NotArrived, WorkerDied
from segprep.workflows.running.sharing import Shared

__all__ = ["Interrupted", "run_in_batches"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_BATCH_SECONDS = 1.0
_MAX_BATCH = 256


class Interrupted(Exception):  # noqa: N818  (the user's wish, no error)
    """Ctrl-C: what was running is finished and settled."""


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Item]):
    items: tuple[Item, ...]
    again: bool = False  # a single item whose process died once


@dataclass(frozen=True, slots=True)
class _Done(Generic[Result]):
    result: Result
    seconds: float


def run_in_batches(
    function: Callable[[Sequence[Item]], Result],
    items: Iterable[Item],
    options: ClusterOptions,
    settle: Callable[[Sequence[Item], Result | WorkerDied], None],
    *,
    shared: Shared,
    largest: int = _MAX_BATCH,
) -> bool:
    """Call a function with all items, several at a time, in worker processes.

    Args:
        function: What to do with a batch; it must be importable by the workers, and what it raises ends the work.
        items: Taken as they are needed.
        options: Where to run.
        settle: Called here with each batch and its result, in no certain order. The result is `WorkerDied` for a single
            item on which alone a process died twice. It raises `NotArrived` for a result that is not to be
            believed: then another worker does the batch.
        shared: What the workers of a cluster that the user runs must share with this process.
        largest: Most items of a batch.

    Returns:
        Whether any process died.

    Raises:
        Interrupted: After Ctrl-C, when what was running is settled.
    """
    pending = _Pending(items, largest)
    first = pending.next()
    if first is None:
        return False
    died = False
    with StopRequest() as stop, make_executor(partial(_timed, function), options, shared) as executor:
        executor.submit(first)
        while True:
            while not stop.why and executor.running < executor.slots and (batch := pending.next()) is not None:
                executor.submit(batch)
            if not executor.running:
                break
            outcome = executor.next()
            if outcome is None:
                if stop.why and not executor.has_workers:
                    break
            elif isinstance(outcome.error, WorkerDied):
                died = True
                if not pending.isolate(outcome.task):
                    settle(outcome.task.items, outcome.error)
            elif outcome.error is not None or outcome.result is None:
                raise outcome.error or RuntimeError("a task returned nothing")
            else:
                pending.learn(outcome.result.seconds / len(outcome.task.items))
                try:
                    settle(outcome.task.items, outcome.result.result)
                except NotArrived as error:
                    executor.refuse(outcome, error)
        if stop.why:
            raise Interrupted
    return died


class _Pending(Generic[Item]):
    """What is still to be done, in batches whose size follows the time that items take."""

    def __init__(self, items: Iterable[Item], largest: int) -> None:
        self._items = iter(items)
        self._largest = largest
        self._split: list[_Batch[Item]] = []
        self._seconds: float | None = None

    def next(self) -> _Batch[Item] | None:
        if self._split:
            return self._split.pop()
        size = 1
        if self._seconds is not None:
            size = int(min(max(_BATCH_SECONDS / max(self._seconds, 1e-9), 1), self._largest))
        chosen = tuple(item for _, item in zip(range(size), self._items, strict=False))
        return _Batch(chosen) if chosen else None

    def learn(self, seconds: float) -> None:
        self._seconds = seconds if self._seconds is None else 0.5 * (self._seconds + seconds)

    def isolate(self, batch: _Batch[Item]) -> bool:
        """Put a batch whose process died back in halves, a single item once more; False if that was done before."""
        if len(batch.items) > 1:
            middle = len(batch.items) // 2
            self._split += [_Batch(batch.items[:middle]), _Batch(batch.items[middle:])]
        elif not batch.again:  # the first death may have had another cause
            self._split.append(_Batch(batch.items, again=True))
        else:
            return False
        return True


def _timed(function: Callable[[Sequence[Item]], Result], batch: _Batch[Item]) -> _Done[Result]:
    started = time.perf_counter()
    try:
        result = function(batch.items)
    except Exception as error:
        failed = None if isinstance(error, MachineError) else machine_error(error)
        if failed is None:
            raise
        raise failed from error  # here: a process that gets an error from another one does not see what caused it
    return _Done(result, time.perf_counter() - started)
