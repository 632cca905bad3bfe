"""Columns of quantities in a batch: interpolated where they are valid, and turned with the picture, on the device."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import torch
from torch import Tensor

from segprep.datasets.kinds import Flip, KindRule, Scaling
from segprep.train.augment.coding import QuantityCoding
from segprep.train.augment.grid import Grid

__all__ = ["Follow", "Quantity", "follow_of"]

_MIN_VALID_WEIGHT: Final = 0.5  # of what a pixel was made from
_TOLERANCE: Final = 2e-4  # of weights: what rounded places leave of a tie, so that all ties go the same way
_SHORTEST: Final = 1e-6  # opposite normals cancel out and leave no direction


class Follow(Enum):
    """How values change with the picture, beyond their places."""

    UNCHANGED = auto()
    BY_PIXELS = auto()  # vectors of pixels: by the linear part of the map
    BY_AXES = auto()  # unit vectors in camera axes: by the turn of the camera
    BY_WIDTH = auto()  # lengths along rows: by the scale of x


_FOLLOWS: Final[Mapping[tuple[Flip, Scaling], Follow]] = {
    (Flip.MIRROR, Scaling.UNCHANGED): Follow.UNCHANGED,
    (Flip.NEGATE_FIRST, Scaling.BY_XY): Follow.BY_PIXELS,
    (Flip.NEGATE_FIRST, Scaling.UNCHANGED): Follow.BY_AXES,
    (Flip.REFUSE, Scaling.BY_X): Follow.BY_WIDTH,
}


def follow_of(how: KindRule) -> Follow:
    """Return what values do under any affine map: what they do when the picture is flipped and scaled says it."""
    return _FOLLOWS[how.flip, how.scaling]


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """How a column of quantities is taken apart into planes that are interpolated, and put together again.

    Attributes:
        coding: Of its stored integers.
        follow: How values change.
        framed: Whether vectors that leave the picture are invalid; None to see from each sample.
    """

    coding: QuantityCoding
    follow: Follow
    framed: bool | None

    @property
    def planes(self) -> int:
        """The channels, the weight of what is near, and of what is infinitely far."""
        return self.coding.channels + (1 if self.coding.infinity is None else 2)

    def fill(self, stored_NHWC: Tensor, valid_NHW: Tensor | None, planes_NPHW: Tensor) -> Tensor | None:
        """Write the planes; return (N,) whether vectors that leave the picture are invalid, None for no."""
        channels = self.coding.channels
        values_NCHW = planes_NPHW[:, :channels]
        known, far = self.coding.decode(stored_NHWC, values_NCHW)
        usable = known if valid_NHW is None else valid_NHW if known is None else valid_NHW & known
        near = usable
        if self.coding.infinity is not None:
            planes_NPHW[:, -1] = 0
            if far is not None:
                planes_NPHW[:, -1] = far if usable is None else far & usable
                near = ~far if usable is None else usable & ~far
        weight_NHW = planes_NPHW[:, channels]
        if near is None:
            weight_NHW.fill_(1)
            near = torch.ones_like(weight_NHW, dtype=torch.bool)
        else:
            weight_NHW.copy_(near)
            values_NCHW.mul_(weight_NHW[:, None])
        if self.follow is not Follow.BY_PIXELS or self.framed is False:
            return None
        return (_lands_inside(values_NCHW) | ~near).flatten(1).all(1)

    def finish(
        self, planes_NPHW: Tensor, framed_N: Tensor | None, grid: Grid, linear_N22: Tensor, turn_N22: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return stored integers and mask.

        Valid are pixels of which at least half comes from valid ones, and which lie on the source. Where at least as
        much of that is infinitely far as is not, so is the result.

        Args:
            planes_NPHW: Interpolated planes, used up.
            framed_N: What `fill` returned.
            grid: By which they were interpolated.
            linear_N22: The linear parts of the maps.
            turn_N22: What happened to the camera's first two axes.
        """
        channels, infinity = self.coding.channels, self.coding.infinity
        values_NCHW, near_NHW = planes_NPHW[:, :channels], planes_NPHW[:, channels]
        share_NHW = near_NHW if infinity is None else near_NHW + planes_NPHW[:, -1]
        valid_NHW = grid.covered_NHW & (share_NHW >= _MIN_VALID_WEIGHT - _TOLERANCE)
        values_NCHW = values_NCHW.div_(near_NHW.clamp_min(_TOLERANCE)[:, None])
        match self.follow:
            case Follow.BY_WIDTH:
                values_NCHW.mul_(linear_N22[:, :1, :1, None])
            case Follow.BY_PIXELS:
                _turn(values_NCHW, linear_N22)
            case Follow.BY_AXES:
                _turn(values_NCHW, turn_N22)
                length_NHW = values_NCHW.square().sum(1).sqrt_()
                valid_NHW &= length_NHW > _SHORTEST
                values_NCHW.div_(length_NHW.clamp_min_(_SHORTEST)[:, None])
        if infinity is not None:
            values_NCHW[:, 0].masked_fill_(planes_NPHW[:, -1] >= near_NHW - _TOLERANCE, infinity)
        if framed_N is not None:
            valid_NHW &= _lands_inside(values_NCHW) | ~framed_N[:, None, None]
        return self.coding.encode(values_NCHW, valid_NHW), valid_NHW


def _turn(vectors_NCHW: Tensor, matrix_N22: Tensor) -> None:
    """Multiply the first two components, written out, because products of matrices may have ten bits only."""
    xx, xy, yx, yy = matrix_N22.flatten(1)[..., None, None].unbind(1)
    x_NHW, y_NHW = vectors_NCHW[:, 0], vectors_NCHW[:, 1]
    across_NHW = (x_NHW * xx).addcmul_(y_NHW, xy)
    y_NHW.mul_(yy).addcmul_(x_NHW, yx)
    x_NHW.copy_(across_NHW)


def _lands_inside(uv_N2HW: Tensor) -> Tensor:
    """Return (N, H, W) whether vectors end within the other frame, which reaches from -0.5 to width - 0.5."""
    height, width = uv_N2HW.shape[2:]
    from_centre_W, from_centre_H = (
        torch.arange(side, device=uv_N2HW.device) - (side - 1) / 2 for side in (width, height)
    )
    across = (uv_N2HW[:, 0] + from_centre_W).abs_() <= width / 2
    return across & ((uv_N2HW[:, 1] + from_centre_H[:, None]).abs_() <= height / 2)
