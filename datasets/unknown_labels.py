"""What to tell of label values that a class map does not know: which, how many pixels, and what to do."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from segprep.datasets.errors import LabelIdError
from segprep.datasets.packed_colors import unpack_colors
from segprep.datasets.sample import Array

__all__ = ["unknown_colors", "unknown_ids"]

_MOST_LISTED: Final = 20
_MOST_KNOWN_LISTED: Final = 40


def unknown_colors(packed_N: Array) -> LabelIdError:
    """Return the error for colours (N,), packed, of all pixels that are unknown; names the most frequent ones."""
    values, counts = np.unique(packed_N, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_MOST_LISTED]
    shown = zip(unpack_colors(values[most]).tolist(), counts[most].tolist(), strict=True)
    named = ", ".join(f"{tuple(color)} ({count} px)" for color, count in shown)
    is_grey = bool((values % 0x010101 == 0).all())
    ids = '. Are these ids? Write reading = "ids" into [class_map], and run `prep init` again' if is_grey else ""
    return LabelIdError(
        f"label colours outside the class map: {named}{_more(values)}{ids}. Add them to raw_colors of a class, or to "
        "ignored_colors, in prep.toml. Mixtures along edges come from resizing or JPEG: get the originals, or take the "
        "nearest known colour with `prep init ... --snap-labels 40`"
    )


def unknown_ids(ids_N: Array, known: Sequence[int]) -> LabelIdError:
    """Return the error for ids (N,) of all pixels that are unknown; names the smallest ones, and the known ones."""
    ids, counts = np.unique(ids_N, return_counts=True)
    shown = zip(ids[:_MOST_LISTED].tolist(), counts[:_MOST_LISTED].tolist(), strict=True)
    named = ", ".join(f"{value} ({count} px)" for value, count in shown)
    hint = "; if the files hold class * 256 + instance, set raw_id_divisor = 256" if ids.max() > 255 else ""
    return LabelIdError(
        f"label ids outside the class map: {named}{_more(ids)}. Known ids: {_listed(sorted(known))}. Add them to a "
        f"class, or to ignored_raw_ids, in prep.toml{hint}"
    )


def _more(values: Array) -> str:
    return f" and {len(values) - _MOST_LISTED} more" if len(values) > _MOST_LISTED else ""


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) if len(ids) <= _MOST_KNOWN_LISTED else f"{len(ids)} ids from {ids[0]} to {ids[-1]}"
