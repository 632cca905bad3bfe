"""What options accept that several networks have."""

from typing import Final

from segprep.datasets.program.values import Accept

__all__ = ["DROPOUT", "dilation_rates"]

DROPOUT: Final = Accept("the share of values that are dropped, from 0 up to below 1", lambda share: 0 <= share < 1)


def dilation_rates(count: int | None = None) -> Accept:
    """Accept dilation rates; of a given number, if there is one."""
    phrase = "dilation rates" if count is None else f"{count} dilation rates"
    return Accept(
        f"{phrase} of at least 1",
        lambda rates: bool(rates) and min(rates) >= 1 and (count is None or len(rates) == count),
    )
