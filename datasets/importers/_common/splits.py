"""Which split a path belongs to, by the words in it."""

import re
from pathlib import PurePosixPath
from typing import Final

__all__ = ["split_of", "split_of_folder"]

_WORDS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_of(name: str, usual: str = "train") -> str:
    """Return the split that a path's last part names, or a folder of it: "instances_val2017.json" is of val."""
    for part in reversed(PurePosixPath(name).parts):
        for word in re.findall(r"[a-z]+", part.lower()):
            if word in _WORDS:
                return _WORDS[word]
    return usual


def split_of_folder(name: str, usual: str = "train") -> str:
    """Return the split that a folder of a path names; the file's own name says nothing."""
    return split_of(PurePosixPath(name).parent.as_posix(), usual)
