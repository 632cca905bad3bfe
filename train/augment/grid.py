"""Where the pixels of a batch of results lie in their sources: one affine map per sample, on the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segprep.datasets.sample import Matrix, scale_map

__all__ = ["Grid", "Pooling", "as_bits", "pooling_of"]

Pooling = tuple[int, int]
"""Of how many columns and rows means are taken first; (0, 0) where every pixel of the result is one of the source."""

_Window = tuple[int, int, bool]  # left, top, whether it is mirrored

_WHOLE: Final[Pooling] = (0, 0)
_MARGIN_PX: Final = 1e-6
# What is only copied may be taken for integers that torch can index on every device.
_BITS: Final = {torch.bool: torch.uint8, torch.uint16: torch.int16, torch.uint32: torch.int32}


def as_bits(values: Tensor) -> Tensor:
    """Return the same memory as a type that can be indexed."""
    bits = _BITS.get(values.dtype)
    return values if bits is None else values.view(bits)


def pooling_of(A: Matrix) -> Pooling:
    """Return what `Grid.of` needs to know about an affine map (3, 3); maps that give the same go together.

    Linear interpolation sees two pixels per axis, so that it sees all of them down to one half. Below that the means of
    two, three, ... pixels are taken first: a map that shrinks to 0.3 gives (3, 3).
    """
    rounded = np.rint(A)
    if np.abs(A - rounded).max() < _MARGIN_PX and abs(abs(np.linalg.det(rounded)) - 1) < _MARGIN_PX:
        return _WHOLE
    across, down = (max(1, int(1 / step + _MARGIN_PX)) for step in np.hypot(A[0, :2], A[1, :2]))
    return across, down


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where N results take their pixels from.

    Attributes:
        size: (width, height) of the results.
        covered_NHW: bool, where a pixel of the source lies under a pixel of the result.
        index_NP: int64 places of the nearest pixels among the source's, row by row; any where there is none.
        pooling: See `Pooling`.
        places_NHW2: float32 x and y in the source after the means, from -1 to 1; None where pixels are copied.
        windows: Where each result is a window of the source, perhaps mirrored; then `index_NP` is empty.
    """

    size: tuple[int, int]
    covered_NHW: Tensor
    index_NP: Tensor
    pooling: Pooling
    places_NHW2: Tensor | None
    windows: tuple[_Window, ...] = ()

    @classmethod
    def of(
        cls,
        maps: Sequence[Matrix],
        pooling: Pooling,
        source: tuple[int, int],
        size: tuple[int, int],
        device: torch.device,
    ) -> Self:
        """Make the grids of maps from (width, height) `source` to `size`; `pooling_of` each of them is `pooling`."""
        whole = pooling == _WHOLE
        windows = [_window(np.rint(A), source, size) for A in maps] if whole else [None]
        found = tuple(window for window in windows if window is not None)
        if len(found) == len(maps):
            covered_NHW = torch.ones((len(maps), *size[::-1]), dtype=torch.bool, device=device)
            return cls(size, covered_NHW, torch.empty(0, dtype=torch.int64, device=device), pooling, None, found)
        back_N33 = np.linalg.inv(np.stack(maps))
        places_2NHW = _coordinates(np.rint(back_N33) if whole else back_N33, size, device)
        # Ties go to the even pixel, as with OpenCV: halved labels are those of every second pixel, more or less.
        x_NHW, y_NHW = places_2NHW.round_().unbind()
        inside_x, inside_y = x_NHW.clamp(0, source[0] - 1), y_NHW.clamp(0, source[1] - 1)
        covered_NHW = (x_NHW == inside_x) & (y_NHW == inside_y)
        index_NHW = inside_y.mul_(source[0]).add_(inside_x).long()
        places_NHW2 = None
        if not whole:
            pooled = -(-source[0] // pooling[0]), -(-source[1] // pooling[1])
            means = np.diag([1 / pooling[0], 1 / pooling[1], 1.0])
            means[:2, 2] = 0.5 / np.array(pooling) - 0.5
            places_NHW2 = _coordinates(_to_unit(pooled) @ means @ back_N33, size, device).permute(1, 2, 3, 0)
        return cls(size, covered_NHW, index_NHW.flatten(1), pooling, places_NHW2)

    def nearest(self, values_NHWC: Tensor, fill: int) -> Tensor:
        """Return the values of the nearest pixels, of any type of integers or bool; `fill` where there is none."""
        bits = as_bits(values_NHWC)
        if self.windows:
            return self._cut(bits.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).view(values_NHWC.dtype)
        channels = values_NHWC.shape[-1]
        index_NPC = self.index_NP[..., None].expand(-1, -1, channels)
        found = bits.flatten(1, 2).gather(1, index_NPC).view(-1, *self.size[::-1], channels)
        return found.masked_fill_(~self.covered_NHW[..., None], fill).view(values_NHWC.dtype)

    def linear(self, planes_NCHW: Tensor) -> Tensor:
        """Return interpolated float32 planes; those at the edge go on beyond it."""
        if self.windows:
            return self._cut(planes_NCHW)
        if self.places_NHW2 is None:
            count = planes_NCHW.shape[1]
            index_NCP = self.index_NP[:, None].expand(-1, count, -1)
            return planes_NCHW.flatten(2).gather(2, index_NCP).view(-1, count, *self.size[::-1])
        if self.pooling != (1, 1):
            # The last mean of a side that is no multiple is of the pixels that are left.
            planes_NCHW = F.avg_pool2d(planes_NCHW, self.pooling[::-1], ceil_mode=True, count_include_pad=False)
        return F.grid_sample(planes_NCHW, self.places_NHW2, "bilinear", "border", align_corners=False)

    def _cut(self, values_NCHW: Tensor) -> Tensor:
        """Return the windows; copying rows is many times quicker than gathering pixels."""
        width, height = self.size
        found = torch.empty(
            (len(self.windows), values_NCHW.shape[1], height, width),
            dtype=values_NCHW.dtype,
            device=values_NCHW.device,
            memory_format=_memory_format(values_NCHW),
        )
        for result, values, (left, top, mirrored) in zip(found, values_NCHW, self.windows, strict=True):
            window = values[:, top : top + height, left : left + width]
            result.copy_(window.flip(2) if mirrored else window)
        return found


def _window(A: Matrix, source: tuple[int, int], size: tuple[int, int]) -> _Window | None:
    """Return the window of the source that a whole-numbered map cuts out, None if it does something else."""
    if not np.array_equal(np.abs(A[:2, :2]), np.eye(2)) or A[1, 1] < 0:
        return None
    mirrored = bool(A[0, 0] < 0)
    left, top = round(A[0, 2] - size[0] + 1 if mirrored else -A[0, 2]), round(-A[1, 2])
    if min(left, top) < 0 or left + size[0] > source[0] or top + size[1] > source[1]:
        return None
    return left, top, mirrored


def _memory_format(values_NCHW: Tensor) -> torch.memory_format:
    last = values_NCHW.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _to_unit(size: tuple[int, int]) -> Matrix:
    """Return the (3, 3) map of pixels to -1..1 between the outer edges of the picture."""
    to_two = scale_map(size, (2, 2))
    to_two[:2, 2] -= 0.5  # the left edge, -0.5 of pixels, becomes -1
    return to_two


def _coordinates(back_N33: Matrix, size: tuple[int, int], device: torch.device) -> Tensor:
    """Return (2, N, H, W) x and y of where the pixels of the results come from.

    Sums of a part for the column and one for the row, each rounded once: 1e-4 pixels in pictures of 2048 pixels.
    """
    columns_N2W = back_N33[:, :2, :1] * np.arange(size[0])
    rows_N2H = back_N33[:, :2, 1:2] * np.arange(size[1]) + back_N33[:, :2, 2:]
    packed = torch.from_numpy(np.concatenate([columns_N2W, rows_N2H], 2).astype(np.float32)).transpose(0, 1)
    packed_2NS = packed.contiguous().to(device, non_blocking=True)
    return packed_2NS[:, :, None, : size[0]] + packed_2NS[:, :, size[0] :, None]
