"""What the annotation of a field accepts: values of TOML and JSON, and texts of a command line."""

import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from segprep.datasets.errors import ConfigurationError

__all__ = [
    "Accept",
    "Misfit",
    "above",
    "at_least",
    "choices_of",
    "finite",
    "parse_share",
    "parse_size",
    "phrase_of",
    "read_text",
    "typed_value",
    "within",
    "without_none",
]

_PHRASES: Final[Mapping[object, tuple[str, str]]] = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    Path: ("a path", "paths"),
}


class Misfit(Exception):  # noqa: N818  (never seen outside: callers say where the value stands)
    """A value is not of the type that was annotated."""


@dataclass(frozen=True, slots=True)
class Accept:
    """What a value must be, beside being of its type.

    Attributes:
        phrase: After "must be", for example "a number above 0"; for lists it also says what they hold.
        test: Gets the value as its field holds it, never None.
        low: Smallest value that a command line takes, for its help; None for none.
        high: Largest one.
    """

    phrase: str
    test: Callable[[Any], bool]
    low: float | None = None
    high: float | None = None


def finite(phrase: str = "a finite number") -> Accept:
    """Accept any number, or list of numbers, but infinity and NaN."""
    return Accept(phrase, lambda value: all(map(math.isfinite, value if isinstance(value, tuple) else (value,))))


def above(low: float, what: str = "a number") -> Accept:
    """Accept finite numbers above a bound."""
    return Accept(f"{what} above {low:g}", lambda value: low < value < math.inf)


def at_least(low: float, what: str = "a whole number") -> Accept:
    """Accept finite numbers from a bound on."""
    return Accept(f"{what} of at least {low:g}", lambda value: low <= value < math.inf, low)


def within(low: float, high: float, what: str = "a number", *, but: float | None = None) -> Accept:
    """Accept numbers between two bounds, both included, except for one."""
    phrase = f"{what} from {low:g} to {high:g}" + ("" if but is None else f" ({but:g} excluded)")
    return Accept(phrase, lambda value: low <= value <= high and value != but, low, high)


def typed_value(hint: Any, value: Any) -> Any:  # noqa: ANN401  (any annotation, any value of TOML or JSON)
    """Return a value as a field of this annotation holds it.

    TOML and JSON know no tuples and no enumerations, and let people write 1 for 1.0. `float` makes 1.0 of that;
    `int | float` keeps what was written. Of a union the first member that fits is taken.

    Raises:
        Misfit: If it is of another type.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for member in arguments:
            try:
                return typed_value(member, value)
            except Misfit:
                continue
        raise Misfit
    if hint is Any:
        return value
    if hint is types.NoneType:
        return _checked(value, value is None)
    if origin is Literal:
        return _checked(value, any(value == each and type(value) is type(each) for each in arguments))
    if origin is tuple:
        return _typed_tuple(arguments, value)
    if origin in (dict, Mapping):
        return {key: typed_value(arguments[1], each) for key, each in _checked(value, _is_table(value)).items()}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(_checked(value, value in [each.value for each in hint]))
    if hint is Path:
        return Path(_checked(value, isinstance(value, str | Path)))
    if hint is float and type(value) is int:
        return _checked(float(value), True) if abs(value) < 2**1000 else _checked(value, False)
    return _checked(value, type(value) is hint)


def read_text(hint: Any, text: str) -> Any:  # noqa: ANN401
    """Return what a text of a command line stands for: a number, a list with commas, pairs NAME=VALUE with commas.

    A text that is none of these stays as it is: `typed_value` refuses it.
    """
    hint = without_none(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for member in arguments:
            found = read_text(member, text)
            try:
                typed_value(member, found)
            except Misfit:
                continue
            return found
        return text
    if origin is Literal:
        return next((each for each in arguments if str(each) == text), text)
    if origin is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            return text
        kinds = [arguments[0]] * len(parts) if arguments[-1] is Ellipsis else arguments
        return [read_text(kind, part) for kind, part in zip(kinds, parts, strict=False)] + parts[len(kinds) :]
    if origin in (dict, Mapping):
        pairs = [part.partition("=") for part in text.split(",")]
        return {key.strip(): read_text(arguments[1], each.strip()) for key, _, each in pairs} if all(
            equals for _, equals, _ in pairs
        ) else text  # fmt: skip
    if hint is bool:
        return {"true": True, "false": False}.get(text, text)
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            return text
    return text


def parse_size(text: str | None) -> list[int] | None:
    """Return [width, height] for a text such as "768x384".

    Raises:
        ConfigurationError: If it is something else.
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise ConfigurationError(f"a size is WIDTHxHEIGHT, for example 768x384, not {text!r}")
    return [int(p) for p in parts]


def parse_share(text: str) -> float:
    """Return the share that a text such as "1%" or "0.01" means.

    Raises:
        ConfigurationError: If it is no number in 0..1 (0..100 %).
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigurationError(f"--max-bad takes a share such as 1% or 0.01, not {text!r}")
    return share


def phrase_of(hint: Any, several: bool = False) -> str:  # noqa: ANN401
    """Return what a value of this annotation is, such as "a number" or "a list of 2 whole numbers"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        phrases = [phrase_of(member, several) for member in arguments if member is not types.NoneType]
        if set(arguments) >= {int, float}:
            phrases.remove(_PHRASES[int][several])
        return " or ".join(phrases)
    if choices := choices_of(hint):
        return f"one of {', '.join(choices)}" if len(choices) > 2 else " or ".join(choices)
    if origin is tuple:
        inner = phrase_of(arguments[0], several=True) if len(set(arguments) - {Ellipsis}) == 1 else "values"
        return f"a list of {inner}" if arguments[-1] is Ellipsis else f"a list of {len(arguments)} {inner}"
    if origin in (dict, Mapping):
        return f"a table of {phrase_of(arguments[1], several=True)}"
    return _PHRASES[hint][several] if hint in _PHRASES else "tables" if several else "a table"


def choices_of(hint: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return the values that an annotation lists, as people type them: those of a Literal or of an enumeration."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return tuple(choice for member in arguments for choice in choices_of(member))
    if origin is Literal:
        return tuple(map(str, arguments))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(str(each.value) for each in hint)
    return ()


def without_none(hint: Any) -> Any:  # noqa: ANN401
    """Return `X` of `X | None`, and every other annotation as it is."""
    members = [member for member in get_args(hint) if member is not types.NoneType]
    if get_origin(hint) not in (Union, types.UnionType) or len(members) == len(get_args(hint)):
        return hint
    return Union[tuple(members)]  # noqa: UP007  (as many members as there are)


def _typed_tuple(arguments: Sequence[Any], value: Any) -> tuple[Any, ...]:  # noqa: ANN401
    _checked(value, isinstance(value, list | tuple))
    kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
    _checked(value, len(kinds) == len(value))
    return tuple(typed_value(kind, each) for kind, each in zip(kinds, value, strict=True))


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _checked(value: Any, fits: bool) -> Any:  # noqa: ANN401
    if not fits:
        raise Misfit
    return value
