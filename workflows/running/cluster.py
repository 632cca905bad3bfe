"""Where tasks run: in this process, on a local Dask cluster, or on one that the user runs.

Pixels never pass through the scheduler: tasks read and write files and return small rows.
"""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import cv2

from segprep.datasets.errors import ClusterLostError, ConfigurationError
from segprep.workflows.running.process import settle_process

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["ClusterOptions", "Executor", "Outcome", "WorkerDied", "make_executor"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_CONNECT_SECONDS = 20.0
_LOOK_SECONDS = 1.0
_RESTART_SECONDS = 120.0


class WorkerDied(Exception):  # noqa: N818  (an outcome that the runner handles, no error of the user's)
    """The process that ran a task died with it."""


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


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Task, Result]):
    """A finished task with its result, or the exception that ended it."""

    task: Task
    result: Result | None
    error: BaseException | None


class Executor(Protocol[Task, Result]):
    """Runs one function over tasks, a bounded number at a time. Use as a context manager."""

    @property
    def slots(self) -> int:
        """How many tasks may be under way."""

    @property
    def running(self) -> int:
        """How many tasks are under way."""

    def submit(self, task: Task) -> None:
        """Start a task."""

    def next(self) -> Outcome[Task, Result]:
        """Wait for any task to finish."""

    def __enter__(self) -> "Executor[Task, Result]": ...
    def __exit__(self, *exc: object) -> None: ...


class _InProcess(Generic[Task, Result]):
    """Runs tasks here, one by one, when their outcome is asked for."""

    slots = 1

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


class _Dask(Generic[Task, Result]):
    """Runs tasks on a Dask cluster."""

    def __init__(self, function: Callable[[Task], Result], options: ClusterOptions) -> None:
        self._function = function
        self._options = options
        self._tasks: dict[Any, Task] = {}
        self._finished: SimpleQueue[Any] = SimpleQueue()

    def __enter__(self) -> "_Dask[Task, Result]":
        self._client, self._cluster = _connect(self._options)
        # Two tasks per thread: one runs, one waits, so that no worker idles while this process commits rows.
        threads = sum(self._client.nthreads().values())
        self.slots = 2 * max(1, threads) + 1
        if not threads:
            _tell(f"{self._options.scheduler} has no workers yet; waiting for them (Ctrl-C twice to give up)")
        if find_spec("bokeh") is not None:
            _tell(f"Dask dashboard: {self._client.dashboard_link}")
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    @property
    def running(self) -> int:
        return len(self._tasks)

    def submit(self, task: Task) -> None:
        future: Future[Result] = self._client.submit(self._function, task, pure=False)
        self._tasks[future] = task
        future.add_done_callback(self._finished.put)

    def next(self) -> Outcome[Task, Result]:
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        future = self._next_finished()
        task = self._tasks.pop(future)
        try:
            return Outcome(task, future.result(), None)
        except KilledWorker as error:
            return Outcome(task, None, WorkerDied(str(error)))
        except (CancelledError, CommClosedError):  # nobody here cancels: Dask does when the connection breaks
            return Outcome(task, None, self._lost())
        except Exception as error:  # noqa: BLE001  (the task's own exception: the runner decides)
            return Outcome(task, None, error)
        finally:
            future.release()

    def _next_finished(self) -> Any:  # noqa: ANN401  (Dask's futures have no types)
        alone_since: float | None = None
        while True:
            try:
                return self._finished.get(timeout=_LOOK_SECONDS)
            except Empty:
                if self._client.status != "running":  # a future submitted to a broken connection never finishes
                    raise self._lost() from None
                # Of a cluster that the user runs, workers may be long in coming. Ours are restarted when they die.
                if self._cluster is None or self._client.nthreads():
                    alone_since = None
                    continue
                alone_since = alone_since or time.monotonic()
                if time.monotonic() - alone_since > _RESTART_SECONDS:
                    raise ClusterLostError(
                        f"all worker processes died and none came back within {_RESTART_SECONDS:g} s. What was "
                        "finished is kept: run again, with fewer --workers if memory is short"
                    ) from None

    def _lost(self) -> ClusterLostError:
        where = self._options.scheduler or "of this process"
        return ClusterLostError(
            f"the connection to the Dask scheduler {where} was lost. What was finished is kept: start the scheduler "
            "and run again"
        )


def make_executor(function: Callable[[Task], Result], options: ClusterOptions) -> Executor[Task, Result]:
    """Return the executor that the options ask for; nothing starts before it is entered."""
    if options.scheduler is None and options.workers == 0:
        return _InProcess(function)
    return _Dask(function, options)


def _connect(options: ClusterOptions) -> tuple["Client", Any]:
    import dask
    from distributed import Client, LocalCluster

    if options.scheduler is not None:
        _require_scheduler(options.scheduler)
        for name in ("distributed.client", "distributed.batched"):  # a lost connection is our error to tell
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client = Client(options.scheduler, set_as_default=False)
        client.register_plugin(_one_thread_plugin())  # also for workers that join later
        return client, None
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
            "distributed.worker.preload": ["segprep.workflows.running.cluster"],
            "distributed.worker.memory.terminate": False,
            # Dask looks once for a worker that died, and gives it up if its successor is down at that moment, too.
            # Workers that never come back are this module's business.
            "distributed.deploy.lost-worker-timeout": "1 day",
        }
    )
    cluster = LocalCluster(
        n_workers=options.workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
        memory_limit=0,
    )
    return Client(cluster, set_as_default=False), cluster


def _tell(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201


def _require_scheduler(address: str) -> None:
    """Ask who is at an address before a Client does, which waits without end for, say, the dashboard's port to answer.

    Raises:
        ConfigurationError: If it is no scheduler.
    """
    with ThreadPoolExecutor(1) as thread:  # an event loop may run in this one, as in a notebook
        try:
            kind = thread.submit(asyncio.run, _kind_of_server(address)).result()
        except TimeoutError as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {address} within {_CONNECT_SECONDS:g} s: is it running there?"
            ) from error
        except (OSError, ValueError, MemoryError) as error:  # other servers' greetings are read as absurd sizes
            raise ConfigurationError(f"no Dask scheduler answers at {address}: {error}") from error
    if kind != "Scheduler":
        raise ConfigurationError(f"{address} is a Dask {kind}, not the scheduler")


async def _kind_of_server(address: str) -> str:
    from distributed.core import rpc
    from distributed.security import Security

    async with rpc(address, connection_args=Security().get_connection_args("client")) as server:
        identity = await asyncio.wait_for(server.identity(), _CONNECT_SECONDS)
    return str(identity["type"])


def _one_thread_plugin() -> Any:  # noqa: ANN401  (Dask is imported only when it is used)
    from distributed import WorkerPlugin

    class OneThread(WorkerPlugin):
        name = "segprep-one-thread"

        def setup(self, worker: Any) -> None:  # noqa: ANN401
            settle_process()

    return OneThread()


def dask_setup(worker: Any) -> None:  # noqa: ANN401  (Dask calls it in each worker process that preloads this module)
    """Prepare a local worker process: one thread, and Ctrl-C is for the process that the user started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle_process()
