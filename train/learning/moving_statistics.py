"""The moving statistics of batch norm in the first steps of a run."""

from typing import Final

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["MovingStatistics"]

_SHARE: Final = 10  # moving statistics remember about this part of the steps so far


class MovingStatistics:
    """Lets moving statistics remember a tenth of the steps so far, until that is as much as the network says.

    Batch norm evaluates with moving means and variances that begin as 0 and 1 and keep 0.99 of what they were (0.9 in
    PARIS' network). In short runs they are then those of weights long gone, in layer upon layer: validations are
    meaningless for hundreds of steps. After n steps they keep (1 + n) / (10 + n) instead, as TensorFlow's moving
    averages do where they are told the number of updates: 0.18 after 1 step, 0.87 after 60, 0.99 after 890. What the
    network learns is not affected: while training, batch norm takes the batch's own statistics.

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
            each.momentum = max(usual, (_SHARE - 1) / (_SHARE + steps_done))
