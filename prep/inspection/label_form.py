"""How a label file keeps its numbers, as far as that decides what they mean beside the numbers of other files."""

from dataclasses import dataclass

import numpy as np

from segprep.datasets.imageio.pixel_format import pixel_format
from segprep.datasets.packed_colors import pack_colors
from segprep.datasets.sample import Array

__all__ = ["LabelForm", "label_form"]


@dataclass(frozen=True, slots=True)
class LabelForm:
    """How a label file keeps its numbers.

    Attributes:
        lossy: Whether it is a JPEG.
        bits: Of a grey PNG, per pixel.
        palette: (index, its packed colour) of the indices that occur.
    """

    lossy: bool = False
    bits: int | None = None
    palette: tuple[tuple[int, int], ...] = ()


def label_form(data: bytes, picture: Array) -> LabelForm:
    """Return the form of a label file.

    Args:
        data: Its bytes.
        picture: As it was decoded; a palette is told where this has its indices, (H, W) uint8, and not its colours.
    """
    facts = pixel_format(data)
    palette: tuple[tuple[int, int], ...] = ()
    if facts.palette_N3 is not None and picture.ndim == 2 and picture.dtype == np.uint8:
        used = np.flatnonzero(np.bincount(picture.ravel(), minlength=256)[: len(facts.palette_N3)])
        palette = tuple(zip(used.tolist(), pack_colors(facts.palette_N3[used]).tolist(), strict=True))
    return LabelForm(facts.lossy, facts.grey_bits, palette)
