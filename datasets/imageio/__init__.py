"""The only place that reads and writes pixels."""

from segprep.datasets.imageio.files import (
    FOREIGN_SUFFIXES,
    MAX_PIXELS,
    SUFFIXES,
    decode_image,
    encode_image,
    encode_palette,
    image_orientation,
    image_size,
    read_image,
    write_image,
)

__all__ = [
    "FOREIGN_SUFFIXES",
    "MAX_PIXELS",
    "SUFFIXES",
    "decode_image",
    "encode_image",
    "encode_palette",
    "image_orientation",
    "image_size",
    "read_image",
    "write_image",
]
