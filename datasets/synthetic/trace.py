"""Casting rays: what does a pixel, or any point of the image plane, see?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from segprep.datasets.sample import Array, Camera
from segprep.datasets.synthetic.scene import GROUND, SKY, FrameScene, build_scene
from segprep.datasets.synthetic.world import World

__all__ = ["Hits", "hit_points", "trace", "trace_grid"]

_TILE_PX: Final = 16.0
_MAX_TILE: Final = 1000
_MARGIN_PX: Final = 1e-6  # a pixel centre on the very edge of a rectangle counts

_Window = tuple[Any, Array, Array]  # an index into the buffers, and x and y there, which broadcast to its shape
_Windows = Callable[[int], _Window | None]  # which rays may hit solid i


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The first surface on each ray.

    Attributes:
        scene: What was traced.
        x: Image x of the rays in pixels; broadcasts with y to the shape of the arrays below.
        y: Image y.
        inverse_depth: float64 1/z in 1/metres, z along the optical axis; 0 for the sky.
        solid: int32 rows of the scene's solids.
        face: int32 rows of the scene's faces.
    """

    scene: FrameScene
    x: Array
    y: Array
    inverse_depth: Array
    solid: Array
    face: Array


def trace_grid(world: World, frame: int, camera: Camera) -> Hits:
    """Cast one ray through each pixel centre; arrays of (height, width)."""
    scene = build_scene(world, frame, camera)
    x, y = np.arange(camera.width, dtype=np.float64)[None, :], np.arange(camera.height, dtype=np.float64)[:, None]

    size = np.array([camera.width, camera.height])
    first = np.ceil(np.clip(scene.bounds[:, :2] - _MARGIN_PX, 0, size)).astype(int).tolist()
    last = np.floor(np.clip(scene.bounds[:, 2:] + _MARGIN_PX, -1, size - 1)).astype(int).tolist()

    def windows(i: int) -> _Window | None:
        (x0, y0), (x1, y1) = first[i], last[i]
        if x1 < x0 or y1 < y0:
            return None
        columns, rows = slice(x0, x1 + 1), slice(y0, y1 + 1)
        return (rows, columns), x[:, columns], y[rows]

    return _cast(scene, x, y, (camera.height, camera.width), windows)


def trace(world: World, frame: int, camera: Camera, x: Array, y: Array) -> Hits:
    """Cast a ray through any points of the image plane, also between pixel centres and outside the image.

    Args:
        world: The world.
        frame: When.
        camera: Intrinsics.
        x: Image x in pixels, float64 of any shape.
        y: Image y, of the same shape.

    Returns:
        Hits of that shape.
    """
    scene = build_scene(world, frame, camera)
    shape = x.shape
    flat = _cast(scene, x.ravel(), y.ravel(), (x.size,), _point_windows(scene, x.ravel(), y.ravel()))
    return Hits(scene, x, y, flat.inverse_depth.reshape(shape), flat.solid.reshape(shape), flat.face.reshape(shape))


def hit_points(hits: Hits) -> tuple[Array, Array, Array]:
    """Return x, y and z of the hits in the coordinates of their things (the world's on the ground), in metres.

    For the sky they are the ray's direction in the world.
    """
    to_ray = np.linalg.inv(hits.scene.camera.K)
    sky = hits.inverse_depth == 0
    z = 1.0 / np.where(sky, 1.0, hits.inverse_depth)
    right, down = _affine(to_ray[0], hits.x, hits.y) * z, _affine(to_ray[1], hits.x, hits.y) * z
    tables = hits.scene.to_local.copy()
    tables[SKY, :, 3] = 0

    def coordinate(axis: int) -> Array:
        a, b, c, d = (tables[:, axis, column][hits.solid] for column in range(4))
        point: Array = a * right + b * down + c * z + d
        return point

    return coordinate(0), coordinate(1), coordinate(2)


