"""Tasks on worker processes of this machine, which are started for them."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segprep.datasets.errors import ClusterLostError
from segprep.workflows.running.dask_tasks import LOOK_SECONDS, outcome_of, tell
from segprep.workflows.running.outcomes import NotArrived, Outcome, changed_here

if TYPE_CHECKING:
    from distributed import Future, LocalCluster

__all__ = ["LocalExecutor"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_RESTART_SECONDS = 120.0
_STARTS = 3


class LocalExecutor(Generic[Task, Result]):
    """Runs tasks on a Dask cluster of one-thread processes that see and run what this process sees and runs.

    Args:
        function: What to do with a task.
        workers: How many processes; None is one for each core.
    """

    def __init__(self, function: Callable[[Task], Result], workers: int | None) -> None:
        self._function = function
        self._workers = workers
        self._tasks: dict[Any, Task] = {}
        self._finished: SimpleQueue[Any] = SimpleQueue()
        self._alone_since: float | None = None

    def __enter__(self) -> "LocalExecutor[Task, Result]":
        from distributed import Client

        self._cluster = _start(self._workers)
        self._client = Client(self._cluster, set_as_default=False)
        # Two tasks per thread: one runs, one waits, so that no worker idles while this process commits rows.
        self.slots = 2 * max(1, len(self._client.nthreads())) + 1
        if find_spec("bokeh") is not None:
            tell(f"Dask dashboard: {self._client.dashboard_link}")
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()
        self._cluster.close()

    @property
    def running(self) -> int:
        """How many tasks are under way."""
        return len(self._tasks)

    def submit(self, task: Task) -> None:
        """Start a task."""
        future: Future[Result] = self._client.submit(self._function, task, pure=False)
        self._tasks[future] = task
        future.add_done_callback(self._finished.put)

    @property
    def has_workers(self) -> bool:
        """Whether anybody is there to do tasks."""
        return self._alone_since is None

    def next(self) -> Outcome[Task, Result] | None:
        """Wait for any task to finish, a second at most."""
        try:
            future = self._finished.get(timeout=LOOK_SECONDS)
        except Empty:
            self._look()
            return None
        task = self._tasks.pop(future)
        outcome = outcome_of(future, task, _lost())
        if outcome is None:
            self.submit(task)
        return outcome

    def refuse(self, outcome: Outcome[Task, Result], why: NotArrived) -> None:
        """Raise, because the worker sees what this process sees."""
        raise changed_here(why)

    def _look(self) -> None:
        """See whether there are workers; those that die are restarted."""
        if self._client.status != "running":  # a future submitted to a broken connection never finishes
            raise _lost()
        if self._client.nthreads():
            self._alone_since = None
            return
        self._alone_since = self._alone_since or time.monotonic()
        if time.monotonic() - self._alone_since > _RESTART_SECONDS:
            raise ClusterLostError(
                f"all worker processes died and none came back within {_RESTART_SECONDS:g} s. What was finished is "
                "kept: run again, with fewer --workers if memory is short"
            )


def _lost() -> ClusterLostError:
    return ClusterLostError(
        "the connection to the Dask scheduler of this process was lost. What was finished is kept: run again"
    )


def _start(workers: int | None) -> "LocalCluster":
    """Start the processes.

    Raises:
        ClusterLostError: If one of them dies while it starts, again and again.
    """
    _configure()
    for _ in range(_STARTS):
        try:
            return _cluster(workers)
        except RuntimeError as error:  # Dask gives all up when one dies
            died = error
    raise ClusterLostError(
        f"a worker process died while it started, {_STARTS} times ({died}): is memory short? Run again with fewer "
        "--workers, or with --workers 0, which starts none"
    ) from died


def _configure() -> None:
    import dask

    dask.config.set(
        {
            # Measured: with tasks of about a second these cost more than they bring, and Dask's malloc setting halves
            # the speed of writing.
            "distributed.worker.profile.enabled": False,
            "distributed.scheduler.work-stealing": False,
            "distributed.nanny.pre-spawn-environ": {
                "OMP_NUM_THREADS": 1,
                "MKL_NUM_THREADS": 1,
                "OPENBLAS_NUM_THREADS": 1,
            },
            # A task is tried once and waits at the scheduler, so that a death is blamed on the task that ran.
            "distributed.scheduler.allowed-failures": 0,
            "distributed.scheduler.worker-saturation": 1.0,
            "distributed.worker.preload": ["segprep.workflows.running.process"],
            "distributed.worker.memory.terminate": False,
            # Dask looks once for a worker that died, and gives it up if its successor is down at that moment, too.
            # Workers that never come back are this module's business.
            "distributed.deploy.lost-worker-timeout": "1 day",
        }
    )


def _cluster(workers: int | None) -> "LocalCluster":
    from distributed import LocalCluster
    from distributed.security import Security

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
        memory_limit=0,
        # Whoever may send tasks may do all that this user may, and ports of the machine are open to all its users.
        security=Security.temporary(),
    )
