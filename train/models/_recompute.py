"""Gradient checkpointing: what lies inside a block is computed again in the backward pass instead of being kept.

Source: Chen, Xu, Zhang, Guestrin: Training deep nets with sublinear memory cost. arXiv:1604.06174.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

__all__ = ["Recomputable", "recomputed"]


class Recomputable(nn.Module):
    """A block of a network whose inner values need not be kept. Blocks do not lie inside each other."""

    def recompute(self) -> None:
        """From now on, keep only what goes into the block while training."""
        self.forward = partial(recomputed, self, self.forward)


def recomputed(block: nn.Module, forward: Callable[..., Any], *inputs: Any) -> Any:  # noqa: ANN401  (of any block)
    """Return `forward(*inputs)`; while training, its inner values are computed again when their gradient is wanted.

    Dropout draws the same numbers again, and moving statistics count a batch once.

    Args:
        block: Holds the layers that `forward` uses.
        forward: What the block computes.
        inputs: Of the block.
    """
    if not (block.training and torch.is_grad_enabled()):
        return forward(*inputs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _uncounted(block)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)


@contextmanager
def _uncounted(block: nn.Module) -> Iterator[None]:
    """Let batch norm compute as before, but add nothing of the batch to its moving statistics."""
    norms = [each for each in block.modules() if isinstance(each, _NormBase)]
    former = [(each, each.momentum, _copied(each.num_batches_tracked)) for each in norms]
    for each in norms:
        each.momentum = 0.0
    try:
        yield
    finally:
        for each, momentum, batches in former:
            each.momentum = momentum
            if batches is not None and each.num_batches_tracked is not None:
                each.num_batches_tracked.copy_(batches)


def _copied(count: Tensor | None) -> Tensor | None:
    return None if count is None else count.clone()
