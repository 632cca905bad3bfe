"""Codes of optical flow: the 16 bits of KITTI, for work, and of Virtual KITTI 2; SMSnet's 8 bits for networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from segprep.datasets.codes.base import (
    Encoded,
    MaskPlace,
    check_picture,
    check_scale,
    check_values,
    clip_counted,
    filled,
    mask_of,
)
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.json_values import json_of
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["KittiFlowCode", "SmsnetFlowCode", "Vkitti2FlowCode"]

_U8, _U16 = np.dtype(np.uint8), np.dtype(np.uint16)
_KITTI_ZERO, _KITTI_STEPS_PER_PIXEL = 2**15, 64
_SMSNET_ZERO = 128
_FULL = 2**16 - 1
_VKITTI2_INVALID = 2**15


@dataclass(frozen=True, slots=True)
class KittiFlowCode:
    """Flow in pixels as KITTI 2012 and 2015 store it: stored = 64 * pixels + 2^15, range -512 to 511.98 pixels.

    The file is a 16-bit RGB picture: red is u, green is v, blue is 1 where valid. Invalid pixels hold no motion.
    Source: KITTI flow development kit, `F_u = (I(u,v,1) - 2^15) / 64`.
    """

    name: ClassVar[str] = "kitti-flow"
    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ("u", "v")
    dtype: ClassVar["np.dtype[Any]"] = _U16
    scale: ClassVar[tuple[float, ...]] = (1 / _KITTI_STEPS_PER_PIXEL,) * 2
    offset: ClassVar[tuple[float, ...]] = (-_KITTI_ZERO / _KITTI_STEPS_PER_PIXEL,) * 2
    mask: ClassVar[MaskPlace] = MaskPlace.IN_FILE
    shows: ClassVar[Kind | None] = None

    @property
    def numbers(self) -> Numbers:
        """See `Code.numbers`."""
        return Numbers(self.scale, self.offset, 0, _FULL, (_KITTI_ZERO,) * 2)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Round and clip (H, W, 2) pixels. See `Code.encode`."""
        check_values(values, 2, "flow")
        mask = mask_of(valid, values.shape)
        # Rounded before the zero is added, so that opposite vectors get codes at the same distance from it. A power of
        # two as factor makes all of it exact in single precision, too.
        rounded = np.multiply(values, _KITTI_STEPS_PER_PIXEL, dtype=np.result_type(values, np.float32))
        np.rint(rounded, out=rounded)
        rounded += _KITTI_ZERO
        stored, clipped = clip_counted(rounded, 0, _FULL, mask, _U16)
        return Encoded(filled(stored, mask, _KITTI_ZERO), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return (H, W, 2) float32 pixels. See `Code.decode`."""
        check_picture(stored, 2, _U16, "flow")
        mask = mask_of(valid, stored.shape)
        uv_HW2 = stored.astype(np.float32)
        uv_HW2 -= _KITTI_ZERO
        uv_HW2 /= _KITTI_STEPS_PER_PIXEL
        return filled(uv_HW2, mask), mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return (H, W, 3) uint16: u, v, valid."""
        return _with_valid(stored, valid)

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the vectors' codes and where they are valid. See `Code.from_file`."""
        return _without_valid(picture, _KITTI_ZERO)

    def to_json(self) -> JsonDict:
        """Return the name."""
        return {"name": self.name}


@dataclass(frozen=True, slots=True)
class Vkitti2FlowCode:
    """Flow in pixels as Virtual KITTI 2 stores it: stored = (pixels / (side - 1) + 1) / 2 * 65535.

    The side is the width for u and the height for v, so that the range is plus and minus the picture itself; at
    1242x375 a step is 0.038 pixels of u and 0.011 of v. The file is a 16-bit RGB picture: red is u, green is v, blue is
    0 where invalid. Standing still has no code of its own: it is half a step away. Source: the reader on the data set's
    page, `out_flow = 2.0 / (2**16 - 1.0) * bgr[..., 2:0:-1] - 1`.

    Attributes:
        width: Of the picture in pixels, at least 2.
        height: Of the picture in pixels, at least 2.
    """

    width: int
    height: int

    name: ClassVar[str] = "vkitti2-flow"
    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ("u", "v")
    dtype: ClassVar["np.dtype[Any]"] = _U16
    mask: ClassVar[MaskPlace] = MaskPlace.IN_FILE
    shows: ClassVar[Kind | None] = None

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 2:
            raise CodeRangeError(f"the code has no range in a picture of {self.width}x{self.height}: it needs 2x2")

    @property
    def scale(self) -> tuple[float, ...]:
        """Pixels per step."""
        return (2 * (self.width - 1) / _FULL, 2 * (self.height - 1) / _FULL)

    @property
    def offset(self) -> tuple[float, ...]:
        """Pixels at 0."""
        return (1.0 - self.width, 1.0 - self.height)

    @property
    def numbers(self) -> Numbers:
        """See `Code.numbers`."""
        return Numbers(self.scale, self.offset, 0, _FULL, (_VKITTI2_INVALID,) * 2)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Round and clip (H, W, 2) pixels. See `Code.encode`."""
        check_values(values, 2, "flow")
        self._check_size(values)
        mask = mask_of(valid, values.shape)
        rounded = np.rint((values.astype(np.float64) - self.offset) / self.scale)
        stored, clipped = clip_counted(rounded, 0, _FULL, mask, _U16)
        return Encoded(filled(stored, mask, _VKITTI2_INVALID), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return (H, W, 2) float32 pixels. See `Code.decode`."""
        check_picture(stored, 2, _U16, "flow")
        self._check_size(stored)
        mask = mask_of(valid, stored.shape)
        uv_HW2 = (stored * np.array(self.scale) + self.offset).astype(np.float32)
        return filled(uv_HW2, mask), mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return (H, W, 3) uint16: u, v, valid."""
        return _with_valid(stored, valid)

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the vectors' codes and where they are valid. See `Code.from_file`."""
        stored, valid = _without_valid(picture, _VKITTI2_INVALID)
        self._check_size(stored)
        return stored, valid

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}

    def _check_size(self, array: Array) -> None:
        if array.shape[:2] != (self.height, self.width):
            raise CodeRangeError(
                f"this code is for pictures of {self.width}x{self.height}, not {array.shape[1]}x{array.shape[0]}: its "
                "range depends on the size"
            )


