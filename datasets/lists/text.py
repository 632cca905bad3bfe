"""Lists of text: PARIS's .csv and SSMA's .txt. One sample per line; fields with separators stand in double quotes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from segprep.datasets.lists.entries import ListEntry, Problems, as_header, checked_columns, named_entry
from segprep.datasets.record import SampleRecord

__all__ = ["content_lines", "format_csv", "format_txt", "parse_csv", "parse_txt"]

_PARIS = ("image", "label")
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}

# The standard library's csv cannot tell a quoted blank from a blank after the comma, and counts lines by records.
_CSV_FIELD = re.compile(r'[ \t]*(?:"((?:[^"]|"")*)"|((?!")[^,]*?))[ \t]*(?:(,)|\Z)')
_TXT_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|((?!")[^ \t]+))(?:([ \t]+)|\Z)')
_BARE = re.compile(r'[^\s",#\ufeff](?:[^",\n\r]*[^\s",])?')  # needs no quotes
_ALTERNATIVES = re.compile(r"(?:^|[/, ])\[[^\]]*,[^\]]*\]/")  # PARIS's [a,b]/rest, which the comma would cut


def content_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and line, without blank lines and comments.

    Lines end as on Unix or Windows only: other characters that Unicode calls line breaks may stand in file names.
    """
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if line.strip(" \t") and not line.lstrip(" \t").startswith("#"):
            yield number, line


def parse_csv(path: Path, text: str, columns: Sequence[str] | None, problems: Problems) -> list[ListEntry]:
    """Read a .csv; a first line of column names is a header."""
    if _noted_separator(path, text, ",", problems):
        return []
    rows = _rows(path, text, _CSV_FIELD, problems)
    if not rows:
        return []
    place, first = rows[0]
    header = as_header(first)
    if header is None and _is_heading(rows):
        what = f"{place.removeprefix(str(path)).strip()} is no path of an image, and no header that is understood"
        remedy = f"name the columns in the first line, image among them, instead of {','.join(first)[:80]}"
        problems.add(str(path), f"{what}: {remedy}")
        return []
    if header is not None:
        names, rows = header, rows[1:]
    elif columns is not None:
        names = tuple(columns)
    elif len(first) <= len(_PARIS):
        names = _PARIS[: len(first)]
    else:
        problems.add(place, f"it has {len(first)} entries: name the columns in a first line such as image,label,depth")
        return []
    return _entries(place, rows, names, problems)


def parse_txt(path: Path, text: str, columns: Sequence[str] | None, problems: Problems) -> list[ListEntry]:
    """Read a .txt: image, further modalities, label."""
    if _noted_separator(path, text, " ", problems):
        return []
    rows = _rows(path, text, _TXT_FIELD, problems)
    if not rows:
        return []
    place, first = rows[0]
    if _is_heading(rows):
        problems.add(
            place, "it is no path of an image: lists in .txt have no header; take the line out, or save it as .csv"
        )
        return []
    between = [f"modality{i}" for i in range(2, len(first))]
    names = ("image", *between, *(["label"] if len(first) > 1 else [])) if columns is None else tuple(columns)
    return _entries(place, rows, names, problems)


def format_csv(records: Sequence[SampleRecord], columns: Sequence[str]) -> str:
    """Return the content of a .csv, with a header unless it is PARIS's pair.

    Raises:
        ValueError: If a name has a line break; names all of them.
    """
    rows = [[_value(record, name) for name in columns] for record in records]
    _refuse([v for row in rows for v in row if "\n" in v or "\r" in v], "hold line breaks", ".jsonl or .parquet")
    plain = tuple(columns) == _PARIS
    lines = [] if plain else [",".join(columns)]
    lines += [(", " if plain else ",").join(map(_quoted, row)) for row in rows]
    return "".join(f"{line}\n" for line in lines)


