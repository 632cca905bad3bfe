"""Whether two pictures show the same thing at the same place: how alike their edges are, whatever the pictures hold.

Measured on 28 frames of CamVid and 5 of Cityscapes, image against label: as they belong together the likeness is 0.38
(CamVid) and 0.27 (Cityscapes) on average; with the label turned or mirrored in any of the seven ways 0.07 at the most.
The right way was more alike by over 0.1 in all 196 cases of CamVid and in 29 of 35 of Cityscapes, and never less alike.
"""

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array

__all__ = ["edge_grid", "edge_likeness"]

_CELLS = 32
_BACKGROUND = _CELLS / 8  # cells: the sky has few edges in any picture, which says nothing of what belongs together

_ROUNDING = 0.1  # the grid of a picture without edges is no larger

Grid = npt.NDArray[np.float32]


def edge_grid(picture: Array, *, ids: bool) -> Grid:
    """Return where a picture has edges: more or fewer than its surroundings.

    Args:
        picture: (H, W) or (H, W, C) of any type.
        ids: Whether the numbers are ids, or colours that stand for ids: every change is an edge.

    Returns:
        (32, 32) float32 over the whole picture, with mean 0.
    """
    strength = _changes(picture) if ids else _slopes(picture)
    cells = np.sqrt(cv2.resize(strength, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA))
    cells -= cv2.GaussianBlur(cells, (0, 0), _BACKGROUND)
    grid: Grid = cells - cells.mean()
    return grid


def edge_likeness(first: Grid, second: Grid) -> float:
    """Return the correlation of two grids, -1..1; 0 where one has no edges."""
    norms = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    return float((first * second).sum()) / (norms[0] * norms[1]) if min(norms) > _ROUNDING else 0.0


def _changes(picture: Array) -> Grid:
    planes = picture[..., None] if picture.ndim == 2 else picture
    edges = np.zeros(planes.shape[:2], np.bool_)
    edges[:, 1:] |= (planes[:, 1:] != planes[:, :-1]).any(axis=2)
    edges[1:] |= (planes[1:] != planes[:-1]).any(axis=2)
    return edges.astype(np.float32)


def _slopes(picture: Array) -> Grid:
    values = np.nan_to_num(picture.astype(np.float32), nan=0, posinf=0, neginf=0)
    grey = cv2.GaussianBlur(values if values.ndim == 2 else values[..., :3].mean(axis=2), (0, 0), 1)
    slopes: Grid = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return slopes
