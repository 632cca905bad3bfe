"""Checks of options that several networks have."""

import math

from segprep.datasets.errors import ConfigurationError

__all__ = ["check_dropout", "check_rates"]


def check_dropout(name: str, share: float) -> None:
    """Refuse a share of dropped values outside [0, 1).

    Raises:
        ConfigurationError: With the option's name.
    """
    if not (math.isfinite(share) and 0 <= share < 1):
        raise ConfigurationError(f"{name} is the share of values that are dropped, from 0 up to below 1, not {share}")


def check_rates(name: str, rates: tuple[int, ...], count: int | None = None) -> None:
    """Refuse dilation rates below 1 and, if `count` is given, another number of them.

    Raises:
        ConfigurationError: With the option's name.
    """
    if not rates or min(rates) < 1 or (count is not None and len(rates) != count):
        wanted = "dilation rates" if count is None else f"{count} dilation rates"
        raise ConfigurationError(f"{name} must be {wanted} of at least 1, not {list(rates)}")
