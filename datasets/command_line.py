"""What the two command lines share: one place where errors become messages and exit codes."""

import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

import typer

from segprep.datasets.errors import ExitCode, SegprepError

__all__ = ["run_app", "show_version"]


def run_app(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a Typer app and return the exit code that the design promises.

    An error of the user's is one message on stderr; a bug is one line and how to see more. `--debug` anywhere on the
    command line shows the traceback of either.

    Args:
        app: The commands.
        name: What the program is called in messages.
        arguments: Instead of `sys.argv[1:]`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [a for a in given if a != "--debug"]
    try:
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
        print(  # noqa: T201
            f"{name}: this is a bug: {type(error).__name__}: {error}\n"
            "Run again with --debug to see where, and report it.",
            file=sys.stderr,
        )
        return ExitCode.BUG
    return ExitCode.DONE


def show_version(wanted: bool) -> None:
    """Print the version and leave, if wanted: callback of `--version`."""
    if wanted:
        typer.echo(version("segprep"))
        raise typer.Exit
