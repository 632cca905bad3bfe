"""Losses of whole regions: what overlaps with the labels counts, not each pixel for itself."""

import torch
from torch import Tensor

__all__ = ["dice_losses", "lovasz_losses"]


def dice_losses(p_KP: Tensor, labelled_KP: Tensor) -> Tensor:
    """Return 1 - 2 sum(p y) / (sum(p) + sum(y)) of each class, (K,), in 0..1.

    Source: Milletari, Navab, Ahmadi: V-Net. 3DV 2016, with plain sums below the line instead of those of squares.

    Args:
        p_KP: (K, P) probabilities of K classes at the labelled pixels of a picture.
        labelled_KP: (K, P) bool, where each class is labelled; at least once.
    """
    y_KP = labelled_KP.to(p_KP.dtype)
    return 1 - 2 * (p_KP * y_KP).sum(1) / (p_KP.sum(1) + y_KP.sum(1))


def lovasz_losses(p_KP: Tensor, labelled_KP: Tensor) -> Tensor:
    """Return the Lovasz extension of 1 - IoU of each class, (K,), in 0..1; arguments as of `dice_losses`.

    Probabilities of 0 and 1 give 1 - IoU exactly. Source: Berman, Rannen Triki, Blaschko: The Lovasz-Softmax loss.
    CVPR 2018.
    """
    errors_KP, order_KP = (p_KP - labelled_KP.to(p_KP.dtype)).abs().sort(dim=1, descending=True)
    worst_first_KP = labelled_KP.gather(1, order_KP)
    pixels = worst_first_KP.sum(1, keepdim=True)
    missed, invented = worst_first_KP.cumsum(1), (~worst_first_KP).cumsum(1)
    # 1 - IoU if the n worst pixels are wrong and the others right. Whole numbers up to here; float32 holds the steps of
    # 1 / pixels apart, as every implementation does.
    lost_KP = (missed + invented).to(p_KP.dtype) / (pixels + invented).to(p_KP.dtype)
    steps_KP = torch.diff(lost_KP, dim=1, prepend=lost_KP.new_zeros(len(lost_KP), 1))
    return (errors_KP * steps_KP).sum(1)
