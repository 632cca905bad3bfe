"""At which size a network sees what it predicts."""

import math
from dataclasses import dataclass

from segprep.datasets.errors import ConfigurationError

__all__ = ["NetworkSize"]


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """The rule from the size of a picture to the size at which the network sees it.

    Nothing said: as many pixels as the samples of its training had, in the picture's own proportions. A picture of the
    proportions of the training gets exactly their size, any other one a grid as fine, whichever way it is turned, and
    the work for a picture does not depend on its size.

    Attributes:
        trained: (width, height) of the samples in training.
        factor: The picture's size times this instead.
        size: (width, height) of all pictures instead, whatever their proportions.
    """

    trained: tuple[int, int]
    factor: float | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.factor is not None and self.size is not None:
            raise ConfigurationError("--rescale and --size both say at which size the network works: give one of them")
        if self.factor is not None and not 0 < self.factor < math.inf:
            raise ConfigurationError(f"--rescale takes a factor above 0, not {self.factor:g}")

    def of(self, original: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) for a picture of (width, height)."""
        if self.size is not None:
            return self.size
        factor = self.factor
        if factor is None:
            factor = math.sqrt(math.prod(self.trained) / math.prod(original))
        width, height = (max(1, round(side * factor)) for side in original)
        return width, height

    def __str__(self) -> str:
        if self.size is not None:
            return f"at {self.size[0]}x{self.size[1]}, whatever its proportions"
        if self.factor is not None:
            return f"at {self.factor:g} times its size"
        width, height = self.trained
        return f"in its own proportions with as many pixels as in training, {width}x{height}"
