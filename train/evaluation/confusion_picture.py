"""The confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from segprep.train.evaluation.metrics import ConfusionMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_confusion"]

_CELL_IN, _MARGIN_IN, _LEGEND_IN, _BELOW_IN, _GAP_IN, _DPI = 0.42, 1.6, 1.0, 0.5, 0.15, 100
_LEAST_IN: Final = 2.8
_DARK: Final = 0.5  # shares above it are written in white


def draw_confusion(matrix: ConfusionMatrix, names: Sequence[str], title: str) -> npt.NDArray[np.uint8]:
    """Draw the matrix; (H, W, 3) uint8 RGB.

    Rows are classes of the label, columns what was predicted. Each row is divided by its sum, so that the diagonal is
    the recall; in per cent, nothing is written below one half. Rows of classes that no label holds are empty.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pixels = matrix.counts.sum(1)
    shares = matrix.counts / np.maximum(pixels, 1)[:, None]
    side_in = max(_LEAST_IN, _CELL_IN * len(names))
    width_in, height_in = side_in + _MARGIN_IN + _LEGEND_IN, side_in + _MARGIN_IN + _BELOW_IN
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)

    def axes_at(left_in: float, wide_in: float) -> "Axes":
        place = (left_in / width_in, _BELOW_IN / height_in, wide_in / width_in, side_in / height_in)
        return figure.add_axes(place)

    axes = axes_at(_MARGIN_IN, side_in)
    shown = np.ma.masked_where(np.broadcast_to(pixels[:, None] == 0, shares.shape), shares)
    picture = axes.imshow(shown, vmin=0, vmax=1, cmap="Blues")
    axes.set_facecolor("0.9")
    for (row, column), share in np.ndenumerate(shares):
        if (percent := round(100 * share)) and pixels[row]:
            color = "white" if share > _DARK else "black"
            axes.text(column, row, f"{percent}", ha="center", va="center", fontsize=8, color=color)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=60, ha="left", rotation_mode="anchor")
    axes.set_yticks(places, [name if count else f"{name} (none)" for name, count in zip(names, pixels, strict=True)])
    axes.xaxis.tick_top()
    axes.set_xlabel("predicted, per cent of the label's pixels")
    figure.suptitle(title, y=1 - _GAP_IN / height_in)
    axes.set_ylabel("label")
    figure.colorbar(picture, cax=axes_at(_MARGIN_IN + side_in + _GAP_IN, _GAP_IN))
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba_HWC = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    drawn: npt.NDArray[np.uint8] = rgba_HWC[..., :3].copy()
    return drawn
