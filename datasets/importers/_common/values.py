"""Values of JSON, XML and text that people and tools may have broken; what is wrong is said with its place."""

import math
from typing import Any, TypeVar

from segprep.datasets.json_values import is_number

__all__ = ["entry", "number", "point_list", "whole"]

T = TypeVar("T")
_NAMES = {str: "a text", list: "a list", dict: "an object", int: "a whole number"}


def entry(data: Any, name: str, kind: type[T]) -> T:  # noqa: ANN401  (whatever a file holds)
    """Return an entry of an object.

    Raises:
        ValueError: If it is no object, or the entry is missing or of another type.
    """
    if not isinstance(data, dict):
        raise ValueError(f"an object with {name!r} is needed, not {_short(data)}")
    value = data.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} must be {_NAMES.get(kind, kind.__name__)}, not {_short(value)}")
    return value


def number(value: Any) -> float:  # noqa: ANN401  (whatever a file holds)
    """Return a finite number, also one that stands as a text.

    Raises:
        ValueError: If it is none.
    """
    try:
        found = float(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not is_number(found) or not math.isfinite(found):
        raise ValueError(f"a number is needed, not {_short(value)}")
    return float(found)


def whole(value: Any) -> int:  # noqa: ANN401  (whatever a file holds)
    """Return a whole number, also one that stands as a text or as 3.0.

    Raises:
        ValueError: If it is none.
    """
    found = number(value)
    if not found.is_integer():
        raise ValueError(f"a whole number is needed, not {_short(value)}")
    return int(found)


def point_list(values: Any) -> list[tuple[float, float]]:  # noqa: ANN401  (whatever a file holds)
    """Return [[x, y], ...] as points.

    Raises:
        ValueError: If it is no such list.
    """
    if not isinstance(values, list) or not all(isinstance(v, list) and len(v) == 2 for v in values):
        raise ValueError(f"points must be [[x, y], ...], not {_short(values)}")
    return [(number(x), number(y)) for x, y in values]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
