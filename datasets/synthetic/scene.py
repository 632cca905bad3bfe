"""Everything around one frame's camera, in the form that rays are traced through: planes as inverse depths.

A plane n . p = c in a thing's coordinates is seen by a pixel (u, v) at a depth z with 1/z = g . (u, v, 1), because a
ray is affine in the pixel and its parameter is z itself. So a convex solid is hit where the smallest 1/z of its planes
that face the camera is no less than the largest 1/z of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.sample import Array, Camera, Matrix, Pose
from segprep.datasets.synthetic.palette import Albedo, Material, RawId
from segprep.datasets.synthetic.placement import Thing, things_near
from segprep.datasets.synthetic.shapes import Finish, Solid
from segprep.datasets.synthetic.world import World, camera_pose

__all__ = ["GROUND", "SKY", "Scene", "build_scene"]

SKY: Final = 0
GROUND: Final = 1
"""Rows of the sky and the ground in all tables of solids and faces."""

_NEAR_M: Final = 0.05
_NEVER: Final = 1e-12  # stands in for a distance of 0 between the camera and a plane that it lies in
_LIGHT: Final = np.array([-0.45, 0.35, 0.82])  # fixed to each thing, so that brightness moves with its surface
_EDGES: Final = np.array(
    [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1], dtype=np.intp
)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One frame's camera and the S solids before it; rows 0 and 1 are the sky and the ground.

    Attributes:
        world: Parameters.
        frame: Frame index.
        camera: Intrinsics.
        pose: Camera to world.
        things: Owners of the solids.
        to_local: (S, 3, 4) camera points to the coordinates of the solid's thing; the world's for the ground.
        thing_of: (S,) index into `things`, -1 for sky and ground.
        finishes: Look and class of each solid.
        bounds: (S, 4) image rectangle x0, y0, x1, y1 that holds the solid; in pixels, may exceed the image.
        nearest: (S,) smallest depth of the solid's bounding box in metres.
        planes: (F, 3) g of each face, so that 1/z = g . (u, v, 1); zeros for ellipsoids.
        front: (F,) whether the camera lies outside of the face's plane.
        first_face: (S + 1,) faces of solid i are rows first_face[i] to first_face[i + 1].
        normals: (F, 3) unit normals in local coordinates; zeros for the sky and ellipsoids.
        shade: (F,) brightness of each face.
        ellipsoids: Solid to its (centre, radii).
    """

    world: World
    frame: int
    camera: Camera
    pose: Pose
    things: tuple[Thing, ...]
    to_local: Array
    thing_of: Array
    finishes: tuple[Finish, ...]
    bounds: Array
    nearest: Array
    planes: Array
    front: Array
    first_face: Array
    normals: Array
    shade: Array
    ellipsoids: dict[int, tuple[Array, Array]]


def build_scene(world: World, frame: int, camera: Camera) -> Scene:
    """Return what lies before the camera at a frame."""
    time = world.time(frame)
    pose = camera_pose(world, frame)
    things = tuple(things_near(world, world.start + world.speed * time, time))
    camera_to_thing = np.linalg.inv([t.to_world(world, time) for t in things]) @ pose.matrix
    owned = [(i, solid) for i, thing in enumerate(things) for solid in thing.solids]
    owners = np.array([i for i, _ in owned])
    bounds, depths = _project_boxes(camera, camera_to_thing, owners, [s for _, s in owned])
    seen = np.flatnonzero((depths[:, 1] > _NEAR_M) & (bounds[:, 0] <= bounds[:, 2]))

    ground = Solid(np.zeros(3), np.zeros(3), np.array([[0, 0, 1.0]]), np.zeros(1), None, _GROUND_FINISH)
    solids = [ground, *(owned[i][1] for i in seen)]
    to_local = np.concatenate([pose.matrix[None], camera_to_thing[owners[seen]]])[:, :3]
    counts = np.array([max(1, len(s.offsets)) for s in solids])
    first_face = np.concatenate([[0, 1], 1 + np.cumsum(counts)])
    normals = np.concatenate([s.normals if s.radii is None else np.zeros((1, 3)) for s in solids])
    planes, front = _inverse_depth_planes(camera, to_local, counts, normals, solids)

    everywhere = [[-np.inf, -np.inf, np.inf, np.inf]] * 2
    return Scene(
        world=world,
        frame=frame,
        camera=camera,
        pose=pose,
        things=things,
        to_local=np.concatenate([to_local[:1], to_local]),
        thing_of=np.concatenate([[-1, -1], owners[seen]]),
        finishes=(_SKY_FINISH, *(s.finish for s in solids)),
        bounds=np.concatenate([everywhere, bounds[seen]]),
        nearest=np.concatenate([[np.inf, 0.0], np.maximum(depths[seen, 0], _NEAR_M)]),
        planes=np.concatenate([np.zeros((1, 3)), planes]),
        front=np.concatenate([[True], front]),
        first_face=first_face,
        normals=np.concatenate([np.zeros((1, 3)), normals]),
        shade=np.concatenate([[1.0], 0.64 + 0.4 * np.clip(normals @ _LIGHT, -0.4, 1.0)]),
        ellipsoids={i: ((s.low + s.high) / 2, s.radii) for i, s in enumerate(solids, start=1) if s.radii is not None},
    )


