"""The configuration of a run: sections owned by the parts they configure, read from TOML, saved with the run."""

import dataclasses
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import tomlkit

from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig, preset_config
from segprep.datasets.augmentation.table import config_from_table, read_config
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import nearest_name
from segprep.train.learning.losses import LossConfig
from segprep.train.learning.optimizers import OptimizerConfig
from segprep.train.learning.saving import CheckpointConfig
from segprep.train.learning.schedule import ScheduleConfig
from segprep.train.models import MODELS
from segprep.train.network.segmenter import NetworkConfig, default_device, native_precision
from segprep.train.reading.reader import DataConfig

__all__ = ["RunConfig", "augmentation_table", "config_toml", "parse_config", "parse_setting", "read_toml"]

_DEFAULT_EPOCHS = 60.0
_DEFAULT_AUGMENTATION = "flip"
_SECTIONS = {
    "data": DataConfig,
    "loss": LossConfig,
    "optimizer": OptimizerConfig,
    "schedule": ScheduleConfig,
    "checkpoint": CheckpointConfig,
}
_NETWORK_KEYS = [f.name for f in dataclasses.fields(NetworkConfig) if f.name not in ("name", "options")]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that decides the weights of a run, beside the shards.

    Attributes:
        shards: Folders of `<split>.zarr`, one per data set; none means that of the workspace.
        seed: Of the initial weights, the order of the samples and the augmentation.
        epochs: Length of the run in passes over the data; 60 where neither this nor `steps` is given.
        steps: Length of the run in optimizer steps.
        val_every: Steps between two validations, each of which also saves a checkpoint; None means ten in a run.
        data: What is read.
        augmentation: What is drawn for each sample in each pass.
        model: Which network.
        loss: What is made small.
        optimizer: How.
        schedule: The learning rate.
        checkpoint: What is kept.
    """

    shards: tuple[str, ...] = ()
    seed: int = 0
    epochs: float | None = None
    steps: int | None = None
    val_every: int | None = None
    data: DataConfig
    augmentation: AugmentationConfig
    model: NetworkConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    checkpoint: CheckpointConfig

    def __post_init__(self) -> None:
        if self.epochs is not None and self.steps is not None:
            raise ConfigurationError("give epochs or steps, not both")
        for name in ("epochs", "steps", "val_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} must be more than 0, not {value}")
        if not 0 <= self.seed < 2**63:
            raise ConfigurationError(f"seed must lie in 0..2^63 - 1, not {self.seed}")

    def total_steps(self, samples: int) -> int:
        """Return the length of the run on so many samples; a last batch may begin one epoch more."""
        if self.steps is not None:
            return self.steps
        epochs = _DEFAULT_EPOCHS if self.epochs is None else self.epochs
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
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the configuration {path} cannot be read: {error}") from error


def augmentation_table(name: str) -> dict[str, Any]:
    """Return the table `[augmentation]` of a preset's name, or of a TOML file.

    Raises:
        ConfigurationError: If there is no such preset (names the nearest), or the file holds something else.
    """
    config = read_config(Path(name)) if name.endswith(".toml") else preset_config(name)
    return config.to_json()


def parse_setting(text: str) -> dict[str, Any]:
    """Parse `section.key=value` as TOML does; a value that is no TOML is text, so that no quotes are needed.

    Raises:
        ConfigurationError: If there is no `=`.
    """
    key, equals, value = text.partition("=")
    for written in (value, f"'{value}'") if equals else ():
        try:
            return tomllib.loads(f"{key} = {written}")
        except tomllib.TOMLDecodeError:
            continue
    raise ConfigurationError(f"--set {text}: write section.key=value, for example --set optimizer.clip_norm=1")


def parse_config(table: Mapping[str, Any], origin: str) -> RunConfig:
    """Build a configuration from TOML tables; what they leave out has its default.

    Args:
        table: `seed`, `epochs`, ... and the tables `data`, `augmentation`, `model`, `loss`, `optimizer`, `schedule`
            and `checkpoint`.
        origin: How messages call the source.

    Raises:
        ConfigurationError: If an entry is unknown (names the nearest), of the wrong type, or makes no sense.
    """
    table = dict(table)
    sections: dict[str, Any] = {
        "model": _parse_model(_subtable(table, "model", origin), f"{origin}: [model]"),
        "augmentation": _parse_augmentation(table, origin),
    }
    for name, section in _SECTIONS.items():
        sections[name] = _parse(section, _subtable(table, name, origin), f"{origin}: [{name}]")
    return _parse(RunConfig, table, origin, **sections)


def config_toml(config: RunConfig) -> str:
    """Return the TOML text from which `parse_config` makes an equal configuration, every default written out."""
    table = {k: v for k, v in dataclasses.asdict(config).items() if v not in (None, ())}
    table["model"] |= table["model"].pop("options")
    table["augmentation"] = config.augmentation.to_json()
    return tomlkit.dumps(table)


def _parse_model(table: dict[str, Any], where: str) -> NetworkConfig:
    name = _check(table.pop("name", "frrn"), str, f"{where} name")
    own = {key: table.pop(key) for key in _NETWORK_KEYS if key in table}
    precision = own.pop("precision", None) or native_precision(default_device())
    hints = get_type_hints(NetworkConfig)
    values = {
        key: _check(value, hints[key], f"{where} {key}") for key, value in {**own, "precision": precision}.items()
    }
    options = _parse(MODELS.load(name).Config, table, where, extra=_NETWORK_KEYS)
    return NetworkConfig(name=name, options=dataclasses.asdict(options), **values)


def _parse_augmentation(table: dict[str, Any], origin: str) -> AugmentationConfig:
    if "augmentation" not in table:
        return PRESETS[_DEFAULT_AUGMENTATION]
    try:
        return config_from_table(_subtable(table, "augmentation", origin))
    except ConfigurationError as error:
        raise ConfigurationError(f"{origin}: [augmentation]: {error}") from error


def _parse(cls: type[T], table: Mapping[str, Any], where: str, *, extra: Sequence[str] = (), **sections: Any) -> T:  # noqa: ANN401
    types_by_name = {k: v for k, v in get_type_hints(cls).items() if k not in sections}
    for key in table:
        if key not in types_by_name:
            known = [*types_by_name, *extra, *sections]
            raise ConfigurationError(f"{where} has no key {key!r}. {nearest_name(key, known)}")
    values = {name: _check(value, types_by_name[name], f"{where} {name}") for name, value in table.items()}
    try:
        return cls(**values, **sections)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _subtable(table: dict[str, Any], name: str, origin: str) -> dict[str, Any]:
    values = table.pop(name, {})
    if not isinstance(values, dict):
        raise ConfigurationError(f"{origin}: {name} must be a table, [{name}]")
    return dict(values)


def _check(value: Any, expected: Any, where: str) -> Any:  # noqa: ANN401  (any TOML value, any type of a field)
    """Return the value as the field holds it; TOML knows no tuples and lets people write 1 for 1.0."""
    origin = get_origin(expected)
    if origin in (Union, types.UnionType):
        return _check(value, next(t for t in get_args(expected) if t is not types.NoneType), where)
    if origin is Literal:
        if value in get_args(expected):
            return value
        raise ConfigurationError(f"{where} must be one of {', '.join(map(str, get_args(expected)))}, not {value!r}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigurationError(f"{where} must be a list, not {value!r}")
        kinds = get_args(expected)
        kinds = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
        if len(kinds) != len(value):
            raise ConfigurationError(f"{where} must be a list of {len(kinds)}, not {value!r}")
        return tuple(_check(each, kind, where) for each, kind in zip(value, kinds, strict=True))
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"{where} must be a table, not {value!r}")
        return {key: _check(each, get_args(expected)[1], f"{where}.{key}") for key, each in value.items()}
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ConfigurationError(f"{where} must be of type {expected.__name__}, not {value!r}")
    return value
