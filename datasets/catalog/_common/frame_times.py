"""When the images of a recording were taken: by a file, by their names, or by a rate that is assumed."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.catalog._common.timed_poses import SINCE_1970, UNIT_NAMES, time_unit
from segprep.datasets.catalog._common.trajectory_files import check_count
from segprep.datasets.notices import About, Notice

__all__ = ["frame_times", "times_in_names"]

_TIME: Final = re.compile(r"(?:[A-Za-z]\w*[_-]|[A-Za-z]+)?(\d+(?:\.\d{3,})?)")


def frame_times(folder: Path, images: Sequence[str], notices: list[Notice]) -> dict[str, float] | None:
    """Return name to seconds; None if neither `timestamps.txt` nor the names say the times.

    Args:
        folder: Of the recording.
        images: Names without suffix, in the order of the file's rows.
        notices: Gets what was taken for what.

    Raises:
        UnreadableFileError: If the file is broken or has another number of rows than there are images.
    """
    path = folder / "timestamps.txt"
    lines = read_lines(path)
    if lines is None:
        return times_in_names(images, notices)
    given = [line.finite_numbers(1)[0] for line in lines]
    check_count(path, len(given), images)
    unit = time_unit(given)
    if unit != 1.0:
        notices.append(_taken(f"the numbers of {path}", unit, given))
    return dict(zip(images, (time * unit for time in given), strict=True))


def times_in_names(images: Sequence[str], notices: list[Notice]) -> dict[str, float] | None:
    """Return name to seconds if all names are times, since 1970 or with three digits or more behind the point."""
    matches = [_TIME.fullmatch(image) for image in images]
    texts = [match[1] for match in matches if match is not None]
    if len(texts) < max(2, len(images)) or len(set(map(float, texts))) < len(texts):
        return None
    given = [float(text) for text in texts]
    unit = time_unit(given)
    since_1970 = all(SINCE_1970[0] <= time * unit < SINCE_1970[1] for time in given)
    if not since_1970 and not all("." in text for text in texts):
        return None
    notices.append(_taken("the names of the images", unit, given))
    return dict(zip(images, (time * unit for time in given), strict=True))


def _taken(what: str, unit: float, given: Sequence[float]) -> Notice:
    steps = np.diff(np.unique(given)) * unit
    rate = f", {1 / np.median(steps):.4g} images per second" if len(steps) else ""
    return Notice(About.GUESSED, "times", f"{what} are taken for times in {UNIT_NAMES[unit]}{rate}")
