"""What the catalog knows of a store's data set beyond its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import SegprepError
from segprep.datasets.shards import ShardStore

__all__ = ["Known"]


@dataclass(frozen=True, slots=True)
class Known:
    """See `DatasetSpec`; empty where nobody here knows the data set.

    Attributes:
        categories: Class name to category.
        instance_pixels: Class name to mean pixels of an instance.
        smallest_instance: Smaller ids are no instances.
    """

    categories: Mapping[str, str] = field(default_factory=dict)
    instance_pixels: Mapping[str, float] = field(default_factory=dict)
    smallest_instance: int = 1

    @classmethod
    def of(cls, store: ShardStore) -> Self:
        """Ask the catalog by the name in the store's provenance."""
        try:
            spec = CATALOG.load(str(store.provenance.get("dataset"))).SPEC
        except SegprepError:
            return cls()
        return cls(spec.categories, spec.instance_pixels, spec.smallest_instance)

    def grouped(self, names: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.int64] | None]:
        """Return the categories of classes, and the number of the category of each; none unless all have one."""
        if not all(name in self.categories for name in names):
            return (), None
        categories = tuple(dict.fromkeys(self.categories[name] for name in names))
        return categories, np.array([categories.index(self.categories[name]) for name in names], np.int64)
