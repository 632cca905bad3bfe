"""Choosing an estimator's settings by the name of a preset."""

from collections.abc import Mapping
from typing import TypeVar

from segprep.datasets.errors import ConfigurationError

__all__ = ["choose"]

ConfigT = TypeVar("ConfigT")


def choose(presets: Mapping[str, ConfigT], preset: str | None, default: ConfigT, estimator: str) -> ConfigT:
    """Return the settings of this name, the default for None.

    Raises:
        ConfigurationError: If there is no such preset; the message lists those that exist.
    """
    if preset is None:
        return default
    if preset not in presets:
        raise ConfigurationError(f"{estimator} has no preset {preset!r}. Known: {', '.join(presets)}")
    return presets[preset]
