"""Losses over the valid pixels of a batch."""

import torch.nn.functional as F
from torch import Tensor

from segprep.datasets.kinds import IGNORE_ID

__all__ = ["cross_entropy"]


def cross_entropy(logits_NCHW: Tensor, labels_NHW: Tensor) -> Tensor:
    """Return the mean cross-entropy over pixels that are not ignored, a scalar.

    Args:
        logits_NCHW: (N, classes, H, W) float.
        labels_NHW: (N, H, W) train ids of any integer dtype, 255 = ignore.

    A batch without any valid pixel gives 0 with zero gradients, where a plain mean would give NaN.
    """
    labels_NHW = labels_NHW.long()
    total = F.cross_entropy(logits_NCHW, labels_NHW, ignore_index=IGNORE_ID, reduction="sum")
    return total / (labels_NHW != IGNORE_ID).sum().clamp(min=1)
