"""What stored integers stand for: the numbers of values, and the special ones."""

from dataclasses import dataclass, field, replace

from segprep.datasets.codes.palette import Palette

__all__ = ["Numbers"]


@dataclass(frozen=True, slots=True)
class Numbers:
    """How numbers stand for the values of a quantity: value = number * scale + offset, per channel of the values.

    Numbers are the stored integers themselves, unless a palette gives each of them a colour.

    Attributes:
        scale: Per channel.
        offset: Per channel.
        low: Smallest number of a value.
        high: Largest number of a finite value.
        fill: Number of invalid pixels, per channel.
        invalid: Numbers that are invalid whatever the mask says.
        far: The number of infinitely far, None where there is none.
        infinity: The value that it is read as; None where there is none.
        palette: The colours that are stored in the place of the numbers 0, 1, ...; None where numbers are stored.
        length: Where the vectors' length is stored behind them, its steps per unit; 0 where invalid. Else None.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    low: int
    high: int
    fill: tuple[int, ...]
    invalid: tuple[int, ...] = ()
    far: int | None = None
    infinity: float | None = None
    palette: Palette | None = field(default=None, compare=False)
    length: float | None = None

    def far_at(self, number: int) -> "Numbers":
        """Return the same with infinitely far at another number, which is read as a value like others."""
        return replace(self, far=number, infinity=number * self.scale[0] + self.offset[0])
