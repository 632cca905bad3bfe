"""Horizontal flips of stored arrays, decided by kind and code."""

from collections.abc import Callable

import numpy as np

from segprep.datasets.codes import JetCode, SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Flip, Kind, rule
from segprep.datasets.sample import Array
from segprep.datasets.shard_columns import ArraySpec

__all__ = ["flip_x_of"]


def flip_x_of(column: ArraySpec) -> Callable[[Array], Array]:
    """Return the function that flips one stored sample, (H, W) or (H, W, C), of this column.

    Raises:
        ConfigurationError: If arrays of the column's kind and code cannot be flipped; names the column.
    """
    how = rule(column.kind).flip
    if how is Flip.MIRROR or (column.kind is Kind.CODED and column.code.get("name") == JetCode.name):
        return lambda stored: stored[:, ::-1].copy()
    # Colours of depth only change their places. Of the other codes for the eye SMSnet's alone is linear in the vector.
    is_smsnet_flow = column.kind is Kind.CODED and column.code.get("name") == SmsnetFlowCode.name
    if how is Flip.NEGATE_FIRST or is_smsnet_flow:
        return _mirror_and_negate_first(column.code_scale[0], column.code_offset[0])
    raise ConfigurationError(
        f"column {column.name!r} ({column.kind}, code {column.code.get('name')!r}) cannot be flipped: "
        "train with --no-flip"
    )


def _mirror_and_negate_first(scale: float, offset: float) -> Callable[[Array], Array]:
    """Return a flip that also negates the first channel's value, stored * scale + offset.

    -(s * scale + offset) is stored as -2 offset / scale - s: for SMSnet's zero 128 as 256 - s, where 256, of a clipped
    s = 0, becomes 255.
    """
    twice_zero = round(-2 * offset / scale)

    def flip(stored_HWC: Array) -> Array:
        flipped_HWC = stored_HWC[:, ::-1].copy()
        bounds = np.iinfo(stored_HWC.dtype)
        flipped_HWC[..., 0] = np.clip(twice_zero - flipped_HWC[..., 0].astype(np.int64), bounds.min, bounds.max)
        return flipped_HWC

    return flip
