"""What the two executors on Dask have in common."""

import sys
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

from segprep.workflows.running.outcomes import Outcome, WorkerDied

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["LOOK_SECONDS", "outcome_of", "tell"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_FETCH_SECONDS = 30.0

LOOK_SECONDS = 1.0
"""How often an executor looks after its workers while it waits."""


def outcome_of(future: "Future[Result]", task: Task, lost: Exception) -> Outcome[Task, Any] | None:
    """Return how a finished task ended; None if its result went away with the worker that had it.

    Args:
        future: Dask's.
        task: What it stands for.
        lost: The error to give if the connection to the scheduler broke.
    """
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        return Outcome(task, future.result(timeout=_FETCH_SECONDS), None)
    except KilledWorker as error:
        return Outcome(task, None, WorkerDied(str(error)))
    except (CancelledError, CommClosedError):  # nobody here cancels: Dask does when the connection breaks
        return Outcome(task, None, lost)
    except TimeoutError as error:
        return Outcome(task, None, error) if future.status == "error" else None
    except Exception as error:  # noqa: BLE001  (the task's own exception: the runner decides)
        return Outcome(task, None, error)
    finally:
        future.release()


def tell(message: str) -> None:
    """Print a message on stderr."""
    print(message, file=sys.stderr)  # noqa: T201
