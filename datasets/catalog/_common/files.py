"""Files of a folder by their stems, and what else lies there."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from segprep.datasets.imageio import FOREIGN_SUFFIXES
from segprep.datasets.notices import About, Notice
from segprep.datasets.sample import make_key

__all__ = ["PICTURES", "files_by_stem", "numbered_files", "what_lies_in"]

PICTURES = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")
"""Suffixes of the files that images and labels are."""


def files_by_stem(
    folder: Path, suffixes: Sequence[str] = PICTURES, notices: list[Notice] | None = None
) -> dict[str, str]:
    """Return stem to file name for the pictures of a folder; empty if there is no such folder.

    Stems are in Unicode's composed form: macOS writes accents apart from their letters, and an image and its label must
    still find each other. A picture of a format that is not read counts where no other one has its stem: its sample
    fails by name, with the reason, instead of being overlooked.

    Args:
        folder: Looked through, not what is below it.
        suffixes: Of the files, in small letters.
        notices: Where it is told which files are left out because no key can be made from their names.

    Raises:
        ValueError: If two files differ only in their suffix, so that a stem does not say which is meant.
    """
    if not folder.is_dir():
        return {}
    found: dict[str, str] = {}
    foreign: dict[str, str] = {}
    left_out: list[str] = []
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        is_foreign = suffix in FOREIGN_SUFFIXES and suffix not in suffixes and PICTURES[0] in suffixes
        if path.name.startswith(".") or not (suffix in suffixes or is_foreign):
            continue
        stem = unicodedata.normalize("NFC", path.stem)
        refusal = _refusal(stem)
        if refusal:
            left_out.append(refusal)
        elif is_foreign:
            foreign.setdefault(stem, path.name)
        elif stem in found:
            raise ValueError(f"{folder} has both {found[stem]} and {path.name}: keep one of them")
        else:
            found[stem] = path.name
    if left_out and notices is not None:
        text = f"{len(left_out)} files of {folder} are left out; the first: {left_out[0]}"
        notices.append(Notice(About.SUSPECT, folder.name, text))
    return dict(sorted((foreign | found).items())) if foreign else found


def numbered_files(folder: Path, notices: list[Notice]) -> dict[str, str]:
    """Return stem to file name for the pictures of a folder whose names are frame numbers.

    Args:
        folder: See `files_by_stem`.
        notices: Where it is told which pictures beside them are left out.

    Raises:
        ValueError: As `files_by_stem`.
    """
    files = files_by_stem(folder, notices=notices)
    numbered = {stem: name for stem, name in files.items() if stem.isdecimal()}
    strangers = [name for stem, name in files.items() if stem not in numbered]
    if numbered and strangers:
        text = f"{len(strangers)} files of {folder} are left out: their names are no frame numbers"
        notices.append(Notice(About.SUSPECT, "image", f"{text}; the first is {strangers[0]!r}"))
    return numbered


def what_lies_in(folder: Path, suffixes: Sequence[str] = PICTURES) -> str:
    """Say why nothing was found in a folder, as a sentence to put behind an error."""
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = sorted(path.name for path in folder.iterdir() if not path.is_dir() and not path.name.startswith("."))
    if not names:
        return f"{folder} holds no files"
    usable = [name for name in names if Path(name).suffix.lower() in suffixes]
    refusal = next(filter(None, (_refusal(Path(name).stem) for name in usable)), None)
    if refusal:
        return f"{folder} holds {len(names)} files, but {refusal}"
    if usable:
        return f"{folder} holds {len(names)} files, and the name of none of them fits: the first is {usable[0]!r}"
    return f"{folder} holds {len(names)} files, such as {names[0]!r}, none of which ends in {', '.join(suffixes)}"


def _refusal(stem: str) -> str | None:
    """Return why there can be no sample of a name; None if there can."""
    try:
        make_key(stem)
    except UnicodeEncodeError:
        return f"the name {stem!r} is no Unicode: rename it"
    except ValueError as error:
        return str(error)
    return None
