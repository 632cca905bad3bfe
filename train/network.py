"""From a network's name to a module that takes stored values and gives logits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.shard_columns import ArraySpec
from segprep.train.models import MODELS

__all__ = ["Config", "Precision", "Segmenter", "build_segmenter", "default_device", "native_precision"]

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Which network, and how exactly it computes.

    Attributes:
        name: A file of `train/models`, or one that another package adds.
        options: Fields of that file's `Config`.
        precision: `bf16` keeps weights, loss and optimizer in 32 bits and computes the network in 16: faster on
            processors that have such instructions (docs/benchmarks.md), slower on others.
    """

    name: str
    options: Mapping[str, Any]
    precision: Precision


class Segmenter(nn.Module):
    """A network behind its input normalisation: stored values in, 32-bit logits out.

    Args:
        network: (N, C, H, W) float to (N, classes, H, W).
        centre: Per channel.
        spread: Per channel; the network gets (value - centre) / spread.
        precision: See `Config`.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self, network: nn.Module, centre: Sequence[float], spread: Sequence[float], precision: Precision
    ) -> None:
        super().__init__()
        self.network = network
        self.precision = precision
        self.register_buffer("centre", torch.tensor(centre).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(spread).view(1, -1, 1, 1), persistent=False)

    def forward(self, inputs_NHWC: Tensor) -> Tensor:
        """Return (N, classes, H, W) float32 logits; the view of NHWC as NCHW is the layout that is fastest."""
        x = (inputs_NHWC.permute(0, 3, 1, 2).float() - self.centre) / self.spread
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits: Tensor = self.network(x)
        return logits.float()


def build_segmenter(config: Config, columns: Sequence[ArraySpec], classes: int) -> Segmenter:
    """Make the network with fresh weights from torch's random generator.

    Raises:
        UnknownNameError: If no network has this name.
        ConfigurationError: If the network has no such options or cannot take a column.
    """
    module = MODELS.load(config.name)
    centre: list[float] = []
    spread: list[float] = []
    for column in columns:
        try:
            scaling = module.input_scaling(column)
        except ConfigurationError as error:
            raise ConfigurationError(f"network {config.name!r} cannot take column {column.name!r}: {error}") from error
        channels = column.shape[2] if len(column.shape) == 3 else 1
        centre += [scaling[0]] * channels
        spread += [scaling[1]] * channels
    network = module.build(module.Config(**config.options), len(centre), classes)
    segmenter = Segmenter(network, centre, spread, config.precision)
    segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
    return segmenter


def default_device() -> torch.device:
    """Return the first GPU if torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def native_precision(device: torch.device) -> Precision:
    """Return `bf16` where the device has instructions for it, else `fp32`."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # torch has no public question for this; where this one has gone, the safe answer is the slower one.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16" if supported() else "fp32"