_BLACK: Final[Albedo] = (0.0, 0.0, 0.0)
_SKY_FINISH: Final = Finish(RawId.SKY, Material.SKY, _BLACK)
_GROUND_FINISH: Final = Finish(RawId.VOID, Material.GROUND, _BLACK)


def _inverse_depth_planes(
    camera: Camera, to_local: Array, counts: Array, normals: Array, solids: Sequence[Solid]
) -> tuple[Array, Array]:
    """Return g (F, 3) and whether the camera is outside (F,), for faces of `counts` per solid."""
    solid_of = np.repeat(np.arange(len(solids)), counts)
    offsets = np.concatenate([s.offsets if s.radii is None else np.zeros(1) for s in solids])
    turned = np.einsum("fi,fij->fj", normals, to_local[solid_of][:, :, :3])
    distance = offsets - np.einsum("fi,fi->f", normals, to_local[solid_of][:, :, 3])
    distance = np.where(np.abs(distance) < _NEVER, _NEVER, distance)
    planes: Matrix = turned @ np.linalg.inv(camera.K) / distance[:, None]
    return planes, distance < 0


def _project_boxes(
    camera: Camera, camera_to_thing: Array, owners: Array, solids: Sequence[Solid]
) -> tuple[Array, Array]:
    """Return image rectangles (S, 4) and least and greatest depths (S, 2) of the solids' bounding boxes."""
    low, high = np.stack([s.low for s in solids]), np.stack([s.high for s in solids])
    upper = (np.arange(8)[:, None] >> np.arange(3)) & 1
    corners = np.where(upper, high[:, None], low[:, None])
    to_camera = np.linalg.inv(camera_to_thing)[owners]
    corners = np.einsum("sij,scj->sci", to_camera[:, :3, :3], corners) + to_camera[:, None, :3, 3]
    depths = corners[:, :, 2]
    # What lies behind the near plane is cut off along the box's edges; points in front of it stay as they are.
    start, end = corners[:, _EDGES[:, 0]], corners[:, _EDGES[:, 1]]
    rise = end[:, :, 2] - start[:, :, 2]
    along = np.clip((_NEAR_M - start[:, :, 2]) / np.where(rise == 0, 1.0, rise), 0.0, 1.0)[:, :, None]
    points = np.concatenate([corners, start + along * (end - start)], axis=1)
    visible = points[:, :, 2] >= _NEAR_M * (1 - 1e-9)
    points = points @ camera.K.T
    xy = points[:, :, :2] / np.where(visible, points[:, :, 2], 1.0)[:, :, None]
    first = np.where(visible[:, :, None], xy, np.inf).min(axis=1)
    last = np.where(visible[:, :, None], xy, -np.inf).max(axis=1)
    return np.concatenate([first, last], axis=1), np.stack([depths.min(axis=1), depths.max(axis=1)], axis=1)
