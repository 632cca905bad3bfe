"""Labels of which nothing is known: how their files are read, and one class per id or colour that they hold."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.catalog._common.guessed_classes import guess_classes
from segprep.datasets.catalog._common.known_palettes import VOID
from segprep.datasets.catalog._common.label_decision import UNKNOWN, Values, decide_reading, meaning_of, values_as
from segprep.datasets.catalog._common.label_survey import Form, LabelSurvey, survey_labels
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap, SemanticClass, distinct_colors
from segprep.datasets.errors import ConfigurationError, DatasetNotFoundError
from segprep.datasets.kinds import IGNORE_ID, MOSTLY_IGNORED
from segprep.datasets.notices import About, FoundValue, Notice
from segprep.datasets.packed_colors import pack_colors

__all__ = ["UNLABELLED", "found_class_map"]

UNLABELLED = ClassMap((SemanticClass("class_0", distinct_colors(1)[0], (0,)),), (IGNORE_ID,))
"""For images without labels: a single class that nothing uses."""

Meaning = npt.NDArray[np.intp]

_MOST_NAMED: Final = 5
_MOST_KEPT: Final = 256
_SUBJECT: Final = "label"


def found_class_map(labels: Sequence[Path], source: DatasetSource) -> ClassMap | None:
    """Read all label files once, decide over all of them how they are read, and what their values are.

    Files that cannot be read are named: their samples fail when they are processed.

    Args:
        labels: The files.
        source: Says what the user wrote; gets the notices and the values that were found.

    Returns:
        The class map with its reading: the user's own one, or one class per id or colour; None if there are no labels.

    Raises:
        DatasetNotFoundError: If no file can be read and the user named no classes; quotes the first reason.
        ConfigurationError: If the files contradict each other, are JPEG and nothing was said of that, or hold values
            that are no classes.
    """
    given, snap = source.classes, source.snap_distance or 0.0
    if given is not None and source.snap_distance is not None:
        given = replace(given, snap_distance=snap)
    elif given is not None:
        snap = given.snap_distance
    survey = survey_labels(labels, lossy=snap > 0, all_values=given is not None or snap > 0)
    source.notices.extend(_unreadable(survey))
    if not survey.read:
        if given is None and labels:
            raise _nothing_readable(survey)
        return given
    if survey.lossy and not snap:
        raise ConfigurationError(
            f"{survey.lossy[0]} is a JPEG, whatever it is called: along edges its numbers are others than those that "
            "were written. Get the originals (PNG), or let each pixel have the nearest known value, if it is near: "
            "--snap-labels 40"
        )
    decision = decide_reading(survey, given)
    values = values_as(survey, decision.reading)
    if decision.guess:
        remedy = "`reading` in [class_map] of prep.toml says it otherwise; then run `prep init` again"
        source.notices.append(_guess(f"{decision.guess}; {remedy}"))
    source.notices.extend(_spread(survey))
    class_map = given if given is not None else _guessed(survey, values, snap, source)
    class_map = replace(class_map, reading=decision.reading)
    meaning = meaning_of(values, class_map)
    source.values.extend(_described(values, meaning, class_map))
    source.notices.extend(_doubts(values, meaning, class_map))
    return class_map


def _guessed(survey: LabelSurvey, values: Values, snap_distance: float, source: DatasetSource) -> ClassMap:
    marks = IGNORE_ID << 24 | pack_colors(np.array(VOID)).astype(np.int64)
    void_index = bool(np.isin(survey.counts(Form.PALETTE).values, marks).any())
    narrow = survey.has(Form.NARROW) and not survey.has(Form.GREY, Form.DEEP, Form.COLOR)
    guessed = guess_classes(values, snap_distance, narrow=narrow, void_index=void_index)
    source.notices.extend(_guess(text) for text in guessed.guesses)
    source.notices.extend(Notice(About.SUSPECT, _SUBJECT, text) for text in guessed.doubts)
    return guessed.class_map


def _described(values: Values, meaning: Meaning, class_map: ClassMap) -> list[FoundValue]:
    """Return the most frequent values, and all others as one entry."""
    counts = values.counts
    total = counts.pixels.sum()
    order = np.argsort(-counts.pixels, kind="stable")
    numbers = values.numbers.tolist()
    found = []
    for place in order[:_MOST_KEPT]:
        value = tuple(numbers[place]) if values.colors else numbers[place][0]
        pixels = int(counts.pixels[place])
        becomes = _becomes(int(meaning[place]), class_map)
        found.append(FoundValue(value, pixels, pixels / total, int(counts.files[place]), becomes))
    if len(rest := order[_MOST_KEPT:]):
        pixels = int(counts.pixels[rest].sum())
        found.append(FoundValue(None, pixels, pixels / total, 0, f"{len(rest)} further values"))
    return found


def _becomes(train_id: int, class_map: ClassMap) -> str:
    if train_id == UNKNOWN:
        return "ignored, far from any known value" if class_map.snap_distance else "unknown: its files fail"
    return "ignored" if train_id == IGNORE_ID else class_map.names[train_id]


def _doubts(values: Values, meaning: Meaning, class_map: ClassMap) -> Iterator[Notice]:
    pixels = values.counts.pixels
    unknown = meaning == UNKNOWN
    if unknown.any():
        share = pixels[unknown].sum() / pixels.sum()
        what = (
            f"are farther than {class_map.snap_distance:g} from every known one: they are ignored"
            if class_map.snap_distance
            else "are not in the class map: their files will fail"
        )
        text = f"{int(unknown.sum())} values, {share:.2%} of the pixels, {what}"
        yield Notice(About.SUSPECT, _SUBJECT, text)
    ignored = pixels[unknown | (meaning == IGNORE_ID)].sum() / pixels.sum()
    if ignored > MOSTLY_IGNORED:
        text = f"{ignored:.1%} of the pixels are ignored: is this meant? [class_map] in prep.toml says which values are"
        yield Notice(About.SUSPECT, _SUBJECT, text)
    if class_map.found and len(class_map.classes) == 1:
        text = f"there is one class, {class_map.names[0]}: a network that learns it is always right and knows nothing"
        yield Notice(About.SUSPECT, _SUBJECT, text)


def _spread(survey: LabelSurvey) -> Iterator[Notice]:
    if set(survey.counts(Form.NARROW).values.tolist()) - {0, IGNORE_ID}:
        yield _guess(
            f"{survey.files[Form.NARROW]} label files, {survey.names[Form.NARROW]} the first, have fewer than 8 bits "
            "per pixel: their numbers are spread over 0..255 (1 of 2 bits is 85), and these are the ids"
        )


def _unreadable(survey: LabelSurvey) -> Iterator[Notice]:
    for _, reason in survey.unreadable[:_MOST_NAMED]:
        yield Notice(About.SUSPECT, _SUBJECT, f"a file cannot be read, its sample will fail: {reason}")
    if len(survey.unreadable) > _MOST_NAMED:
        more = len(survey.unreadable) - _MOST_NAMED
        yield Notice(About.SUSPECT, _SUBJECT, f"{more} more files cannot be read: `prep check` names all")


def _nothing_readable(survey: LabelSurvey) -> DatasetNotFoundError:
    first = survey.unreadable[0][1] if survey.unreadable else f"{survey.missing[0]} does not exist"
    return DatasetNotFoundError(
        f"none of the {len(survey.paths)} labels can be read. The first reason: {first}. Mend the files, or, where "
        "only their meaning is the problem, give the classes with --classes FILE"
    )


def _guess(text: str) -> Notice:
    return Notice(About.GUESSED, _SUBJECT, text)
