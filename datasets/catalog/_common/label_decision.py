"""Which numbers of label files say the class: decided over all files of a dataset at once."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.catalog._common.label_survey import Form, LabelSurvey
from segprep.datasets.catalog._common.value_counts import Counts, ValueCounts, summed
from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.packed_colors import unpack_colors
from segprep.datasets.snapping import nearest_known

__all__ = ["UNKNOWN", "Decision", "Values", "decide_reading", "meaning_of", "values_as"]

_ONE_CHANNEL: Final = (Form.GREY, Form.NARROW, Form.DEEP)
_GRAY: Final = 0x010101  # times a level it is the grey colour of this level
_CHANNELS: Final = (LabelReading.RED, LabelReading.GREEN, LabelReading.BLUE)
_SHIFTS: Final = (16, 8, 0)

UNKNOWN: Final = -1
"""Stands for a value that a class map does not know."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How all label files are read.

    Attributes:
        reading: What of them says the class.
        guess: On which evidence it was guessed; empty where there is no doubt.
    """

    reading: LabelReading
    guess: str = ""


_STORED: Final = Decision(LabelReading.STORED)


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What label files hold under a reading.

    Attributes:
        counts: Of the values: ids, or packed colours.
        colors: Which of both.
    """

    counts: ValueCounts
    colors: bool

    @property
    def numbers(self) -> Counts:
        """(N, 1) ids or (N, 3) colours."""
        return unpack_colors(self.counts.values) if self.colors else self.counts.values[:, None]


def decide_reading(survey: LabelSurvey, given: ClassMap | None) -> Decision:
    """Decide how all label files are read.

    Args:
        survey: What they hold.
        given: The class map that the user wrote; what it knows decides where more than one reading makes sense.

    Raises:
        ConfigurationError: If no reading fits all files: some hold ids and some colours, or palettes mean other things
            than the files without; names one of each.
    """
    if given is not None and given.reading is not LabelReading.STORED:
        return Decision(given.reading)
    if given is not None:
        shares = {each: _known_share(values_as(survey, each), given) for each in _possible(survey)}
        best = max(shares, key=lambda each: shares[each])
        if shares[best] == 1 or (shares[best] > 0.5 and list(shares.values()).count(shares[best]) == 1):
            return Decision(best)
    return _guess(survey)


def values_as(survey: LabelSurvey, reading: LabelReading) -> Values:
    """Return what the files hold under a reading that is possible for them."""
    colors = reading is LabelReading.COLORS or (reading is LabelReading.STORED and survey.has(Form.COLOR))
    parts = []
    for form in Form:
        counts = survey.counts(form)
        values = counts.values
        if form is Form.PALETTE:
            values = values & 0xFFFFFF if colors else values & 255 if reading is LabelReading.LEVELS else values >> 24
        elif form is Form.COLOR and not colors:
            values = values >> _SHIFTS[2 if reading.channel is None else reading.channel] & 255
        elif form is not Form.COLOR and colors:
            values = values * _GRAY
        parts.append(counts.mapped(values))
    return Values(summed(parts), colors)


def meaning_of(values: Values, class_map: ClassMap) -> npt.NDArray[np.intp]:
    """Return the train id of each value: 255 where it is ignored, `UNKNOWN` where the map has no place for it."""
    known, train_ids = class_map.known_values(colors=values.colors)
    numbers = values.numbers if values.colors else values.numbers // class_map.raw_id_divisor
    nearest = nearest_known(numbers, known, class_map.snap_distance)
    return np.where(nearest < 0, UNKNOWN, train_ids.astype(np.intp)[nearest])


def _possible(survey: LabelSurvey) -> list[LabelReading]:
    """Return the readings under which each file has a meaning, the most natural first."""
    colors = survey.counts(Form.COLOR).values
    found = [LabelReading.STORED] if not survey.has(Form.DEEP) and not _mixed(survey) else []
    if not survey.wide and (survey.has(Form.PALETTE, *_ONE_CHANNEL) or not found):
        found.append(LabelReading.COLORS)
    channel = _only_channel(colors)
    if channel is not None:
        found.insert(0, channel)
    elif survey.has(Form.COLOR, Form.DEEP) and _all_gray(colors):
        found.insert(0, LabelReading.IDS)
        found += [LabelReading.LEVELS] if survey.has(Form.PALETTE) else []
    return found or [LabelReading.COLORS]


def _mixed(survey: LabelSurvey) -> bool:
    return survey.has(Form.COLOR) and survey.has(Form.PALETTE, *_ONE_CHANNEL)


def _guess(survey: LabelSurvey) -> Decision:
    colors = survey.counts(Form.COLOR).values
    channel = _only_channel(colors)
    if len(colors) and channel is None and not _all_gray(colors):
        return _as_colors(survey, "some label files hold colours in three channels") if _mixed(survey) else _STORED
    _refuse_odd_widths(survey)
    if survey.has(Form.PALETTE):
        return _with_palettes(survey, channel)
    if channel is not None:
        told = (
            f"of three channels only the {channel} one ever holds another number than 0: its numbers are taken as ids"
        )
        return Decision(channel, f"{told} ({survey.names[Form.COLOR]} and others)")
    return _as_numbers(survey)


