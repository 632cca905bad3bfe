"""How commands speak: results on stdout, what is beside them on stderr."""

import json
import sys

from rich.console import Console, RenderableType

from segprep.datasets.sample import JsonDict

__all__ = ["print_result", "tell"]


def tell(message: str) -> None:
    """Print a message on stderr."""
    print(message, file=sys.stderr)  # noqa: T201


def print_result(result: JsonDict | list[RenderableType]) -> None:
    """Print a result on stdout: JSON, or lines and tables. Lines are never broken, so that paths can be searched."""
    if isinstance(result, dict):
        print(json.dumps(result, indent=1))  # noqa: T201
        return
    console = Console(highlight=False, markup=False)
    for each in result:
        console.print(each, soft_wrap=isinstance(each, str))
