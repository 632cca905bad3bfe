"""The configuration of a run: sections owned by the parts they configure, read from TOML, saved with the run."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import tomlkit

from segprep.datasets import documents
from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig
from segprep.datasets.augmentation.table import config_from_table
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import as_json
from segprep.datasets.program.layers import Overlaid
from segprep.datasets.program.tables import Option, Place, from_table
from segprep.datasets.sample import JsonDict
from segprep.train.learning.protocols import merged_tables
from segprep.train.learning.sections import (
    DEFAULT_EPOCHS,
    CheckpointConfig,
    LossConfig,
    OptimizerConfig,
    RunEntries,
    ScheduleConfig,
)
from segprep.train.models import MODELS
from segprep.train.models._published import published_options
from segprep.train.network.config import NetworkConfig
from segprep.train.reading.config import DataConfig

__all__ = ["RunConfig", "config_json", "config_table", "config_toml", "parse_config", "read_toml"]

_DEFAULT_AUGMENTATION = "flip"
_NETWORK_KEYS = tuple(each.name for each in dataclasses.fields(NetworkConfig) if each.name != "options")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(RunEntries):
    """Everything that decides the weights of a run, beside the shards.

    Attributes:
        data: What is read.
        augmentation: What is drawn for each sample in each pass.
        model: Which network.
        loss: What is made small.
        optimizer: How.
        schedule: The learning rate.
        checkpoint: What is kept.
    """

    data: DataConfig = field(default_factory=DataConfig)
    augmentation: AugmentationConfig = PRESETS[_DEFAULT_AUGMENTATION]
    model: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)

    def total_steps(self, samples: int) -> int:
        """Return the length of the run on so many samples; a last batch may begin one epoch more."""
        if self.steps is not None:
            return self.steps
        epochs = DEFAULT_EPOCHS if self.epochs is None else self.epochs
        return max(1, -int(-epochs * samples // self.data.batch_size))

    def validation_interval(self, steps: int) -> int:
        """Return the steps between two validations of a run of `steps`."""
        return -(-steps // 10) if self.val_every is None else self.val_every


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigurationError: If it does not exist or is not TOML.
    """
    try:
        return documents.read_toml(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the configuration {path} cannot be read: {error}") from error


def parse_config(table: Mapping[str, Any], origin: str, said: Mapping[str, Any] = MappingProxyType({})) -> RunConfig:
    """Build a configuration from TOML tables; what they leave out has its default.

    Args:
        table: `seed`, `epochs`, ... and the tables `data`, `augmentation`, `model`, `loss`, `optimizer`, `schedule`
            and `checkpoint`.
        origin: How messages call the source.
        said: Tables of the same form that were typed. They win, and messages call their values as they were typed.

    Raises:
        ConfigurationError: If an entry is unknown (names the nearest), of the wrong type, or makes no sense.
    """
    rest, place = merged_tables(table, said), Overlaid(origin, said=said)
    own: dict[str, Any] = {"model": _parse_network(_taken(rest, "model", place), place.inside("model"))}
    if "augmentation" in rest:
        ranges = _taken(rest, "augmentation", place)
        own["augmentation"] = config_from_table(ranges, place.inside("augmentation"))
    return from_table(RunConfig, rest, place, **own)


def config_table(config: RunConfig) -> dict[str, Any]:
    """Return the tables from which `parse_config` makes an equal configuration, every default written out."""
    table = {k: v for k, v in dataclasses.asdict(config).items() if v not in (None, ())}
    table["model"] |= table["model"].pop("options")
    table["augmentation"] = config.augmentation.to_json()
    return table


def config_json(config: RunConfig) -> JsonDict:
    """Return the tables as JSON that is the same text for equal configurations: 13.0 also where a default says 13."""
    return as_json(config_table(parse_config(config_table(config), "the configuration")))  # type: ignore[no-any-return]


def config_toml(config: RunConfig) -> str:
    """Return the same as TOML text."""
    return tomlkit.dumps(config_table(config))


def _taken(tables: dict[str, Any], name: str, place: Place) -> Mapping[str, Any]:
    table: object = tables.pop(name, {})
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"{place.of(Option(name))} must be a table, not {table!r}")
    return table


def _parse_network(table: Mapping[str, Any], place: Place) -> NetworkConfig:
    # What computes is asked only where nobody says how: the answer wakes the GPU.
    from segprep.train.network.segmenter import default_device, native_precision

    own = {key: value for key, value in table.items() if key in _NETWORK_KEYS}
    if not own.get("precision"):
        own["precision"] = native_precision(default_device())
    config = from_table(NetworkConfig, own, place, options={})
    rest = {key: value for key, value in table.items() if key not in own}
    module = MODELS.load(config.name)
    options = from_table(module.Config, rest, place, known=_NETWORK_KEYS)
    by_weights = _options_of_weights(module, config)
    unsaid = {key: value for key, value in by_weights.items() if key not in rest}
    return dataclasses.replace(config, options={**dataclasses.asdict(options), **unsaid})


def _options_of_weights(module: ModuleType, config: NetworkConfig) -> Mapping[str, Any]:
    """Return the options of a network that the weights it begins with need."""
    if config.takes_published:
        return published_options(module)
    return getattr(module, "BACKBONE_OPTIONS", {}) if config.weights else {}
