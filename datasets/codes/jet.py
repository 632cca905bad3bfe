"""Codes of pictures for the eye whose colours stand for one value per pixel."""

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.codes.base import Encoded, MaskPlace, check_picture, check_values, clip_counted, filled, mask_of
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["JetCode"]

_U8 = np.dtype(np.uint8)
_LAST: Final = 255
_BLACK: Final = 256  # its place behind the colours

_COLORS_N3: Final = np.vstack(
    [
        cv2.applyColorMap(np.arange(_BLACK, dtype=np.uint8)[:, None], cv2.COLORMAP_JET)[:, 0, ::-1],
        np.zeros((1, 3), np.uint8),
    ]
)
_AT_ONCE: Final = 1 << 14


def _packed(rgb: Array) -> npt.NDArray[np.uint32]:
    red, green, blue = (rgb[..., i].astype(np.uint32) for i in range(3))
    packed: npt.NDArray[np.uint32] = red * np.uint32(1 << 16) + green * np.uint32(1 << 8) + blue
    return packed


_ORDER_N: Final = np.argsort(_packed(_COLORS_N3))
_SORTED_N: Final = _packed(_COLORS_N3)[_ORDER_N]


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

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise CodeRangeError(f"jet shows a range of numbers, low < high, not {self.low} to {self.high}")

    @property
    def step(self) -> float:
        """Difference between the values of neighbouring colours."""
        return (self.high - self.low) / _LAST

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Give (H, W) values their colours, (H, W, 3); infinity does not count as clipped. See `Code.encode`."""
        check_values(values, 0, "what jet shows")
        mask = mask_of(valid, values.shape)
        finite_HW = np.where(np.isposinf(values), self.high, values).astype(np.float64)
        places_HW, clipped = clip_counted(np.rint((finite_HW - self.low) / self.step), 0, _LAST, mask, _U8)
        return Encoded(filled(np.take(_COLORS_N3, places_HW, axis=0), mask), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return (H, W) float32 values; black is invalid whatever the mask says. See `Code.decode`.

        A colour that JET does not have, as a lossy file would leave it, is taken for the nearest of JET and black.
        """
        check_picture(stored, 3, _U8, "a picture in jet")
        places_HW = _places(stored)
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
        return {"name": self.name, **asdict(self)}


def _places(rgb_HWC: Array) -> npt.NDArray[np.intp]:
    packed_HW = _packed(rgb_HWC)
    found_HW = np.minimum(np.searchsorted(_SORTED_N, packed_HW), _BLACK)
    places_HW: npt.NDArray[np.intp] = _ORDER_N[found_HW]
    foreign_HW = _SORTED_N[found_HW] != packed_HW
    if foreign_HW.any():
        colors_M3, which = np.unique(rgb_HWC[foreign_HW], axis=0, return_inverse=True)
        nearest_M = [_nearest(colors_M3[i : i + _AT_ONCE]) for i in range(0, len(colors_M3), _AT_ONCE)]
        places_HW[foreign_HW] = np.concatenate(nearest_M)[which.reshape(-1)]
    return places_HW


def _nearest(colors_M3: Array) -> npt.NDArray[np.intp]:
    known_N3 = _COLORS_N3.astype(np.float32)  # sums of squares of bytes are exact
    likeness_MN = 2 * (colors_M3.astype(np.float32) @ known_N3.T) - (known_N3**2).sum(axis=1)
    nearest_M: npt.NDArray[np.intp] = likeness_MN.argmax(axis=1)
    return nearest_M
