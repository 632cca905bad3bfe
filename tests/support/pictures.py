"""Pictures and bytes for the tests of image files."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from segprep.datasets.sample import Array

__all__ = ["chunk", "noise", "pillow_bytes", "smooth"]


def noise(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def smooth(shape: tuple[int, ...]) -> Array:
    """A picture that looks like one, for JPEG."""
    blurred: Array = cv2.GaussianBlur(noise(shape, "uint8"), (0, 0), 3)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload, no-any-return]


def pillow_bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
