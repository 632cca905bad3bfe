"""Judging some classes only: everything whose label is another is void, as SMSnet judges movable things only."""

from collections.abc import Sequence

import numpy as np

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.names import nearest_name
from segprep.datasets.sample import Array
from segprep.train.reading.reader import Reader

__all__ = ["OnlyClasses"]

_LABEL = "label"


class OnlyClasses:
    """Makes void what is of other classes of the data set.

    The data set's classes decide, also where the target is a label of its own: of motion labels, pixels of cars count
    and those of roads do not.

    Args:
        reader: Of the store.
        names: Of the classes that count.

    Attributes:
        ids: Train ids, among the target's classes, that means are over; None for all of them.

    Raises:
        ConfigurationError: If the data set has no such class, or the store no labels of its classes.
    """

    def __init__(self, reader: Reader, names: Sequence[str]) -> None:
        self._store = reader.store
        known = self._store.class_map.names
        for name in names:
            if name not in known:
                raise ConfigurationError(f"there is no class {name!r} to judge only. {nearest_name(name, known)}")
        ids = [known.index(name) for name in names]
        self._own = reader.class_map is self._store.class_map
        if not self._own and _LABEL not in self._store.columns:
            raise ConfigurationError(f"{self._store.path} has no column label: it does not say where {names[0]} is")
        self.ids = tuple(sorted(ids)) if self._own else None
        self._counts = np.zeros(IGNORE_ID + 1, np.bool_)
        self._counts[ids] = True

    def applied(self, index: int, label_HW: Array) -> Array:
        """Return the label of a sample with 255 where it does not count."""
        deciding_HW = label_HW if self._own else self._store.read(_LABEL, index)
        return np.where(self._counts[deciding_HW], label_HW, np.uint8(IGNORE_ID))
