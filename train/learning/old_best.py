"""Going on with a run whose best checkpoint was chosen by an older rule."""

import dataclasses
from collections.abc import Callable

from segprep.train.evaluation.metrics import MEAN_RULE
from segprep.train.learning.state import RunState
from segprep.train.learning.validation import Validation
from segprep.train.network.checkpoint import load_checkpoint, load_into
from segprep.train.network.segmenter import Segmenter
from segprep.train.runs.folder import Run

__all__ = ["judged_anew"]


def judged_anew(
    state: RunState, metric: str, run: Run, segmenter: Segmenter, validation: Validation, say: Callable[[str], None]
) -> RunState:
    """Return a state whose best value is by today's rule: the best checkpoint is validated again if need be.

    Args:
        state: Of the checkpoint that the run goes on from.
        metric: Name of the metric.
        run: Has the best checkpoint.
        segmenter: Gets the weights of that checkpoint in this case.
        validation: Of the segmenter.
        say: Gets a sentence about what was done.

    Raises:
        DamagedStoreError: If the best checkpoint is damaged.
    """
    if state.rule == MEAN_RULE or state.best is None or metric != "mean_iou":
        return state
    best = load_checkpoint(run.checkpoints, "best") if validation.possible else None
    found = None
    if best is not None:
        load_into(segmenter.network, best, averaged=True)
        found = validation.run().metric
    shown = "not known" if found is None else f"{found:.4f}"
    say(
        f"the best checkpoint of {run.name} was chosen by a mean over the classes in the labels, {state.best:.4f}; "
        f"over those that are predicted, too, it is {shown}"
    )
    plateau = state.plateau if state.plateau.best is None else dataclasses.replace(state.plateau, best=found)
    return dataclasses.replace(state, best=found, plateau=plateau)