def format_txt(records: Sequence[SampleRecord], columns: Sequence[str]) -> str:
    """Return the content of a .txt: image first, label last.

    Raises:
        ValueError: If a name has blanks, a record lacks a column, or columns do not fit; names all of them.
    """
    if "label" not in columns and len(columns) > 1:
        raise ValueError("the last entry of a .txt list is the label: add column label, or write .csv or .jsonl")
    if {"key", "split"} & set(columns):
        raise ValueError("a .txt list has neither keys nor splits: write .csv or .jsonl")
    ordered = sorted(columns, key=lambda name: (name == "label") - (name == "image"))
    rows = [[_value(record, name) for name in ordered] for record in records]
    _refuse([str(r.key) for r, row in zip(records, rows, strict=True) if not all(row)], "lack a column", ".csv")
    awkward = [v for row in rows for v in row if re.search(r"\s", v) or v.startswith(('"', "#", "\ufeff"))]
    _refuse(awkward, 'hold blanks, or start with " or #', ".csv or .jsonl")
    return "".join(f"{' '.join(row)}\n" for row in rows)


def _rows(path: Path, text: str, field: re.Pattern[str], problems: Problems) -> list[tuple[str, list[str]]]:
    rows = []
    for number, line in content_lines(text):
        place = f"{path} line {number}"
        try:
            rows.append((place, _split(line.strip(" \t"), field)))
        except ValueError as error:
            problems.add(place, error)
    return rows


def _noted_separator(path: Path, text: str, own: str, problems: Problems) -> bool:
    """Note if the entries of the first line are separated by something else than they should be."""
    first = next(content_lines(text), None)
    if first is None or '"' in first[1]:
        return False
    number, line = first
    for separator, name in _SEPARATORS.items():
        parts = [part.strip() for part in line.split(separator) if part.strip()]
        if separator == own or own in "".join(parts) or separator not in line or (own == " " and separator == "\t"):
            continue
        if as_header(parts) is not None or all(PurePosixPath(part).suffix for part in parts):
            wanted = "commas" if own == "," else "blanks"
            problems.add(
                str(path), f"line {number} is separated by {name}, not by {wanted}: save the list with {wanted}"
            )
            return True
    return False


def _is_heading(rows: Sequence[tuple[str, list[str]]]) -> bool:
    """Whether the first line names no file, and the second one does."""
    if len(rows) < 2:
        return False
    (_, first), (_, second) = rows[:2]
    return not any(PurePosixPath(field).suffix for field in first) and any(PurePosixPath(f).suffix for f in second)


def _split(line: str, field: re.Pattern[str]) -> list[str]:
    if '"' not in line and _ALTERNATIVES.search(line):
        raise ValueError("alternatives such as [a,b]/ are not expanded: write the folder that is meant")
    fields: list[str] = []
    place = 0
    while (found := field.match(line, place)) is not None:
        quoted, bare, separator = found.groups()
        fields.append(bare if quoted is None else quoted.replace('""', '"'))
        place = found.end()
        if separator is None:
            return fields
    raise ValueError('a quote (") is not closed, or stands beside other text')


def _entries(
    first: str, rows: Iterable[tuple[str, list[str]]], names: tuple[str, ...], problems: Problems
) -> list[ListEntry]:
    try:
        checked_columns(names)
    except ValueError as error:
        problems.add(first, error)
        return []
    entries = []
    for place, fields in rows:
        if len(fields) != len(names):
            problems.add(place, f"it has {len(fields)} entries, not {len(names)} ({', '.join(names)})")
            continue
        try:
            entries.append(named_entry(place, dict(zip(names, fields, strict=True))))
        except ValueError as error:
            problems.add(place, error)
    return entries


def _value(record: SampleRecord, name: str) -> str:
    if name in ("key", "split"):
        return record.key if name == "key" else record.split
    return record.sources[name].path if name in record.sources else ""


def _quoted(text: str) -> str:
    if not text or _BARE.fullmatch(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _refuse(names: Sequence[str], what: str, other: str) -> None:
    if names:
        raise ValueError(f"{len(names)} names {what}; write {other}:\n  " + "\n  ".join(names))
