"""How often values occur in many files, added up file by file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array

__all__ = ["Counts", "Tally", "ValueCounts", "count_runs", "count_smooth", "summed"]

Counts = npt.NDArray[np.int64]

_CALM_RUN: Final = 4  # so many equal pixels in a row are inside of a class; along edges compression mixes values
_NOISE: Final = 8  # levels by which JPEG of usual quality changes an even area near edges

_MERGED_AT: Final = 1 << 18


def _none() -> Counts:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ValueCounts:
    """Values, packed into one number each, with what was counted of them.

    Attributes:
        values: (N,) in ascending order.
        pixels: (N,) how many pixels hold each.
        calm: (N,) how many of these are inside of areas and not on edges.
        files: (N,) in how many files it occurs.
        first: (N,) number of the first of these files.
    """

    values: Counts = field(default_factory=_none)
    pixels: Counts = field(default_factory=_none)
    calm: Counts = field(default_factory=_none)
    files: Counts = field(default_factory=_none)
    first: Counts = field(default_factory=_none)

    def mapped(self, values: Counts) -> "ValueCounts":
        """Return the counts with other values in place of `values`; equal ones are added up."""
        return summed([ValueCounts(values, self.pixels, self.calm, self.files, self.first)])


@dataclass(slots=True)
class Tally:
    """Adds up what files hold; many are brought together at once."""

    _parts: list[ValueCounts] = field(default_factory=list)
    _waiting: int = 0

    def add(self, values: Counts, pixels: Counts, calm: Counts, file: int) -> None:
        """Add what one file holds."""
        self._parts.append(ValueCounts(values, pixels, calm, np.ones_like(values), np.full_like(values, file)))
        self._waiting += len(values)
        if self._waiting > _MERGED_AT:
            self.total()

    def total(self) -> ValueCounts:
        """Return the sum."""
        if len(self._parts) != 1:
            self._parts = [summed(self._parts)]
        self._waiting = 0
        return self._parts[0]

    def __len__(self) -> int:
        """How many values there are, at least."""
        return max((len(part.values) for part in self._parts), default=0)


def summed(parts: Sequence[ValueCounts]) -> ValueCounts:
    """Add up counts, value by value."""
    values, pixels, calm, files, first = (
        np.concatenate([_none(), *(getattr(part, name) for part in parts)])
        for name in ("values", "pixels", "calm", "files", "first")
    )
    found, places = np.unique(values, return_inverse=True)
    sums = (np.bincount(places, column, len(found)).astype(np.int64) for column in (pixels, calm, files))
    all_pixels, all_calm, all_files = sums
    firsts = np.full(len(found), np.iinfo(np.int64).max)
    np.minimum.at(firsts, places, first)
    return ValueCounts(found, all_pixels, all_calm, all_files, firsts)


def count_runs(packed_HW: Array) -> tuple[Counts, Counts, Counts]:
    """Return the different values, how many pixels hold each, and how many of them stand in long runs.

    Labels come in runs along their rows, so that few values have to be sorted.
    """
    flat = packed_HW.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    values, places = np.unique(flat[starts], return_inverse=True)
    pixels = np.bincount(places, lengths)
    calm = np.bincount(places, np.where(lengths >= _CALM_RUN, lengths, 0))
    return values.astype(np.int64), pixels.astype(np.int64), calm.astype(np.int64)


def count_smooth(packed_HW: Array, channels: int) -> tuple[Counts, Counts, Counts]:
    """Return the same of a picture that was compressed with a loss, where even areas are not quite of one value.

    Calm is a pixel that differs from its neighbours to the right and below by at most `_NOISE` levels in each channel.

    Args:
        packed_HW: A number per pixel: channels of 8 bits each, or one of up to 16.
        channels: 1 or 3.
    """
    levels = packed_HW.astype(np.int32)
    planes = [levels] if channels == 1 else [levels >> 16, levels >> 8 & 255, levels & 255]
    calm_HW = np.ones(packed_HW.shape, np.bool_)
    for plane in planes:
        calm_HW[:, :-1] &= np.abs(np.diff(plane, axis=1)) <= _NOISE
        calm_HW[:-1] &= np.abs(np.diff(plane, axis=0)) <= _NOISE
    values, places = np.unique(packed_HW.ravel(), return_inverse=True)
    pixels, calm = np.bincount(places), np.bincount(places, calm_HW.ravel())
    return values.astype(np.int64), pixels.astype(np.int64), calm.astype(np.int64)
