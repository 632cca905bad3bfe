"""Losses as a sum and the count that belongs to it, so that the parts of a batch add up to the whole batch."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.shards.statistics import LabelStatistics
from segprep.train.learning.sections import ClassWeights, LossConfig

__all__ = ["Loss", "class_weights"]

_SMALLEST: Final = torch.finfo(torch.float32).tiny
_NEVER_CHOSEN: Final = -1.0  # below every loss of a pixel


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
        """Return the denominator that these labels contribute, a float64 scalar on their device.

        Args:
            labels_NHW: (N, H, W) train ids of any integer dtype, 255 = ignore.
        """
        if self._config.kind == "bootstrapped":
            valid_P = (labels_NHW != IGNORE_ID).flatten(self._ranked_from).sum(-1)
            return valid_P.clamp(max=self._chosen(labels_NHW)).sum().double()
        if self._config.mean == "all":
            return torch.tensor(labels_NHW.numel(), dtype=torch.float64, device=labels_NHW.device)
        return self._pixel_weights(labels_NHW).sum(dtype=torch.float64)

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
        """
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
