"""Classes of labels that were compressed with a loss: the values that areas hold, and what is near each."""

from typing import Final

import numpy as np

from segprep.datasets.catalog._common.label_decision import Values
from segprep.datasets.catalog._common.label_oddities import MOST_CLASSES
from segprep.datasets.catalog._common.value_counts import Counts

__all__ = ["LEAST_AREA", "area_values"]

LEAST_AREA: Final = 0.001
"""Share of the pixels that must lie calmly within the distance of a value, so that it is one of a class."""


def area_values(values: Values, distance: float) -> Counts:
    """Return the values that areas hold, packed as they were, in ascending order.

    The value with most pixels in runs is the first; what lies within the distance of it is taken for it. So on with
    what is left, while at least `LEAST_AREA` of all pixels lie in runs near the next one.
    """
    numbers, calm = values.numbers.astype(np.float32), values.counts.calm.copy()
    least = LEAST_AREA * values.counts.pixels.sum()
    found: list[int] = []
    for place in np.argsort(-calm, kind="stable"):
        if not calm[place]:
            continue  # near one that was found
        near = ((numbers - numbers[place]) ** 2).sum(axis=1) <= distance**2
        if calm[near].sum() >= least:
            found.append(int(values.counts.values[place]))
        calm[near] = 0
        if len(found) == MOST_CLASSES or calm.sum() < least:
            break
    return np.array(sorted(found), np.int64)
