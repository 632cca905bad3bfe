"""The configuration of a run: sections owned by the parts they configure, read from TOML, saved with the run."""

import dataclasses
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import tomlkit

from segprep.datasets.errors import ConfigurationError
from segprep.train import data, network, schedule
from segprep.train.models import MODELS

__all__ = ["RunConfig", "config_toml", "parse_config", "read_toml"]

_DEFAULT_EPOCHS = 60.0
_SECTIONS = {"data": data.Config, "schedule": schedule.Config}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that decides the weights of a run, beside the shards.

    Attributes:
        shards: Folder of `<split>.zarr`; None means that of the workspace.
        seed: Of the initial weights, the order of the samples and the flips.
        epochs: Length of the run in passes over the data; 60 where neither this nor `steps` is given.
        steps: Length of the run in optimizer steps.
        val_every: Steps between two validations, each of which also saves a checkpoint; None means ten in a run.
        data: What is read.
        model: Which network.
        schedule: The learning rate.
    """

    shards: str | None = None
    seed: int = 0
    epochs: float | None = None
    steps: int | None = None
    val_every: int | None = None
    data: data.Config
    model: network.Config
    schedule: schedule.Config

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


def parse_config(table: Mapping[str, Any], origin: str) -> RunConfig:
    """Build a configuration from TOML tables; what they leave out has its default.

    Args:
        table: `seed`, `epochs`, ... and the tables `data`, `model` and `schedule`.
        origin: How messages call the source.

    Raises:
        ConfigurationError: If an entry is unknown, of the wrong type or makes no sense; names it.
    """
    table = dict(table)
    sections: dict[str, Any] = {"model": _parse_model(_subtable(table, "model", origin), f"{origin}: [model]")}
    for name, section in _SECTIONS.items():
        sections[name] = _parse(section, _subtable(table, name, origin), f"{origin}: [{name}]")
    return _parse(RunConfig, table, origin, **sections)


def config_toml(config: RunConfig) -> str:
    """Return the TOML text from which `parse_config` makes an equal configuration, every default written out."""
    table = {k: v for k, v in dataclasses.asdict(config).items() if v is not None}
    table["model"] |= table["model"].pop("options")
    return tomlkit.dumps(table)


def _parse_model(table: dict[str, Any], where: str) -> network.Config:
    name = table.pop("name", "frrn")
    precision = table.pop("precision", None) or network.native_precision(network.default_device())
    _check(name, str, f"{where} name")
    _check(precision, network.Precision, f"{where} precision")
    options = _parse(MODELS.load(name).Config, table, where)
    return network.Config(name=name, options=dataclasses.asdict(options), precision=precision)


def _parse(cls: type[T], table: Mapping[str, Any], where: str, **sections: Any) -> T:  # noqa: ANN401
    types_by_name = {k: v for k, v in get_type_hints(cls).items() if k not in sections}
    unknown = sorted(set(table) - set(types_by_name))
    if unknown:
        known = ", ".join(types_by_name) or "nothing"
        raise ConfigurationError(f"{where} does not know {', '.join(unknown)}. It knows: {known}")
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
    if get_origin(expected) in (Union, types.UnionType):
        expected = next(t for t in get_args(expected) if t is not types.NoneType)
    if get_origin(expected) is Literal:
        if value in get_args(expected):
            return value
        raise ConfigurationError(f"{where} must be one of {', '.join(get_args(expected))}, not {value!r}")
    if get_origin(expected) is tuple:
        if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return tuple(value)
        raise ConfigurationError(f"{where} must be a list of names, not {value!r}")
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ConfigurationError(f"{where} must be of type {expected.__name__}, not {value!r}")
    return value
