"""Keys for the entries of lists, and what stands twice."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from segprep.datasets.lists.entries import ListEntry, Problems
from segprep.datasets.sample import SampleKey, make_key

__all__ = ["check_split", "entry_keys", "refuse_repeated"]

_KEY = re.compile(r"(?!\.)(?:[A-Za-z0-9._-]|%[0-9A-F]{2}){1,200}")
_NO_SPLITS = (".", "..", "shards", "runs", "show")  # folders of a workspace


def entry_keys(entries: Sequence[ListEntry], problems: Problems) -> list[SampleKey]:
    """Return the key of each entry, "" for one of which none can be made.

    It is the entry's own; else the name of its image, without folder and suffix, if that is unique over all entries
    (case does not count); else the path of its image without suffix.
    """
    short = [_key(entry, entry.key or PurePosixPath(entry.image).stem, problems) for entry in entries]
    uses = Counter(key.casefold() for key in short)
    keys = []
    for entry, key in zip(entries, short, strict=True):
        unique = entry.key is not None or uses[key.casefold()] == 1 or not key
        keys.append(key if unique else _key(entry, PurePosixPath(entry.image).with_suffix("").as_posix(), problems))
    return keys


def refuse_repeated(entries: Sequence[ListEntry], keys: Sequence[SampleKey], problems: Problems) -> None:
    """Note images that are listed twice and keys that several images would have."""
    by_image: dict[str, list[str]] = {}
    by_key: dict[str, dict[str, str]] = {}  # image to place
    spelled: dict[str, SampleKey] = {}
    for entry, key in zip(entries, keys, strict=True):
        by_image.setdefault(entry.image, []).append(entry.place)
        if key:
            by_key.setdefault(spelled.setdefault(key.casefold(), key), {})[entry.image] = entry.place
    _note(by_image, "{} is listed more than once", "An image stands in the lists once, in one split", problems)
    keyed = {key: list(images.values()) for key, images in by_key.items()}
    _note(keyed, "key {} is not unique (case does not count)", "Give each sample a key of its own", problems)


def check_split(place: str, split: str, problems: Problems) -> None:
    """Note a split that cannot be the name of a folder in a workspace."""
    if split.startswith(".") or split in _NO_SPLITS or re.search(r'[/\\:*?"<>|\x00-\x1f]', split):
        problems.add(place, f"{split!r} cannot be a split, because it cannot be a folder's name in a workspace")


def _key(entry: ListEntry, name: str, problems: Problems) -> SampleKey:
    if entry.key is not None and _KEY.fullmatch(name):
        return SampleKey(name)
    try:
        return make_key(unicodedata.normalize("NFC", name))
    except ValueError as error:
        problems.add(entry.place, error)
        return SampleKey("")


def _note(places: Mapping[str, Sequence[str]], what: str, remedy: str, problems: Problems) -> None:
    for name, found in places.items():
        if len(found) > 1:
            problems.add(", ".join(found), what.format(name), remedy)
