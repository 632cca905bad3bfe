"""The things that stand and move in the street, built of solids. Local axes: x along the road, y left, z up."""

from collections.abc import Sequence

import numpy as np

from segprep.datasets.synthetic.palette import Albedo, Material, RawId
from segprep.datasets.synthetic.shapes import Finish, Solid, box, ellipsoid, prism, tapered_box

__all__ = ["bush", "cabinet", "car", "fence", "house", "lamp", "person", "sign", "tree"]

_PAINTS: tuple[Albedo, ...] = (
    (0.72, 0.1, 0.09),
    (0.12, 0.26, 0.58),
    (0.85, 0.85, 0.83),
    (0.16, 0.17, 0.19),
    (0.6, 0.62, 0.64),
    (0.1, 0.36, 0.24),
    (0.85, 0.6, 0.12),
)
_WALLS: tuple[Albedo, ...] = (
    (0.74, 0.62, 0.47),
    (0.62, 0.35, 0.27),
    (0.8, 0.76, 0.68),
    (0.55, 0.56, 0.58),
    (0.76, 0.66, 0.35),
    (0.56, 0.62, 0.66),
)
_CLOTHES: tuple[Albedo, ...] = (
    (0.75, 0.2, 0.2),
    (0.2, 0.35, 0.65),
    (0.85, 0.8, 0.3),
    (0.3, 0.55, 0.35),
    (0.8, 0.8, 0.8),
)
_LEAVES: tuple[Albedo, ...] = ((0.24, 0.42, 0.13), (0.33, 0.46, 0.14), (0.18, 0.36, 0.17), (0.42, 0.44, 0.13))
_SIGNS: tuple[Albedo, ...] = ((0.85, 0.12, 0.1), (0.1, 0.3, 0.75), (0.95, 0.78, 0.1))
_SKIN: Albedo = (0.8, 0.6, 0.48)
_TROUSERS: Albedo = (0.2, 0.22, 0.3)
_TRUNK: Albedo = (0.34, 0.26, 0.18)
_STEEL: Albedo = (0.42, 0.44, 0.46)


