"""Columns full of noise, for where the values do not matter. Needs no torch."""

import numpy as np

from segprep.datasets.codes import code_from_json
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.export.facts import taken_dtype

__all__ = ["noise"]


def noise(column: ArraySpec, samples: int, size: tuple[int, int]) -> Array:
    """Return random values of a column, as its code reads them from random stored numbers, always the same.

    Args:
        column: What the values are.
        samples: How many.
        size: (width, height).
    """
    code, dtype = code_from_json(column.code), np.dtype(column.dtype)
    shape = (size[1], size[0], *column.shape[2:])
    rng = np.random.default_rng(0)
    stored = [rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True) for _ in range(samples)]
    return np.stack([code.decode(each, None)[0] for each in stored]).astype(taken_dtype(column), copy=False)
