"""JSON and TOML in files that programs and people may have broken. What is wrong is one kind of error: ValueError."""

import json
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from segprep.datasets.source_files import MAX_TEXT_BYTES, read_file

__all__ = ["MAX_DEPTH", "parse_json", "parse_toml", "read_json", "read_text", "read_toml", "utf8_text"]

MAX_DEPTH: Final = 64
"""Of lists and objects inside one another; no document of ours has ten."""

_MOST_SHOWN: Final = 40
_MOST_DIGITS: Final = 308
_LARGEST: Final = 10**_MOST_DIGITS  # a float can hold it


def read_json(path: Path, limit: int = MAX_TEXT_BYTES) -> Any:  # noqa: ANN401  (whatever the file holds)
    """Read a file of JSON as `parse_json` does.

    Args:
        path: The file.
        limit: Most bytes that it may have.

    Raises:
        OSError: As `read_file`.
        ValueError: As `parse_json`.
    """
    return parse_json(read_file(path, limit))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of TOML as `parse_toml` does.

    Raises:
        OSError: As `read_file`.
        ValueError: As `parse_toml`.
    """
    return parse_toml(read_text(path))


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark, with any line ends.

    Raises:
        OSError: As `read_file`.
        ValueError: If it is no text.
    """
    return utf8_text(read_file(path, MAX_TEXT_BYTES)).replace("\r\n", "\n").replace("\r", "\n")


def utf8_text(data: bytes) -> str:
    """Return bytes as text, without a byte order mark.

    Raises:
        ValueError: If they are no UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start}): save it as UTF-8") from error


def parse_json(data: bytes | str) -> Any:  # noqa: ANN401  (whatever it holds)
    """Return what JSON says.

    Raises:
        ValueError: If it is no UTF-8 or no JSON (NaN and Infinity are none); if a name stands twice in an object, a
            number is larger than a float can hold, a text holds the character NUL or half of a surrogate pair, or
            lists and objects are nested more than `MAX_DEPTH` deep.
    """
    text = utf8_text(data) if isinstance(data, bytes) else data
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_float=_finite, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _too_deep() from error
    _check(value)
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Return what TOML says.

    Raises:
        ValueError: If it is no TOML, or as `parse_json`. `inf` and `nan`, which are TOML, are let pass.
    """
    try:
        value = tomllib.loads(text, parse_float=_finite)
    except RecursionError as error:
        raise _too_deep() from error
    _check(value)
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:_MOST_SHOWN]!r} stands twice in an object")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value) and "inf" not in text:
        raise ValueError(f"{text[:_MOST_SHOWN]} is larger than any number that is read")
    return value


def _check(value: object, depth: int = 0) -> None:
    if depth >= MAX_DEPTH and isinstance(value, dict | list):
        raise _too_deep()
    if isinstance(value, dict):
        for name, each in value.items():
            _check_text(name)
            _check(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check(each, depth + 1)
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"a whole number has more digits than the {_MOST_DIGITS} that are read")


def _check_text(text: str) -> None:
    if text.isprintable() and text.isascii():
        return
    if "\0" in text:
        raise ValueError(f"the text {text[:_MOST_SHOWN]!r} holds the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the text {text[:_MOST_SHOWN]!r} holds half of a surrogate pair") from error


def _too_deep() -> ValueError:
    return ValueError(f"it is nested too deeply: more than {MAX_DEPTH} lists and objects inside one another")
