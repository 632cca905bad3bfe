"""Finding pictures that look the same: a hash of 64 bits per picture, near for pictures that look alike.

The hash compares neighbouring cells of a coarse grid, which takes ten lines; the known libraries for it bring SciPy and
PyWavelets with them, and hashes of cosine coefficients did no better. Measured on the 265 frames of CamVid, as bits of
64 that differ: copies as JPEG of quality 50, halved, 20 grey levels brighter, 1.2 times brighter, or with gamma 0.8
differ in 0 or 1 (median), in more than 4 for 1 % of the frames at most; with gamma 1.25 for 3 %, with a border of 2 %
cut off for 19 %. Frames 1 s apart differ in 14 (median), in 4 or less only while the car stands or crawls (9 of 161);
frames of different drives in 13 or more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array

__all__ = ["MOST_DIFFERENT_BITS", "AlikePair", "alike_across", "likeness_hash"]

MOST_DIFFERENT_BITS = 4
"""Pictures whose hashes differ in no more bits look the same."""

_CELLS = 8
_LEAST_CONTRAST = 8.0  # of 255, within the grid: the bits of fog, night or a lens cap would be noise
_CHUNK_PAIRS = 1 << 19  # 4 MB of differences, which stay in a core's cache

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class AlikePair:
    """Two pictures of different groups that look the same.

    Attributes:
        first: Its place; in an earlier group.
        second: Its place.
        distance: Bits of their hashes that differ.
    """

    first: int
    second: int
    distance: int


def likeness_hash(picture: Array) -> int | None:
    """Return 64 bits that say where a picture gets brighter.

    The picture is averaged to 9 x 9 grey cells. Each of the first 8 x 8 gives a bit, in the pattern of a chessboard:
    whether its right or its lower neighbour is brighter. Size, compression, brightness and contrast hardly matter;
    mirrored and rotated pictures are different ones.

    Args:
        picture: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, of 8 or 16 bits.

    Returns:
        0..2^64-1; None for pictures without contrast, of which the hash says nothing.
    """
    grey = cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
    cells = cv2.resize(grey, (_CELLS + 1, _CELLS + 1), interpolation=cv2.INTER_AREA).astype(np.float32)
    if picture.dtype == np.uint16:
        cells /= 257
    if np.ptp(cells) < _LEAST_CONTRAST:
        return None
    here = cells[:-1, :-1]
    row, column = np.indices(here.shape)
    bits = np.where((row + column) % 2 == 0, cells[:-1, 1:] > here, cells[1:, :-1] > here)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def alike_across(hashes_N: Hashes, groups_N: npt.NDArray[np.intp]) -> Iterator[AlikePair]:
    """Yield, for each two groups, every picture of the smaller one with the picture of the other that is most like it.

    All pairs across groups are compared, 1.3 ns each: 100 000 pictures in groups of 60, 20 and 20 % take about 4 s, in
    memory for half a million pairs at a time. One partner per picture bounds the number of results, too: a car that
    stood for a minute would give thousands.

    Args:
        hashes_N: (N,) of `likeness_hash`.
        groups_N: (N,) number of the group of each, for example of its split.
    """
    members = [np.flatnonzero(groups_N == group) for group in np.unique(groups_N)]
    for place, ones in enumerate(members):
        for others in members[place + 1 :]:
            if ones.size <= others.size:
                yield from (AlikePair(i, j, d) for i, j, d in _nearest(hashes_N, ones, others))
            else:
                yield from (AlikePair(j, i, d) for i, j, d in _nearest(hashes_N, others, ones))


def _nearest(hashes_N: Hashes, few: npt.NDArray[np.intp], many: npt.NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
    candidates = hashes_N[many]
    step = max(1, _CHUNK_PAIRS // many.size)
    for start in range(0, few.size, step):
        chunk = few[start : start + step]
        distances = np.bitwise_count(hashes_N[chunk, None] ^ candidates)
        best = distances.argmin(axis=1)
        least = distances[np.arange(chunk.size), best]
        for row in np.flatnonzero(least <= MOST_DIFFERENT_BITS).tolist():
            yield int(chunk[row]), int(many[best[row]]), int(least[row])
