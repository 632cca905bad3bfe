"""The code of label files as datasets have them."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from segprep.datasets.codes.base import Encoded
from segprep.datasets.codes.channels import channel_ranges, without_alpha
from segprep.datasets.codes.ids import StoredIds
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.record import SampleRecord
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["RawLabelCode", "with_label_reading"]


@dataclass(frozen=True, slots=True)
class RawLabelCode(StoredIds):
    """Label files as datasets have them: ids of 8 or 16 bits, or exact colours.

    The class map turns either into train ids; segprep writes `IdCode`.

    Attributes:
        reading: Which of the numbers say the class.
    """

    reading: LabelReading = LabelReading.STORED

    name: ClassVar[str] = "raw-labels"
    dtype: ClassVar["np.dtype[Any]"] = np.dtype(np.uint16)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "reading", LabelReading(self.reading))  # from JSON it comes as text
        except ValueError as error:
            raise CodeRangeError(str(error)) from error

    @property
    def shows_palette(self) -> bool:
        """Whether files with a palette must be given as the colours that they show."""
        return self.reading.shows_palette

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Take ids or colours as they are.

        Raises:
            CodeRangeError: If they are neither.
        """
        return Encoded(_checked(values), None, 0)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return ids or colours as they are. See `Code.decode`."""
        return _checked(stored), None

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return (H, W) ids, uint8 or uint16, or (H, W, 3) uint8 colours.

        Raises:
            CodeRangeError: If it holds anything else, transparent pixels, or what contradicts `reading`.
        """
        picture = _opaque(picture)
        if self.reading is LabelReading.COLORS and picture.ndim == 2 and picture.dtype == np.uint8:
            picture = np.repeat(picture[..., None], 3, axis=2)
        elif self.reading not in (LabelReading.STORED, LabelReading.COLORS) and picture.ndim == 3:
            picture = _ids(picture, self.reading)
        elif self.reading is LabelReading.COLORS and picture.ndim != 3:
            raise CodeRangeError(f"the labels of this dataset are colours, and it holds {channel_ranges(picture)}")
        return _checked(picture), None

    def to_json(self) -> JsonDict:
        """Return the name, and the reading unless it is the usual one."""
        reading = {} if self.reading is LabelReading.STORED else {"reading": self.reading.value}
        return {"name": self.name, **reading}


def with_label_reading(record: SampleRecord, reading: LabelReading) -> SampleRecord:
    """Return a record whose label files are read so; files of which the dataset says otherwise stay as they are."""
    usual, decided = RawLabelCode().to_json(), RawLabelCode(reading).to_json()
    sources = {n: replace(s, code=decided) if s.code == usual else s for n, s in record.sources.items()}
    return replace(record, sources=sources)


def _opaque(picture: Array) -> Array:
    try:
        return without_alpha(picture)
    except CodeRangeError as error:
        raise CodeRangeError(
            f"{error}. It holds {channel_ranges(picture)}; if alpha is a part of an id, as in bit masks of BDD100K, no "
            "option reads that: write the ids of the classes into one channel"
        ) from error


def _ids(picture_HWC: Array, reading: LabelReading) -> Array:
    channel = reading.channel
    ids_HW: Array = picture_HWC[..., channel or 0]
    others = [c for c in range(picture_HWC.shape[2]) if c != (channel or 0)]
    if channel is None and not all(np.array_equal(picture_HWC[..., c], ids_HW) for c in others):
        raise CodeRangeError(
            "the labels of this dataset are ids in one channel or in equal ones, and the channels of this file differ: "
            f"{channel_ranges(picture_HWC)}. Make it like the others, or make a new workspace"
        )
    if channel is not None and any(picture_HWC[..., c].any() for c in others):
        raise CodeRangeError(
            f"the labels of this dataset are ids in the {reading} channel alone, and this file holds "
            f"{channel_ranges(picture_HWC)}. Make it like the others, or make a new workspace"
        )
    return np.ascontiguousarray(ids_HW)


def _checked(picture: Array) -> Array:
    if picture.ndim == 2 and picture.dtype in (np.uint8, np.uint16):
        return picture
    if picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8:
        return picture
    found = f"; it holds {channel_ranges(picture)}" if picture.dtype.kind in "iu" else ""
    raise CodeRangeError(
        f"labels are ids of 8 or 16 bits in one channel, or 8-bit colours in three, not {picture.dtype} of shape "
        f"{picture.shape}{found}"
    )
