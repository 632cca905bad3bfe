"""Flow as colours: hue is the direction, saturation the length."""

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Mask

__all__ = ["flow_to_rgb", "wheel_legend"]

# The wheel of the Middlebury benchmark: from one pure colour to the next in as many steps as the eye tells apart.
# Motion to the right is red, down is yellow, left is cyan, up is blue to magenta.
# Source: Baker et al.: A database and evaluation methodology for optical flow. IJCV 2011.
_PLACES = np.cumsum([0, 15, 6, 4, 11, 13, 6])
_COLORS = np.array(
    [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]],
    dtype=np.float64,
)
_BEYOND = 0.75  # brightness of vectors that are longer than the full colour


def flow_to_rgb(uv_HW2: Array, valid: Mask | None, max_magnitude: float | None = None) -> npt.NDArray[np.uint8]:
    """Colour a field: no motion is white, `max_magnitude` full colour, longer vectors are darker, invalid ones black.

    On tiles a pattern is drawn where they are black: see `Tile.hidden_HW`.

    Args:
        uv_HW2: (H, W, 2) pixels.
        valid: (H, W) bool, or None for valid everywhere; vectors that are no numbers are invalid.
        max_magnitude: Length in pixels of full colour; None takes the longest valid vector.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: If `max_magnitude` is not above 0.
    """
    known: Mask = np.isfinite(uv_HW2[..., 0]) & np.isfinite(uv_HW2[..., 1]) & (True if valid is None else valid)
    u_HW, v_HW = (np.where(known, uv_HW2[..., i], 0).astype(np.float64) for i in (0, 1))
    length_HW = np.hypot(u_HW, v_HW)
    if max_magnitude is None:
        max_magnitude = float(length_HW.max(initial=0)) or 1.0
    if not max_magnitude > 0:
        raise ValueError(f"the length of full colour must be above 0, not {max_magnitude}")
    radius_HW1 = (length_HW / max_magnitude)[..., None]
    place_HW = np.arctan2(v_HW, u_HW) / (2 * np.pi) % 1.0 * _PLACES[-1]
    full_HW3 = np.stack([np.interp(place_HW, _PLACES, _COLORS[:, c]) for c in range(3)], axis=2)
    within = radius_HW1 <= 1 + 1e-9
    rgb_HW3 = np.where(within, 1 - radius_HW1 * (1 - full_HW3), full_HW3 * _BEYOND)
    rgb_HWC: npt.NDArray[np.uint8] = np.rint(np.where(known[..., None], rgb_HW3, 0) * 255).astype(np.uint8)
    return rgb_HWC


def wheel_legend(size: int) -> npt.NDArray[np.uint8]:
    """Return a (size, size, 3) uint8 RGB disc that shows the colour of each direction; white around it.

    Raises:
        ValueError: If it is smaller than 2 pixels.
    """
    if size < 2:
        raise ValueError(f"a legend needs at least 2 pixels, not {size}")
    axis = np.linspace(-1, 1, size)
    uv_HW2 = np.stack(np.meshgrid(axis, axis), axis=2)
    disc = np.hypot(uv_HW2[..., 0], uv_HW2[..., 1]) <= 1
    rgb_HWC = flow_to_rgb(uv_HW2, disc, 1.0)
    rgb_HWC[~disc] = 255
    return rgb_HWC
