"""The section `[model]` of a run's configuration. Without torch, for the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import option
from segprep.train.models import MODELS

__all__ = ["IMAGENET", "TORCH_SUFFIXES", "NetworkConfig", "Precision"]

IMAGENET: Final = "imagenet"
"""In place of a file of weights: those that torchvision publishes."""

TORCH_SUFFIXES: Final = (".pth", ".pt", ".safetensors")
"""Of files of weights with PyTorch's tensors."""

Precision = Literal["fp32", "bf16", "fp16"]


def _read_expert(text: str) -> dict[str, str]:
    column, _, run = text.partition("=")
    if not column or not run:
        raise ConfigurationError(f"--expert COLUMN=RUN, for example image=run-001, not {text}")
    return {column: run}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Which network, and how exactly it computes.

    `bf16` and `fp16` keep weights, loss and optimizer in 32 bits and compute the network in 16: faster on processors
    that have such instructions (docs/benchmarks.md), slower on others. `fp16` scales the loss, because its small
    gradients would vanish.

    Attributes:
        options: Fields of the network's own `Config`. They stand beside the others in `[model]`.
    """

    name: str = option("frrn", flag="--model", help="Network.", values=MODELS.names)
    options: Mapping[str, Any] = field(default_factory=dict)
    precision: Precision = option(
        "fp32",
        flag="--precision",
        metavar="",
        help="fp32, bf16 or fp16.",
        unsaid="bf16 where the processor has instructions for it",
    )
    channels_last: bool = option(
        True, help="Whether the channels of a pixel lie together in memory, as in the shards; faster nearly always."
    )
    compile: bool = option(False, flag="--compile", help="Compile the network first: pays in long runs.")
    gradient_checkpointing: bool = option(
        False,
        help="Whether blocks are computed again in the backward pass instead of being kept: less memory, about a third "
        "more time, equal gradients.",
    )
    weights: str = option(
        "",
        flag="--weights",
        metavar="FILE|imagenet",
        help="ImageNet weights of the encoder (imagenet downloads them), or a checkpoint of the published network.",
        values=lambda: (IMAGENET,),
    )
    start: str = option(
        "", flag="--start", metavar="RUN|FILE", help="A run whose weights the network begins with.", values="run"
    )
    experts: Mapping[str, str] = option(
        {},
        flag="--expert",
        metavar="COLUMN=RUN",
        read=_read_expert,
        help="A run whose weights an expert begins with.",
        values="expert",
    )

    def __post_init__(self) -> None:
        if self.gradient_checkpointing and self.compile:
            raise ConfigurationError(
                "a compiled network decides for itself what it computes again: leave out compile or "
                "gradient_checkpointing"
            )

    @property
    def takes_published(self) -> bool:
        """Whether the weights are those of a published network, in a file of TensorFlow or Keras."""
        return self.weights not in ("", IMAGENET) and Path(self.weights).suffix not in TORCH_SUFFIXES
