"""Values of JSON: dataclasses as objects of their fields and back, and what counts as a number."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeGuard, TypeVar, Union, cast, get_args, get_origin, get_type_hints

__all__ = ["as_json", "finite_or_none", "is_number", "json_of", "of_json"]

T = TypeVar("T")
_Reader = Callable[[Any], Any]
_PLAIN = frozenset({NoneType, bool, float, int, str})  # most values; asked first, since records come by the 100,000


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number that a float can hold; true and false are none, although Python counts them so."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def finite_or_none(value: float) -> float | None:
    """Return a number, None for NaN and infinity: JSON has neither."""
    return value if math.isfinite(value) else None


def json_of(value: Any) -> dict[str, Any]:  # noqa: ANN401  (any dataclass)
    """Return a dataclass as an object with its fields, in their order.

    What they hold becomes what `as_json` says. So `to_json` of a class may be `return json_of(self)`.
    """
    return {each.name: as_json(getattr(value, each.name)) for each in fields(value)}


def as_json(value: Any) -> Any:  # noqa: ANN401  (any value)
    """Return a value as JSON and TOML have it.

    Enumerations become their values, tuples and arrays lists, paths texts, and dataclasses objects: those with a
    `to_json` what it returns, others as `json_of` says. Anything else stays as it is.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    if is_dataclass(value):
        return value.to_json() if hasattr(value, "to_json") else json_of(value)
    if hasattr(value, "tolist"):  # an array, or a number of NumPy
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: as_json(each) for name, each in value.items()}
    return str(value) if isinstance(value, Path) else value


def of_json(cls: type[T], data: Mapping[str, Any]) -> T:
    """Build a dataclass from what `json_of` returned, by the annotations of its fields; further keys are let pass.

    Understood are optional values, tuples of one type, mappings with names, enumerations, arrays, and dataclasses,
    by their `from_json` where they have one. Anything else is taken as it is.

    Raises:
        KeyError: If a field is missing.
        TypeError, ValueError: If a value is of another shape than its field.
    """
    return cls(**{name: read(data[name]) for name, read in _readers(cast("Any", cls))})


@lru_cache(maxsize=64)
def _readers(cls: type[Any]) -> tuple[tuple[str, _Reader], ...]:
    hints = get_type_hints(cls)
    return tuple((each.name, _reader(hints[each.name])) for each in fields(cls))


def _reader(hint: Any) -> _Reader:  # noqa: ANN401  (any annotation)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        known = [each for each in inner if each is not NoneType]
        return partial(_optional, _reader(known[0])) if len(known) == 1 else _as_it_is
    if origin is tuple and inner[1:] == (...,):
        return partial(_items, _reader(inner[0]))
    if origin in (dict, Mapping):
        read = _reader(inner[1])
        return _as_it_is if read is _as_it_is else partial(_named, read)
    if getattr(origin, "__name__", "") == "ndarray":
        import numpy as np  # slow to load, and most classes have no arrays

        return partial(np.array, dtype=get_args(inner[1])[0])
    if isinstance(hint, type):
        if hasattr(hint, "from_json"):
            from_json: _Reader = hint.from_json
            return from_json
        if is_dataclass(hint):
            return partial(of_json, hint)
        if issubclass(hint, Enum):
            return hint
    return _as_it_is


def _as_it_is(value: Any) -> Any:  # noqa: ANN401
    return value


def _optional(read: _Reader, value: Any) -> Any:  # noqa: ANN401
    return None if value is None else read(value)


def _items(read: _Reader, values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return tuple(map(read, values))


def _named(read: _Reader, values: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise TypeError(f"an object is needed, not {values!r}")
    return {name: read(each) for name, each in values.items()}
