"""Ranges of augmentation in TOML: a preset, and what of it is changed."""

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, TypeGuard

from segprep.datasets.augmentation.config import (
    PRESETS,
    SPAN_UNITS,
    AugmentationConfig,
    Span,
    preset_config,
)
from segprep.datasets.errors import ConfigurationError, UnreadableFileError
from segprep.datasets.program.tables import nearest_name

__all__ = ["config_from_table", "read_config"]

_NAMES: Final = tuple(each.name for each in fields(AugmentationConfig))


def read_config(path: Path) -> AugmentationConfig:
    """Read the table `[augmentation]` of a TOML file, or a file that holds nothing else; see `config_from_table`.

    Raises:
        ConfigurationError: If the file does not exist or does not hold that; names it.
        UnreadableFileError: If it cannot be read.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        table = data.get("augmentation", data)
        if not isinstance(table, dict):
            raise ConfigurationError("augmentation is a table: [augmentation]")
        return config_from_table(table)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} does not exist: name a table of augmentation in .toml") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # ours, and the parser's
        raise ConfigurationError(f"{path}: {error}") from error


def config_from_table(table: Mapping[str, Any]) -> AugmentationConfig:
    """Build a configuration from a TOML table.

    Args:
        table: `preset` names what the rest changes ("none" where it is absent). Ranges are [low, high], drawn always,
            or {range = [low, high], probability = 0.5}; false switches one off. The other keys are those of
            `AugmentationConfig`. For example {preset = "ssma", flip = 0.0, rotation = [-5, 5], scale = false}.

    Raises:
        ConfigurationError: If a key is unknown, and then the nearest is named, or a value makes no sense.
    """
    _refuse_unknown(table, ("preset", *_NAMES), "augmentation")
    preset = table.get("preset", "none")
    if not isinstance(preset, str):
        raise ConfigurationError(f"preset is a name, {' or '.join(PRESETS)}, not {preset!r}")
    changes: dict[str, Any] = {name: _value(name, value) for name, value in table.items() if name != "preset"}
    return replace(preset_config(preset), **changes)


def _value(name: str, value: object) -> float | Span | tuple[int, int] | None:
    if name == "flip":
        if not _is_number(value):
            raise ConfigurationError(f"flip is a probability in 0..1, not {value!r}")
        return float(value)
    if value is False:
        return None
    if name == "crop_size":
        match value:
            case [int() as width, int() as height] if not isinstance(width, bool) and not isinstance(height, bool):
                return width, height
        raise ConfigurationError(f"crop_size is [width, height] in whole pixels, not {value!r}")
    probability: object = 1.0
    given = value
    if isinstance(value, Mapping):
        _refuse_unknown(value, ("range", "probability"), name)
        given, probability = value.get("range"), value.get("probability", 1.0)
    match given:
        case [low, high] if _is_number(low) and _is_number(high) and _is_number(probability):
            return Span(float(low), float(high), float(probability))
    unit = SPAN_UNITS[name]
    raise ConfigurationError(
        f"{name} is [low, high] ({unit}), {{range = [low, high], probability = 0.5}}, or false, not {value!r}"
    )


def _refuse_unknown(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigurationError(f"{where} has no key {key!r}. {nearest_name(key, known)}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
