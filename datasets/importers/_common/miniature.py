"""Pictures with two boxes each, for the importers' miniatures: small enough to be written by hand in any form."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.imageio import write_image
from segprep.datasets.sample import Array

__all__ = ["CLASSES", "Box", "Scene", "boxes", "painted_boxes", "write_json", "write_picture"]

CLASSES: Final = ("car", "person")


@dataclass(frozen=True, slots=True)
class Scene:
    """The size of the pictures."""

    width: int = 40
    height: int = 24


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels from (left, top) up to, and without, (right, bottom).

    Attributes:
        place: Of its class in `CLASSES`.
    """

    place: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def corners(self) -> list[list[int]]:
        """The corner pixels, clockwise, which a tool that counts outlines fills to just this box."""
        right, bottom = self.right - 1, self.bottom - 1
        return [[self.left, self.top], [right, self.top], [right, bottom], [self.left, bottom]]


def boxes(index: int) -> tuple[Box, ...]:
    """Return the boxes of picture `index`, the second in front of the first."""
    shift = index % 4
    return Box(0, 4 + shift, 4, 22 + shift, 16), Box(1, 18 + shift, 8, 30 + shift, 20)


def painted_boxes(index: int, ids: tuple[int, int, int] = (0, 1, 2)) -> Array:
    """Return (H, W) uint8: ids of the background and of both classes."""
    scene = Scene()
    label_HW = np.full((scene.height, scene.width), ids[0], np.uint8)
    for box in boxes(index):
        label_HW[box.top : box.bottom, box.left : box.right] = ids[1 + box.place]
    return label_HW


def write_picture(folder: Path, index: int, suffix: str = ".png") -> tuple[str, Scene]:
    """Write the picture `index`; return its name and its size."""
    scene, name = Scene(), f"picture_{index:03d}{suffix}"
    shade_HW = 60 * painted_boxes(index) + 10 * np.uint8(index % 4)
    write_image(folder / name, np.stack([shade_HW, shade_HW // 2, 255 - shade_HW], axis=-1).astype(np.uint8))
    return name, scene


def write_json(path: Path, document: Any) -> None:  # noqa: ANN401  (whatever JSON holds)
    """Write a file of JSON; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
