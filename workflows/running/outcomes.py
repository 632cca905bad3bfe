"""What an executor of tasks is, and what it says of a task that ended."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from segprep.datasets.errors import WriteFailedError

__all__ = ["Executor", "NotArrived", "Outcome", "WorkerDied", "changed_here"]

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(Exception):  # noqa: N818  (an outcome that the runner handles, no error of the user's)
    """The process that ran a task died with it."""


class NotArrived(Exception):  # noqa: N818  (said of a worker, which the executor then refuses)
    """A file that a task is said to have written is not here."""


def changed_here(why: NotArrived) -> WriteFailedError:
    """Return what a file that is not here means where the worker sees what this process sees."""
    return WriteFailedError(f"{why}: did something else remove or change it?")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Task, Result]):
    """A finished task.

    Attributes:
        task: The task.
        result: Its result.
        error: Or the exception that ended it.
        worker: Who did it; empty where all workers are processes of this machine that this process started.
    """

    task: Task
    result: Result | None
    error: BaseException | None
    worker: str = ""


class Executor(Protocol[Task, Result]):
    """Runs one function over tasks, a bounded number at a time. Use as a context manager."""

    @property
    def slots(self) -> int:
        """How many tasks may be under way."""

    @property
    def running(self) -> int:
        """How many tasks are under way."""

    @property
    def has_workers(self) -> bool:
        """Whether anybody is there to do tasks; workers may come back."""

    def submit(self, task: Task) -> None:
        """Start a task."""

    def next(self) -> Outcome[Task, Result] | None:
        """Wait for any task to finish, a second at most. None if none did; there may be more slots now."""

    def refuse(self, outcome: Outcome[Task, Result], why: NotArrived) -> None:
        """Give the worker of an outcome, which is not to be believed, no more tasks, and the task to another one.

        Raises:
            WriteFailedError: If the worker is a process of this machine, which sees what this process sees.
        """

    def __enter__(self) -> "Executor[Task, Result]": ...
    def __exit__(self, *exc: object) -> None: ...
