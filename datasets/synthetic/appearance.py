"""The colour and the near infrared of what rays hit. Everything is fixed to the surfaces, so that brightness is too."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array
from segprep.datasets.synthetic import patterns
from segprep.datasets.synthetic.noise import fractal_noise, random_lattice
from segprep.datasets.synthetic.palette import CONTRAST, NIR_REFLECTANCE, Material
from segprep.datasets.synthetic.scene import GROUND
from segprep.datasets.synthetic.trace import Hits

__all__ = ["paint"]

_CLOUDS: Final = (1.6, 0.8, 0.4, 0.2, 0.1)  # lattice spacings on the dome, see _sky
_DOME: Final = 0.2
_ZENITH: Final = np.array([0.32, 0.52, 0.84])
_HORIZON: Final = np.array([0.78, 0.85, 0.92])
_HAZE_M: Final = 700.0  # contrast falls to 1/e
_GROUND_STRETCH: Final = 3.0  # seen at a grazing angle, ground texture needs longer waves along the road


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """Where hits lie on their surfaces, (N,) each: the coordinates that patterns and noise are drawn in.

    Attributes:
        s: First coordinate, horizontal on upright faces; metres.
        t: Second coordinate, upwards on upright faces.
        axis: 0, 1, 2 where the surface looks along x, y, z.
        phase: Of the solid's texture.
        label: Raw id.
        offset: From the road's centre line, on the ground.
        pixel_s: Size of a pixel along s in metres.
        pixel_t: Size of a pixel along t.
    """

    s: Array
    t: Array
    axis: Array
    phase: Array
    label: Array
    offset: Array
    pixel_s: Array
    pixel_t: Array

    def at(self, index: Array) -> "_Surface":
        return _Surface(*(getattr(self, f.name)[index] for f in fields(self)))


def paint(
    hits: Hits, points: tuple[Array, Array, Array], label: Array, offset: Array
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the picture of hits.

    Args:
        hits: What was hit, of shape (...).
        points: From `hit_points`.
        label: (...) raw ids of the hits.
        offset: (...) distance from the centre line; read on the ground only.

    Returns:
        (..., 3) uint8 RGB and (...) uint8 near infrared.
    """
    shape, scene = hits.inverse_depth.shape, hits.scene
    solid, face, w = hits.solid.ravel(), hits.face.ravel(), hits.inverse_depth.ravel()
    lattice = random_lattice(scene.world.seed)
    material = np.array([f.material for f in scene.finishes], np.intp)[solid]
    rgb = np.array([f.color for f in scene.finishes], np.float32)[solid]
    nir = np.array(NIR_REFLECTANCE, np.float32)[material]
    shade = scene.shade.astype(np.float32)[face]

    things = np.flatnonzero(w > 0)
    surface, round_shade = _surface(hits, things, tuple(p.ravel()[things] for p in points), label, offset)
    shade[things] *= round_shade
    noise = np.zeros(w.shape, np.float32)
    stretch = np.where(solid[things] == GROUND, _GROUND_STRETCH, 1.0)
    noise[things] = fractal_noise(
        lattice,
        surface.s / stretch + surface.phase + 3.7 * surface.axis,
        surface.t + 1.3 * surface.phase,
        np.maximum(surface.pixel_s / stretch, surface.pixel_t),
    )
    for kind in np.unique(material[things]):
        at = np.flatnonzero(material[things] == kind)
        rgb_part, nir_part = rgb[things[at]], nir[things[at]]
        _decorate(Material(kind), rgb_part, nir_part, surface.at(at))
        rgb[things[at]], nir[things[at]] = rgb_part, nir_part

    noise *= np.array(CONTRAST, np.float32)[material]
    rgb *= (shade * np.exp(noise))[:, None]
    nir *= shade * np.exp(np.float32(0.8) * noise)
    haze = 1 - np.exp(-1.0 / (_HAZE_M * np.maximum(w, 1e-9))).astype(np.float32)
    rgb += haze[:, None] * (_HORIZON.astype(np.float32) - rgb)
    nir += haze * (np.float32(0.3) - nir)
    sky = np.flatnonzero(w == 0)
    if sky.size:
        x, y, z = (p.ravel()[sky] for p in points)
        rgb[sky], nir[sky] = _sky(lattice, x, y, z, 1 / scene.camera.K[1, 1])
    return _to_bytes(rgb).reshape(*shape, 3), _to_bytes(nir).reshape(shape)


