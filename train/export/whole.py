"""A trained network with everything inside: columns in their own units in, class ids and probabilities out."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from segprep.datasets.sample import Array
from segprep.train.export.coding import column_coding
from segprep.train.network.config import Precision
from segprep.train.network.segmenter import AUTOCAST
from segprep.train.predict.model import Model

__all__ = ["OUTPUTS", "WholeNetwork", "batch_of", "whole_network"]

OUTPUTS: Final = ("ids", "scores")


class WholeNetwork(nn.Module):
    """What is exported.

    Its arguments are the input columns, (N, H, W) or (N, H, W, C), of the type that `takes` says; NaN is invalid.

    Args:
        model: The trained network.
        head: Number of the data set whose classes it tells.
        precision: Of what it computes between scaling and probabilities.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, model: Model, head: int, precision: Precision) -> None:
        super().__init__()
        self.codings = nn.ModuleList(column_coding(column) for column in model.columns)
        self.trunk, self.head = model.segmenter.network.trunk, model.segmenter.network.heads[head]
        self.register_buffer("centre", model.segmenter.centre.clone(), persistent=False)
        self.register_buffer("spread", model.segmenter.spread.clone(), persistent=False)
        self.precision = precision

    def forward(self, *columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, H, W) uint8 train ids of the likeliest classes and (N, classes, H, W) float32 probabilities."""
        stored_NCHW = torch.cat([code(each) for code, each in zip(self.codings, columns, strict=True)], 1)
        x_NCHW = (stored_NCHW - self.centre) / self.spread
        if self.precision == "fp32":
            scores_NCHW = self._logits(x_NCHW).softmax(1)
        else:
            with torch.autocast(x_NCHW.device.type, AUTOCAST[self.precision]):
                logits_NCHW = self._logits(x_NCHW)
            scores_NCHW = logits_NCHW.float().softmax(1)
        return scores_NCHW.argmax(1).to(torch.uint8), scores_NCHW

    def _logits(self, x_NCHW: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(x_NCHW), tuple(x_NCHW.shape[2:])).main
        return logits


def whole_network(model: Model, head: int = 0, precision: Precision = "fp32") -> WholeNetwork:
    """Return a trained network with everything inside, for evaluation, on the device of its weights.

    Raises:
        ConfigurationError: If the code of a column cannot be inside.
    """
    return WholeNetwork(model, head, precision).to(model.segmenter.centre.device).eval()


def batch_of(values: Sequence[Array]) -> list[Tensor]:
    """Return the columns of one sample as a batch of one."""
    return [torch.from_numpy(each[None]) for each in values]
