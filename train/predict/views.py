"""How a sample is looked at: as a whole or by windows, at which scales, mirrored or not. All looks are averaged."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.follow import refuse_turned
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import json_of
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.augment.augmenter import BatchAugmenter
from segprep.train.network.segmenter import Segmenter
from segprep.train.predict.windows import Window, share_of_windows, windows_of
from segprep.train.reading.reader import beside_each_other

__all__ = ["Views", "check_views", "scored"]

_STRIDE_SHARE = 2 / 3  # of the window


@dataclass(frozen=True, slots=True)
class Views:
    """Which looks at a sample are averaged; by default one, at the whole of it as it is.

    Attributes:
        window: (width, height) of the windows in pixels of each scale; None for the whole. Sides that are longer than
            the sample's are cut to it.
        stride: (x, y) pixels from one window to the next; by default two thirds of the window's sides, rounded up.
        scales: Factors of the sample's size.
        flip: Whether the mirrored sample is looked at, too, at each scale.
    """

    window: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        if self.stride is not None and self.window is None:
            raise ConfigurationError("a stride is from window to window: say the window's size, too")
        for name, pair in (("window", self.window), ("stride", self.stride)):
            if pair is not None and min(pair) < 1:
                raise ConfigurationError(f"the {name}'s sides must be at least 1 pixel, not {pair[0]}x{pair[1]}")
        if self.window and self.stride and any(s > w for s, w in zip(self.stride, self.window, strict=True)):
            raise ConfigurationError(
                f"with a stride of {self.stride[0]}x{self.stride[1]}, windows of {self.window[0]}x{self.window[1]} "
                "leave gaps: the stride can be at most the window"
            )
        if not self.scales or not all(math.isfinite(scale) and scale > 0 for scale in self.scales):
            raise ConfigurationError(f"scales are one or more numbers above 0, not {self.scales}")
        if len(set(self.scales)) < len(self.scales):
            raise ConfigurationError(f"each scale can be named once only, not {self.scales}")

    @property
    def single(self) -> bool:
        """Whether there is but one look, at the whole sample as it is."""
        return self == Views()

    @property
    def step(self) -> tuple[int, int] | None:
        """(x, y) from one window to the next, None without windows."""
        if self.window is None or self.stride is not None:
            return self.stride
        return math.ceil(self.window[0] * _STRIDE_SHARE), math.ceil(self.window[1] * _STRIDE_SHARE)

    def size_at(self, scale: float, size: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) of a sample at a scale: rounded, at least 1."""
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def to_json(self) -> JsonDict:
        """Return plain values, with the stride that is used."""
        return {**json_of(self), "stride": None if self.step is None else list(self.step)}


def check_views(views: Views, columns: Sequence[ArraySpec]) -> None:
    """Refuse views that a column cannot follow, before anything is read.

    Raises:
        ConfigurationError: Names the column.
        CodeRangeError: If a column's code is not known, or its pictures have neither 8 nor 16 bits.
    """
    if views.flip:
        for column in columns:
            refuse_turned(column.name, column.kind, ("the flip",), "Predict without the flip")
    if views.flip or views.scales != (1.0,):
        BatchAugmenter(columns)


