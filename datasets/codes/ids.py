"""Codes of ids: labels and instances, stored as they are."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from segprep.datasets.codes.base import Encoded, MaskPlace, check_bits, check_picture, check_values, integer_type
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.json_values import json_of
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["IdCode", "StoredIds", "VoidFirstCode"]


class StoredIds:
    """What codes of ids have in common: a PNG of one channel, no mask, and numbers that stand for themselves."""

    __slots__ = ()

    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ()
    scale: ClassVar[tuple[float, ...]] = (1.0,)
    offset: ClassVar[tuple[float, ...]] = (0.0,)
    mask: ClassVar[MaskPlace] = MaskPlace.NONE
    shows: ClassVar[Kind | None] = None
    numbers: ClassVar[Numbers | None] = None

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the ids."""
        return stored


@dataclass(frozen=True, slots=True)
class IdCode(StoredIds):
    """Label and instance ids, stored as they are. They are never rounded or clipped.

    Attributes:
        bits: 8 or 16.
        smallest: Smaller ids are read as 0, "none": Cityscapes keeps class ids below 1000 in its instance files.
    """

    bits: int = 8
    smallest: int = 0

    name: ClassVar[str] = "ids"

    def __post_init__(self) -> None:
        check_bits(self.bits)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """uint8 or uint16."""
        return integer_type(self.bits)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Take ids of any integer type.

        Raises:
            CodeRangeError: If they are no integers or do not fit.
        """
        return Encoded(self._fitting(values), None, 0)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return the ids. See `Code.decode`."""
        check_picture(stored, 0, self.dtype, "an image of ids")
        return stored, None

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the ids; files of 8 or 16 bits are both read as long as the ids fit.

        Raises:
            CodeRangeError: If the file holds colours, no integers, or larger ids.
        """
        if picture.ndim == 3:
            raise CodeRangeError("ids must stand in one channel; this file holds colours: translate them to ids first")
        ids = self._fitting(picture)
        return np.where(ids < self.smallest, ids.dtype.type(0), ids) if self.smallest else ids, None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}

    def _fitting(self, ids: Array) -> Array:
        check_values(ids, 0, "an image of ids")
        if ids.dtype == self.dtype:
            return ids
        if ids.dtype.kind not in "iu":
            raise CodeRangeError(f"ids must be integers, not {ids.dtype}")
        low, high = ids.min(initial=0), ids.max(initial=0)
        if low < 0 or high > 2**self.bits - 1:
            raise CodeRangeError(f"ids from {low} to {high} do not fit into {self.bits} bits")
        return ids.astype(self.dtype)


_PLAIN: Final = IdCode()


@dataclass(frozen=True, slots=True)
class VoidFirstCode(StoredIds):
    """Files of labels as SMSnet and SSMA read them: 0 is void, the classes follow from 1.

    Stored are train ids 0..C-1 and 255 = ignore; files hold one more, 255 + 1 being 0 in 8 bits. Nothing but the
    files differs from `IdCode`: whoever reads a cell gets train ids.
    """

    name: ClassVar[str] = "ids-void-first"
    dtype: ClassVar["np.dtype[Any]"] = np.dtype(np.uint8)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Take train ids. See `IdCode.encode`."""
        return _PLAIN.encode(values, valid)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return the train ids. See `Code.decode`."""
        return _PLAIN.decode(stored, valid)

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the ids with void at 0."""
        return stored + np.uint8(1)

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return train ids. See `IdCode.from_file`."""
        ids, valid = _PLAIN.from_file(picture)
        return ids - np.uint8(1), valid

    def to_json(self) -> JsonDict:
        """Return the name."""
        return {"name": self.name}
