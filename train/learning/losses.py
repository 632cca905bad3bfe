"""Losses as a sum and the count that belongs to it, so that the parts of a batch add up to the whole batch."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.shards.statistics import LabelStatistics
from segprep.train.learning.region_losses import dice_losses, lovasz_losses
from segprep.train.learning.sections import ClassWeights, LossConfig

__all__ = ["Loss", "class_weights", "exact_dtype"]

_SMALLEST: Final = torch.finfo(torch.float32).tiny
_NEVER_CHOSEN: Final = -1.0  # below every loss of a pixel
_OF_REGIONS: Final = {"dice": dice_losses, "lovasz": lovasz_losses}


class Loss:
    """The loss of the samples of one data set.

    The loss of a batch is the sum of `total` over its parts divided by the sum of `count`. Parts
    give exactly what the whole gives, except that `bootstrapped` without `bootstrap_per_image` ranks the pixels of each
    part by themselves.

    Args:
        config: What is minimised.
        weights: (classes,) as `class_weights` gives them, None for none.
    """

    def __init__(self, config: LossConfig, weights: Tensor | None = None) -> None:
        self._config = config
        self._weighted = weights is not None
        self._weight_of_id = torch.ones(IGNORE_ID + 1)
        if weights is not None:
            self._weight_of_id[: len(weights)] = weights.float()
        self._weight_of_id[IGNORE_ID] = 0

    def count(self, labels_NHW: Tensor) -> Tensor:
        """Return the denominator that these labels contribute, a scalar of `exact_dtype` on their device.

        Args:
            labels_NHW: (N, H, W) train ids of any integer dtype, 255 = ignore.
        """
        exact = exact_dtype(labels_NHW.device)
        if self._config.kind == "bootstrapped":
            valid_P = (labels_NHW != IGNORE_ID).flatten(self._ranked_from).sum(-1)
            return valid_P.clamp(max=self._chosen(labels_NHW)).sum().to(exact)
        if self._config.kind in _OF_REGIONS:
            return (self._pixel_weights(labels_NHW) > 0).flatten(1).any(1).sum().to(exact)
        if self._config.mean == "all":
            return torch.tensor(labels_NHW.numel(), dtype=exact, device=labels_NHW.device)
        return self._pixel_weights(labels_NHW).sum(dtype=exact)

    def total(self, logits_NCHW: Tensor, labels_NHW: Tensor) -> Tensor:
        """Return the sum that belongs to `count`, a float32 scalar; 0 with zero gradients without a labelled pixel.

        Args:
            logits_NCHW: (N, classes, H, W) of any float dtype; computed in float32.
            labels_NHW: (N, H, W) train ids of any integer dtype, 255 = ignore.

        `cross_entropy`: sum of w_y (-ln p_y). `focal`: sum of w_y (1 - p_y)^gamma (-ln p_y), the gradient flows through
        the factor, too. Source: Lin, Goyal, Girshick, He, Dollar: Focal loss for dense object detection. ICCV 2017.
        p_y = 0.5 and gamma 2 give 0.25 * 0.693 = 0.173. `bootstrapped`: sum of the k largest w_y (-ln p_y), k =
        max(1, floor(share * pixels)) and at most the labelled pixels. Source: Pohlen, Hermans, Mathias, Leibe:
        Full-resolution residual networks. CVPR 2017.

        `dice` and `lovasz`: sum over the pictures with labels of the mean of `dice_losses` or `lovasz_losses` over the
        classes that are labelled in the picture, weighted by the weights of the classes; plus `cross_entropy` times the
        picture's mean cross-entropy, weighted alike. Pixels of a class of weight 0 are left out as ignored ones are.
        """
        if self._config.kind in _OF_REGIONS:
            return self._regions(logits_NCHW, labels_NHW)
        loss_NHW = F.cross_entropy(logits_NCHW.float(), labels_NHW.long(), ignore_index=IGNORE_ID, reduction="none")
        if self._config.kind == "focal":
            # The power has no finite slope at 0 for gamma below 1; -expm1 keeps the digits of 1 - p near 0.
            loss_NHW = (-torch.expm1(-loss_NHW)).clamp(min=_SMALLEST).pow(self._config.gamma) * loss_NHW
        if self._weighted:
            loss_NHW = loss_NHW * self._pixel_weights(labels_NHW)
        if self._config.kind != "bootstrapped":
            return loss_NHW.sum()
        # Pixels that are ignored come last and count nothing, so that k need not wait for the device to count them.
        ranked = loss_NHW.masked_fill(labels_NHW == IGNORE_ID, _NEVER_CHOSEN).flatten(self._ranked_from)
        largest = ranked.topk(self._chosen(labels_NHW), sorted=False).values
        return largest.masked_fill(largest == _NEVER_CHOSEN, 0).sum()

    def _regions(self, logits_NCHW: Tensor, labels_NHW: Tensor) -> Tensor:
        losses_of = _OF_REGIONS[self._config.kind]
        class_weights = self._weight_of_id.to(labels_NHW.device)
        total = logits_NCHW[:, :, :0].float().sum()  # 0, with gradients of 0
        for logits_CHW, label_HW in zip(logits_NCHW, labels_NHW.long(), strict=True):
            counted_HW = class_weights[label_HW] > 0
            ids_P = label_HW[counted_HW]
            if not len(ids_P):
                continue
            log_p_CP = logits_CHW[:, counted_HW].float().log_softmax(0)
            present_K = ids_P.unique()
            weights_K = class_weights[present_K]
            losses_K = losses_of(log_p_CP[present_K].exp(), ids_P == present_K[:, None])
            total = total + (losses_K * weights_K).sum() / weights_K.sum()
            if self._config.cross_entropy:
                mean = F.nll_loss(log_p_CP.T, ids_P, class_weights[: len(log_p_CP)])
                total = total + self._config.cross_entropy * mean
        return total

    @property
    def _ranked_from(self) -> int:
        return 1 if self._config.bootstrap_per_image else 0

    def _chosen(self, labels_NHW: Tensor) -> int:
        """Return how many pixels `bootstrapped` takes of an image or of all, were all of them labelled."""
        pixels = labels_NHW[0].numel() if self._config.bootstrap_per_image else labels_NHW.numel()
        return max(1, int(self._config.bootstrap_share * pixels + 1e-6))  # 0.29 * 100 is 28.999999999999996

    def _pixel_weights(self, labels_NHW: Tensor) -> Tensor:
        if self._weight_of_id.device != labels_NHW.device:
            self._weight_of_id = self._weight_of_id.to(labels_NHW.device)
        return self._weight_of_id[labels_NHW.long()]


def exact_dtype(device: torch.device) -> torch.dtype:
    """Return float64 where the device has it; Apple's GPUs count in float32."""
    return torch.float32 if device.type == "mps" else torch.float64


def class_weights(kind: ClassWeights, statistics: LabelStatistics) -> Tensor | None:
    """Return the (classes,) float32 weights of the classes; None for `none`.

    Raises:
        ConfigurationError: If nothing is labelled, so that there are no frequencies.
    """
    if kind == "none":
        return None
    if not any(statistics.pixels):
        raise ConfigurationError(f"class weights {kind!r} need labelled pixels, and the training shards hold none")
    weights = {
        "median_frequency": statistics.median_frequency_weights,
        "enet": statistics.enet_weights,
        "inverse": statistics.inverse_weights,
    }
    return torch.tensor(weights[kind], dtype=torch.float32)