def _surface(hits: Hits, at: Array, points: tuple[Array, ...], label: Array, offset: Array) -> tuple[_Surface, Array]:
    """Return surface coordinates of the hits `at`, and how ellipsoids darken towards their undersides."""
    scene = hits.scene
    solid, face, z = hits.solid.ravel()[at], hits.face.ravel()[at], 1.0 / hits.inverse_depth.ravel()[at]
    normal = [scene.normals[:, k][face] for k in range(3)]
    shade = np.ones(at.shape, np.float32)
    axis = np.abs(scene.normals).argmax(axis=1)[face]
    is_round = np.zeros(len(scene.finishes), bool)
    is_round[list(scene.ellipsoids)] = True
    curved = np.flatnonzero(is_round[solid])
    if curved.size:
        centres, radii = np.zeros((len(is_round), 3)), np.ones((len(is_round), 3))
        for i, (centre, radius) in scene.ellipsoids.items():
            centres[i], radii[i] = centre, radius
        unit = [(points[k][curved] - centres[:, k][solid[curved]]) / radii[:, k][solid[curved]] for k in range(3)]
        shade[curved] = 0.84 + 0.3 * unit[2]
        outward = np.stack([u / radii[:, k][solid[curved]] for k, u in enumerate(unit)])
        outward /= np.linalg.norm(outward, axis=0)
        axis[curved] = np.abs(outward).argmax(axis=0)
        for k in range(3):
            normal[k][curved] = outward[k]

    ray = [points[k] - scene.to_local[:, k, 3][solid] for k in range(3)]
    ray_length = np.sqrt(ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2)
    through = ray[0] * normal[0] + ray[1] * normal[1] + ray[2] * normal[2]
    cosine = np.maximum(np.abs(through) / ray_length, 1e-4)
    # A pixel's footprint on a slanted surface is long where the ray's direction lies in the surface.
    longer = (1 / cosine - 1) / np.maximum(np.sqrt(ray_length**2 - through**2), 1e-9)
    pixel = z / scene.camera.K[1, 1]

    def footprint(k: Array, first: int, second: int, from_axis: int) -> Array:
        chosen = k == from_axis
        along = np.where(chosen, ray[second] - through * normal[second], ray[first] - through * normal[first])
        size: Array = pixel * (1 + np.abs(along) * longer)
        return size

    surface = _Surface(
        s=np.where(axis == 0, points[1], points[0]),
        t=np.where(axis == 2, points[1], points[2]),
        axis=axis,
        phase=np.array([f.phase for f in scene.finishes])[solid],
        label=label.ravel()[at],
        offset=offset.ravel()[at],
        pixel_s=footprint(axis, 0, 1, 0),
        pixel_t=footprint(axis, 2, 1, 2),
    )
    return surface, shade


def _decorate(material: Material, rgb: Array, nir: Array, at: _Surface) -> None:
    """Paint the pattern of one material over its albedo, in place."""
    pixel = at.pixel_s, at.pixel_t
    # On cars axis 0 is an end, 1 a side, 2 the bonnet or the roof.
    match material:
        case Material.GROUND:
            patterns.ground(rgb, nir, at.s, at.offset, at.label, pixel)
        case Material.FACADE:
            patterns.facade(rgb, nir, at.s, at.t, at.phase, pixel)
        case Material.ROOF:
            patterns.tiles(rgb, at.s, at.t, pixel)
        case Material.PAINT:
            patterns.car_body(rgb, nir, at.s, at.t, at.axis, pixel)
        case Material.CABIN:
            patterns.car_windows(rgb, nir, at.s, at.axis, at.pixel_s)
        case Material.SLATS:
            patterns.slats(rgb, at.s, at.t, pixel)
        case Material.SIGN:
            patterns.sign_face(rgb, at.s, at.t, pixel)
        case _:
            pass


def _sky(lattice: npt.NDArray[np.float32], x: Array, y: Array, z: Array, pixel_rad: float) -> tuple[Array, Array]:
    """Return RGB and near infrared of ray directions in the world: clouds on a dome, which has no seam.

    A direction (x, y, z) of length 1 meets the dome at (x, y) / (z + 0.2).
    """
    length = np.sqrt(x * x + y * y + z * z)
    up = np.maximum(z / length, 0.0)
    scale = 1.0 / (up + _DOME)
    cloud = fractal_noise(lattice, x / length * scale, y / length * scale, pixel_rad * scale * scale, _CLOUDS)
    cover = np.clip(0.42 + 0.9 * cloud, 0.0, 1.0).astype(np.float32)
    fade = np.exp(-3.5 * up)[:, None]
    blue = _ZENITH + (_HORIZON - _ZENITH) * fade
    rgb = blue + (0.95 - blue) * (0.75 * cover)[:, None]
    return rgb, 0.12 + 0.1 * fade[:, 0] + 0.4 * cover


def _to_bytes(values: Array) -> npt.NDArray[np.uint8]:
    stored: npt.NDArray[np.uint8] = np.rint(np.clip(values, 0.0, 1.0) * 255).astype(np.uint8)
    return stored
