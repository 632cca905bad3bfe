"""Drawn patterns of the surfaces: markings, windows, tiles. Edges are averaged over the size of a pixel there."""

from typing import Final

import numpy as np

from segprep.datasets.sample import Array
from segprep.datasets.synthetic import street
from segprep.datasets.synthetic.palette import RawId

__all__ = ["band", "car_body", "car_windows", "facade", "ground", "sign_face", "slats", "stripes", "tiles"]

_ASPHALT: Final = (0.31, 0.31, 0.33)
_PAVING: Final = (0.56, 0.53, 0.5)
_KERB: Final = (0.66, 0.66, 0.64)
_GRASS: Final = (0.3, 0.42, 0.16)
_MARKING: Final = (0.86, 0.86, 0.84)
_GLASS: Final = (0.13, 0.17, 0.22)
_TYRE: Final = (0.06, 0.06, 0.07)
_RIM: Final = (0.5, 0.51, 0.53)
_WHITE: Final = (0.9, 0.9, 0.88)


def band(x: Array, low: float, high: float, pixel: Array) -> Array:
    """Return the share of the interval x -+ pixel / 2 that lies within low..high; 0..1."""
    half = pixel / 2
    share: Array = (np.clip(x + half, low, high) - np.clip(x - half, low, high)) / pixel
    return share


def stripes(x: Array, period: float, width: float, pixel: Array) -> Array:
    """Return the share of x -+ pixel / 2 that lies in stripes [k period, k period + width]; 0..1.

    Far away, where pixels are larger than the period, it tends to width / period.
    """
    first, last = (x - pixel / 2) / period, (x + pixel / 2) / period

    def covered(place: Array) -> Array:
        whole = np.floor(place)
        length: Array = whole * width + np.minimum((place - whole) * period, width)
        return length

    share: Array = (covered(last) - covered(first)) / pixel
    return share


def ground(rgb: Array, nir: Array, station: Array, offset: Array, label: Array, pixel: tuple[Array, Array]) -> None:
    """Paint (N, 3) albedo and (N,) near infrared of ground points: asphalt, markings, kerbs, paving, grass."""
    along, across = pixel
    rgb[:] = _GRASS
    nir[:] = 0.7
    walk = np.flatnonzero((offset < street.SIDEWALKS_M[0]) & (offset > street.SIDEWALKS_M[1]))
    rgb[walk] = _PAVING
    nir[walk] = 0.5
    paved = label == RawId.SIDEWALK
    joints = np.maximum(stripes(station, 1.0, 0.05, along), stripes(offset, 1.0, 0.05, across))
    rgb *= np.where(paved, 1 - 0.3 * joints, 1.0)[:, None]
    left, right = street.KERBS_M
    lane = (offset < left) & (offset > right)
    rgb[lane] = _ASPHALT
    nir[lane] = 0.24
    kerb = band(offset, left, left + 0.18, across) + band(offset, right - 0.18, right, across)
    _blend(rgb, _KERB, kerb)
    dashes = stripes(station, 9.0, 4.0, along)
    lines = band(offset, -0.07, 0.07, across)
    lines += dashes * band(offset, -3.57, -3.43, across)
    lines += band(offset, 3.45, 3.57, across) + band(offset, -7.07, -6.95, across)
    every, length = street.CROSSING_EVERY_M, street.CROSSING_LENGTH_M
    crossing = stripes(station + length / 2, every, length, along)
    lines = np.maximum(lines * (1 - crossing), crossing * stripes(offset, 1.0, 0.5, across) * lane)
    _blend(rgb, _MARKING, lines * 0.85)
    nir += (0.6 - nir) * lines * 0.85


