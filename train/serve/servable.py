"""What a server needs of a network, whatever computes it."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from segprep.datasets.classes import ClassMap
from segprep.datasets.sample import Array, Mask
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.predict.model import Encoded

__all__ = ["Servable"]


class Servable(Protocol):
    """A trained network that takes samples of any size. `segprep.train.Model` is one.

    Attributes:
        columns: What it takes, in their order.
        class_maps: By the name of each data set that it learned.
        size: (width, height) of the samples that it was trained on.
    """

    @property
    def columns(self) -> tuple[ArraySpec, ...]:
        """What it takes."""

    @property
    def class_maps(self) -> Mapping[str, ClassMap]:
        """Classes by data set."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in training."""

    def encoded(self, sample: Mapping[str, Array], valid: Mapping[str, Mask] | None = None) -> Encoded:
        """Code a sample as the network takes it; see `Model.encoded`."""

    def probabilities(self, stored_NHWC: Tensor, *, dataset: str | None = None) -> Tensor:
        """Return (N, classes, H, W) float32; see `Model.probabilities`."""
