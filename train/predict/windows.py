"""Where the windows lie that together cover a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Window", "share_of_windows", "windows_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture.

    Attributes:
        rows: From where to where.
        columns: Likewise.
    """

    rows: slice
    columns: slice

    def mirrored(self, width: int) -> "Window":
        """Return where it lies in the mirrored picture."""
        return Window(self.rows, slice(width - self.columns.stop, width - self.columns.start))


def windows_of(size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int]) -> tuple[Window, ...]:
    """Return windows that cover a picture, row by row; (width, height) or (x, y) each.

    The last one of a row or column of windows is shifted back to the border. Windows are no larger than the picture.
    """
    across, down = (_spans(*sides) for sides in zip(size, window, stride, strict=True))
    return tuple(Window(rows, columns) for rows in down for columns in across)


def share_of_windows(size: tuple[int, int], windows: Sequence[Window]) -> Tensor:
    """Return (H, W) float32: 1 / the number of windows over each pixel of a picture of (width, height)."""
    width, height = size
    count_HW = torch.zeros((height, width))
    for window in windows:
        count_HW[window.rows, window.columns] += 1
    return 1 / count_HW


def _spans(side: int, window: int, stride: int) -> list[slice]:
    window = min(window, side)
    count = -(-(side - window) // stride) + 1
    starts = (min(index * stride, side - window) for index in range(count))
    return [slice(start, start + window) for start in starts]
