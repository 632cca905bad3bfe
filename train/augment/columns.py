"""How each column of a batch follows an augmentation: by its kind, and by its code where that is for the eye."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segprep.datasets.augmentation.follow import follow_of, shown_kind
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.kinds import Kind, Resampling, rule
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.augment.coding import coding_of, stored_from
from segprep.train.augment.color import Colors
from segprep.train.augment.quantity import Quantity

__all__ = ["BatchColumn", "Ids", "MaskedPicture", "Picture", "column_of"]


@dataclass(frozen=True, slots=True)
class Ids:
    """Labels, instances, masks: the id of the nearest pixel at the exact place; `fill` where there is no pixel."""

    fill: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture without a mask; black where there is nothing.

    Attributes:
        dtype: Of the stored values.
        colored: Whether its colours are augmented.
    """

    dtype: torch.dtype
    colored: bool

    def recolored(self, stored_NHWC: Tensor, colors: Colors, inside_NHW: Tensor | None) -> Tensor:
        """Change colours; `inside_NHW` (N, H, W) bool is where the picture is, None for everywhere."""
        if not (self.colored and colors.any):
            return stored_NHWC
        planes_NCHW = stored_NHWC.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        return self.finish(planes_NCHW, colors, inside_NHW)

    def finish(self, planes_NCHW: Tensor, colors: Colors, inside_NHW: Tensor | None) -> Tensor:
        """Return stored integers of planes, which are used up."""
        planes_NCHW = planes_NCHW.round_()
        if self.colored:
            planes_NCHW = colors.applied(planes_NCHW, torch.iinfo(self.dtype).max)
        if inside_NHW is not None:
            planes_NCHW.masked_fill_(~inside_NHW[:, None], 0)
        return stored_from(planes_NCHW.unbind(1), self.dtype)


@dataclass(frozen=True, slots=True)
class MaskedPicture:
    """A picture with a mask: a quantity, whose colours are augmented."""

    quantity: Quantity
    picture: Picture


BatchColumn = Ids | Picture | MaskedPicture | Quantity


def column_of(spec: ArraySpec, device: torch.device) -> BatchColumn:
    """Return how a column follows.

    Raises:
        ConfigurationError: If it is a picture for the eye whose code cannot be decoded; names the column.
        CodeRangeError: If its code is not known, or images have another type than 8 or 16 bits; names the column.
    """
    how = rule(spec.kind)
    if how.resampling is Resampling.VOTE:
        return Ids(how.fill)
    try:
        if how.resampling is Resampling.NEVER:
            return _shown_column(spec, device)
        if how.resampling is not Resampling.AREA:
            return Quantity(coding_of(spec, device), follow_of(spec.kind), framed=None)
        if spec.dtype not in ("uint8", "uint16"):
            raise CodeRangeError(f"pictures of 8 or 16 bits are augmented, not of {spec.dtype}")
        picture = Picture(getattr(torch, spec.dtype), spec.kind is Kind.IMAGE)
        if not spec.masked:
            return picture
        return MaskedPicture(Quantity(coding_of(spec, device), follow_of(spec.kind), framed=None), picture)
    except CodeRangeError as error:
        raise CodeRangeError(f"column {spec.name}: {error}") from error


def _shown_column(spec: ArraySpec, device: torch.device) -> Quantity:
    """Return how a picture for the eye follows.

    Its vectors may be what the ego flow leaves: no places in the other picture, which they could miss.
    """
    code = code_from_json(spec.code)
    kind = shown_kind(spec.name, code.name, code.shows)
    return Quantity(coding_of(spec, device), follow_of(kind), framed=False)