def _as_numbers(survey: LabelSurvey, told: str = "") -> Decision:
    """Read all files as ids: those of one channel as they are, those of three equal ones by any of these."""
    if not survey.has(Form.COLOR, Form.DEEP):
        return replace(_STORED, guess=told)
    path = survey.names.get(Form.COLOR) or survey.names[Form.DEEP]
    equal = f"three channels hold equal numbers ({path} and others): these are taken as ids"
    return Decision(LabelReading.IDS, told or equal)


def _with_palettes(survey: LabelSurvey, channel: LabelReading | None) -> Decision:
    """Decide between the indices of palettes and their colours, in a set without colours in three channels."""
    packed = survey.counts(Form.PALETTE)
    indices, shown = packed.values >> 24, packed.values & 0xFFFFFF
    twice = np.flatnonzero(indices[1:] == indices[:-1])
    if channel is not None:
        told = f"some label files hold numbers in the {channel} channel alone, and some have a palette"
        return _as_colors(survey, told)
    if twice.size:
        one, other = (survey.paths[packed.first[twice[0] + k]] for k in (0, 1))
        told = (
            f"palettes differ: index {indices[twice[0]]} is {_text(shown[twice[0]])} in {one} and "
            f"{_text(shown[twice[0] + 1])} in {other}, so that the colours count and not the indices"
        )
        if survey.clear:
            raise ConfigurationError(
                f"{told}. {survey.clear[0]} has transparent pixels, whose colour nobody sees: flatten it"
            )
        return Decision(LabelReading.LEVELS, told) if _all_gray(shown) else _as_colors(survey, told)
    colors = survey.counts(Form.COLOR)
    numbers = summed([*(survey.counts(form) for form in _ONE_CHANNEL), colors.mapped(colors.values & 255)])
    if not numbers.values.size or (_all_gray(shown) and np.array_equal(shown & 255, indices)):
        return _as_numbers(survey)
    without = next(survey.names[f] for f in (*_ONE_CHANNEL, Form.COLOR) if f in survey.names)
    both = f"{survey.names[Form.PALETTE]} has a palette and {without} has none"
    if _all_gray(shown) and np.isin(numbers.values, shown & 255).all():
        return Decision(LabelReading.LEVELS, f"{both}: the grey levels of palettes and the numbers are taken as ids")
    larger = (numbers.values >= survey.palette_size) & (numbers.values != IGNORE_ID)
    if larger.any():
        other = survey.paths[numbers.first[larger].min()]
        raise _contradiction(survey.names[Form.PALETTE], "a palette of fewer colours", other, "larger numbers")
    return _as_numbers(survey, f"{both}: the palettes' indices and the numbers are taken for the same ids")


def _as_colors(survey: LabelSurvey, told: str) -> Decision:
    """Read all files as colours, if those with one channel can be."""
    known = survey.counts(Form.COLOR).values
    known = np.concatenate([known, survey.counts(Form.PALETTE).values & 0xFFFFFF, [0]])
    for form in _ONE_CHANNEL:
        levels = survey.counts(form)
        odd = ~np.isin(levels.values * _GRAY, known) | survey.wide
        if odd.any():
            colored = survey.names.get(Form.COLOR) or survey.names[Form.PALETTE]
            raise _contradiction(survey.paths[levels.first[odd].min()], "ids in one channel", colored, "colours")
    if survey.has(*_ONE_CHANNEL):
        told += "; those with one channel show no other level than these colours and black"
    return Decision(LabelReading.COLORS, f"{told}: all are read as colours")


def _refuse_odd_widths(survey: LabelSurvey) -> None:
    """Refuse ids of fewer than 8 bits, which are spread when they are read, beside ids of 8 bits that know no such."""
    wide = np.concatenate([survey.counts(f).values for f in (Form.GREY, Form.DEEP)])
    narrow = survey.counts(Form.NARROW)
    odd = ~np.isin(narrow.values, np.concatenate([wide, [0, 255]]))
    if wide.size and odd.any():
        spread = "fewer than 8 bits per pixel, read as levels of 0..255"
        other = survey.names.get(Form.GREY) or survey.names[Form.DEEP]
        raise _contradiction(survey.paths[narrow.first[odd].min()], spread, other, "other levels")


def _contradiction(one: Path, holds: str, other: Path, and_that: str) -> ConfigurationError:
    return ConfigurationError(
        f"some label files do not fit the others: {one} holds {holds}, {other} {and_that}. Make all of one kind, or "
        "give their meaning with --classes FILE, in which `reading` says how all of them are read"
    )


def _known_share(values: Values, given: ClassMap) -> float:
    """Return the share of the pixels whose value a class map knows."""
    known = meaning_of(values, given) != UNKNOWN
    return float(values.counts.pixels[known].sum() / max(1, values.counts.pixels.sum()))


def _only_channel(colors: Counts) -> LabelReading | None:
    """Return the only channel that holds more than 0, unless it holds 255 alone, as masks drawn in one colour do."""
    used = [c for c, shift in enumerate(_SHIFTS) if (colors >> shift & 255).any()]
    if len(used) != 1 or set((colors >> _SHIFTS[used[0]] & 255).tolist()) <= {0, 255}:
        return None
    return _CHANNELS[used[0]]


def _all_gray(colors: Counts) -> bool:
    return bool(np.all(colors % _GRAY == 0)) if len(colors) else True


def _text(packed: int) -> str:
    return str(tuple(unpack_colors(np.array(packed)).tolist()))
