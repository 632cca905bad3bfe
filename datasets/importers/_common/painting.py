"""The one painter: regions in their order, or masks by their numbers or colours, become raw ids and instances."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.classes import ClassMap, Color
from segprep.datasets.importers._common.shapes import Shape
from segprep.datasets.importers._member import Painted
from segprep.datasets.packed_colors import pack_colors
from segprep.datasets.sample import Array, Mask

__all__ = ["Region", "label_type", "paint_colors", "paint_regions", "paint_values"]

_MOST_INSTANCES: Final = 65535
_MOST_KEPT: Final = 2**26  # bytes of masks that are not drawn twice


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture with a meaning.

    Attributes:
        raw_id: Of its class, or one that is ignored.
        shape: Its pixels.
        instance: What tells its object from others: regions of equal ones are one object. None for no object: crowds,
            stuff and what is ignored.
    """

    raw_id: int
    shape: Shape
    instance: Hashable | None = None


def paint_regions(
    regions: Sequence[Region],
    class_map: ClassMap,
    background: int,
    width: int,
    height: int,
    *,
    larger_first: bool = False,
) -> Painted:
    """Draw regions; later ones cover earlier ones.

    Args:
        regions: In the order in which they are drawn.
        class_map: Decides the type of the ids.
        background: Raw id of pixels in no region.
        width: Of the picture.
        height: Of the picture.
        larger_first: Draw larger regions before smaller ones instead, equal ones in their order: for formats without
            an order of their own.

    Raises:
        ValueError: If a shape makes no sense; the message says which one.
    """
    label_HW = np.full((height, width), background, label_type(class_map))
    instance_HW = np.zeros((height, width), np.uint16)
    numbers: dict[Hashable, int] = {}
    order = list(range(len(regions)))
    masks: dict[int, Mask] = {}
    if larger_first and len(regions) > 1:
        fit = _MOST_KEPT // (width * height)
        areas = []
        for place in order:
            mask_HW = _mask(regions, place, width, height)
            areas.append(int(mask_HW.sum()))
            if place < fit:
                masks[place] = mask_HW
        order.sort(key=lambda place: -areas[place])
    for place in order:
        region = regions[place]
        mask_HW = masks[place] if place in masks else _mask(regions, place, width, height)
        label_HW[mask_HW] = region.raw_id
        number = 0
        if region.instance is not None:
            number = numbers.setdefault(region.instance, len(numbers) + 1)
            if number > _MOST_INSTANCES:
                raise ValueError(f"there are more than {_MOST_INSTANCES} objects in one picture")
        instance_HW[mask_HW] = number
    return Painted(label_HW, instance_HW)


def _mask(regions: Sequence[Region], place: int, width: int, height: int) -> Mask:
    try:
        return regions[place].shape.mask(width, height)
    except ValueError as error:
        raise ValueError(f"annotation {place + 1} of {len(regions)}: {error}") from error


def paint_values(mask: Array, class_map: ClassMap, what: str) -> Array:
    """Return a mask of numbers as raw ids.

    Args:
        mask: (H, W) integers.
        class_map: Every number must be one of its raw ids.
        what: Says where they are explained, for the message.

    Raises:
        ValueError: If the mask has colours, or holds a number that is not known.
    """
    if mask.ndim != 2 or mask.dtype.kind not in "ui":
        raise ValueError(f"it must have one number per pixel, and has the shape {mask.shape}")
    known = [*(i for c in class_map.classes for i in c.raw_ids), *class_map.ignored_raw_ids]
    values, counts = np.unique(mask, return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        if value not in known:
            raise ValueError(f"{count} pixels have the value {value}, which {what} does not know")
    return mask.astype(label_type(class_map))


def paint_colors(rgb: Array, raw_ids: Mapping[Color, int], class_map: ClassMap, what: str) -> Array:
    """Return a mask of colours as raw ids.

    Args:
        rgb: (H, W, 3) uint8; a fourth channel is let pass.
        raw_ids: Of each colour.
        class_map: Decides the type of the ids.
        what: Says where they are explained, for the message.

    Raises:
        ValueError: If the mask has no colours, or holds one that is not known.
    """
    if rgb.ndim != 3 or rgb.shape[2] < 3 or rgb.dtype != np.uint8:
        raise ValueError(f"it must have colours of 8 bits, and has the shape {rgb.shape} of {rgb.dtype}")
    packed_HW = pack_colors(np.ascontiguousarray(rgb[..., :3]))
    colors, places, counts = np.unique(packed_HW, return_inverse=True, return_counts=True)
    known = {int(pack_colors(np.array(color, np.uint8)[None, None])[0, 0]): i for color, i in raw_ids.items()}
    for color, count in zip(colors.tolist(), counts.tolist(), strict=True):
        if color not in known:
            shown = f"#{color:06x}"
            raise ValueError(f"{count} pixels have the colour {shown}, which {what} does not know")
    table = np.array([known[c] for c in colors.tolist()], label_type(class_map))
    return np.asarray(table[places.reshape(packed_HW.shape)])


def label_type(class_map: ClassMap) -> type[np.uint8] | type[np.uint16]:
    """Return the type of the files of labels."""
    return np.uint8 if class_map.largest_raw_id < 256 else np.uint16
