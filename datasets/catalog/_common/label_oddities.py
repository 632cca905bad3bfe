"""What label files look like whose values are no classes: what was found in them, and which option reads it."""

from typing import Final

import numpy as np

from segprep.datasets.catalog._common.label_decision import Values
from segprep.datasets.catalog._common.value_counts import Counts
from segprep.datasets.kinds import IGNORE_ID

__all__ = ["MOST_CLASSES", "mixtures", "odd_colors", "odd_ids", "what_many_values_are"]

MOST_CLASSES: Final = IGNORE_ID - 1

_CALM: Final = 0.5  # of its pixels: a value with fewer in runs of equal ones stands along edges
_LEAST_CALM: Final = 0.5  # of all pixels hold the values of the classes, or else the picture is no label at all
_LEAST_MIXED: Final = 0.001  # of all pixels; fewer are strays, which cost nothing
_FEWEST: Final = 8


def mixtures(values: Values) -> int:
    """Return how many values look like mixtures of others along edges, as compression and smooth resizing leave them.

    They are many beside few that nearly all pixels hold, and hardly any of their pixels equals its neighbours in the
    row. 0 if the values do not look so.
    """
    counts = values.counts
    is_calm = counts.calm >= _CALM * counts.pixels
    calm, mixed = int(is_calm.sum()), int((~is_calm).sum())
    calm_share = counts.pixels[is_calm].sum() / counts.pixels.sum()
    covered = _LEAST_CALM <= calm_share <= 1 - _LEAST_MIXED
    return mixed if covered and mixed > max(_FEWEST, 2 * calm) else 0


def what_many_values_are(values: Values) -> str:
    """Say what so many values may be, and what can be done."""
    if mixed := mixtures(values):
        counts = values.counts
        frequent = len(counts.values) - mixed
        share = counts.pixels[counts.calm >= _CALM * counts.pixels].sum() / counts.pixels.sum()
        return (
            f"it looks like JPEG compression or smooth resizing: {frequent} values hold {share:.1%} of the pixels, and "
            f"{mixed} others stand along edges. Get the originals, or let each pixel have the nearest frequent value: "
            "--snap-labels 40"
        )
    if not values.colors:
        return odd_ids(values.counts.values) or "are these labels? Give their meaning with --classes FILE"
    return odd_colors(values)


def odd_colors(values: Values) -> str:
    """Say what so many colours may be."""
    channels = values.numbers.T
    ranges = ", ".join(
        f"{name} {each.min()}..{each.max()} ({len(np.unique(each))} values)"
        for name, each in zip(("red", "green", "blue"), channels, strict=True)
    )
    return (
        f"the channels hold 8 bits: {ranges}. If a pixel's id is red + 256 green (+ 65536 blue), or a channel is the "
        "class and another one the instance, no option reads that: write the ids of the classes into one channel"
    )


def odd_ids(ids: Counts) -> str:
    """Say which ids look as if they were more than ids; empty if they do not."""
    largest = int(ids[-1])
    upper = np.unique(ids // 256)
    if largest > IGNORE_ID and len(upper) > 1 and len(ids) > len(upper):
        return (
            f"ids go up to {largest}: if they are class * 256 + instance, write raw_id_divisor = 256 into a class map "
            "and give it with --classes FILE (1000 where they are class * 1000 + instance)"
        )
    bits = ids[ids > 0]
    if len(bits) > 2 and largest > 4 and np.all(bits & bits - 1 == 0):
        return (
            f"all ids are powers of two up to {largest}, as bit masks have them: if pixels may belong to several "
            "classes no option reads that; else name the classes with --classes FILE"
        )
    return ""
