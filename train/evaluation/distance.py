"""Scores by how far away things are, where a store holds depth."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.sample import Array, Mask
from segprep.datasets.shards import ShardStore
from segprep.train.evaluation.metrics import ConfusionMatrix

__all__ = ["DEFAULT_BANDS", "DistanceBands", "Distances", "check_bands"]

DEFAULT_BANDS: Final = (20.0, 40.0, 60.0)
"""Metres: the ranges that SMSnet is judged at."""

_PREFERRED: Final = ("depth", "depth_filled")


def check_bands(bands: Sequence[float]) -> None:
    """Refuse limits that are no metres above 0 in rising order.

    Raises:
        ConfigurationError: If they are not.
    """
    if not bands or bands[0] <= 0 or list(bands) != sorted(set(bands)) or not np.isfinite(bands).all():
        raise ConfigurationError(f"distance bands are metres above 0 in rising order, not {', '.join(map(str, bands))}")


class Distances:
    """The depth of a store's samples.

    Args:
        store: Where it stands.

    Attributes:
        column: Its name; None if the store holds no depth.
    """

    def __init__(self, store: ShardStore) -> None:
        found = [name for name, spec in store.columns.items() if spec.kind is Kind.DEPTH]
        self._store = store
        self.column = next((name for name in (*_PREFERRED, *found) if name in found), None)

    def metres(self, index: int) -> tuple[Array, Mask]:
        """Return (H, W) metres of a sample, inf where infinitely far, and where they are known."""
        assert self.column is not None
        spec = self._store.columns[self.column]
        valid = self._store.read_valid(self.column, index) if spec.masked else None
        metres_HW, known = code_from_json(spec.code).decode(self._store.read(self.column, index), valid)
        return metres_HW, np.ones(metres_HW.shape, np.bool_) if known is None else known


class DistanceBands:
    """A confusion matrix per band of distance, and one for pixels whose distance is not known.

    Args:
        classes: How many.
        limits: Metres; a band holds what is nearer than its limit and no nearer than the one before.

    Attributes:
        matrices: One per limit, and one for what is beyond all, infinitely far included.
        unknown: Of pixels without a depth.
    """

    def __init__(self, classes: int, limits: Sequence[float]) -> None:
        self.limits = tuple(limits)
        self.matrices = [ConfusionMatrix(classes) for _ in range(len(self.limits) + 1)]
        self.unknown = ConfusionMatrix(classes)

    def update(self, prediction_HW: Array, label_HW: Array, metres_HW: Array, known_HW: Mask) -> None:
        """Count one picture. A depth of another size than the label's is that of the nearest pixel."""
        metres_HW, known_HW = (_nearest(each, label_HW.shape) for each in (metres_HW, known_HW))
        band_HW = np.digitize(metres_HW, self.limits)
        for band, matrix in enumerate(self.matrices):
            matrix.update(prediction_HW, np.where(known_HW & (band_HW == band), label_HW, IGNORE_ID))
        self.unknown.update(prediction_HW, np.where(known_HW, IGNORE_ID, label_HW))

    def within(self) -> list[ConfusionMatrix]:
        """Return the matrix of everything nearer than each limit: the sums of the bands up to it."""
        found: list[ConfusionMatrix] = []
        for matrix in self.matrices[:-1]:
            total = ConfusionMatrix(len(matrix.counts))
            total.merge(matrix)
            if found:
                total.merge(found[-1])
            found.append(total)
        return found


def _nearest(plane_HW: Array, shape: tuple[int, ...]) -> Array:
    if plane_HW.shape == shape:
        return plane_HW
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in zip(shape, plane_HW.shape, strict=True)
    )
    found: Array = plane_HW[rows[:, None], columns]
    return found