@dataclass(frozen=True, slots=True)
class SmsnetFlowCode:
    """SMSnet's motion image: 8 bits, (u, v, magnitude) * (scale, scale, scale * 255 / 128) + (128, 128, 0).

    With the published scale 6.4 the magnitude's factor is 12.75, the range -20 to 19.84 pixels and the step 0.156
    pixels; no motion is (128, 128, 0). The mirror image of code c is 256 - c. Arrays are (u, v, magnitude), which
    OpenCV writes as blue, green, red: red of the file is the magnitude. Source: README of SMSnet (Vertens, Valada,
    Burgard: SMSnet: Semantic motion segmentation using deep convolutional neural networks. IROS 2017).

    Attributes:
        scale_per_px: Grey levels per pixel of motion.
    """

    scale_per_px: float = 6.4

    name: ClassVar[str] = "smsnet-flow"
    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ("u", "v", "magnitude")
    dtype: ClassVar["np.dtype[Any]"] = _U8
    mask: ClassVar[MaskPlace] = MaskPlace.BESIDE
    shows: ClassVar[Kind | None] = Kind.FLOW

    def __post_init__(self) -> None:
        check_scale(self.scale_per_px)

    @property
    def magnitude_per_px(self) -> float:
        """Grey levels of the third channel per pixel of motion; it is full where u or v would be."""
        return self.scale_per_px * 255 / 128

    @property
    def scale(self) -> tuple[float, ...]:
        """Pixels per grey level."""
        return (1 / self.scale_per_px, 1 / self.scale_per_px, 1 / self.magnitude_per_px)

    @property
    def offset(self) -> tuple[float, ...]:
        """Pixels at grey level 0."""
        return (-_SMSNET_ZERO / self.scale_per_px, -_SMSNET_ZERO / self.scale_per_px, 0.0)

    @property
    def numbers(self) -> Numbers:
        """Those of the vectors."""
        zero = (_SMSNET_ZERO,) * 2
        return Numbers(self.scale[:2], self.offset[:2], 0, 255, zero, length=self.magnitude_per_px)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Round and clip (H, W, 2) pixels; the magnitude comes from the unclipped vectors. See `Code.encode`."""
        check_values(values, 2, "flow")
        mask = mask_of(valid, values.shape)
        planes: Sequence[Array] = cv2.split(np.ascontiguousarray(values, np.result_type(values, np.float32)))
        u_HW, v_HW = planes
        magnitude_HW = np.sqrt(u_HW * u_HW + v_HW * v_HW)
        magnitude_HW *= self.magnitude_per_px
        for each_HW in (u_HW, v_HW):
            each_HW *= self.scale_per_px
        for each_HW in (u_HW, v_HW, magnitude_HW):
            np.rint(each_HW, out=each_HW)
        # Rounded before the zero is added, so that mirrored vectors get exactly mirrored codes.
        for each_HW in (u_HW, v_HW):
            each_HW += _SMSNET_ZERO
        stored, clipped = clip_counted(cv2.merge([u_HW, v_HW, magnitude_HW]), 0, 255, mask, _U8)
        return Encoded(filled(stored, mask, (_SMSNET_ZERO, _SMSNET_ZERO, 0)), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return (H, W, 2) float32 pixels; the magnitude adds nothing to them. See `Code.decode`."""
        check_picture(stored, 3, _U8, "a motion image")
        mask = mask_of(valid, stored.shape)
        pixels_of = ((np.arange(256.0) - _SMSNET_ZERO) / self.scale_per_px).astype(np.float32)
        uv_HW2: Array = cv2.merge([cv2.LUT(codes_HW, pixels_of) for codes_HW in cv2.split(stored)[:2]])
        return filled(uv_HW2, mask), mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return (H, W, 3) uint8 in RGB order: magnitude, v, u."""
        return _reversed(stored)

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return (u, v, magnitude). See `Code.from_file`."""
        check_picture(picture, 3, _U8, "a motion image")
        return _reversed(picture), None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}


def _reversed(picture: Array) -> Array:
    turned: Array = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return turned


def _with_valid(stored: Array, valid: Mask | None) -> Array:
    picture: Array = cv2.merge([*cv2.split(stored), mask_of(valid, stored.shape).astype(np.uint16)])
    return picture


def _without_valid(picture: Array, invalid_code: int) -> tuple[Array, Mask]:
    check_picture(picture, 3, _U16, "flow")
    u_HW, v_HW, marks_HW = cv2.split(picture)
    valid: Mask = np.greater(marks_HW, 0)
    return filled(cv2.merge([u_HW, v_HW]), valid, invalid_code), valid
