"""Each run that writes stands in the ledger: what was asked for, with which libraries, when, and how it ended."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import typer

from segprep.datasets.errors import ExitCode, SegprepError, WriteFailedError
from segprep.datasets.sample import JsonDict
from segprep.workflows.ledger.table import Table

__all__ = ["recorded"]


@contextmanager
def recorded(table: Table, command: str, arguments: JsonDict) -> Iterator[None]:
    """Note the run with its library versions, its times and how it ended."""
    packages = ("segprep", "numpy", "opencv-python-headless", "pillow", "dask", "zarr")
    versions: dict[str, Any] = {"python": platform.python_version(), **{name: version(name) for name in packages}}
    run = table.ledger.start_run(command, arguments, versions, _now())
    code: int = ExitCode.BUG
    try:
        yield
        code = ExitCode.DONE
    except SegprepError as error:
        code = error.exit_code
        raise
    except typer.Exit as left:
        code = left.exit_code
        raise
    finally:
        with suppress(WriteFailedError):  # on a full disk the first error is the one to show
            table.ledger.finish_run(run, code, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
