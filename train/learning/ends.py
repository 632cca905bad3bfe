"""How a run ends that cannot go on: with what is kept, and what to do."""

from segprep.datasets.errors import DivergedError, SegprepError
from segprep.train.network.pointers import checkpoint_kept
from segprep.train.runs.folder import Run
from segprep.train.runs.resuming import resume_command

__all__ = ["diverged", "unread"]


def diverged(what: str, step: int, run: Run) -> DivergedError:
    """Return the error of a loss or a weight that is no longer finite."""
    return DivergedError(f"{what} at step {step}: lower --lr ({checkpoint_kept(run.checkpoints)})")


def unread(failure: SegprepError, run: Run, processes: int) -> SegprepError:
    """Return an error of the same kind as that of a batch that cannot be read, which says what is kept, too."""
    ways = f"go on with `{resume_command(run, processes)}` when the run's own samples are there again"
    return type(failure)(f"{failure}. The run: {checkpoint_kept(run.checkpoints)}; {ways}, or begin a new run")
