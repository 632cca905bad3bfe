"""The operations of the one rule of how values follow a map, on tensors."""

import torch
from torch import Tensor

__all__ = ["TensorOperations"]


class TensorOperations:
    """`segprep.datasets.augmentation.operations.Operations` on float32 tensors.

    Args:
        device: Of the tensors.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def mixed(self, x: Tensor, a: Tensor, y: Tensor, b: Tensor) -> Tensor:
        """Return a x + b y, written out, because products of matrices may have ten bits only."""
        return (x * a).addcmul_(y, b)

    def root(self, values: Tensor) -> Tensor:
        """See `Operations.root`."""
        return values.sqrt()

    def at_least(self, values: Tensor, low: float) -> Tensor:
        """See `Operations.at_least`."""
        return values.clamp_min_(low)

    def put(self, values: Tensor, where: Tensor, value: float) -> None:
        """See `Operations.put`."""
        values.masked_fill_(where, value)

    def arange(self, count: int) -> Tensor:
        """See `Operations.arange`."""
        return torch.arange(count, dtype=torch.float32, device=self._device)
