"""Typed tables: one dataclass declares the options of a part; command line, TOML, JSON and documents follow from it.

A part writes a frozen dataclass whose fields are `option(default, ...)`. `from_table` checks a table of TOML or JSON;
`segprep.datasets.json_values.as_json` writes one. Beside stand `values` (what an annotation accepts), `layers` (tables
laid over one another, with the origin of each value) and `parameters` (what a command line and the documents show).
"""

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, cast, get_type_hints

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import as_json
from segprep.datasets.names import nearest_name
from segprep.datasets.program.values import Accept, Misfit, phrase_of, read_text, typed_value, without_none

__all__ = [
    "Option",
    "Place",
    "check_accepted",
    "default_table",
    "from_table",
    "option",
    "options_of",
    "refuse_unknown",
]

T = TypeVar("T")
_KEY = "segprep.option"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a class of arguments.

    Attributes:
        name: Of the field, in TOML and JSON.
        hint: Its annotation.
        default: What holds where nobody says anything, as the field holds it.
        help: A sentence or two for people, without the default.
        metavar: What stands for the value; None for the choices of the type, or its name, "" for its name.
        accept: What the value must be beside its type.
        unsaid: What the help calls the default; None writes the value, "" omits the sentence.
        flag: How a command line calls it; None makes `--name`.
        read: Makes a value of TOML of a command line's text; None goes by the type.
        values: What completion offers: a function that returns names, or one word, such as "column", for what only the
            program can look up; None offers the choices of the type.
        panel: Heading in the help.
    """

    name: str = ""
    hint: Any = None
    default: Any = None
    help: str = ""
    metavar: str | None = None
    accept: Accept | None = None
    unsaid: str | None = None
    flag: str | None = None
    read: Callable[[str], Any] | None = None
    values: str | Callable[[], Iterable[str]] | None = None
    panel: str | None = None

    @property
    def flags(self) -> str:
        """What is typed, both ways of a switch: `--radius`, `--check/--no-check`."""
        if self.flag is not None:
            return self.flag
        dashed = self.name.replace("_", "-")
        return f"--{dashed}/--no-{dashed}" if without_none(self.hint) is bool else f"--{dashed}"

    @property
    def default_text(self) -> str:
        """What the help and the documents call the default; "" where there is nothing to say."""
        return self.value_text if self.unsaid is None else self.unsaid

    @property
    def value_text(self) -> str:
        """The default as people type it; "" where it is nothing."""
        if self.default is None or self.default is False or self.default in ("", (), {}):
            return ""
        if self.default is True:
            return self.name.replace("_", " ")
        value = as_json(self.default)
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)

    def checked(self, value: Any, place: "Place") -> Any:  # noqa: ANN401  (a value of TOML or JSON)
        """Return a value of the table at a place as the field holds it.

        Raises:
            ConfigurationError: If it is of another type or makes no sense.
        """
        nested = without_none(self.hint)
        if is_dataclass(nested) and isinstance(value, Mapping):
            return from_table(cast("type[Any]", nested), value, place.inside(self.name))
        try:
            found = typed_value(self.hint, value)
        except Misfit:
            raise ConfigurationError(f"{place.of(self)} must be {self._phrase}, not {value!r}") from None
        self.check_accepted(found, place.of(self), value)
        return found

    @property
    def _phrase(self) -> str:
        """What a value of another type is told: of lists what the option says, of single values the type."""
        single = without_none(self.hint) in (bool, int, float, int | float, str)
        return phrase_of(self.hint) if single or self.accept is None else self.accept.phrase

    def check_accepted(self, value: Any, what: str, written: Any) -> None:  # noqa: ANN401
        """Refuse a value of the right type that makes no sense.

        Args:
            value: As the field holds it.
            what: How the message calls it.
            written: How the message shows it.

        Raises:
            ConfigurationError: If the option does not accept it.
        """
        if self.accept is not None and value is not None and not self.accept.test(value):
            raise ConfigurationError(f"{what} must be {self.accept.phrase}, not {written!r}")

    def said(self, value: Any) -> Any:  # noqa: ANN401
        """Return the value of TOML that a command line means; texts are read, anything else is one already.

        Several texts are the parts of a table.
        """
        if isinstance(value, list):
            tables = [self.said(each) for each in value]
            fits = all(isinstance(each, dict) for each in tables)
            return {name: each for table in tables for name, each in table.items()} if fits else value
        if not isinstance(value, str):
            return value
        return read_text(self.hint, value) if self.read is None else self.read(value)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table stands, for messages.

    Attributes:
        origin: A file, or what else it is in.
        path: Names of the tables down to this one.
    """

    origin: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        keys = ".".join(key if _BARE_KEY.fullmatch(key) else f'"{key}"' for key in self.path)
        return f"{self.origin}: [{keys}]" if self.path else self.origin

    def of(self, option: Option) -> str:
        """Return the place of one value."""
        return f"{self} {option.name}" if self.path else f"{self.origin}: {option.name}"

    def holder(self, name: str) -> str:
        """Return what holds an entry that nobody knows."""
        del name
        return str(self)

    def inside(self, name: str) -> "Place":
        """Return the place of a table in this one."""
        return Place(self.origin, (*self.path, name))


