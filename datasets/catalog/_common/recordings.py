"""Recordings below a dataset's root: which there are, in which split each is, and in what order its frames come."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.notices import About, Notice

__all__ = ["SPLIT_LISTS", "assumed_rate", "find_recordings", "listed_splits", "natural_order"]

_SPLITS: Final = ("train", "val", "test")

SPLIT_LISTS: Final = """\
ROOT/train.txt, val.txt, test.txt   optional: names of recordings, one per line; those in none of them are in train"""
"""What `listed_splits` reads, as a text to show."""


def find_recordings(root: Path, is_recording: Callable[[Path], bool]) -> dict[str, Path]:
    """Return name to folder: the root itself, under the empty name, or else those of its folders that are recordings.

    Args:
        root: Of the dataset.
        is_recording: Looks at a folder.
    """
    if is_recording(root):
        return {"": root}
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")) if root.is_dir() else []
    return {folder.name: folder for folder in folders if is_recording(folder)}


def listed_splits(root: Path) -> dict[str, str]:
    """Return name of a recording to its split, from `SPLIT_LISTS`; names of what is not here do no harm.

    A name may be a path such as `2011_09_26/2011_09_26_drive_0001_sync`; its last part counts.

    Raises:
        UnreadableFileError: If a name stands in two lists, so that frames to learn from would also be judged.
    """
    found: dict[str, str] = {}
    for split in _SPLITS:
        for line in read_lines(root / f"{split}.txt") or ():
            name = line.text.rstrip("/").rpartition("/")[2]
            if found.setdefault(name, split) != split:
                raise line.unreadable(f"{name} is in {found[name]}.txt already: leave it in one of the two")
    return found


def assumed_rate(rate: float, lacking: str) -> Notice:
    """Return the notice of a frame rate that no file says.

    Args:
        rate: Frames per second.
        lacking: The file that would say the times; empty if the dataset's layout has none.
    """
    where = f"there is no {lacking}" if lacking else "no file says them"
    return Notice(About.GUESSED, "times", f"{where}: {rate:g} frames per second are taken")


def natural_order(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """Return a key that sorts 2 before 10, in names with any number of numbers."""
    return tuple((text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)), name
