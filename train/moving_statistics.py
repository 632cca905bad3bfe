"""The moving statistics of batch norm in the first steps of a run."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["MovingStatistics"]


class MovingStatistics:
    """Makes moving statistics the plain mean of the batches so far, until those are as many as they remember.

    Batch norm evaluates with moving means and variances that begin as 0 and 1 and keep 0.99 of what they were (0.9 in
    PARIS' network). So after 80 steps 45 % of them is still the beginning, in layer upon layer: validations would be
    meaningless for hundreds of steps. In step n each batch counts 1 / n instead, until that is less than 0.01. What
    the network learns is not affected: while training, batch norm takes the batch's own statistics.

    Args:
        network: Whose moving statistics are fresh.
    """

    def __init__(self, network: nn.Module) -> None:
        self._norms = [
            (each, each.momentum)
            for each in network.modules()
            if isinstance(each, _BatchNorm) and each.momentum is not None
        ]

    def begin_step(self, steps_done: int) -> None:
        """Set how much the next batch counts."""
        for each, usual in self._norms:
            each.momentum = max(usual, 1 / (steps_done + 1))