@torch.inference_mode()
def scored(
    segmenter: Segmenter,
    columns: Sequence[ArraySpec],
    stored_NHWC: Tensor,
    views: Views,
    head: int = 0,
    batch_size: int = 1,
    *,
    valid_NHW: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Return (N, classes, H, W) float32 probabilities: softmax, averaged over windows, then over scales and flips.

    Each column is scaled and mirrored by its kind, as an augmentation does it: flow vectors turn and scale, ids stay
    ids, what is invalid stays invalid. The probabilities of a scale are brought to the sample's size bilinearly.

    Memory: the input, one sum of the result's size and one of the largest other scale lie where `stored_NHWC` lies,
    which may be the CPU; the segmenter's device holds `batch_size` windows. So pictures of any size pass through a
    small device.

    Args:
        segmenter: The network, in evaluation mode.
        columns: Its input columns, in their order.
        stored_NHWC: Their stored numbers beside each other; float32 where their dtypes differ.
        views: What is averaged.
        head: Number of the data set.
        batch_size: How many windows, or whole samples, the network sees at once.
        valid_NHW: By column (N, H, W) bool, where its code has no number for "invalid"; valid everywhere by default.

    Raises:
        ConfigurationError: If a column cannot follow; names the column.
    """
    check_views(views, columns)
    height, width = stored_NHWC.shape[1:3]
    sum_NCHW: Tensor | None = None
    for scale in views.scales:
        size = views.size_at(scale, (width, height))
        found_NCHW: Tensor | None = None
        for mirrored in (False, True) if views.flip else (False,):
            seen_NHWC = _seen(columns, stored_NHWC, valid_NHW or {}, size, mirrored)
            for n, place, part_CHW in _looks(segmenter, seen_NHWC, views, head, batch_size, mirrored):
                if found_NCHW is None:
                    found_NCHW = part_CHW.new_zeros((len(stored_NHWC), len(part_CHW), *size[::-1]))
                found_NCHW[n, :, place.rows, place.columns] += part_CHW
        if found_NCHW is not None:  # else there are no samples
            sum_NCHW = _added(sum_NCHW, found_NCHW, (height, width))
    if sum_NCHW is None:
        raise ValueError("there are no samples to score")
    return sum_NCHW.div_(len(views.scales))


def _seen(
    columns: Sequence[ArraySpec],
    stored_NHWC: Tensor,
    valid_NHW: Mapping[str, Tensor],
    size: tuple[int, int],
    mirrored: bool,
) -> Tensor:
    """Return samples at another (width, height), mirrored or not: every column by its kind."""
    height, width = stored_NHWC.shape[1:3]
    view = Augmentation(source=(width, height), output=size, crop=(0, 0, width, height), flip=mirrored)
    if not view.moves_pixels:
        return stored_NHWC
    channels = [column.shape[2] if len(column.shape) == 3 else 1 for column in columns]
    parts = torch.split(stored_NHWC, channels, -1)
    stored = {
        column.name: part.to(getattr(torch, column.dtype)).contiguous()
        for column, part in zip(columns, parts, strict=True)
    }
    augmenter = BatchAugmenter(columns, stored_NHWC.device)
    moved = augmenter.augmented(stored, valid_NHW, [view] * len(stored_NHWC)).columns
    return beside_each_other([moved[column.name] for column in columns])


def _looks(
    segmenter: Segmenter, seen_NHWC: Tensor, views: Views, head: int, batch_size: int, mirrored: bool
) -> Iterator[tuple[int, Window, Tensor]]:
    """Yield (C, H, W) parts of the mean over windows and flips, of which sample, and where they are to be added."""
    height, width = seen_NHWC.shape[1:3]
    windows = windows_of((width, height), views.window or (width, height), views.step or (width, height))
    share_HW = share_of_windows((width, height), windows).to(seen_NHWC.device) / (2 if views.flip else 1)
    wanted = [(n, window) for n in range(len(seen_NHWC)) for window in windows]
    for start in range(0, len(wanted), batch_size):
        some = wanted[start : start + batch_size]
        batch_NHWC = torch.stack([seen_NHWC[n, window.rows, window.columns] for n, window in some])
        scores_NCHW = segmenter.logits(batch_NHWC.to(segmenter.centre.device), head).softmax(1)
        for (n, window), scores_CHW in zip(some, scores_NCHW.to(seen_NHWC.device), strict=True):
            part_CHW = scores_CHW * share_HW[window.rows, window.columns]
            yield n, window.mirrored(width) if mirrored else window, part_CHW.flip(-1) if mirrored else part_CHW


def _added(sum_NCHW: Tensor | None, found_NCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the sum with the probabilities of a scale, brought to (height, width); class by class, to save memory."""
    if sum_NCHW is None:
        if found_NCHW.shape[2:] == size:
            return found_NCHW
        sum_NCHW = found_NCHW.new_zeros((*found_NCHW.shape[:2], *size))
    for sum_HW, found_HW in zip(sum_NCHW.flatten(0, 1), found_NCHW.flatten(0, 1), strict=True):
        sum_HW += F.interpolate(found_HW[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    return sum_NCHW
