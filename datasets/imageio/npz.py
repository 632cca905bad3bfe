"""NumPy's .npz: one array of an archive of .npy files in, archives out."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Final

import numpy as np

from segprep.datasets.imageio.bounds import check_decoded
from segprep.datasets.imageio.floats import decode_npy, read_npy_length, read_npy_size
from segprep.datasets.sample import Array

__all__ = ["SIGNATURES", "decode", "encode", "read_size"]

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")

_WANTED = ("flow", "depth")
_SUFFIX = ".npy"
_FAST: Final = 1  # higher levels take several times as long for a few percent


def read_size(file: IO[bytes]) -> tuple[int, int]:
    """Return (width, height) of the array that `decode` returns, from headers alone.

    Raises:
        ValueError: If the archive is truncated or damaged, or does not say which array is meant.
    """
    with _array(file) as member:
        return read_npy_size(member)


def decode(data: bytes) -> Array:
    """Decode the only array of an archive, or the one called `flow` or `depth` of several; no pickles are read.

    Raises:
        ValueError: If the archive is truncated or damaged, or does not say which array is meant.
    """
    with _array(io.BytesIO(data)) as member:
        length = read_npy_length(member)
        check_decoded(length)
        member.seek(0)
        # One byte more shows the end, where the checksum is compared; all of it could be more than the memory holds.
        return decode_npy(member.read(length + 1))


def encode(arrays: Mapping[str, Array]) -> bytes:
    """Return a compressed archive of arrays by name; equal arrays give equal bytes."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
        for name, array in arrays.items():
            with archive.open(name + _SUFFIX, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    return whole.getvalue()


@contextmanager
def _array(file: IO[bytes]) -> Iterator[IO[bytes]]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [n.removesuffix(_SUFFIX) for n in archive.namelist() if n.endswith(_SUFFIX)]
            named = [name for name in names if name in _WANTED]
            chosen = names if len(names) == 1 else named
            if len(chosen) != 1:
                listed = ", ".join(names) or "none"
                raise ValueError(f"it must hold one array, or one called {' or '.join(_WANTED)}; it holds {listed}")
            with archive.open(chosen[0] + _SUFFIX) as member:
                yield member
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"truncated or damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # compression that is not built in; a password
        raise ValueError(f"it cannot be unpacked: {error}") from error
