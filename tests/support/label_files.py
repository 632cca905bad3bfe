"""Label files in every form in which people have them, in the layout of the dataset `folder`."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from segprep.datasets.imageio import encode_image, write_image
from segprep.datasets.sample import Array
from support.pictures import chunk

__all__ = ["grey_png", "jpeg", "label_folder", "palette_png", "patches"]

_HEIGHT, _WIDTH, _PATCH = 48, 64, 16


def patches(*values: int | Sequence[int]) -> Array:
    """Return a (48, 64) picture of square patches that hold the values, or (48, 64, 3) of colours; uint8."""
    places = np.add.outer(np.arange(_HEIGHT) // _PATCH, np.arange(_WIDTH) // _PATCH) % len(values)
    picture: Array = np.array(values, np.uint8)[places]
    return picture


def palette_png(indices_HW: Array, *colors: Sequence[int], clear: int | None = None) -> bytes:
    """Return a PNG whose pixels are indices of a palette, one of which may be transparent."""
    image = Image.fromarray(indices_HW, "P")
    image.putpalette([level for color in colors for level in color])
    return _bytes(image, "PNG", **({} if clear is None else {"transparency": clear}))


def jpeg(picture: Array, quality: int = 75) -> bytes:
    """Return a JPEG as cameras and editors write it: colours at half of the resolution."""
    return _bytes(Image.fromarray(picture), "JPEG", quality=quality, subsampling=2)


def grey_png(ids_HW: Array, bits: int) -> bytes:
    """Return a grey PNG of 1, 2 or 4 bits per pixel."""
    height, width = ids_HW.shape
    shifts = np.arange(8 - bits, -1, -bits)
    packed = (ids_HW.reshape(height, -1, 8 // bits) << shifts).sum(axis=2).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def label_folder(root: Path, *labels: Array | bytes) -> Path:
    """Write images and these labels, `0.png` the first; labels may be bytes of any file."""
    for number, label in enumerate(labels):
        write_image(root / "image_data" / f"{number}.png", patches((10 * number, 90, 200), (200, 90, 10)))
        path = root / "label_data" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(label if isinstance(label, bytes) else encode_image(".png", label))
    return root


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
