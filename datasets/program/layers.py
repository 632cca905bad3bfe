"""Tables laid over one another: a command line, the last run, a file, the defaults; and where each value came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from segprep.datasets.documents import parse_toml
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import Option, Place, default_table, options_of, refuse_unknown

__all__ = ["COMMAND_LINE", "Layer", "Overlaid", "Settled", "parse_setting", "settled"]

T = TypeVar("T")


class _CommandLine(Place):
    __slots__ = ()

    def of(self, option: Option) -> str:
        return option.flags.partition("/")[0]


COMMAND_LINE = _CommandLine("--set")
"""The place of what was typed: values are called by their flags, and unknown names can come by `--set` only."""


@dataclass(frozen=True, slots=True)
class Overlaid(Place):
    """The place of tables over which a command line was laid: what was typed is called as it was typed.

    Attributes:
        said: What the command line says of this table.
    """

    said: Mapping[str, Any] = field(default_factory=dict)

    def of(self, option: Option) -> str:
        """Return the place of one value."""
        if option.name not in self.said:
            return Place.of(self, option)
        return option.flag or f"--set {'.'.join((*self.path, option.name))}"

    def holder(self, name: str) -> str:
        """Return what holds an entry that nobody knows."""
        return str(Place("the command line", self.path) if name in self.said else self)

    def inside(self, name: str) -> "Overlaid":
        """Return the place of a table in this one."""
        said = self.said.get(name)
        return Overlaid(self.origin, (*self.path, name), said if isinstance(said, Mapping) else {})


@dataclass(frozen=True, slots=True)
class Layer:
    """A table that says some of the arguments.

    Attributes:
        origin: What people call it, for example "command line" or "prep.toml".
        values: Names and values as in TOML.
        place: For messages.
        strict: Whether a name that nobody knows is an error, and each value is checked, also where another layer wins.
    """

    origin: str
    values: Mapping[str, Any]
    place: Place
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Settled(Generic[T]):
    """Arguments, and where each value came from.

    Attributes:
        arguments: As the part takes them.
        values: The same as they were written, for JSON.
        origins: Of each value.
    """

    arguments: T
    values: dict[str, Any]
    origins: dict[str, str]


def settled(cls: type[T], layers: Sequence[Layer]) -> Settled[T]:
    """Lay tables over one another: the first layer that says an argument decides, and the default where none does.

    The class may have two attributes of its own: `alternatives`, groups of options that exclude each other, where
    saying one of a group takes back what later layers say of the other groups; and `details`, option to those that only
    say more about it, which a new choice of the option takes back.

    Args:
        cls: A dataclass of options.
        layers: The strongest first.

    Raises:
        ConfigurationError: If a name is unknown, a value makes no sense, or one layer says two alternatives.
    """
    options = {each.name: each for each in options_of(cls)}
    for layer in layers:
        if layer.strict:
            refuse_unknown(layer.values, options, layer.place)
            for name, value in layer.values.items():
                options[name].checked(value, layer.place)
    every = [*layers, Layer("default", default_table(cls), Place("the defaults"))]
    chosen = {name: next(layer for layer in every if name in layer.values) for name in options}
    for choice, details in getattr(cls, "details", {}).items():
        for name in details:
            if every.index(chosen[name]) > every.index(chosen[choice]):
                chosen[name] = every[-1]
    values = {name: layer.values[name] for name, layer in chosen.items()}
    origins = {name: layer.origin for name, layer in chosen.items()}
    for name, layer in _taken_back(cls, every).items():
        values[name], origins[name] = None, layer.origin
    typed = {name: each.checked(values[name], chosen[name].place) for name, each in options.items()}
    return Settled(cls(**typed), values, origins)


def parse_setting(text: str, example: str) -> dict[str, Any]:
    """Parse `key=value`, or `table.key=value`, as TOML does; a value that is no TOML is text and needs no quotes.

    Args:
        text: What was typed.
        example: For messages, such as "optimizer.clip_norm=1".

    Raises:
        ConfigurationError: If there is no `=`, or no name before it.
    """
    key, equals, value = text.partition("=")
    quoted = "'''" + value + "'''"
    for written in (value, quoted) if equals else ():
        try:
            return parse_toml(f"{key} = {written}")
        except ValueError:  # no TOML, or a number of more digits than Python reads
            continue
    raise ConfigurationError(f"--set {text}: write KEY=VALUE, for example --set {example}")


def _taken_back(cls: type, layers: Sequence[Layer]) -> dict[str, Layer]:
    """Return the options that a stronger alternative takes back, and the layer that says it."""
    groups: Sequence[Sequence[str]] = getattr(cls, "alternatives", ())
    for layer in layers:
        said = [[name for name in group if layer.values.get(name) is not None] for group in groups]
        if sum(map(bool, said)) > 1:
            names = " and ".join(name for group in said for name in group)
            raise ConfigurationError(f"{names} exclude each other ({layer.origin})")
        if any(said):
            return {n: layer for group, here in zip(groups, said, strict=True) if not here for n in group}
    return {}
