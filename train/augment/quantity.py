"""Columns of quantities in a batch: interpolated where they are valid, and turned with the picture, on the device."""

from dataclasses import dataclass
from typing import Final

from torch import Tensor

from segprep.datasets.augmentation.follow import Follow, Turn, ends, lies_inside, settle
from segprep.train.augment.coding import QuantityCoding
from segprep.train.augment.grid import Grid
from segprep.train.augment.operations import TensorOperations

__all__ = ["Quantity"]

_TOLERANCE: Final = 2e-4  # of weights: what rounded places leave of a tie, so that all ties go the same way


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
        """Write the planes; return (N, 1, 1) whether vectors that leave the picture are invalid, None for no."""
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
        else:
            weight_NHW.copy_(near)
            values_NCHW.mul_(weight_NHW[:, None])
        if self.follow is not Follow.BY_PIXELS or self.framed is False:
            return None
        inside = lies_inside(*ends(TensorOperations(values_NCHW.device), *values_NCHW.unbind(1)))
        return (inside if near is None else inside | ~near).flatten(1).all(1)[:, None, None]

    def finish(
        self, planes_NPHW: Tensor, framed_N11: Tensor | None, grid: Grid, turn: Turn[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return stored integers and mask.

        Args:
            planes_NPHW: Interpolated planes, used up.
            framed_N11: What `fill` returned.
            grid: By which they were interpolated.
            turn: What the maps do to vectors.
        """
        channels, infinity = self.coding.channels, self.coding.infinity
        planes = planes_NPHW.unbind(1)
        values, valid_NHW = settle(
            TensorOperations(planes_NPHW.device),
            planes[:channels],
            planes[channels],
            None if infinity is None else planes[-1],
            grid.covered_NHW,
            self.follow,
            turn,
            infinity=infinity,
            framed=False if framed_N11 is None else framed_N11,
            tolerance=_TOLERANCE,
            tie=_TOLERANCE,
        )
        return self.coding.encode(values, valid_NHW), valid_NHW
