"""HDF5 in, MATLAB's files of version 7.3 among it: one array of rows and columns."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import IO, Any, Final

import numpy as np

from segprep.datasets.imageio.bounds import check_decoded
from segprep.datasets.sample import Array

__all__ = ["SIGNATURES", "decode", "read_size"]

_MATLAB: Final = b"MATLAB 7.3 MAT-file"  # stands in the user block before HDF5's own signature

SIGNATURES: Final = (b"\x89HDF\r\n\x1a\n", _MATLAB)

_WANTED: Final = ("depth", "depths")
_MOST_LISTED: Final = 8
_MOST_OBJECTS: Final = 2000
_MOST_NESTED: Final = 32


def read_size(file: IO[bytes]) -> tuple[int, int]:
    """Return (width, height) of the array that `decode` returns, from headers alone.

    Raises:
        ValueError: If the file is truncated or damaged, or does not say which array is meant.
    """
    with _array(file) as (dataset, transposed):
        rows, columns = dataset.shape[::-1] if transposed else dataset.shape
        return int(columns), int(rows)


def decode(data: bytes) -> Array:
    """Decode the only array of rows and columns, or of several the one called `depth` or `depths`.

    Returns:
        (H, W) numbers as MATLAB shows them: it stores columns first, which is undone.

    Raises:
        ValueError: If the file is truncated or damaged, or does not say which array is meant.
    """
    with _array(io.BytesIO(data)) as (dataset, transposed):
        check_decoded(dataset.size * dataset.dtype.itemsize)
        values: Array = dataset[()]
        return np.ascontiguousarray(values.T if transposed else values, values.dtype.newbyteorder("="))


@contextmanager
def _array(file: IO[bytes]) -> Iterator[tuple[Any, bool]]:
    """Open a file and yield the array (an `h5py.Dataset`) and whether it stands there transposed."""
    import h5py  # 0.1 s, which only those pay who have such files

    is_matlab = file.read(len(_MATLAB)) == _MATLAB
    file.seek(0)
    try:
        with h5py.File(file, "r") as opened:
            # MATLAB keeps the parts of cells and structures in groups whose names start with "#".
            outer = (each for each in opened if not each.startswith("#"))
            name, array = _meant(dict(_arrays(opened, outer, count())))
            if array.is_virtual or array.external:
                raise ValueError(f"{name} refers to other files, which are not opened: copy it into this one")
            yield array, is_matlab or "MATLAB_class" in array.attrs
    except (OSError, RuntimeError, KeyError, TypeError, OverflowError) as error:  # whatever the library stumbles over
        raise ValueError(f"truncated or damaged: {error}") from error


def _arrays(group: Any, names: Iterable[str], seen: Iterator[int]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield path and array of all arrays of numbers in a group and below; links to elsewhere are left out."""
    import h5py

    for name in names:
        if next(seen) >= _MOST_OBJECTS:
            raise ValueError(f"it holds more than {_MOST_OBJECTS} groups and arrays: write the depth into a file alone")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        each = group[name]
        path = f"{group.name}/{name}".lstrip("/")
        if isinstance(each, h5py.Dataset) and each.ndim and each.dtype.kind in "iufb":
            yield path, each
        elif isinstance(each, h5py.Group):
            if path.count("/") >= _MOST_NESTED:
                raise ValueError(f"its groups are nested more than {_MOST_NESTED} deep: is it damaged?")
            yield from _arrays(each, each, seen)


def _meant(arrays: dict[str, Any]) -> tuple[str, Any]:
    grids = {name: array for name, array in arrays.items() if array.ndim == 2 and array.size}
    called = [name for name in grids if name.rpartition("/")[2].lower() in _WANTED]
    found = list(grids) if len(grids) == 1 else called
    if len(found) != 1:
        shapes = [f"{name} {'x'.join(map(str, array.shape))}" for name, array in arrays.items()]
        listed = ", ".join(shapes[:_MOST_LISTED]) + (", ..." if len(shapes) > _MOST_LISTED else "")
        raise ValueError(
            f"it must hold one array of rows and columns, or one called {' or '.join(_WANTED)}; it holds "
            f"{listed or 'none'}"
        )
    return found[0], grids[found[0]]
