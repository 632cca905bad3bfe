"""Value noise on a plane: the texture of every surface, band-limited by the size of a pixel on it."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array

__all__ = ["OCTAVES_M", "fractal_noise", "random_lattice"]

OCTAVES_M: Final = (2.56, 1.28, 0.64, 0.32, 0.16, 0.08)
"""Lattice spacings of the octaves in metres."""

_SIZE: Final = 256
_FADE_PX: Final = (1.5, 3.0)  # an octave is gone where its lattice is finer than the first, whole beyond the second
_AMPLITUDES: Final = (0.34, 0.32, 0.3, 0.28, 0.26, 0.24)


@lru_cache(maxsize=8)
def random_lattice(seed: int) -> npt.NDArray[np.float32]:
    """Return (65536,) float32 in -1..1: a periodic lattice of 256 x 256 values, an integer hash of place and seed.

    The hash is the finaliser of MurmurHash3, which no library version can change.
    """
    with np.errstate(over="ignore"):
        h = np.arange(_SIZE * _SIZE, dtype=np.uint32) + np.uint32((seed * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF)
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            h ^= h >> np.uint32(shift)
            h *= np.uint32(factor)
        h ^= h >> np.uint32(16)
    lattice = (h.astype(np.float64) / 2**31 - 1.0).astype(np.float32)
    lattice.setflags(write=False)
    return lattice


def fractal_noise(
    lattice: npt.NDArray[np.float32], s_N: Array, t_N: Array, pixel_N: Array, spacings: tuple[float, ...] = OCTAVES_M
) -> npt.NDArray[np.float32]:
    """Sum octaves of smooth value noise at surface points.

    Args:
        lattice: From `random_lattice`.
        s_N: (N,) float64 first surface coordinate, in the unit of `spacings`.
        t_N: (N,) float64 second surface coordinate.
        pixel_N: (N,) size of a pixel on the surface, in the same unit.
        spacings: Lattice spacing of each octave, coarse to fine, at most six.

    Returns:
        (N,) float32, mean 0, nearly all within -1..1. Octaves with a lattice finer than 1.5 pixels are absent.
    """
    total_N = np.zeros(s_N.shape, np.float32)
    low, high = _FADE_PX
    for octave, (spacing, amplitude) in enumerate(zip(spacings, _AMPLITUDES, strict=False)):
        where = np.flatnonzero(pixel_N < spacing / low)
        if where.size == 0:
            break
        weight = np.clip((spacing / pixel_N[where] - low) / (high - low), 0.0, 1.0).astype(np.float32)
        value = _smooth_lookup(lattice, s_N[where] / spacing, t_N[where] / spacing, octave)
        total_N[where] += np.float32(amplitude) * weight * value
    return total_N


def _smooth_lookup(lattice: npt.NDArray[np.float32], s: Array, t: Array, octave: int) -> npt.NDArray[np.float32]:
    s_cell, t_cell = np.floor(s), np.floor(t)
    fs = (s - s_cell).astype(np.float32)
    ft = (t - t_cell).astype(np.float32)
    fs *= fs * (np.float32(3) - np.float32(2) * fs)
    ft *= ft * (np.float32(3) - np.float32(2) * ft)
    column = s_cell.astype(np.int64) + 61 * octave
    row = t_cell.astype(np.int64) + 113 * octave
    left, right = column & (_SIZE - 1), (column + 1) & (_SIZE - 1)
    top, bottom = (row & (_SIZE - 1)) * _SIZE, ((row + 1) & (_SIZE - 1)) * _SIZE
    above = lattice[top + left]
    above += fs * (lattice[top + right] - above)
    below = lattice[bottom + left]
    below += fs * (lattice[bottom + right] - below)
    above += ft * (below - above)
    return above
