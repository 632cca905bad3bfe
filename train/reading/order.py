"""Which samples a step takes: a function of the seed and the step, with no state to save or to lose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError

__all__ = ["Order", "Row"]

_PASSES = 1 << 40  # keys of a seed's generators: data set d's pass q has d * _PASSES + q
_CHOICES = (1 << 24) - 1  # in the place of a data set, for which data set is drawn

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """One draw.

    Attributes:
        index: The sample's row in its store.
        dataset: Number of the store.
        epoch: How often its data set was gone through before; decides with the seed how the sample is augmented.
    """

    index: int
    dataset: int = 0
    epoch: int = 0


class Order:
    """The endless sequence of samples that a run sees.

    Each position draws a data set, and takes the next sample of that data set's own sequence, in which every pass shows
    every sample exactly once, in an order of its own. Nothing is dropped for a batch that is not full.

    Args:
        sizes: Number of samples of each data set.
        weights: How often each data set is drawn, in proportion to the others; None for its number of samples.
        seed: Of all draws.

    Raises:
        ConfigurationError: If there are not as many weights as data sets, or they are not above 0.
    """

    def __init__(self, sizes: Sequence[int], weights: Sequence[float] | None = None, seed: int = 0) -> None:
        shares = sizes if weights is None else weights
        if len(shares) != len(sizes) or min(shares) <= 0:
            raise ConfigurationError(
                f"weights must be as many numbers above 0 as there are data sets, {len(sizes)}, not {list(shares)}"
            )
        self._sizes = tuple(sizes)
        self._bounds = np.cumsum(shares)[:-1] / sum(shares)
        self._seed = seed
        self._before: list[Places] = [np.zeros(len(sizes), np.int64)]  # draws of each data set before epoch e
        self._choices = lru_cache(maxsize=2)(self._drawn_choices)  # a batch may lie across two epochs
        self._permutation = lru_cache(maxsize=2 * len(sizes))(self._drawn_permutation)

    @property
    def epoch_size(self) -> int:
        """Draws that are called an epoch: as many as there are samples."""
        return sum(self._sizes)

    def rows(self, start: int, count: int) -> list[Row]:
        """Return the draws at the positions start, start + 1, ..."""
        found = []
        for position in range(start, start + count):
            epoch, place = divmod(position, self.epoch_size)
            datasets, turns = self._choices(epoch)
            dataset = int(datasets[place])
            past = int(self._draws_before(epoch)[dataset] + turns[place])
            passes, place = divmod(past, self._sizes[dataset])
            found.append(Row(int(self._permutation(dataset, passes)[place]), dataset, passes))
        return found

    def _drawn_choices(self, epoch: int) -> tuple[Places, Places]:
        """Return (draws,) the data set of each draw of an epoch, and how often it came earlier in the epoch."""
        if len(self._sizes) == 1:
            return np.zeros(self.epoch_size, np.int64), np.arange(self.epoch_size)
        drawn = self._generator(_CHOICES * _PASSES + epoch).random(self.epoch_size)
        datasets = np.searchsorted(self._bounds, drawn, side="right")
        turns = np.zeros_like(datasets)
        for dataset in range(len(self._sizes)):
            own = datasets == dataset
            turns[own] = np.arange(np.count_nonzero(own))
        return datasets, turns

    def _draws_before(self, epoch: int) -> Places:
        while len(self._before) <= epoch:
            datasets, _ = self._choices(len(self._before) - 1)
            self._before.append(self._before[-1] + np.bincount(datasets, minlength=len(self._sizes)))
        return self._before[epoch]

    def _drawn_permutation(self, dataset: int, passes: int) -> Places:
        return self._generator(dataset * _PASSES + passes).permutation(self._sizes[dataset])

    def _generator(self, key: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=(self._seed << 64) + key))
