"""What all formats of lists share: entries, what the column of a plain path holds, and what is wrong with lists."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from segprep.datasets.codes import (
    DisparityCode,
    IdCode,
    KittiFlowCode,
    PlainCode,
    RawLabelCode,
    SmsnetFlowCode,
    SourceCode,
)
from segprep.datasets.codes.depth_units import depth_unit
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, SampleKey

__all__ = ["FACTS", "ListEntry", "Problems", "as_header", "checked_columns", "named_entry", "plain_source"]

FACTS = tuple(name for name in SampleRecord.__dataclass_fields__ if name not in ("key", "split", "sources"))
"""What a record holds beside key, split and files; no columns may have these names."""

_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

_GREY = PlainCode(channels=())
_KNOWN: Mapping[str, tuple[Kind, SourceCode]] = MappingProxyType(
    {
        "image": (Kind.IMAGE, PlainCode()),
        "previous": (Kind.IMAGE, PlainCode()),
        "next": (Kind.IMAGE, PlainCode()),
        "label": (Kind.LABEL, RawLabelCode()),
        "instance": (Kind.INSTANCE, IdCode(bits=16)),
        "depth": depth_unit("mm"),
        "disparity": (Kind.DISPARITY, DisparityCode()),
        "nir": (Kind.NIR, _GREY),
        "thermal": (Kind.THERMAL, _GREY),
        "flow": (Kind.CODED, SmsnetFlowCode()),
        "optical_flow": (Kind.FLOW, KittiFlowCode()),
        "hha": (Kind.INDEX, PlainCode(channels=("disparity", "height", "angle"), masked=True)),
    }
)
_POINTS = '{"path": "a.bin", "kind": "points", "code": {"name": "velodyne", "transform": [16 numbers]}}'
_FOR_THE_EYE: tuple[Kind, SourceCode] = (Kind.CODED, PlainCode(masked=True, keep_invalid=True))


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One entry as a list has it.

    Attributes:
        place: File and line, for messages.
        record: Paths as they are written; key and split are empty.
        key: None if the list gives none.
        split: None if the list gives none.
    """

    place: str
    record: SampleRecord
    key: str | None = None
    split: str | None = None

    @property
    def image(self) -> str:
        """The path of its image."""
        return self.record.sources["image"].path


@dataclass(slots=True)
class Problems:
    """Collects what is wrong in lists, so that people see all of it at once."""

    lines: list[str] = field(default_factory=list)
    remedies: dict[str, None] = field(default_factory=dict)

    def add(self, place: str, what: object, remedy: str = "") -> None:
        """Note what is wrong where, and what to do about it."""
        self.lines.append(f"{place}: {what}")
        if remedy:
            self.remedies[remedy] = None

    def refuse(self) -> None:
        """Raise an error that lists everything, if there is anything.

        Raises:
            UnreadableFileError: With one line per problem.
        """
        if self.lines:
            text = "\n".join(["the lists cannot be used:", *(f"  {line}" for line in self.lines), *self.remedies])
            raise UnreadableFileError(text)


def plain_source(column: str, path: str) -> SourceFile:
    """Return a file of which only column and path are known."""
    kind, code = _plain(column)
    return SourceFile(path, kind, code)


@cache
def _plain(column: str) -> tuple[Kind, JsonDict]:
    kind, code = _KNOWN.get(column, _FOR_THE_EYE)
    return kind, code.to_json()


def as_header(fields: Sequence[str]) -> tuple[str, ...] | None:
    """Return the names if fields are a header: names of columns, image among them; known ones in any case."""
    known = {*_KNOWN, "key", "split"}
    names = tuple(name.lower() if name.lower() in known else name for name in fields)
    return names if "image" in names and all(_COLUMN_NAME.fullmatch(name) for name in names) else None


def checked_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names that columns (or key and split) can have.

    Raises:
        ValueError: If one is no name, stands twice or means something else, or there is no image.
    """
    for name in names:
        if name in FACTS or name == "codes":
            raise ValueError(f"{name} is no file: lists with it are .jsonl or .parquet")
        if not _COLUMN_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a column: take letters, digits and _")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"column {', '.join(twice)} stands twice")
    if "image" not in names:
        raise ValueError(f"there is no column image, only {', '.join(names) or 'none'}")
    return names


def named_entry(place: str, values: Mapping[str, str]) -> ListEntry:
    """Make an entry of plain texts by name; empty ones are what the list does not offer.

    Raises:
        ValueError: If there is no image, or there are points.
    """
    given = {name: value for name, value in values.items() if value}
    if "image" not in given:
        raise ValueError("it has no image")
    if "points" in given:
        raise ValueError(f"points need to say where the scanner was: list them in .jsonl as {_POINTS}")
    key, split = given.pop("key", None), given.pop("split", None)
    sources = {name: plain_source(name, path) for name, path in given.items()}
    return ListEntry(place, SampleRecord(SampleKey(""), "", sources), key, split)
