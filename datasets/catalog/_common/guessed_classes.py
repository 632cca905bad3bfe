"""Classes from nothing but the values that labels hold: which are classes, which are not labelled, which are strays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.known_palettes import BLACK, recognised
from segprep.datasets.catalog._common.label_clusters import LEAST_AREA, area_values
from segprep.datasets.catalog._common.label_decision import Values
from segprep.datasets.catalog._common.label_oddities import (
    MOST_CLASSES,
    mixtures,
    odd_colors,
    odd_ids,
    what_many_values_are,
)
from segprep.datasets.catalog._common.value_counts import Counts
from segprep.datasets.classes import ClassMap, Color, SemanticClass, distinct_colors
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.packed_colors import unpack_colors

__all__ = ["GuessedClasses", "guess_classes"]

_RARE_PIXELS: Final = 100
_RARE_SHARE: Final = 1e-4
_MOST_RARE: Final = 0.01  # of all pixels hold rare colours, or else these are a picture and no strays of labels
_SMALL_ID: Final = 32  # beside an id of 1 to 31, the largest number is a mark for void and not one of some grey levels
_WIDE_VOID: Final = 65535
_MANY_COLORS: Final = 64  # more are rather instances than classes
_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class GuessedClasses:
    """A class map that nobody wrote.

    Attributes:
        class_map: It says so itself.
        guesses: What was guessed, as sentences without an end.
        doubts: What looks wrong.
    """

    class_map: ClassMap
    guesses: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def guess_classes(values: Values, snap_distance: float, *, narrow: bool, void_index: bool) -> GuessedClasses:
    """Guess which values are classes.

    Args:
        values: What the labels hold.
        snap_distance: More than 0: the classes are the values of areas, all others are taken for the nearest of these.
        narrow: Whether ids have fewer than 8 bits, so that 255 is just the largest one.
        void_index: Whether the palettes show index 255 in a colour that is known to mean void.

    Raises:
        ConfigurationError: If these are no classes: far too many values, or mixtures along edges.
    """
    if snap_distance:
        kept, strays = area_values(values, snap_distance), np.empty(0, np.int64)
        if not len(kept):
            raise ConfigurationError(
                f"no value of the labels holds {LEAST_AREA:.1%} of their pixels in areas, so that nothing can be taken "
                "for the nearest class: give the classes with --classes FILE"
            )
    else:
        counts = values.counts
        total = counts.pixels.sum()
        rare = (counts.pixels < _RARE_PIXELS) & (counts.pixels < _RARE_SHARE * total) & values.colors
        kept, strays = counts.values[~rare], counts.values[rare]
        if len(kept) > MOST_CLASSES + 1 or counts.pixels[rare].sum() > _MOST_RARE * total or mixtures(values):
            raise ConfigurationError(
                f"the label files hold {len(counts.values)} different values; {what_many_values_are(values)}"
            )
    if values.colors:
        return _of_colors(_colors(kept), strays, values, snap_distance)
    return _of_ids(kept.tolist(), snap_distance, narrow=narrow, void_index=void_index)


def _of_ids(ids: list[int], snap_distance: float, *, narrow: bool, void_index: bool) -> GuessedClasses:
    voids: list[int] = []
    guesses: list[str] = []
    for mark in (IGNORE_ID, _WIDE_VOID):
        if mark not in ids:
            continue
        others = [i for i in ids if i not in (IGNORE_ID, _WIDE_VOID)]
        if (mark == IGNORE_ID and void_index) or (
            len(others) > 1 and any(0 < i < _SMALL_ID for i in others) and not (narrow and mark == IGNORE_ID)
        ):
            voids.append(mark)
            guesses.append(f'id {mark} is taken for "not labelled", as it is beside small ids of classes')
        else:
            guesses.append(
                f"id {mark} is taken for a class, since the others ({_some(others)}) are no row of small ids; if it "
                f'means "not labelled", delete its class in prep.toml and write {mark} into ignored_raw_ids'
            )
    named = [i for i in ids if i not in voids]
    if not named:
        named, voids = ids, []
    shown = zip(named, distinct_colors(len(named)), strict=True)
    ignored = tuple(voids) or (() if IGNORE_ID in named else (IGNORE_ID,))
    classes = tuple(SemanticClass(f"class_{i}", c, (i,)) for i, c in shown)
    class_map = ClassMap(classes, ignored, snap_distance=snap_distance, found=True)
    odd = odd_ids(np.array(ids, np.int64))
    return GuessedClasses(class_map, tuple(guesses), (odd,) if odd else ())


def _of_colors(colors: list[Color], strays: Counts, values: Values, snap_distance: float) -> GuessedClasses:
    known = recognised(colors)
    names = " or ".join(each.name for each in known)
    void = {color for each in known for color in each.void if color != BLACK} & {*colors}
    guesses = [f"the colours are those of {names}; {_some(sorted(void))} is ignored, as there"] if void else []
    if BLACK in colors and known and all(BLACK in each.void for each in known):
        void.add(BLACK)
        guesses.append(f'the colours are those of {names}, where black means "not labelled": it is ignored')
    elif BLACK in colors:
        told = f", as in {names}" if known else ""
        guesses.append(
            f'black is taken for a class{told}; if it means "not labelled", delete its class in prep.toml and write '
            "ignored_colors = [[0, 0, 0]]"
        )
    if strays.size:
        pixels = int(values.counts.pixels[np.isin(values.counts.values, strays)].sum())
        guesses.append(
            f"{len(strays)} colours are ignored, because each holds fewer than {_RARE_PIXELS} pixels and less than "
            f"{_RARE_SHARE:.2%} of all: {_some(_colors(strays))}; {pixels} pixels in all. Move those that are classes "
            "from ignored_colors to one, in prep.toml"
        )
    named = [color for color in colors if color not in void] or colors
    classes = tuple(SemanticClass(f"class_{r:02x}{g:02x}{b:02x}", (r, g, b), (i,)) for i, (r, g, b) in enumerate(named))
    ignored = (*((BLACK,) if BLACK not in named else ()), *sorted(void - {BLACK}), *_colors(strays))
    class_map = ClassMap(classes, (IGNORE_ID,), ignored_colors=ignored, snap_distance=snap_distance, found=True)
    doubts = (f"there are {len(named)} colours; {odd_colors(values)}",) if len(named) > _MANY_COLORS else ()
    return GuessedClasses(class_map, tuple(guesses), doubts)


def _colors(packed: Counts) -> list[Color]:
    return [(r, g, b) for r, g, b in unpack_colors(packed).tolist()]


def _some(values: Sequence[object]) -> str:
    more = f" and {len(values) - _MOST_NAMED} more" if len(values) > _MOST_NAMED else ""
    return ", ".join(map(str, values[:_MOST_NAMED])) + more if values else "there are none"
