"""What the two command lines share: how they look, and the one place where errors become messages and exit codes."""

import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from segprep.datasets.errors import ExitCode, SegprepError
from segprep.datasets.machine import machine_error
from segprep.datasets.program.extras import optional_packages

__all__ = ["Directory", "JsonOutput", "group_commands", "new_app", "run_app"]

Directory = Annotated[
    Path,
    typer.Option("-C", "--workspace", metavar="DIR", help="The workspace; default: here or the nearest folder above."),
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def new_app(name: str, about: str, exit_codes: str) -> typer.Typer:
    """Make an app with the options that belong to the program and not to a command.

    Args:
        name: What users type.
        about: A sentence for `--help`.
        exit_codes: Another one.
    """
    app = typer.Typer(
        name=name,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(help=f"{about}\n\nExit codes: {exit_codes}")
    def program(
        version: Annotated[
            bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
        ] = False,
        debug: Annotated[
            bool, typer.Option("--debug", help="Show a traceback with every error; allowed anywhere.")
        ] = False,
    ) -> None:
        # --version acts by its callback; --debug is taken by `run_app` before Typer sees it.
        del version, debug

    return app


def group_commands(app: typer.Typer, groups: Mapping[str, Sequence[str]]) -> None:
    """Let `--help` show the commands of an app in groups, and in this order.

    Args:
        app: With all its commands.
        groups: Heading to the names of its commands; each command stands in one group.
    """
    commands = {
        command.name or getattr(command.callback, "__name__", ""): command for command in app.registered_commands
    }
    app.registered_commands = [commands.pop(name) for names in groups.values() for name in names]
    if commands:
        raise ValueError(f"{', '.join(commands)} stands in no group")
    headings = [heading for heading, names in groups.items() for _ in names]
    for heading, command in zip(headings, app.registered_commands, strict=True):
        command.rich_help_panel = heading


def run_app(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a Typer app and return the exit code that the design promises.

    An error of the user's or of the machine is one message on stderr; a bug is one line and how to see more. `--debug`
    anywhere on the command line shows the traceback of either.

    Args:
        app: The commands.
        name: What the program is called in messages.
        arguments: Instead of `sys.argv[1:]`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [a for a in given if a != "--debug"]
    try:
        with optional_packages(f"`{' '.join([name, *given[:1]])}`"):
            app(args=given, prog_name=name)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SegprepError as error:
        if debug:
            traceback.print_exc()
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201  (the funnel)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  (the funnel: whatever is left is a bug of ours)
        if debug:
            traceback.print_exc()
        failed = machine_error(error)
        if failed is not None:
            print(f"{name}: {failed}", file=sys.stderr)  # noqa: T201
            return failed.exit_code
        print(  # noqa: T201
            f"{name}: this is a bug: {type(error).__name__}: {error}\n"
            "Run again with --debug to see where, and report it.",
            file=sys.stderr,
        )
        return ExitCode.BUG
    return ExitCode.DONE


def _show_version(wanted: bool) -> None:
    """Print the version and leave, if wanted: callback of `--version`."""
    if wanted:
        typer.echo(version("segprep"))
        raise typer.Exit
