"""Solids that rays can hit: convex polyhedra and ellipsoids, each in the coordinates of the thing it belongs to."""

import math
from dataclasses import dataclass

import numpy as np

from segprep.datasets.sample import Array, Matrix
from segprep.datasets.synthetic.palette import Albedo, Material, RawId

__all__ = ["Finish", "Solid", "box", "ellipsoid", "prism", "tapered_box"]


@dataclass(frozen=True, slots=True)
class Finish:
    """What a solid is labelled as and looks like.

    Attributes:
        label: Class.
        material: Decides pattern, contrast and near infrared.
        color: Albedo.
        phase: Moves the texture, so that equal things look different; metres.
    """

    label: RawId
    material: Material
    color: Albedo
    phase: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A convex polyhedron {p : normals p <= offsets}, or an ellipsoid where `radii` is given.

    Attributes:
        low: (3,) lower corner of the bounding box in metres.
        high: (3,) upper corner.
        normals: (F, 3) outward unit normals; (0, 3) for ellipsoids.
        offsets: (F,) distances of the planes from the origin.
        radii: (3,) semi-axes of an ellipsoid whose centre is that of the bounding box, or None.
        finish: Class and look.
    """

    low: Array
    high: Array
    normals: Matrix
    offsets: Array
    radii: Array | None
    finish: Finish


def box(low: tuple[float, float, float], high: tuple[float, float, float], finish: Finish) -> Solid:
    """Return an axis-aligned box."""
    normals = np.vstack([np.eye(3), -np.eye(3)])
    offsets = np.concatenate([np.asarray(high, float), -np.asarray(low, float)])
    return Solid(np.asarray(low, float), np.asarray(high, float), normals, offsets, None, finish)


def tapered_box(
    low: tuple[float, float, float], high: tuple[float, float, float], inset: tuple[float, float, float], finish: Finish
) -> Solid:
    """Return a box whose top is smaller than its floor.

    Args:
        low: Lower corner.
        high: Upper corner of the bounding box.
        inset: How far the top's front (+x), back (-x) and each side (y) stand back.
        finish: Class and look. Insets of half the width give a gable roof.
    """
    height = high[2] - low[2]
    slopes = ((1, 0, inset[0]), (-1, 0, inset[1]), (0, 1, inset[2]), (0, -1, inset[2]))
    normals, offsets = [], []
    for x, y, back in slopes:
        norm = math.hypot(height, back)
        normal = np.array([x * height, y * height, back]) / norm
        foot = np.array([high[0] if x > 0 else low[0], high[1] if y > 0 else low[1], low[2]])
        normals.append(normal)
        offsets.append(float(normal @ foot))
    normals += [np.array([0, 0, 1.0]), np.array([0, 0, -1.0])]
    offsets += [high[2], -low[2]]
    return Solid(np.asarray(low, float), np.asarray(high, float), np.array(normals), np.array(offsets), None, finish)


def prism(
    centre: tuple[float, float], radius: float, bottom: float, top: float, finish: Finish, sides: int = 8
) -> Solid:
    """Return an upright prism over a regular polygon with the inscribed circle `radius` around (x, y) `centre`."""
    angles = 2 * math.pi * np.arange(sides) / sides
    normals = np.zeros((sides + 2, 3))
    normals[:sides, 0], normals[:sides, 1] = np.cos(angles), np.sin(angles)
    normals[sides:, 2] = 1, -1
    offsets = np.append(normals[:sides, :2] @ centre + radius, [top, -bottom])
    reach = radius / math.cos(math.pi / sides)
    low = np.array([centre[0] - reach, centre[1] - reach, bottom])
    high = np.array([centre[0] + reach, centre[1] + reach, top])
    return Solid(low, high, normals, offsets, None, finish)


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float], finish: Finish) -> Solid:
    """Return an ellipsoid with semi-axes along x, y and z."""
    c, r = np.asarray(centre, float), np.asarray(radii, float)
    return Solid(c - r, c + r, np.zeros((0, 3)), np.zeros(0), r, finish)
