"""Models of Keras in HDF5 (`.h5`): a group for each layer, in it the layer's weights by name."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.sample import Array
from segprep.datasets.source_files import read_file
from segprep.train.network.foreign.tensors import ForeignTensors, checked_shape

__all__ = ["read_keras"]

_WEIGHTS: Final = "model_weights"  # beside the optimizer's, where a whole model was saved
_OPTIMIZER: Final = "optimizer_weights"
_MAX_OBJECTS: Final = 20_000
_MAX_NESTED: Final = 8
_MOST_OF_FILE: Final = 2  # weights can hardly be compressed


def read_keras(path: Path) -> ForeignTensors:
    """Read the weights of a model, called `<layer>/<weight>`: `res2a_branch2a/kernel`.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no HDF5, or damaged.
    """
    import h5py  # 0.1 s, which only those pay who have such files

    data = read_file(path)
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            weights = file.get(_WEIGHTS, file)
            optimizer = file.get(_OPTIMIZER)
            budget = iter(range(_MAX_OBJECTS))
            arrays: dict[str, Array] = {}
            size = 0
            for layer, name, dataset in _datasets(weights, budget):
                if layer != _OPTIMIZER:
                    size += dataset.nbytes
                    if size > _MOST_OF_FILE * len(data):
                        raise ValueError("it promises more numbers than it has room for")
                    arrays[f"{layer}/{name.removesuffix(':0')}"] = _values(name, dataset)
            slots = 0 if optimizer is None else sum(1 for _ in _datasets(optimizer, budget))
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"truncated or damaged: {error}") from error
    return ForeignTensors(arrays, slots)


def _datasets(
    group: Any,  # noqa: ANN401  (h5py has no types)
    budget: Iterator[int],
    layer: str = "",
    depth: int = 0,
) -> Iterator[tuple[str, str, Any]]:
    """Yield layer, name and dataset of all numbers in a group and below; links to elsewhere are left out."""
    import h5py

    if depth > _MAX_NESTED:
        raise ValueError("its groups are nested too deeply")
    for name in group:
        if next(budget, None) is None:
            raise ValueError(f"it holds more than {_MAX_OBJECTS} groups and arrays")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        each = group[name]
        if isinstance(each, h5py.Group):
            yield from _datasets(each, budget, layer or name, depth + 1)
        elif isinstance(each, h5py.Dataset) and each.dtype.kind == "f":
            yield layer, name, each


def _values(name: str, dataset: Any) -> Array:  # noqa: ANN401  (h5py has no types)
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{name} refers to other files, which are not opened")
    checked_shape(dataset.shape)
    values: Array = dataset[()]
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
