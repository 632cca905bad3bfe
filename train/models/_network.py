"""What every network is made of: a trunk that all data sets share, and a head for each of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind

__all__ = [
    "Features",
    "InputColumn",
    "InputScaling",
    "Logits",
    "Network",
    "eight_bit_scaling",
    "imagenet_scaling",
    "measured_scaling",
    "two_columns",
]

Features = tuple[Tensor, ...]  # each (N, C, h, w)


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A column of the shards as a network gets it.

    Attributes:
        name: Column name.
        kind: What the values are.
        dtype: Of the stored values.
        channels: Number of channels.
        mean: Of the stored values of each channel over the training set; NaN where nobody measured it.
        std: Their standard deviation.
    """

    name: str
    kind: Kind
    dtype: str
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InputScaling:
    """The network takes (stored value - centre) / spread.

    Attributes:
        centre: Per channel of a column.
        spread: Per channel of a column.
    """

    centre: tuple[float, ...]
    spread: tuple[float, ...]


def eight_bit_scaling(column: InputColumn) -> InputScaling:
    """Return PARIS' scaling, (x - 128) / 128, for 8-bit columns, else `measured_scaling`.

    The zero of SMSnet's motion image, 128, becomes 0.
    """
    if column.dtype != "uint8":
        return measured_scaling(column)
    return InputScaling((128.0,) * column.channels, (128.0,) * column.channels)


def measured_scaling(column: InputColumn) -> InputScaling:
    """Return the scaling that gives a channel mean 0 and standard deviation 1 over the training set.

    A channel that is constant, or that nobody measured, has spread 1.
    """
    return InputScaling(
        tuple(mean if math.isfinite(mean) else 0.0 for mean in column.mean),
        tuple(std if math.isfinite(std) and std > 0 else 1.0 for std in column.std),
    )


def imagenet_scaling(column: InputColumn) -> InputScaling:
    """Return torchvision's scaling of RGB images for 8-bit images of three channels, else `eight_bit_scaling`.

    ImageNet's mean and standard deviation are (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) of 255.
    """
    if column.kind is not Kind.IMAGE or column.dtype != "uint8" or column.channels != 3:
        return eight_bit_scaling(column)
    return InputScaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def two_columns(columns: Sequence[InputColumn], roles: str, example: str) -> tuple[InputColumn, InputColumn]:
    """Return the columns of a network of two streams.

    Args:
        columns: What it was given.
        roles: What the two are for the network.
        example: Two names that people would give.

    Raises:
        ConfigurationError: If there are not two.
    """
    if len(columns) != 2:
        names = ", ".join(column.name for column in columns)
        raise ConfigurationError(
            f"it takes two input columns, {roles}, not {len(columns)} ({names}): name two, for example {example}"
        )
    return columns[0], columns[1]


class Logits(NamedTuple):
    """What a head gives for its samples.

    Attributes:
        main: (N, classes, H, W) of the input's size.
        auxiliary: (weight in the loss, logits like `main`) of heads that only help to train.
    """

    main: Tensor
    auxiliary: tuple[tuple[float, Tensor], ...] = ()


class Network(nn.Module):
    """A trunk that all data sets share, and a head for each.

    Args:
        trunk: (N, C, H, W) float to `Features`.
        heads: One per data set: `head(features, (H, W))` gives `Logits`.
    """

    def __init__(self, trunk: nn.Module, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleList(heads)

    def forward(self, x_NCHW: Tensor, counts: Sequence[int] | None = None) -> tuple[Logits | None, ...]:
        """Return the logits of each data set's samples; None for a data set without any.

        Args:
            x_NCHW: The samples, those of the first data set first. The trunk sees them together: so does its batch
                norm.
            counts: How many samples belong to each data set; None if there is one data set only.
        """
        features: Features = self.trunk(x_NCHW)
        if counts is None or len(counts) == 1:
            return (self.heads[0](features, tuple(x_NCHW.shape[2:])),)
        outputs: list[Logits | None] = []
        start = 0
        for head, count in zip(self.heads, counts, strict=True):
            own = tuple(feature[start : start + count] for feature in features)
            outputs.append(head(own, tuple(x_NCHW.shape[2:])) if count else None)
            start += count
        return tuple(outputs)
