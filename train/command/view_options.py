"""Windows, scales and flips on the command line, for every command that uses a trained network."""

from typing import TYPE_CHECKING, Annotated

import typer

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.values import parse_size

if TYPE_CHECKING:
    from segprep.train.predict.views import Views

__all__ = ["Flip", "Scales", "Stride", "Window", "numbers", "views_of"]

Window = Annotated[
    str | None,
    typer.Option(
        metavar="WxH",
        help="Look through windows of this size, which overlap, and average. Default: at the whole.",
        show_default=False,
    ),
]
Stride = Annotated[
    str | None,
    typer.Option(metavar="WxH", help="From window to window. Default: two thirds of the window.", show_default=False),
]
Scales = Annotated[
    str, typer.Option(metavar="A,B,...", help="Look at these sizes, 1 is the sample's own, and average.")
]
Flip = Annotated[bool, typer.Option("--flip", help="Look at the mirrored sample, too, and average.")]


def views_of(window: str | None, stride: str | None, scales: str, flip: bool) -> "Views":
    """Return the views that the options of these names mean.

    Raises:
        ConfigurationError: If one is no size or no number, or together they make no sense.
    """
    from segprep.train.predict.views import Views

    return Views(_pair(window), _pair(stride), numbers("--scales", scales), flip)


def numbers(option: str, text: str) -> tuple[float, ...]:
    """Return the numbers of a text such as "0.75,1,1.25".

    Raises:
        ConfigurationError: If it holds something else.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigurationError(f"{option} takes numbers with commas between them, not {text!r}") from error


def _pair(text: str | None) -> tuple[int, int] | None:
    size = parse_size(text)
    return None if size is None else (size[0], size[1])
