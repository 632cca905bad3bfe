"""Reading dataclasses from JSON whose every entry is checked against its annotation."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from segprep.datasets.program.values import Misfit, phrase_of, typed_value

__all__ = ["typed_dataclass"]

_Made = TypeVar("_Made")


def typed_dataclass(cls: type[_Made], data: object, where: str = "") -> _Made:
    """Build a dataclass, and those inside it, from an object of JSON.

    An entry that is missing has its field's default, if there is one; entries that no field has are let pass.

    Args:
        cls: The dataclass.
        data: What `json_of` made of one.
        where: Name of the object, for messages.

    Raises:
        Misfit: If an entry is missing or of another type; says which, and what it must be.
    """
    if not isinstance(data, Mapping):
        raise Misfit(f"{where or 'it'} must be an object, not {data!r:.60}")
    hints = get_type_hints(cls)
    found = {}
    for each in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = f"{where}.{each.name}".lstrip(".")
        if each.name in data:
            found[each.name] = _value(hints[each.name], data[each.name], name)
        elif each.default is dataclasses.MISSING:
            raise Misfit(f"there is no entry {name}")
    return cls(**found)


def _value(hint: Any, value: object, where: str) -> Any:  # noqa: ANN401  (any annotation)
    if dataclasses.is_dataclass(hint):
        return typed_dataclass(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is Mapping and dataclasses.is_dataclass(inner := get_args(hint)[1]):
        objects = _value(dict[str, Any], value, where)
        return {name: _value(inner, each, f"{where}.{name}") for name, each in objects.items()}
    try:
        return typed_value(hint, value)
    except Misfit as misfit:
        raise Misfit(f"{where} must be {phrase_of(hint)}, not {value!r:.60}") from misfit