def facade(rgb: Array, nir: Array, s: Array, height: Array, phase: Array, pixel: tuple[Array, Array]) -> None:
    """Paint windows with light frames, 3 m from storey to storey, and a plinth."""
    pane = 2.3 + 0.5 * np.sin(phase)
    s = s / pane * 2.4
    across = pixel[0] / pane * 2.4
    storey = stripes(height - 1.0, 3.0, 1.5, pixel[1])
    frames = stripes(s, 2.4, 1.3, across) * stripes(height - 0.9, 3.0, 1.7, pixel[1])
    panes = stripes(s - 0.1, 2.4, 1.1, across) * storey
    bar = stripes(s - 0.61, 2.4, 0.08, across)
    _blend(rgb, _WHITE, frames * 0.75)
    # Each window reflects another piece of the sky.
    cell = np.sin(np.floor(s / 2.4) * 12.99 + np.floor((height - 0.9) / 3.0) * 78.2 + phase)
    glass = panes * (1 - bar)
    _blend(rgb, _GLASS, glass * (0.85 + 0.15 * cell))
    nir += (0.16 - nir) * glass
    rgb *= (1 - 0.35 * band(height, -1.0, 0.6, pixel[1]))[:, None]


def car_body(rgb: Array, nir: Array, x: Array, height: Array, side: Array, pixel: tuple[Array, Array]) -> None:
    """Paint wheels and a dark underside on the sides of a car, lights and a bumper on its ends.

    Args:
        rgb: (N, 3) albedo, changed in place.
        nir: (N,) near infrared, changed in place.
        x: (N,) along the car on its sides, across it on its ends.
        height: (N,) above the ground.
        side: (N,) 1 on the sides, 0 on front and back, 2 on the bonnet and the roof.
        pixel: Size of a pixel along x and height.
    """
    blur = np.maximum(*pixel)
    upright = side < 2
    _blend(rgb, _TYRE, band(height, -1.0, 0.26, pixel[1]) * upright)
    along = np.abs(x) - 1.3
    radius = np.hypot(along, height - 0.33)
    flank = side == 1
    _blend(rgb, _TYRE, np.clip((0.35 - radius) / blur + 0.5, 0, 1) * flank)
    _blend(rgb, _RIM, np.clip((0.2 - radius) / blur + 0.5, 0, 1) * flank)
    _blend(rgb, _TYRE, 0.6 * band(x, -0.02, 0.02, pixel[0]) * band(height, 0.3, 0.9, pixel[1]) * flank)
    end = side == 0
    lights = band(np.abs(x), 0.5, 0.82, pixel[0]) * band(height, 0.58, 0.74, pixel[1]) * end
    _blend(rgb, (0.92, 0.55, 0.4), lights)
    plate = band(np.abs(x), -1.0, 0.26, pixel[0]) * band(height, 0.42, 0.53, pixel[1]) * end
    _blend(rgb, _WHITE, plate)
    nir += (0.1 - nir) * np.clip((0.35 - radius) / blur + 0.5, 0, 1) * flank


def car_windows(rgb: Array, nir: Array, x: Array, side: Array, pixel: Array) -> None:
    """Glaze a car's cabin; its sides keep a pillar in the car's colour. Arguments as in `car_body`."""
    glass = 1 - band(np.abs(x + 0.25), -1.0, 0.05, pixel) * (side == 1)
    _blend(rgb, _GLASS, glass)
    nir += (0.14 - nir) * glass


def slats(rgb: Array, s: Array, height: Array, pixel: tuple[Array, Array]) -> None:
    """Darken the gaps between upright slats and under two rails."""
    gaps = stripes(s, 0.2, 0.06, pixel[0])
    rails = stripes(height - 0.3, 0.7, 0.1, pixel[1])
    rgb *= (1 - 0.6 * gaps * (1 - rails))[:, None]


def tiles(rgb: Array, s: Array, t: Array, pixel: tuple[Array, Array]) -> None:
    """Draw rows of roof tiles."""
    rgb *= (1 - 0.3 * np.maximum(stripes(t, 0.45, 0.09, pixel[1]), 0.6 * stripes(s, 0.6, 0.08, pixel[0])))[:, None]


def sign_face(rgb: Array, s: Array, t: Array, pixel: tuple[Array, Array]) -> None:
    """Draw a white bar across a sign."""
    bar = band(s, -0.26, 0.26, pixel[0]) * band(t, 2.81, 2.99, pixel[1])
    _blend(rgb, _WHITE, bar)


def _blend(rgb: Array, color: tuple[float, float, float], share: Array) -> None:
    rgb += (np.asarray(color, np.float32) - rgb) * share.astype(np.float32)[:, None]
