"""Lists of objects: .jsonl, and the same fields as the columns of a .parquet. They hold whole records."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from segprep.datasets.codes import source_code_from_json
from segprep.datasets.documents import parse_json
from segprep.datasets.json_values import is_number
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.entries import FACTS, ListEntry, Problems, checked_columns, plain_source
from segprep.datasets.lists.text import content_lines
from segprep.datasets.program.extras import optional_packages
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, Pose
from segprep.datasets.source_files import MAX_BYTES, size_text

__all__ = ["format_jsonl", "format_parquet", "parse_jsonl", "parse_parquet"]

_NESTED = ("camera", "pose", "neighbour", "codes")  # JSON text in a .parquet
_PARQUET = ("a list in .parquet", ", or use .jsonl")
_ROWS_AT_ONCE = 1000
_MOST_FRAMES = 10**18
_LONGEST_SIDE = 2**20
_NUMBERS = {"frame": "int64", "time": "float64"}


def parse_jsonl(path: Path, text: str, problems: Problems) -> list[ListEntry]:
    """Read a .jsonl: one object per line."""
    entries = []
    for number, line in content_lines(text):
        place = f"{path} line {number}"
        try:
            entries.append(_entry(place, parse_json(line)))
        except ValueError as error:
            problems.add(place, error)
    return entries


def format_jsonl(records: Sequence[SampleRecord], ids: Mapping[str, str]) -> str:
    """Return the content of a .jsonl that gives equal records back; `ids` says what those of label columns are."""
    return "".join(json.dumps(_object(record, ids), ensure_ascii=False) + "\n" for record in records)


def parse_parquet(path: Path, data: bytes, problems: Problems) -> list[ListEntry]:
    """Read a .parquet: one entry per row.

    Raises:
        ConfigurationError: If pyarrow is not installed.
    """
    with optional_packages(*_PARQUET):
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

    try:
        rows, size = [], 0
        for batch in ParquetFile(io.BytesIO(data)).iter_batches(_ROWS_AT_ONCE):
            size += batch.nbytes
            if size > MAX_BYTES:
                raise ValueError(f"its texts are more than the {size_text(MAX_BYTES)} that are read")
            rows += batch.to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        problems.add(str(path), f"it is no readable Parquet file ({error})")
        return []
    entries = []
    for number, row in enumerate(rows, 1):
        place = f"{path} row {number}"
        try:
            entries.append(_entry(place, _from_row(row)))
        except ValueError as error:
            problems.add(place, error)
    return entries


def format_parquet(records: Sequence[SampleRecord], ids: Mapping[str, str]) -> bytes:
    """Return the content of a .parquet that gives equal records back; kinds, codes and ids stand in column `codes`.

    Raises:
        ConfigurationError: If pyarrow is not installed.
    """
    with optional_packages(*_PARQUET):
        import pyarrow
        from pyarrow.parquet import write_table

    rows = [_to_row(_object(record, ids)) for record in records]
    names = dict.fromkeys(["key", "split", *(name for row in rows for name in row)])
    columns = {
        name: pyarrow.array([row.get(name) for row in rows], getattr(pyarrow, _NUMBERS.get(name, "string"))())
        for name in names
    }
    file = io.BytesIO()
    write_table(pyarrow.table(columns), file)
    return file.getvalue()


def _object(record: SampleRecord, ids: Mapping[str, str]) -> JsonDict:
    data = record.to_json()
    sources: JsonDict = data.pop("sources")
    for name in ids.keys() & sources.keys():
        sources[name] |= {"ids": ids[name]}
    head = {"key": data.pop("key"), "split": data.pop("split")}
    return head | sources | {name: value for name, value in data.items() if value is not None}


def _to_row(data: JsonDict) -> JsonDict:
    codes = {name: value for name, value in data.items() if name not in FACTS and isinstance(value, dict)}
    row = data | {name: value["path"] for name, value in codes.items()}
    row["codes"] = {name: {k: v for k, v in value.items() if k != "path"} for name, value in codes.items()}
    return {name: json.dumps(value) if name in _NESTED else value for name, value in row.items()}


def _from_row(row: Mapping[str, Any]) -> JsonDict:
    # Tables that went through pandas have NaN where nothing is, and whole numbers as floats.
    data = {n: v for n, v in row.items() if v is not None and not (isinstance(v, float) and math.isnan(v))}
    for name in _NESTED:
        if name in data:
            if not isinstance(data[name], str):
                raise ValueError(f"{name} must be JSON text, not {data[name]!r}")
            data[name] = parse_json(data[name])
    if isinstance(data.get("frame"), float) and data["frame"].is_integer():
        data["frame"] = int(data["frame"])
    codes = data.pop("codes", {})
    if not isinstance(codes, dict) or not all(isinstance(code, dict) for code in codes.values()):
        raise ValueError(f"codes must be an object of objects with kind and code, not {codes!r}")
    return data | {name: {"path": data[name]} | code for name, code in codes.items() if name in data}


def _entry(place: str, data: object) -> ListEntry:
    if not isinstance(data, dict):
        raise ValueError(f"it holds {type(data).__name__}, not an object such as {{'image': 'a.png'}}")
    given = {name: value for name, value in data.items() if value is not None}
    key, split = _text(given, "key"), _text(given, "split")
    columns = checked_columns(tuple(name for name in given if name not in FACTS and name not in ("key", "split")))
    sources = {name: _source(name, given[name]) for name in columns}
    facts = _checked_facts(given)
    try:
        record = SampleRecord.from_json({"key": "", "split": "", "sources": {}} | facts)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"camera, pose or neighbour is not readable: {error!r}") from error
    if record.camera is not None:
        _check_size(given["camera"])
    return ListEntry(place, replace(record, sources=sources), key, split)


def _source(name: str, value: object) -> SourceFile:
    if isinstance(value, str) and value:
        return plain_source(name, value)
    if not isinstance(value, dict) or not isinstance(value.get("path"), str) or not value["path"]:
        raise ValueError(f"{name} must be a path, or an object with path, kind and code, not {value!r}")
    strangers = sorted(set(value) - {"path", "kind", "code", "ids"})
    if strangers:
        raise ValueError(f"{name} has unknown entries {', '.join(strangers)}")
    plain = plain_source(name, value["path"])
    code = value.get("code", plain.code)
    if not isinstance(code, dict):
        raise ValueError(f"the code of {name} must be an object, not {code!r}")
    return SourceFile(plain.path, Kind(value.get("kind", plain.kind)), _canonical(json.dumps(code, sort_keys=True)))


@lru_cache(maxsize=64)
def _canonical(code: str) -> JsonDict:
    """Return a code with all its parameters, so that files of one code compare equal."""
    return source_code_from_json(json.loads(code)).to_json()


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"{name} must be a text, not {value!r}")
    return value


def _checked_facts(data: Mapping[str, Any]) -> JsonDict:
    facts = {name: data.get(name) for name in FACTS}
    _text(facts, "sequence")
    if facts["frame"] is not None and not _is_frame(facts["frame"]):
        raise ValueError(f"frame must be a whole number, not {facts['frame']!r}; it may have 18 digits")
    if facts["time"] is not None and not is_number(facts["time"]):
        raise ValueError(f"time must be a number of seconds, not {facts['time']!r}")
    near = facts["neighbour"]
    if near is None:
        return facts
    if not isinstance(near, dict) or not _is_frame(near.get("frame")) or not is_number(near.get("time_difference")):
        raise ValueError(f"neighbour needs direction, a whole frame and time_difference in seconds, not {near!r}")
    if near.get("motion") is not None:
        Pose(near["motion"])
    return facts | {"neighbour": {"motion": None} | near}


def _is_frame(value: object) -> bool:
    return type(value) is int and abs(value) < _MOST_FRAMES


def _check_size(camera: JsonDict) -> None:
    for name in ("width", "height"):
        side = camera[name]
        if type(side) is not int or not 0 < side <= _LONGEST_SIDE:
            raise ValueError(f"the {name} of a camera must be a whole number of pixels above 0, not {side!r}")