def _point_windows(scene: FrameScene, x: Array, y: Array) -> _Windows:
    """Sort points into tiles, so that a rectangle finds those inside without looking at all of them."""
    # All that is very far outside shares the outermost tiles; clipping keeps the order of points and rectangles.
    column, row = (np.clip(np.floor(c / _TILE_PX), -_MAX_TILE, _MAX_TILE).astype(np.int64) for c in (x, y))
    tiles = np.clip(np.floor((scene.bounds + _MARGIN_PX * np.array([-1, -1, 1, 1])) / _TILE_PX), -_MAX_TILE, _MAX_TILE)
    left, top = (int(c.min(initial=0)) for c in (column, row))
    right, bottom = (int(c.max(initial=0)) for c in (column, row))
    wide = right - left + 1
    tile = (row - top) * wide + (column - left)
    order = np.argsort(tile, kind="stable")
    begins = np.searchsorted(tile[order], np.arange((bottom - top + 1) * wide + 1))

    origin = np.array([left, top])
    size = np.array([wide, bottom - top + 1])
    first = np.clip(tiles[:, :2] - origin, 0, size).astype(int).tolist()
    last = np.clip(tiles[:, 2:] - origin, -1, size - 1).astype(int).tolist()

    def windows(i: int) -> _Window | None:
        (x0, y0), (x1, y1) = first[i], last[i]
        if x1 < x0 or y1 < y0:
            return None
        index = np.concatenate([order[begins[r * wide + x0] : begins[r * wide + x1 + 1]] for r in range(y0, y1 + 1)])
        return (index, x[index], y[index]) if index.size else None

    return windows


def _cast(scene: FrameScene, x: Array, y: Array, shape: tuple[int, ...], windows: _Windows) -> Hits:
    nearest_w = np.maximum(_affine(scene.planes[GROUND], x, y), 0.0)
    face = np.where(nearest_w > 0, np.int32(GROUND), np.int32(SKY))
    solid = face.copy()
    # Near things first: what they hide needs no closer look.
    for i in (2 + np.argsort(scene.nearest[2:], kind="stable")).tolist():
        window = windows(i)
        if window is None:
            continue
        index, x_near, y_near = window
        behind = nearest_w[index]
        if behind.min() >= 1.0 / scene.nearest[i]:
            continue
        begin, end = scene.first_face[i], scene.first_face[i + 1]
        if i in scene.ellipsoids:
            w = _ellipsoid(scene, i, x_near, y_near)
            hit = w > behind
            faces: Array = np.asarray(begin, np.int32)
        else:
            w, leaves, faces = _convex(scene, begin, end, x_near, y_near)
            hit = (w >= leaves) & (w > behind)
        if hit.any():
            nearest_w[index] = np.where(hit, w, behind)
            solid[index] = np.where(hit, np.int32(i), solid[index])
            face[index] = np.where(hit, faces, face[index])
    return Hits(scene, x, y, nearest_w.reshape(shape), solid.reshape(shape), face.reshape(shape))


def _affine(g: Array, x: Array, y: Array) -> Array:
    plane: Array = (g[0] * x + g[2]) + g[1] * y
    return plane


def _convex(scene: FrameScene, begin: int, end: int, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return 1/z where rays enter and leave the solid, and the faces they enter by; 0 where they never enter."""
    entry: Array | None = None
    exits: Array | None = None
    faces: Array = np.zeros((), np.int32)
    for k in range(begin, end):
        w = _affine(scene.planes[k], x, y)
        if not scene.front[k]:
            exits = w if exits is None else np.maximum(exits, w, out=exits)
        elif entry is None:
            entry, faces = w, np.full(w.shape, k, np.int32)
        else:
            faces[w < entry] = k
            np.minimum(entry, w, out=entry)
    if entry is None or exits is None:  # the camera is inside, which placement rules out
        zeros = np.zeros(np.broadcast_shapes(x.shape, y.shape))
        return zeros, zeros, faces
    return entry, exits, faces


def _ellipsoid(scene: FrameScene, i: int, x: Array, y: Array) -> Array:
    """Return 1/z of the nearer intersection, 0 where there is none.

    In coordinates scaled by the radii the ray o + z d meets the unit sphere where (o.o - 1) w^2 + 2 (o.d) w + d.d = 0.
    """
    centre, radii = scene.ellipsoids[i]
    d = scene.to_local[i, :, :3] @ np.linalg.inv(scene.camera.K) / radii[:, None]
    o = (scene.to_local[i, :, 3] - centre) / radii
    outside = float(o @ o) - 1.0
    if outside <= 0:
        return np.zeros(np.broadcast_shapes(x.shape, y.shape))
    b = o @ d
    q = np.outer(b, b) - outside * (d.T @ d)
    square = (q[0, 0] * x + 2 * q[0, 2]) * x + q[2, 2] + ((q[1, 1] * y + 2 * q[1, 2]) * y + 2 * q[0, 1] * x * y)
    towards = -_affine(b, x, y)
    w: Array = np.where((square >= 0) & (towards > 0), towards + np.sqrt(np.maximum(square, 0.0)), 0.0) / outside
    return w
