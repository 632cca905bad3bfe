"""Files of labels as SMSnet and SSMA read them: 0 is void, the classes follow from 1."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from segprep.datasets.codes.base import Encoded, MaskPlace
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.codes.plain import IdCode
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["VoidFirstCode"]

_PLAIN: Final = IdCode()


@dataclass(frozen=True, slots=True)
class VoidFirstCode:
    """Train ids 0..C-1 and 255 = ignore, whose files hold 1..C and 0: one more, 255 + 1 being 0 in 8 bits.

    Nothing but the files differs from `IdCode`: whoever reads a cell gets train ids.
    """

    name: ClassVar[str] = "ids-void-first"
    extension: ClassVar[str] = _PLAIN.extension
    channels: ClassVar[tuple[str, ...]] = ()
    dtype: ClassVar["np.dtype[Any]"] = np.dtype(np.uint8)
    scale: ClassVar[tuple[float, ...]] = (1.0,)
    offset: ClassVar[tuple[float, ...]] = (0.0,)
    mask: ClassVar[MaskPlace] = MaskPlace.NONE
    shows: ClassVar[Kind | None] = None
    numbers: ClassVar[Numbers | None] = None

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
