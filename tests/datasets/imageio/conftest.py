"""Pictures and bytes for the tests of image files."""

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from segprep.datasets.sample import Array

Noise = Callable[..., Array]
Smooth = Callable[[tuple[int, ...]], Array]
PillowBytes = Callable[..., bytes]
Chunk = Callable[[bytes, bytes], bytes]


def _noise(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def _smooth(shape: tuple[int, ...]) -> Array:
    """A picture that looks like one, for JPEG."""
    blurred: Array = cv2.GaussianBlur(_noise(shape, "uint8"), (0, 0), 3)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload, no-any-return]


def _pillow_bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.fixture(scope="session")
def noise() -> Noise:
    """Make random numbers: `noise(shape, dtype, seed)`."""
    return _noise


@pytest.fixture(scope="session")
def smooth() -> Smooth:
    """Make a picture that looks like one, for JPEG: `smooth(shape)`."""
    return _smooth


@pytest.fixture(scope="session")
def pillow_bytes() -> PillowBytes:
    """Encode a picture as Pillow does: `pillow_bytes(image, kind, **options)`."""
    return _pillow_bytes


@pytest.fixture(scope="session")
def chunk() -> Chunk:
    """Make a chunk of a PNG file: `chunk(name, body)`."""
    return _chunk
