"""Codes of pictures for the eye whose colours stand for one value per pixel."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import cv2
import numpy as np

from segprep.datasets.codes.base import Encoded, MaskPlace, check_picture, check_values, clip_counted, filled, mask_of
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.codes.palette import Palette
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.json_values import json_of
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["JetCode"]

_U8 = np.dtype(np.uint8)
_LAST: Final = 255
_BLACK: Final = 256  # its place behind the colours

_PALETTE: Final = Palette(
    np.vstack(
        [
            cv2.applyColorMap(np.arange(_BLACK, dtype=np.uint8)[:, None], cv2.COLORMAP_JET)[:, 0, ::-1],
            np.zeros((1, 3), np.uint8),
        ]
    )
)


@dataclass(frozen=True, slots=True)
class JetCode:
    """One value per pixel in the 256 colours of OpenCV's COLORMAP_JET, 8-bit RGB, the mask beside.

    stored = JET[rint(255 (value - low) / (high - low))], from dark blue (0, 0, 128) over cyan, green and yellow to dark
    red (128, 0, 0). Invalid pixels are black, which is no colour of JET. The colours are 256 different ones, so that
    decoding gives the value back to half of (high - low) / 255; warp that, because a mean of two colours is another
    value's colour. Positive infinity is stored as `high` and read back as that.

    Between 2 m and 80 m a step is 0.306 m: 2 m is (0, 0, 128), 40 m (114, 255, 142), 80 m and the sky are (128, 0, 0).

    Attributes:
        low: Value of the first colour.
        high: Value of the last colour, above `low`.
    """

    low: float
    high: float

    name: ClassVar[str] = "jet"
    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ("red", "green", "blue")
    dtype: ClassVar["np.dtype[Any]"] = _U8
    # No linear function leads from a colour to its value: what this gives are the colours.
    scale: ClassVar[tuple[float, ...]] = (1.0, 1.0, 1.0)
    offset: ClassVar[tuple[float, ...]] = (0.0, 0.0, 0.0)
    mask: ClassVar[MaskPlace] = MaskPlace.BESIDE
    shows: ClassVar[Kind | None] = Kind.INDEX

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise CodeRangeError(f"jet shows a range of numbers, low < high, not {self.low} to {self.high}")

    @property
    def step(self) -> float:
        """Difference between the values of neighbouring colours."""
        return (self.high - self.low) / _LAST

    @property
    def numbers(self) -> Numbers:
        """Those of the colours. The last one is also of everything beyond, the sky too: nothing to take means of."""
        black = (_BLACK,)
        return Numbers((self.step,), (self.low,), 0, _LAST, black, black, palette=_PALETTE).far_at(_LAST)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Give (H, W) values their colours, (H, W, 3); infinity does not count as clipped. See `Code.encode`."""
        check_values(values, 0, "what jet shows")
        mask = mask_of(valid, values.shape)
        finite_HW = np.where(np.isposinf(values), self.high, values).astype(np.float64)
        places_HW, clipped = clip_counted(np.rint((finite_HW - self.low) / self.step), 0, _LAST, mask, _U8)
        return Encoded(filled(np.take(_PALETTE.colors_N3, places_HW, axis=0), mask), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return (H, W) float32 values; black is invalid whatever the mask says. See `Code.decode`.

        A colour that JET does not have, as a lossy file would leave it, is taken for the nearest of JET and black.
        """
        check_picture(stored, 3, _U8, "a picture in jet")
        places_HW = _PALETTE.numbers(stored)
        mask = mask_of(valid, stored.shape) & (places_HW != _BLACK)
        values_HW = (places_HW * self.step + self.low).astype(np.float32)
        return filled(values_HW, mask), mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the colours."""
        return stored

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the colours. See `Code.from_file`."""
        check_picture(picture, 3, _U8, "a picture in jet")
        return picture, None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}
