"""Files of a folder by their stems."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

__all__ = ["PICTURES", "files_by_stem"]

PICTURES = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")
"""Suffixes of the files that images and labels are."""


def files_by_stem(folder: Path, suffixes: Sequence[str] = PICTURES) -> dict[str, str]:
    """Return stem to file name for the pictures of a folder; empty if there is no such folder.

    Stems are in Unicode's composed form: macOS writes accents apart from their letters, and an image and its label must
    still find each other.

    Raises:
        ValueError: If two files differ only in their suffix, so that a stem does not say which is meant.
    """
    if not folder.is_dir():
        return {}
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            stem = unicodedata.normalize("NFC", path.stem)
            if stem in found:
                raise ValueError(f"{folder} has both {found[stem]} and {path.name}: keep one of them")
            found[stem] = path.name
    return found
