"""How each column of a batch follows an augmentation: by its kind, and by its code where that is for the eye."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from segprep.datasets.augmentation.config import AugmentationConfig, Span
from segprep.datasets.codes import JetCode, SmsnetFlowCode, code_from_json
from segprep.datasets.errors import CodeRangeError, ConfigurationError
from segprep.datasets.kinds import Kind, Resampling, rule
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.augment.coding import JetCoding, LinearCoding, SmsnetCoding, stored_from
from segprep.train.augment.color import Colors
from segprep.train.augment.quantity import Follow, Quantity, follow_of

__all__ = ["BatchColumn", "Ids", "MaskedPicture", "Picture", "check_specs", "column_of", "refuse_turned"]


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
        return stored_from(planes_NCHW, self.dtype)


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
            return _decoded_column(spec, device)
        if how.resampling is not Resampling.AREA:
            return Quantity(LinearCoding.of(spec), follow_of(how), framed=None)
        if spec.dtype not in ("uint8", "uint16"):
            raise CodeRangeError(f"pictures of 8 or 16 bits are augmented, not of {spec.dtype}")
        picture = Picture(getattr(torch, spec.dtype), spec.kind is Kind.IMAGE)
        if not spec.masked:
            return picture
        return MaskedPicture(Quantity(LinearCoding.of(spec), Follow.UNCHANGED, framed=None), picture)
    except CodeRangeError as error:
        raise CodeRangeError(f"column {spec.name}: {error}") from error


def check_specs(config: AugmentationConfig, specs: Iterable[ArraySpec]) -> None:
    """Refuse a configuration that one of the columns cannot follow, before anything is read.

    Raises:
        ConfigurationError: If it flips, rotates or skews and a column cannot follow that without data that it does not
            hold; names the column.
    """
    turns = [name for name, span in (("rotation", config.rotation), ("skew", config.skew)) if _turns(span)]
    turns = ["flip", *turns] if config.flip > 0 else turns
    for spec in specs:
        if turns:
            refuse_turned(spec, turns)


def refuse_turned(spec: ArraySpec, turns: Iterable[str]) -> None:
    """Refuse flips, rotations and skews, which are named, if a column cannot follow them.

    Raises:
        ConfigurationError: If it cannot.
    """
    how = rule(spec.kind)
    if how.resampling is not Resampling.VALID_AREA or follow_of(how) is not Follow.BY_WIDTH:
        return
    raise ConfigurationError(
        f"column {spec.name!r} ({spec.kind}) cannot follow {' and '.join(turns)}: the other view would have to change "
        "with it. Leave the column out (depth follows everything), or switch that off in a table of your own: "
        "flip = 0.0, rotation = false, skew = false"
    )


def _turns(span: Span | None) -> bool:
    return span is not None and span.probability > 0 and (span.low != 0 or span.high != 0)


def _decoded_column(spec: ArraySpec, device: torch.device) -> Quantity:
    code = code_from_json(spec.code)
    match code:
        case SmsnetFlowCode():
            # Its vectors may be what the ego flow leaves: no places in the other picture, which they could miss.
            return Quantity(SmsnetCoding.of(spec, code), Follow.BY_PIXELS, framed=False)
        case JetCode():
            return Quantity(JetCoding.of(spec, code, device), Follow.UNCHANGED, framed=False)
    raise ConfigurationError(
        f"column {spec.name!r} holds pictures for the eye (the code {code.name!r}) from which their values cannot "
        "be read: colours and encoded vectors cannot be warped. Leave the column out, and make it anew from what is "
        "augmented"
    )