def option(
    default: T,
    *,
    help: str = "",  # noqa: A002  (typer's word)
    metavar: str | None = None,
    accept: Accept | None = None,
    unsaid: str | None = None,
    flag: str | None = None,
    read: Callable[[str], Any] | None = None,
    values: str | Callable[[], Iterable[str]] | None = None,
    panel: str | None = None,
) -> T:
    """Declare a field of a class of arguments. See `Option` for what is said of it."""
    metadata = {_KEY: Option("", None, None, help, metavar, accept, unsaid, flag, read, values, panel)}
    if isinstance(default, dict):
        return cast("T", field(default_factory=lambda: dict(default), metadata=metadata))
    return field(default=default, metadata=metadata)


def options_of(cls: type) -> tuple[Option, ...]:
    """Return the options that a dataclass declares, in their order; a field without `option` has no help."""
    hints, found = get_type_hints(cls), []
    for each in fields(cls):
        default = each.default if each.default_factory is dataclasses.MISSING else each.default_factory()
        about: Option = each.metadata.get(_KEY, Option())
        found.append(dataclasses.replace(about, name=each.name, hint=hints[each.name], default=default))
    return tuple(found)


def check_accepted(arguments: object) -> None:
    """Refuse values that their options do not accept; for `__post_init__` of what people build by hand, too.

    Raises:
        ConfigurationError: With the name of the field.
    """
    for each in options_of(type(arguments)):
        value = getattr(arguments, each.name)
        each.check_accepted(value, each.name, as_json(value))


def default_table(cls: type) -> dict[str, Any]:
    """Return each option's default as TOML or JSON has it."""
    return {each.name: as_json(each.default) for each in options_of(cls)}


def from_table(
    cls: type[T],
    table: Mapping[str, Any],
    place: Place,
    *,
    known: Collection[str] = (),
    **given: Any,  # noqa: ANN401  (values of any field)
) -> T:
    """Build arguments from a table; what it leaves out has its default, and a field that is a dataclass is a table.

    Args:
        cls: A dataclass.
        table: As from TOML or JSON.
        place: For messages.
        known: Further names that the table may hold, for messages; they must have been taken out of it.
        given: Fields that are made already.

    Raises:
        ConfigurationError: If a name is unknown (names the nearest), a value is of the wrong type, or makes no sense.
    """
    options = {each.name: each for each in options_of(cls) if each.name not in given}
    refuse_unknown(table, options, place, [*known, *given])
    values = {name: options[name].checked(value, place) for name, value in table.items()}
    lacking = [n for n, each in options.items() if n not in values and each.default is dataclasses.MISSING]
    if lacking:
        raise ConfigurationError(f"{place}: {', '.join(lacking)} is missing")
    try:
        return cls(**values, **given)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from error


def refuse_unknown(
    table: Mapping[str, Any], known: Collection[str], place: Place, elsewhere: Collection[str] = ()
) -> None:
    """Refuse names of a table that are not known; the message offers those that are known elsewhere, too.

    Raises:
        ConfigurationError: With the nearest known name.
    """
    for name in table:
        if name not in known:
            raise ConfigurationError(
                f"{place.holder(name)} has no key {name!r}. {nearest_name(name, [*known, *elsewhere])}"
            )
