"""Tasks on a Dask cluster that the user runs, by those of its workers that share disks and code with this process."""

import asyncio
import concurrent.futures
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segprep.datasets.errors import ClusterLostError, ConfigurationError
from segprep.workflows.running.dask_tasks import LOOK_SECONDS, outcome_of, tell
from segprep.workflows.running.outcomes import NotArrived, Outcome, WorkerDied
from segprep.workflows.running.process import settle_process
from segprep.workflows.running.scheduler_address import require_scheduler
from segprep.workflows.running.sharing import Claims, Shared, Shown, claims, show, show_in_thread

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["UsersClusterExecutor"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_ANSWER_SECONDS = 5.0
_TELL_SECONDS = 5.0
_PATIENCE_SECONDS = 20.0  # a worker that died is back by then, if something restarts it
_MAX_LOSSES = 3


class _Refused(Exception):  # noqa: N818  (said of a worker, to the executor)
    """The worker process that got a task must not work for the command; the text says why."""


@dataclass(frozen=True, slots=True)
class _Given(Generic[Task]):
    """A task and who has it.

    Attributes:
        task: The task.
        workers: Addresses of the workers of which one does it; none if it waits.
        losses: How often all those workers went away before it was done.
    """

    task: Task
    workers: tuple[str, ...] = ()
    losses: int = 0


class UsersClusterExecutor(Generic[Task, Result]):
    """Gives tasks to the workers of a scheduler that have shown that they share what the tasks rest on.

    Each worker, also one that joins later, is asked before it gets tasks; each of its processes compares again before
    its first task, because a successor may have its predecessor's address.

    Args:
        function: What to do with a task.
        address: The scheduler's.
        shared: What the tasks rest on.
    """

    def __init__(self, function: Callable[[Task], Result], address: str, shared: Shared) -> None:
        self._function = function
        self._address = address
        self._shared = shared
        self._waiting: deque[_Given[Task]] = deque()
        self._given: dict[Any, _Given[Task]] = {}
        self._finished: SimpleQueue[Any] = SimpleQueue()
        self._ended: list[Outcome[Task, Result]] = []
        self._asked: dict[Any, str] = {}
        self._threads: dict[str, int] = {}  # of the workers that are there
        self._proven: set[str] = set()
        self._refused: dict[str, str] = {}
        self._notes: set[str] = set()
        self._looked = 0.0
        self._had_workers = False
        self._alone_since = time.monotonic()
        self._told_alone = False

    def __enter__(self) -> "UsersClusterExecutor[Task, Result]":
        require_scheduler(self._address)
        with ExitStack() as stack:
            self._claims = stack.enter_context(claims(self._shared))
            self._client = connect(self._address)
            stack.callback(self._close)
            self._require_code_of_scheduler()
            self._look()
            self._stack = stack.pop_all()
        if not self._threads:
            tell(f"{self._address} has no workers yet; waiting for them (Ctrl-C ends)")
            self._told_alone = True
        if find_spec("bokeh") is not None:
            tell(f"Dask dashboard: {self._client.dashboard_link}")
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _close(self) -> None:
        for question in self._asked:
            question.cancel()
        self._client.close()

    @property
    def slots(self) -> int:
        """How many tasks may be under way."""
        # Two tasks per thread: one runs, one waits, so that no worker idles while this process commits rows.
        return 2 * max(1, sum(self._threads[worker] for worker in self._proven)) + 1

    @property
    def running(self) -> int:
        """How many tasks are under way."""
        return len(self._given) + len(self._waiting)

    def submit(self, task: Task) -> None:
        """Start a task."""
        self._waiting.append(_Given(task))
        self._give()

    @property
    def has_workers(self) -> bool:
        """Whether anybody is there to do tasks."""
        return bool(self._proven)

    def next(self) -> Outcome[Task, Result] | None:
        """Wait for any task to finish, a second at most."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._look()
        if self._ended:
            return self._ended.pop()
        try:
            future = self._finished.get(timeout=LOOK_SECONDS)
        except Empty:
            return None
        if future in self._asked:
            self._take_answer(future)
        elif future in self._given:  # else it was given to others meanwhile
            return self._outcome(future)
        return None

    def refuse(self, outcome: Outcome[Task, Result], why: NotArrived) -> None:
        """Give the worker of an outcome no more tasks, and the task to another one."""
        self._refuse(outcome.worker, f"{why}: it does not share this disk")
        self._waiting.append(_Given(outcome.task))
        self._give()

    def _require_code_of_scheduler(self) -> None:
        """Refuse a scheduler that cannot load tasks; disks it needs none, and pixels it makes none."""
        expected = replace(self._claims, workspace=None, dataset=None, sources=(), opencv=None)
        try:
            why = "; ".join(self._client.run_on_scheduler(show, expected).differences)
        except Exception as error:  # noqa: BLE001  (whatever hinders it there)
            why = _cannot_load(error)
        if why:
            raise ConfigurationError(
                f"the scheduler {self._address} cannot be used: {why}. It needs the segprep of this command, as its "
                "workers do"
            )

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _give(self) -> None:
        workers = tuple(sorted(self._proven))
        while self._waiting and workers:
            given = self._waiting.popleft()
            future = self._client.submit(
                _run_if_shared, self._claims, self._function, given.task, workers=workers, pure=False
            )
            self._given[future] = _Given(given.task, workers, given.losses)
            future.add_done_callback(self._finished.put)

    def _outcome(self, future: "Future[Any]") -> Outcome[Task, Result] | None:
        """Return how a task ended; None if others are to do it."""
        given = self._given.pop(future)
        outcome = outcome_of(future, given.task, self._lost())
        worker = ""
        if outcome is None:
            self._waiting.append(given)
            return None
        if isinstance(outcome.error, _Refused):
            worker, why = outcome.error.args
            self._refuse(worker, why)
        elif outcome.result is not None:
            worker, result = outcome.result
            outcome = Outcome(given.task, result, None, worker)
        if worker in self._refused:
            self._waiting.append(given)
            self._give()
            return None
        return outcome

    # -- workers ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Learn who has come and who has gone."""
        if self._client.status != "running":  # a future submitted to a broken connection never finishes
            raise self._lost()
        self._looked = time.monotonic()
        try:
            self._threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=_ANSWER_SECONDS)
        except TimeoutError:  # a busy scheduler; of one that is gone the client soon says so
            return
        except OSError as error:
            raise self._lost() from error
        self._proven &= self._threads.keys()
        self._refused = {worker: why for worker, why in self._refused.items() if worker in self._threads}
        for future in [f for f, worker in self._asked.items() if worker not in self._threads]:
            del self._asked[future]
            future.cancel()
        for worker in self._threads.keys() - self._proven - self._refused.keys() - set(self._asked.values()):
            self._ask(worker)
        if self._proven:
            self._alone_since = self._looked
        else:
            self._stay_alone()
        self._take_back()
        self._give()

    def _take_back(self) -> None:
        """Let tasks wait again whose workers have all gone or been refused."""
        for future, given in list(self._given.items()):
            if self._proven.isdisjoint(given.workers) and not future.done():
                del self._given[future]
                future.release()
                losses = given.losses + self._threads.keys().isdisjoint(given.workers)
                if losses > _MAX_LOSSES:
                    died = WorkerDied(f"all workers that had it went away, {losses} times")
                    self._ended.append(Outcome(given.task, None, died))
                else:
                    self._waiting.append(_Given(given.task, losses=losses))

    def _ask(self, worker: str) -> None:
        """Have a worker compare. Not by a task: one that cannot be loaded ends its worker."""
        answer = self._client.run(show_in_thread, self._claims, workers=[worker], on_error="return", asynchronous=True)
        question = asyncio.run_coroutine_threadsafe(answer, self._client.loop.asyncio_loop)
        self._asked[question] = worker
        question.add_done_callback(self._finished.put)

    def _take_answer(self, question: "concurrent.futures.Future[dict[str, Shown | Exception]]") -> None:
        worker = self._asked.pop(question)
        error = question.exception()
        shown = error or question.result().get(worker)
        if not isinstance(shown, Shown):
            self._refuse(worker, f"it does not answer ({shown})" if isinstance(shown, OSError) else _cannot_load(shown))
            return
        if shown.differences:
            self._refuse(worker, _told(shown))
            return
        self._proven.add(worker)
        self._had_workers = True
        self._told_alone = False
        for note in set(shown.notes) - self._notes:
            tell(f"prep: note: worker {worker} on {shown.host} has {note}: bytes may differ from those made here")
        self._notes.update(shown.notes)
        self._give()

    def _refuse(self, worker: str, why: str) -> None:
        self._proven.discard(worker)
        if worker not in self._refused:
            self._refused[worker] = why
            tell(f"prep: worker {worker} is refused and gets no tasks: {why}")

    def _stay_alone(self) -> None:
        """Say that nobody is there to work, once; end the work where nobody is to be expected."""
        alone = time.monotonic() - self._alone_since
        if alone > _TELL_SECONDS and not self._told_alone:
            self._told_alone = True
            tell(f"prep: {self._address} has no worker that may work; waiting for one (Ctrl-C ends)")
        if not self._refused or self._asked or alone <= _PATIENCE_SECONDS:
            return
        names = "".join(f"\n  {worker}: {why}" for worker, why in sorted(self._refused.items()))
        if self._had_workers:
            raise ClusterLostError(
                f"no worker of {self._address} is left that may work for this command. What was finished is kept. "
                f"Refused are:{names}"
            )
        raise ConfigurationError(f"no worker of {self._address} may work for this command:{names}")

    def _lost(self) -> ClusterLostError:
        return ClusterLostError(
            f"the connection to the Dask scheduler {self._address} was lost. What was finished is kept: start the "
            "scheduler and run again"
        )


def connect(address: str) -> Any:  # noqa: ANN401  (half of the client's methods have no types)
    """Return a client of a scheduler."""
    from distributed import Client

    for name in ("distributed.client", "distributed.batched"):  # a lost connection is our error to tell
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Client(address, set_as_default=False)


def _cannot_load(error: object) -> str:
    return f"it cannot load the segprep of this command ({type(error).__name__}: {error})"


def _told(shown: Shown) -> str:
    return f"on {shown.host} " + "; ".join(shown.differences)


def _run_if_shared(expected: Claims, function: Callable[[Task], Result], task: Task) -> tuple[str, Result]:
    """Run a task in a worker, which says who it is."""
    from distributed import get_worker

    _settle_once()
    worker: str = get_worker().address
    shown = show(expected)
    if shown.differences:
        raise _Refused(worker, _told(shown))
    return worker, function(task)


@cache
def _settle_once() -> None:
    settle_process()
