"""Whether numbers of 16 bits use all of them: cameras of 10 or 12 bits write files of 16."""

from collections.abc import Iterator, Sequence
from typing import Final

from segprep.prep.inspection.doubts import Doubt

__all__ = ["reflectance_doubts"]

_USUAL_BITS: Final = (8, 10, 12, 14)


def reflectance_doubts(column: str, largest: Sequence[int]) -> Iterator[Doubt]:
    """Yield a doubt if the numbers of a column fit into fewer bits.

    Args:
        column: Its name.
        largest: The largest number of some of its files of 16 bits.
    """
    top = max(largest, default=0)
    bits = next((each for each in _USUAL_BITS if 0 < top < 1 << each), None)
    if bits is not None:
        white = (1 << bits) - 1
        yield Doubt(
            column,
            f"the largest number of {len(largest)} files of 16 bits is {top}: white seems to be {white}, not 65535; "
            f"for indices say `--bands {column}={column}/{white},...`",
        )
