"""What people see of a class of options: the parameters of a command line, and a table for documents."""

import html
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin

from segprep.datasets.program.tables import Option, options_of
from segprep.datasets.program.values import choices_of, without_none

if TYPE_CHECKING:
    import typer

__all__ = ["LookUp", "completed", "help_text", "markdown_table", "offer", "parameters", "said_by"]

LookUp = Callable[["typer.Context"], Iterable[str]]
"""What completion offers where the program must look it up: gets the command line so far."""


def parameters(options: Iterable[Option], look_up: Mapping[str, LookUp] | None = None) -> list[inspect.Parameter]:
    """Return the parameters of a Typer command, all of them None where nothing was said.

    Lists, sizes and choices come as texts, tables as a text for each pair: `said_by` reads them.

    Args:
        options: For example `options_of(FlowArguments)`.
        look_up: For each word that `Option.values` may be, what it stands for.
    """
    import typer

    found = []
    for each in options:
        hint = without_none(each.hint)
        kind = hint if hint in (bool, int, float, Path) else float if hint == int | float else str
        if get_origin(hint) in (dict, Mapping):
            kind = list[str]
        bounds: dict[str, Any] = {}
        if each.accept is not None and kind is int:
            bounds = {"min": each.accept.low, "max": each.accept.high}
        metavar = "|".join(choices_of(hint)) if each.metavar is None else each.metavar
        about = typer.Option(
            each.flags,
            metavar=None if kind is bool else metavar or None,
            help=help_text(each),
            show_default=False,
            rich_help_panel=each.panel,
            autocompletion=None if kind in (bool, int, float, Path) else _completer(each, look_up or {}),
            **bounds,
        )
        annotation = Annotated[kind | None, about]  # type: ignore[valid-type]  # one of six types
        parameter = inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        found.append(parameter)
    return found


def said_by(options: Iterable[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a command line says, as values of TOML: texts are read, None says nothing, unknown names stay."""
    known = {each.name: each for each in options}
    said = {name: value for name, value in given.items() if value is not None}
    return {name: known[name].said(value) if name in known else value for name, value in said.items()}


def help_text(option: Option) -> str:
    """Return the help of an option with its default."""
    default = f"Default: {option.default_text}." if option.default_text else ""
    return " ".join(filter(None, (option.help, default)))


def markdown_table(cls: type, table: str | None = None) -> str:
    """Return a table of a class of options, a row for each that has a help text.

    Args:
        cls: For example `FlowArguments`.
        table: Of which table of a file they are the entries; "" for its top. Rows then begin with the key, and with
            the flag only where the option names one. None for options that all have flags.
    """
    rows = ["| option | value | default | what it does |", "| --- | --- | --- | --- |"]
    for each in options_of(cls):
        if not each.help:
            continue
        value = each.metavar or "|".join(choices_of(each.hint))
        default, about = each.default_text or each.value_text, each.help[:1].upper() + each.help[1:]
        names = each.flags.split("/")
        if table is not None:
            names = [f"{table}.{each.name}".lstrip("."), *filter(None, [each.flag])]
            default, about = str(each.default).lower() if isinstance(each.default, bool) else default, each.help
        codes = (" ".join(_code(text) for text in texts if text) for texts in (names, [value]))
        rows.append(
            "| " + " | ".join([*codes, *(re.sub(r"([|*])", r"\\\1", text) for text in (default, about))]) + " |"
        )
    return "\n".join(rows) + "\n"


def _code(text: str) -> str:
    r"""Return code in a cell of a table: between backquotes the site would show the backslash of `a\|b`."""
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def offer(look_up: LookUp) -> Callable[..., list[str]]:
    """Return what Typer calls to complete a value, or the last one of a list with commas."""
    import typer

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return completed(look_up(ctx), incomplete)

    return complete


def completed(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names that a text begins; after a comma the next one of a list begins."""
    before, comma, start = incomplete.rpartition(",")
    said: Sequence[str] = before.split(",") if comma else ()
    return [f"{before}{comma}{name}" for name in names if name.startswith(start) and name not in said]


def _completer(option: Option, look_up: Mapping[str, LookUp]) -> Callable[..., list[str]] | None:
    if callable(option.values):
        names = option.values
        return offer(lambda _: names())
    if option.values is not None:
        return offer(look_up[option.values]) if option.values in look_up else None
    choices = choices_of(option.hint)
    return offer(lambda _: choices) if choices else None
