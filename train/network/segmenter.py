"""From a network's name to a module that takes stored values and gives logits."""

import math
import os
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.statistics import Statistics, ValueStatistics
from segprep.train.models import MODELS
from segprep.train.models._network import InputColumn, InputScaling, Logits, Network
from segprep.train.models._recompute import Recomputable
from segprep.train.network.config import NetworkConfig, Precision

__all__ = [
    "AUTOCAST",
    "Segmenter",
    "build_segmenter",
    "default_device",
    "input_columns",
    "native_precision",
]

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""What autocast computes in, by the precisions that are not `fp32`."""


class Segmenter(nn.Module):
    """A network behind its input normalisation: stored values in, 32-bit logits out.

    Args:
        network: What computes.
        scalings: By input column, in their order; the network gets (value - centre) / spread.
        precision: See `NetworkConfig`.
        blank: Columns that the network gets zeros in place of.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self, network: Network, scalings: Mapping[str, InputScaling], precision: Precision, blank: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.network = network
        self.precision = precision
        self._blank = tuple(blank)
        channels = sum(len(each.centre) for each in scalings.values())
        self.register_buffer("centre", torch.zeros(1, channels, 1, 1), persistent=False)
        self.register_buffer("spread", torch.ones(1, channels, 1, 1), persistent=False)
        self.scale_by(scalings)
        self._forward: Callable[..., tuple[Logits | None, ...]] = network

    def scale_by(self, scalings: Mapping[str, InputScaling]) -> None:
        """Normalise the same columns by other constants: by those that weights were trained with."""
        self.scalings = dict(scalings)
        centre = [value for scaling in scalings.values() for value in scaling.centre]
        # Divided by infinity, whatever a blank column holds is 0.
        spread = [v if name not in self._blank else math.inf for name, each in scalings.items() for v in each.spread]
        self.centre.copy_(torch.tensor(centre).view(1, -1, 1, 1))
        self.spread.copy_(torch.tensor(spread).view(1, -1, 1, 1))

    def compile_network(self) -> None:
        """Let torch compile the network; the weights keep their names."""
        self._forward = torch.compile(self.network)

    def forward(self, inputs_NHWC: Tensor, counts: Sequence[int] | None = None) -> tuple[Logits | None, ...]:
        """Return the logits of each data set's samples, see `Network.forward`.

        The view of NHWC as NCHW is the layout that is fastest.
        """
        x = (inputs_NHWC.permute(0, 3, 1, 2).float() - self.centre) / self.spread
        with torch.autocast(x.device.type, AUTOCAST.get(self.precision), enabled=self.precision in AUTOCAST):
            outputs = self._forward(x, counts)
        return tuple(None if each is None else _in_32_bits(each) for each in outputs)

    def logits(self, inputs_NHWC: Tensor, dataset: int = 0) -> Tensor:
        """Return (N, classes, H, W) of one data set's head for all samples."""
        counts = [0] * len(self.network.heads)
        counts[dataset] = len(inputs_NHWC)
        (output,) = (each for each in self(inputs_NHWC, counts) if each is not None)
        main: Tensor = output.main
        return main


def input_columns(specs: Sequence[ArraySpec], statistics: Mapping[str, Statistics]) -> tuple[InputColumn, ...]:
    """Describe the columns of a store for a network, with what was measured of their finite values."""
    columns = []
    for spec in specs:
        channels = spec.shape[2] if len(spec.shape) == 3 else 1
        measured = statistics.get(spec.name)
        unknown = (math.nan,) * channels
        mean, std = (measured.mean, measured.std) if isinstance(measured, ValueStatistics) else (unknown, unknown)
        columns.append(InputColumn(spec.name, spec.kind, spec.dtype, channels, mean, std))
    return tuple(columns)


def build_segmenter(
    config: NetworkConfig,
    columns: Sequence[InputColumn],
    classes: Sequence[int],
    scalings: Mapping[str, InputScaling] | None = None,
    blank: Sequence[str] = (),
) -> Segmenter:
    """Make the network with fresh weights from torch's random generator.

    Args:
        config: Which network.
        columns: Its inputs, in their order.
        classes: Number of classes of each data set.
        scalings: By column, of a network that was trained with them; None takes the network's own.
        blank: Columns that the network gets zeros in place of.

    Raises:
        UnknownNameError: If no network has this name.
        ConfigurationError: If the network has no such options or cannot take a column.
    """
    module = MODELS.load(config.name)
    try:
        own = module.Config(**config.options)
        scaling_of = module.scaling_of(own) if hasattr(module, "scaling_of") else module.input_scaling
    except ConfigurationError as error:
        raise ConfigurationError(f"network {config.name!r}: {error}") from error
    chosen: dict[str, InputScaling] = {}
    for column in columns:
        try:
            chosen[column.name] = scaling_of(column) if scalings is None else scalings[column.name]
        except ConfigurationError as error:
            raise ConfigurationError(f"network {config.name!r} cannot take column {column.name!r}: {error}") from error
    try:
        network = module.build(own, columns, classes)
    except ConfigurationError as error:
        raise ConfigurationError(f"network {config.name!r}: {error}") from error
    if config.gradient_checkpointing:
        _recompute_blocks(network, config.name)
    segmenter = Segmenter(network, chosen, config.precision, blank)
    if config.channels_last:
        segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
    if config.compile:
        segmenter.compile_network()
    return segmenter


def default_device() -> torch.device:
    """Return the first GPU if torch sees one, of torchrun's processes each its own, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def native_precision(device: torch.device) -> Precision:
    """Return `bf16` where the device has instructions for it, else `fp32`."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # torch has no public question for this; where this one has gone, the safe answer is the slower one.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16" if supported() else "fp32"


def _recompute_blocks(network: Network, name: str) -> None:
    blocks = [each for each in network.modules() if isinstance(each, Recomputable)]
    if not blocks:
        raise ConfigurationError(
            f"network {name!r} has no blocks that could be computed again: leave out gradient_checkpointing"
        )
    for block in blocks:
        block.recompute()


def _in_32_bits(logits: Logits) -> Logits:
    return Logits(logits.main.float(), tuple((weight, each.float()) for weight, each in logits.auxiliary))