def car(rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return a car, saloon or van, looking along +x; at most 4.9 m x 1.9 m, its ground projection centred."""
    paint = _finish(rng, RawId.CAR, Material.PAINT, _pick(rng, _PAINTS))
    glass = Finish(RawId.CAR, Material.CABIN, paint.color, paint.phase)
    length, width = rng.uniform(3.9, 4.6), rng.uniform(1.7, 1.85)
    x, y = length / 2, width / 2
    if rng.random() < 0.2:
        body = box((-x, -y, 0.12), (x, y, 1.05), paint)
        low, high, inset, glazed = (-x, -y, 1.05), (x - 0.15, y, 2.0), (0.75, 0.05, 0.12), 0.72
    else:
        body = tapered_box((-x, -y, 0.12), (x, y, 0.88), (0.12, 0.08, 0.05), paint)
        back = rng.uniform(0.05, 0.6)
        low, high = (-x + back, -y + 0.07, 0.86), (0.28 * length, y - 0.07, 1.45)
        inset, glazed = (0.65, 0.4, 0.2), 0.85
    # One taper, cut into windows below and a painted roof above.
    front, rear, side = (glazed * i for i in inset)
    cut = low[2] + glazed * (high[2] - low[2])
    windows = tapered_box(low, (high[0], high[1], cut), (front, rear, side), glass)
    rest = (inset[0] - front, inset[1] - rear, inset[2] - side)
    roof = tapered_box((low[0] + rear, low[1] + side, cut), (high[0] - front, high[1] - side, high[2]), rest, paint)
    return body, windows, roof


def person(rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return a pedestrian about 1.75 m tall."""
    scale = rng.uniform(0.92, 1.06)
    coat = _finish(rng, RawId.PERSON, Material.CLOTH, _pick(rng, _CLOTHES))
    legs = _finish(rng, RawId.PERSON, Material.CLOTH, _TROUSERS)
    head = _finish(rng, RawId.PERSON, Material.CLOTH, _SKIN)
    return (
        tapered_box((-0.2, -0.16, 0), (0.2, 0.16, 0.9 * scale), (0.06, 0.06, 0.0), legs),
        ellipsoid((0, 0, 1.15 * scale), (0.19, 0.27, 0.4 * scale), coat),
        ellipsoid((0, 0, 1.65 * scale), (0.12, 0.11, 0.14), head),
    )


def tree(rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return a trunk with a crown of four overlapping ellipsoids, about 6 m tall."""
    bark = _finish(rng, RawId.VEGETATION, Material.BARK, _TRUNK)
    height = rng.uniform(3.8, 5.2)
    color = _pick(rng, _LEAVES)
    solids = [prism((0, 0), rng.uniform(0.13, 0.22), 0, height, bark, sides=7)]
    for level in range(4):
        x, y = rng.uniform(-0.7, 0.7, 2)
        radius = rng.uniform(1.0, 1.5) if level else 1.7
        centre = (float(x), float(y), height + rng.uniform(-0.6, 1.3))
        shade = float(rng.uniform(0.85, 1.15))
        leaves = _finish(
            rng, RawId.VEGETATION, Material.FOLIAGE, (color[0] * shade, color[1] * shade, color[2] * shade)
        )
        solids.append(ellipsoid(centre, (radius, radius, 0.8 * radius), leaves))
    return tuple(solids)


def bush(rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return a bush of two ellipsoids, about 1.5 m tall."""
    color = _pick(rng, _LEAVES)
    size = rng.uniform(0.7, 1.3)
    leaves = [_finish(rng, RawId.VEGETATION, Material.FOLIAGE, color) for _ in range(2)]
    return (
        ellipsoid((-0.4 * size, 0, 0.5 * size), (size, 0.8 * size, 0.8 * size), leaves[0]),
        ellipsoid((0.7 * size, 0.2 * size, 0.35 * size), (0.8 * size, 0.7 * size, 0.65 * size), leaves[1]),
    )


def house(rng: np.random.Generator, length: float) -> tuple[Solid, ...]:
    """Return a building whose street side is y = 0 and which extends to y = 10 m."""
    walls = _finish(rng, RawId.BUILDING, Material.FACADE, _pick(rng, _WALLS))
    tiles = Finish(RawId.BUILDING, Material.ROOF, (0.48, 0.25, 0.19), walls.phase)
    slate = Finish(RawId.BUILDING, Material.ROOF, (0.36, 0.37, 0.4), walls.phase)
    height, half = 3.0 * float(rng.integers(2, 5)) + 0.4, length / 2
    block = box((-half, 0, 0), (half, 10, height), walls)
    if rng.random() < 0.6:
        roof = tapered_box((-half, -0.4, height), (half, 10.4, height + 3.2), (0.0, 0.0, 5.3), tiles)
    else:
        roof = box((-half, -0.25, height), (half, 10.2, height + 0.4), slate)
    return block, roof


def fence(rng: np.random.Generator, length: float) -> tuple[Solid, ...]:
    """Return a slatted garden fence along x, 1.3 m tall."""
    slats = _finish(
        rng, RawId.FENCE, Material.SLATS, _pick(rng, ((0.5, 0.38, 0.26), (0.75, 0.74, 0.7), (0.3, 0.36, 0.3)))
    )
    return (box((-length / 2, -0.05, 0), (length / 2, 0.05, 1.3), slats),)


def lamp(rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return a street lamp 6.5 m tall whose arm points along +y."""
    steel = _finish(rng, RawId.POLE, Material.METAL, _STEEL)
    return (
        prism((0, 0), 0.09, 0, 6.5, steel, sides=6),
        box((-0.05, 0, 6.35), (0.05, 1.6, 6.47), steel),
        box((-0.15, 1.3, 6.22), (0.15, 2.0, 6.36), steel),
    )


def sign(rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return a traffic sign on a pole, its face looking along -x."""
    steel = _finish(rng, RawId.POLE, Material.METAL, _STEEL)
    face = _finish(rng, RawId.SIGN, Material.SIGN, _pick(rng, _SIGNS))
    half = float(rng.uniform(0.35, 0.5))
    return (
        prism((0, 0), 0.05, 0, 3.0, steel, sides=6),
        box((-0.09, -half, 2.9 - half), (-0.06, half, 2.9 + half), face),
    )


def cabinet(rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return a grey box of street furniture, which is labelled void."""
    finish = _finish(rng, RawId.VOID, Material.CABINET, (0.4, 0.47, 0.44))
    return (box((-0.5, -0.22, 0), (0.5, 0.22, float(rng.uniform(0.9, 1.3))), finish),)


def _finish(rng: np.random.Generator, label: RawId, material: Material, color: Albedo) -> Finish:
    return Finish(label, material, color, phase=float(rng.uniform(0, 300)))


def _pick(rng: np.random.Generator, colors: Sequence[Albedo]) -> Albedo:
    return colors[int(rng.integers(len(colors)))]
