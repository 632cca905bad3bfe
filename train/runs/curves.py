"""The log of a run as a picture: loss, learning rate and validation over the steps."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.documents import parse_json
from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.imageio import write_image
from segprep.datasets.json_values import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_curves", "write_curves"]

_Picture = npt.NDArray[np.uint8]
_Numbers = npt.NDArray[np.float64]

_LOSS, _RATE, _VALIDATION, _CLASSES = "loss", "lr", "val_", "val_iou"
_WIDTH_IN, _HEIGHT_IN, _MARGIN_IN, _DPI = 12.0, 3.2, 0.5, 100
_LOG_FROM = 10  # largest by smallest loss
_POINTS: Final = 400  # of a line; more would be drawn over each other


def write_curves(log: Path, picture: Path) -> None:
    """Draw a log into a PNG file, whole or not at all.

    Raises:
        MissingInputError: If there is no log.
        UnreadableFileError: If it holds no step.
        WriteFailedError: If the picture cannot be written.
    """
    write_image(picture, draw_curves(log, log.parent.name))


def draw_curves(log: Path, title: str) -> _Picture:
    """Draw a log; (H, W, 3) uint8 RGB.

    Losses, `loss` and each `loss/<name>`, are shown as they are on average, with a band from the least to the greatest;
    so a hundred thousand steps stay readable. The learning rate is `lr`; validation is every entry `val_<name>` but
    those of single classes.

    Args:
        log: One JSON object per line with `step` and numbers. A line that was cut by a crash is left out.
        title: Stands above.

    Raises:
        MissingInputError: If there is no log.
        UnreadableFileError: If it holds no step.
    """
    # It takes a second to import, and a run that logs nothing needs none of it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = _read(log)
    if not lines:
        raise UnreadableFileError(f"{log} holds no step yet: there is nothing to draw")
    charts = {
        "loss": [name for name in lines if name == _LOSS or name.startswith(f"{_LOSS}/")],
        "learning rate": [_RATE] if _RATE in lines else [],
        "validation": sorted(n for n in lines if n.startswith(_VALIDATION) and not n.startswith(_CLASSES)),
    }
    charts = {caption: names for caption, names in charts.items() if names}
    if not charts:
        raise UnreadableFileError(f"{log} holds neither losses nor scores: there is nothing to draw")
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN * len(charts)), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    all_axes = figure.subplots(len(charts), sharex=True, squeeze=False)[:, 0]
    for axes, (caption, names) in zip(all_axes, charts.items(), strict=True):
        for name in names:
            _draw(axes, name, *lines[name])
        axes.set_ylabel(caption)
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
        least, greatest = (pick([pick(lines[name][1]) for name in names]) for pick in (np.min, np.max))
        if caption == "loss" and least > 0 and greatest > _LOG_FROM * least:
            axes.set_yscale("log")
    all_axes[0].set_title(title)
    all_axes[-1].set_xlabel("step")
    margin_in = _MARGIN_IN / (_HEIGHT_IN * len(charts))
    figure.subplots_adjust(left=0.07, right=0.985, bottom=margin_in, top=1 - 0.7 * margin_in, hspace=0.06)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba_HWC = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    picture: _Picture = rgba_HWC[..., :3].copy()
    return picture


def _draw(axes: "Axes", name: str, steps: _Numbers, values: _Numbers) -> None:
    label = name.removeprefix(_VALIDATION).replace("_", " ")
    if len(steps) <= _POINTS:
        axes.plot(steps, values, label=label, marker="." if len(steps) <= _POINTS // 10 else "")
        return
    edges = np.linspace(0, len(steps), _POINTS + 1).astype(int)[:-1]
    sizes = np.diff(np.append(edges, len(steps)))
    middle = np.add.reduceat(steps, edges) / sizes
    (line,) = axes.plot(middle, np.add.reduceat(values, edges) / sizes, label=label)
    least, greatest = np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)
    axes.fill_between(middle, least, greatest, alpha=0.2, color=line.get_color(), linewidth=0)


def _read(log: Path) -> dict[str, tuple[_Numbers, _Numbers]]:
    """Return steps and values of each entry that is a finite number, by name."""
    try:
        text = log.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingInputError(f"{log} does not exist: train first") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{log} cannot be read: {error}") from error
    points: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in text.splitlines():
        try:
            entry = parse_json(line)
        except ValueError:
            continue
        if not isinstance(entry, dict) or not is_number(entry.get("step")):
            continue
        for name, value in entry.items():
            if name != "step" and is_number(value):
                points[name].append((float(entry["step"]), float(value)))
    arrays = {name: np.array(sorted(pairs), np.float64) for name, pairs in points.items()}
    return {name: (array[:, 0], array[:, 1]) for name, array in arrays.items()}
