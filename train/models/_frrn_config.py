"""Options of the network frrn. Without torch, for the command line, which has a flag for one of them."""

from dataclasses import dataclass
from typing import Final

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import check_accepted, option
from segprep.datasets.program.values import above

__all__ = ["REDUCTION", "Config"]

REDUCTION: Final = 4  # of the width inside a bottleneck


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Size and kind of the network's parts.

    The paper has 48 channels at full resolution (18 million parameters), PARIS' reduced model 8.
    """

    base_channels: int = option(
        48, flag="--base-channels", accept=above(0, "a whole number"), help="Width of the network frrn."
    )
    bottleneck_blocks: bool = option(
        False, help="Whether a block is 1x1, 3x3, 1x1 with a quarter of the width inside, rather than two 3x3."
    )
    separable: bool = option(
        False, help="Whether each convolution of the blocks, and of the skips, is one per channel followed by 1x1."
    )
    gn_groups: int = option(
        0,
        help="Number of groups of adjacent channels that are normalised per sample (group norm); 0 for batch norm, or "
        "where gn_channels says it.",
    )
    gn_channels: int = option(0, help="Channels of such a group; 0 for batch norm, or where gn_groups says it.")
    concat_skip: bool = option(
        True, help="Whether the encoder's features are concatenated, rather than added through a 1x1 convolution."
    )

    def __post_init__(self) -> None:
        check_accepted(self)
        if self.bottleneck_blocks and self.base_channels % REDUCTION:
            raise ConfigurationError(
                f"base_channels must be a multiple of {REDUCTION} with bottleneck_blocks, not {self.base_channels}"
            )
        if min(self.gn_groups, self.gn_channels) < 0 or (self.gn_groups and self.gn_channels):
            raise ConfigurationError(
                "give gn_groups or gn_channels, a number above 0, or neither for batch norm; not "
                f"{self.gn_groups} and {self.gn_channels}"
            )
        smallest = self.base_channels // (REDUCTION if self.bottleneck_blocks else 1)
        if smallest % (self.gn_groups or self.gn_channels or 1):
            raise ConfigurationError(
                f"the narrowest norm has {smallest} channels, which cannot be parted by gn_groups={self.gn_groups}, "
                f"gn_channels={self.gn_channels}: choose a divisor"
            )
