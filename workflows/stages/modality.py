"""What `prep modality` makes: one stage per modality, from its arguments."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.names import nearest_name
from segprep.datasets.program.parameters import help_text, said_by
from segprep.datasets.program.tables import Option, options_of
from segprep.datasets.sample import JsonDict
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._depth_input import FILLED
from segprep.prep.modalities._member import ModalityMember, Scene
from segprep.prep.step import Step
from segprep.workflows.ledger.table import Table

__all__ = [
    "declared_options",
    "foreign_option",
    "modality_command",
    "modality_of",
    "modality_options",
    "modality_steps",
    "share_options",
    "with_filled",
]

_PREFIX: Final = "modality "
_OF_THE_COMMAND: Final = ("depth", "fill")
"""Options that decide how the named modalities build on one another, see `share_options`."""


def modality_command(name: str) -> str:
    """Return the name of a modality's stage, which is how the command is typed: "modality hha"."""
    return _PREFIX + name


def modality_of(command: str) -> ModalityMember | None:
    """Return the modality that a stage is about; None for all other commands.

    Raises:
        UnknownNameError: If there is no such modality.
    """
    if not command.startswith(_PREFIX):
        return None
    member: ModalityMember = MODALITIES.load(command.removeprefix(_PREFIX))
    return member


def modality_steps(member: ModalityMember, table: Table, arguments: object) -> list[Step]:
    """Return the step of a modality.

    Raises:
        ConfigurationError: If an argument makes no sense.
    """
    scene = Scene(CATALOG.load(table.workspace.config.dataset).SPEC.depth_range, table.columns())
    return [member.build(arguments, scene)]


def with_filled(names: Iterable[str]) -> list[str]:
    """Return modalities and `depth_filled`, which `--fill` adds to any of them, the latter first."""
    return list(dict.fromkeys([FILLED, *names]))


def declared_options(name: str) -> tuple[Option, ...]:
    """Return the options that a modality declares.

    Raises:
        UnknownNameError: If there is no such modality.
        ConfigurationError: If it is another package's and cannot be imported, or declares none.
    """
    member = MODALITIES.load(name)
    if not hasattr(member, "Arguments"):
        raise ConfigurationError(
            f"the modality {name!r} ({member.__name__}) has no class Arguments: it is for another version of segprep"
        )
    return options_of(member.Arguments)


def modality_options(names: Iterable[str]) -> list[Option]:
    """Return the options of modalities, each once; the help says whose it is.

    Where two modalities declare an option differently, it is a text that each of them reads in its own way.

    Raises:
        UnknownNameError: If there is no such modality.
    """
    declared: dict[str, dict[str, Option]] = {}
    for name in names:
        for each in declared_options(name):
            declared.setdefault(each.name, {})[name] = each
    return [_merged(takers) for takers in declared.values()]


def share_options(names: list[str], options: Mapping[str, Any]) -> dict[str, JsonDict]:
    """Deal the options of one command out to the modalities that know them.

    With `fill` column `depth_filled` is made, too, and the others are made from it unless `depth` says otherwise.

    Args:
        names: Modalities.
        options: What was said: option name to a text of the command line, or a value of TOML.

    Returns:
        Name of each modality to its options as TOML has them, what the others build on first.

    Raises:
        ConfigurationError: If an option was said that none of them knows.
        UnknownNameError: If there is no such modality.
    """
    names = with_filled(names) if FILLED in names or "fill" in options else list(dict.fromkeys(names))
    knows = {name: declared_options(name) for name in names}
    for option in options:
        if not any(each.name == option for known in knows.values() for each in known):
            raise ConfigurationError(foreign_option(option, names) or _unknown_option(option, names))
    shared = {
        name: said_by(known, {each.name: options[each.name] for each in known if each.name in options})
        for name, known in knows.items()
    }
    if FILLED in shared and len(shared) > 1:
        shared[FILLED].pop("depth", None)  # says what the others are made from
        for name in set(names) - {FILLED}:
            if any(each.name == "depth" for each in knows[name]):
                shared[name].setdefault("depth", FILLED)
    return shared


def foreign_option(option: str, names: Iterable[str]) -> str | None:
    """Return a sentence that says whose option this is, none of the named modalities'; None if it is nobody's."""
    takers = []
    for name in MODALITIES.names():
        with suppress(ConfigurationError):  # a member that does not load is told where it is named
            takers += [name for each in declared_options(name) if each.name == option]
    flag = f"--{option.replace('_', '-')}"
    return f"{flag} is no option of {', '.join(names)}: it goes with {', '.join(takers)}" if takers else None


def _unknown_option(option: str, names: Iterable[str]) -> str:
    known = dict.fromkeys(each.name for name in with_filled(names) for each in declared_options(name))
    return f"--set has no key {option!r}. {nearest_name(option, known)}"


def _merged(takers: Mapping[str, Option]) -> Option:
    first = next(iter(takers.values()))
    texts: dict[str, list[str]] = {}
    for name, each in takers.items():
        texts.setdefault(help_text(each), []).append(name)
    about = " ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())
    if first.name in _OF_THE_COMMAND:
        about = help_text(first)
    alike = all(each.hint == first.hint and each.flags == first.flags for each in takers.values())
    return replace(first, help=about, unsaid="", hint=first.hint if alike else str)
