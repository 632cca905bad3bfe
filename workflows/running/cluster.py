"""Where tasks run: in this process, on a local Dask cluster, or on one that the user runs.

Pixels never pass through the scheduler: tasks read and write files and return small rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2

from segprep.datasets.errors import ConfigurationError
from segprep.workflows.running.local_cluster import LocalExecutor
from segprep.workflows.running.outcomes import Executor, NotArrived, Outcome, changed_here
from segprep.workflows.running.process import settle_process
from segprep.workflows.running.sharing import Shared
from segprep.workflows.running.users_cluster import UsersClusterExecutor

__all__ = ["ClusterOptions", "make_executor"]

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How to run.

    Attributes:
        workers: Number of local worker processes; 0 runs in this process; None is one per core.
        scheduler: Address of a running Dask scheduler instead.
    """

    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.scheduler is not None:
            raise ConfigurationError("--workers and --scheduler exclude each other: a scheduler has its own workers")


class _InProcess(Generic[Task, Result]):
    """Runs tasks here, one by one, when their outcome is asked for."""

    slots = 1
    has_workers = True

    def __init__(self, function: Callable[[Task], Result]) -> None:
        self._function = function
        self._queue: list[Task] = []

    def __enter__(self) -> "_InProcess[Task, Result]":
        self._opencv_threads = cv2.getNumThreads()
        self._limits = settle_process()
        return self

    def __exit__(self, *exc: object) -> None:
        self._queue.clear()
        self._limits.restore_original_limits()
        cv2.setNumThreads(self._opencv_threads)

    @property
    def running(self) -> int:
        return len(self._queue)

    def submit(self, task: Task) -> None:
        self._queue.append(task)

    def next(self) -> Outcome[Task, Result]:
        task = self._queue.pop(0)
        try:
            return Outcome(task, self._function(task), None)
        except Exception as error:  # noqa: BLE001  (as a remote task's exception: the runner decides)
            return Outcome(task, None, error)

    def refuse(self, outcome: Outcome[Task, Result], why: NotArrived) -> None:
        raise changed_here(why)


def make_executor(
    function: Callable[[Task], Result], options: ClusterOptions, shared: Shared
) -> Executor[Task, Result]:
    """Return the executor that the options ask for; nothing starts before it is entered.

    Args:
        function: What to do with a task; it must be importable by the workers.
        options: Where to run.
        shared: What workers that this process does not start must share with it.
    """
    if options.scheduler is not None:
        return UsersClusterExecutor(function, options.scheduler, shared)
    return _InProcess(function) if options.workers == 0 else LocalExecutor(function, options.workers)
