"""What people see of a class of options: the parameters of a command line, and a table for documents."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from segprep.datasets.program.tables import Option, options_of
from segprep.datasets.program.values import choices_of, without_none

if TYPE_CHECKING:
    import typer

__all__ = ["LookUp", "help_text", "markdown_table", "parameters", "said_by"]

LookUp = Callable[["typer.Context"], Iterable[str]]
"""What completion offers where the program must look it up: gets the command line so far."""


def parameters(
    options: Iterable[Option], look_up: Mapping[str, LookUp] | None = None, also: str = ""
) -> list[inspect.Parameter]:
    """Return the parameters of a Typer command, all of them None where nothing was said.

    Lists, sizes and choices come as texts: `said_by` reads them.

    Args:
        options: For example `options_of(FlowArguments)`.
        look_up: For each word that `Option.values` may be, what it stands for.
        also: Put before each help text, for example "jet: ".
    """
    import typer

    found = []
    for each in options:
        hint = without_none(each.hint)
        kind = hint if hint in (bool, int, float) else float if hint == int | float else str
        bounds: dict[str, Any] = {}
        if each.accept is not None and kind in (int, float):
            bounds = {"min": each.accept.low, "max": each.accept.high}
        metavar = None if kind is bool else each.metavar or "|".join(choices_of(hint)) or None
        about = typer.Option(
            each.flags,
            metavar=metavar,
            help=f"{also}{help_text(each)}",
            show_default=False,
            rich_help_panel=each.panel,
            autocompletion=None if kind in (bool, int, float) else _completer(each, look_up or {}),
            **bounds,
        )
        annotation = Annotated[kind | None, about]  # type: ignore[valid-type]  # one of four types
        parameter = inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        found.append(parameter)
    return found


def said_by(options: Iterable[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a command line says of these options, as values of TOML; None says nothing."""
    return {each.name: each.said(given[each.name]) for each in options if given.get(each.name) is not None}


def help_text(option: Option) -> str:
    """Return the help of an option with its default."""
    default = f"Default: {option.default_text}." if option.default_text else ""
    return " ".join(filter(None, (option.help, default)))


def markdown_table(cls: type) -> str:
    """Return a table of a class of options, a row for each."""
    rows = ["| option | value | default | what it does |", "| --- | --- | --- | --- |"]
    for each in options_of(cls):
        flags = " ".join(f"`{flag}`" for flag in each.flags.split("/"))
        value = each.metavar or "|".join(choices_of(each.hint))
        cells = (flags, f"`{value}`" if value else "", each.default_text, each.help)
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _completer(option: Option, look_up: Mapping[str, LookUp]) -> Callable[..., list[str]] | None:
    import typer

    found: LookUp | None
    if callable(option.values):
        names = option.values
        found = lambda _: names()  # noqa: E731
    elif option.values is not None:
        found = look_up.get(option.values)
    else:
        choices = choices_of(option.hint)
        found = (lambda _: choices) if choices else None
    if found is None:
        return None
    offered = found

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return completed(offered(ctx), incomplete)

    return complete


def completed(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names that a text begins; after a comma the next one of a list begins."""
    before, comma, start = incomplete.rpartition(",")
    said: Sequence[str] = before.split(",") if comma else ()
    return [f"{before}{comma}{name}" for name in names if name.startswith(start) and name not in said]
