"""What `prep shard --augment` and `prep show --augment` ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segprep.datasets.augmentation import Augmentation, draw
from segprep.datasets.augmentation.config import AugmentationConfig, preset_config
from segprep.datasets.augmentation.table import config_from_table, read_config
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import JsonDict, SampleKey

__all__ = ["DEFAULT_PRESET", "AugmentRequest", "augment_request"]

DEFAULT_PRESET: Final = "ssma"
"""What is drawn from where nobody says."""

_MOST_VARIANTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class AugmentRequest:
    """How many variants of each sample, and what they are drawn from.

    Attributes:
        count: Variants per sample, numbered from 1: 0 is the untouched sample.
        config: The ranges.
        seed: Of all draws.
        size: (width, height) of the variants; None for the crop's in pixels, else the samples' own.
    """

    count: int
    config: AugmentationConfig
    seed: int = 0
    size: tuple[int, int] | None = None

    @property
    def variants(self) -> range:
        """Their numbers."""
        return range(1, self.count + 1)

    def draw(self, key: SampleKey, variant: int, source: tuple[int, int]) -> Augmentation:
        """Return what a variant of a sample of (width, height) gets, whatever else is drawn.

        Raises:
            SizeMismatchError: If a crop in pixels is larger than the sample.
        """
        return draw(self.config, self.seed, key, variant, source, self.size)

    def output_size(self, source: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) of the variants of a sample."""
        return self.size or self.config.crop_size or source

    def to_json(self) -> JsonDict:
        """Return everything that decides the variants, for fingerprints and the stores' attributes."""
        size = None if self.size is None else list(self.size)
        # As it is read back: 13 and 13.0 are the same range, and must be the same text.
        ranges = config_from_table(self.config.to_json()).to_json()
        return {"variants": self.count, "ranges": ranges, "seed": self.seed, "size": size}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "AugmentRequest":
        """Build a request from what `to_json` returned."""
        size = data["size"]
        config = config_from_table(data["ranges"])
        return cls(data["variants"], config, data["seed"], None if size is None else (size[0], size[1]))


def augment_request(
    count: int | None, preset: str | None, size: tuple[int, int] | None, seed: int | None
) -> AugmentRequest | None:
    """Return what the options ask for; None if they do not ask for variants.

    Args:
        count: Variants per sample.
        preset: Name of a preset, or a TOML file with a table of one's own.
        size: (width, height) of the variants.
        seed: Of all draws.

    Raises:
        ConfigurationError: If the options do not go together, or there is no such preset.
        UnreadableFileError: If the file cannot be read.
    """
    if count is None:
        lost = [o for o, v in (("--preset", preset), ("--size", size)) if v is not None]
        if lost:
            raise ConfigurationError(f"{' and '.join(lost)}: this says how variants are made; give --augment N, too")
        return None
    if not 1 <= count <= _MOST_VARIANTS:
        raise ConfigurationError(
            f"--augment {count}: a number of variants from 1 to {_MOST_VARIANTS} per sample; omit the option to "
            "store the samples as they are"
        )
    name = preset or DEFAULT_PRESET
    config = read_config(Path(name)) if name.endswith(".toml") else preset_config(name)
    return AugmentRequest(count, config, seed or 0, size)
