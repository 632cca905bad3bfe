"""Whether labels look as if ids had been swapped or shifted: their counts fit much better when read another way.

The shares of the classes of two parts of a dataset, or of a part and the whole, differ by the scenes that they show. A
wrong mapping is something else: the shares are those that were expected, in another order. So they are compared with
the expected ones as they are and under every swap of two classes, every cyclic shift, the reversed order, raw ids off
by one and train ids taken for raw ids. Only a reading that explains most of the difference is suspected.

Where it is known in which part of the pictures classes are expected (sky above, road below), that counts, too. Without
it, classes of about the same share cannot be told apart; a mapping that moves rare classes only is never found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap

__all__ = ["Suspicion", "divergence", "suspect_mapping"]

_Shares = npt.NDArray[np.float64]

# Measured on CamVid, on windows of 1 to 265 frames in a row. With the right labels none of 1329 windows reached all
# limits; the nearest had 20 frames, a divergence of 0.043 and a swap (building and tree) that explained it 2.9 times
# better. With road and sky swapped, all frames have a divergence of 0.051, 9.5 times better the right way; shifted by
# one 0.47, 99 times. In bands, windows of 20 and more differ from the other frames so that no swap is 1.6 times better,
# val from train with road and sky (building and road) swapped is 8.0 (8.7) times.
_LEAST_DIVERGENCE: Final = 0.02
_LEAST_EVIDENCE: Final = 0.8  # divergence times images: one picture says little about a dataset
_LEAST_GAIN: Final = 3.0
_LEAST_GAIN_IN_BANDS: Final = 2.5
_LEAST_LEFT: Final = 0.1  # of the pixels that a reading must leave with a class


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Another way to read the labels, which explains their shares much better.

    Attributes:
        reading: What seems to have happened, as a sentence.
        divergence: Between observed and expected shares as they are, in bits.
        divergence_so_read: The same under this reading.
    """

    reading: str
    divergence: float
    divergence_so_read: float


def divergence(observed: _Shares, expected: _Shares) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits: 0 for equal ones, 1 for disjoint ones.

    Lin: Divergence measures based on the Shannon entropy, 1991. (0.5, 0.5) against (0.75, 0.25) gives 0.0488.

    Args:
        observed: Shares or counts of any shape.
        expected: Of the same shape.
    """
    return float(_terms(_normalised(observed), _normalised(expected)).sum())


def suspect_mapping(pixels_CB: _Shares, expected_CB: _Shares, class_map: ClassMap, images: float) -> Suspicion | None:
    """Say whether labels look as if their ids had been swapped or shifted.

    Args:
        pixels_CB: (C, B) pixels or shares of each class that were found, in B bands of the pictures; B may be 1.
        expected_CB: (C, B) that were expected; NaN for classes of which nothing is known, which do not count.
        class_map: The C classes.
        images: How many images the pixels are from. Fewer than 40 must differ more to be suspected: the divergence
            times their number must reach 0.8.

    Returns:
        The reading that fits best, if it fits at least 3 times (in bands 2.5 times) better than the labels as they are.
    """
    places = np.flatnonzero(~np.isnan(expected_CB).any(axis=1))
    if places.size < 2 or not pixels_CB[places].sum() or not expected_CB[places].sum():
        return None
    observed, expected = _normalised(pixels_CB[places]), _normalised(expected_CB[places])
    as_it_is = divergence(observed, expected)
    if as_it_is < max(_LEAST_DIVERGENCE, _LEAST_EVIDENCE / max(images, 1)):
        return None
    names = [class_map.names[i] for i in places]
    found = [_best_swap(observed, expected, names)]
    readings = [*_orders(expected), *_raw_readings(class_map, places, expected)]
    found += [(divergence(observed, shares), text) for text, shares in readings]
    best, reading = min(found, key=lambda entry: entry[0])
    gain = _LEAST_GAIN if expected_CB.shape[1] == 1 else _LEAST_GAIN_IN_BANDS
    return Suspicion(reading, as_it_is, best) if best * gain <= as_it_is else None


def _normalised(shares: _Shares) -> _Shares:
    return np.asarray(shares / shares.sum(), np.float64)


def _terms(observed: _Shares, expected: _Shares) -> _Shares:
    """Return the parts of the divergence, one per entry."""
    middle = (observed + expected) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(observed * np.log2(observed / middle), nan=0.0)
        parts = parts + np.nan_to_num(expected * np.log2(expected / middle), nan=0.0)
    return np.asarray(parts / 2, np.float64)


def _best_swap(observed: _Shares, expected: _Shares, names: Sequence[str]) -> tuple[float, str]:
    """Return the best of all swaps; a swap changes two parts of the sum."""
    crossed = _terms(observed[:, None], expected[None, :]).sum(axis=2)
    own = np.diag(crossed)
    swapped = own.sum() - own[:, None] - own[None, :] + crossed + crossed.T
    swapped[np.tril_indices(len(names))] = np.inf
    i, j = divmod(int(swapped.argmin()), len(names))
    return float(swapped[i, j]), f"{names[i]} and {names[j]} look swapped"


def _orders(expected: _Shares) -> Iterator[tuple[str, _Shares]]:
    for shift in range(1, len(expected)):
        steps = shift if shift <= len(expected) // 2 else shift - len(expected)
        yield f"the classes look shifted by {steps:+d}: each has the pixels of another one", np.roll(expected, shift, 0)
    yield "the order of the classes looks reversed", expected[::-1]


def _raw_readings(
    class_map: ClassMap, places: npt.NDArray[np.intp], expected: _Shares
) -> Iterator[tuple[str, _Shares]]:
    """Yield what the shares would be if the files held other raw ids than the class map says."""
    for step in (1, -1):
        moved = {t: [i + step for i in c.raw_ids] for t, c in enumerate(class_map.classes)}
        if (shares := _reread(class_map, places, expected, moved)) is not None:
            yield f"the raw ids of the files look shifted by {step:+d}", shares
    train_ids = {t: [t] for t in range(len(class_map.classes))}
    if (shares := _reread(class_map, places, expected, train_ids)) is not None:
        yield "the files look as if they held train ids where the class map expects raw ids", shares


def _reread(
    class_map: ClassMap, places: npt.NDArray[np.intp], expected: _Shares, written: Mapping[int, Sequence[int]]
) -> _Shares | None:
    """Return the shares after each class was written with other ids and read by the class map; None if few are left.

    A class of several raw ids is taken to have equal shares of them.
    """
    place_of = {int(t): k for k, t in enumerate(places)}
    read_as = {i: t for t, c in enumerate(class_map.classes) for i in c.raw_ids}
    shares = np.zeros_like(expected)
    for train_id, place in place_of.items():
        for raw_id in written[train_id]:
            seen = place_of.get(read_as.get(raw_id, -1))
            if seen is not None:
                shares[seen] += expected[place] / len(written[train_id])
    return shares if shares.sum() >= _LEAST_LEFT else None
