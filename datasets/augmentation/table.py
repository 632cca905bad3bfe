"""Ranges of augmentation in TOML: a preset, and what of it is changed."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from segprep.datasets.augmentation.config import PRESETS, SPAN_UNITS, AugmentationConfig, Span, preset_config
from segprep.datasets.documents import read_toml
from segprep.datasets.errors import ConfigurationError, UnreadableFileError
from segprep.datasets.program.tables import Option, Place, refuse_unknown
from segprep.datasets.program.values import Misfit, typed_value

__all__ = ["config_from_table", "read_config"]

_NAMES: Final = tuple(each.name for each in fields(AugmentationConfig))
_TABLE: Final = Place("the augmentation")
_PHRASES: Final = {"flip": "a probability in 0..1", "crop_size": "[width, height] in whole pixels"}


def read_config(path: Path) -> AugmentationConfig:
    """Read the table `[augmentation]` of a TOML file, or a file that holds nothing else; see `config_from_table`.

    Raises:
        ConfigurationError: If the file does not exist or does not hold that; names it.
        UnreadableFileError: If it cannot be read.
    """
    try:
        data = read_toml(path)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} does not exist: name a table of augmentation in .toml") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # the parser's, and that of UTF-8
        raise ConfigurationError(f"{path}: {error}") from error
    table, place = data.get("augmentation", data), Place(str(path))
    if not isinstance(table, dict):
        raise ConfigurationError(f"{place}: augmentation must be a table, not {table!r}")
    return config_from_table(table, place if table is data else place.inside("augmentation"))


def config_from_table(table: Mapping[str, Any], place: Place = _TABLE) -> AugmentationConfig:
    """Build a configuration from a TOML table.

    Args:
        table: `preset` names what the rest changes ("none" where it is absent). Ranges are [low, high], drawn always,
            or {range = [low, high], probability = 0.5}; false switches one off. The other keys are those of
            `AugmentationConfig`. For example {preset = "ssma", flip = 0.0, rotation = [-5, 5], scale = false}.
        place: For messages.

    Raises:
        ConfigurationError: If a key is unknown, and then the nearest is named, or a value makes no sense.
    """
    refuse_unknown(table, ("preset", *_NAMES), place)
    preset = table.get("preset", "none")
    if not isinstance(preset, str):
        raise ConfigurationError(f"{place.of(Option('preset'))} must be one of {', '.join(PRESETS)}, not {preset!r}")
    changes: dict[str, Any] = {name: _value(name, each, place) for name, each in table.items() if name != "preset"}
    try:
        return replace(preset_config(preset), **changes)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from error


def _value(name: str, value: object, place: Place) -> float | Span | tuple[int, int] | None:
    phrase = _PHRASES.get(name) or (
        f"[low, high] ({SPAN_UNITS[name]}), {{range = [low, high], probability = 0.5}}, or false"
    )
    try:
        match name:
            case "flip":
                return float(typed_value(float, value))
            case _ if value is False:
                return None
            case "crop_size":
                width, height = typed_value(tuple[int, int], value)
                return width, height
        ranged = value if isinstance(value, Mapping) else {"range": value}
        refuse_unknown(ranged, ("range", "probability"), place.inside(name))
        low, high = typed_value(tuple[float, float], ranged.get("range"))
        return Span(low, high, typed_value(float, ranged.get("probability", 1.0)))
    except Misfit:
        raise ConfigurationError(f"{place.of(Option(name))} must be {phrase}, not {value!r}") from None
