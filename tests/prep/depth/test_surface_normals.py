"""Normals against planes whose normal is known, and against a least-squares fit per pixel."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import CodeRangeError, MotionError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Matrix, flip_x_map
from segprep.prep.depth import surface_normals as module
from segprep.prep.depth.surface_normals import checked_depth, surface_normals
from support.properties import examples

WIDTH, HEIGHT = 60, 44
CAMERA = Camera(np.array([[50.0, 0, 31.3], [0, 55.0, 18.9], [0, 0, 1]]), WIDTH, HEIGHT)
SKEWED = Camera(np.array([[50.0, 2.5, 31.3], [0.7, 55.0, 18.9], [0, 0, 1]]), WIDTH, HEIGHT)
MIRRORED = Camera(np.array([[-50.0, 0, 28.0], [0, 55.0, 18.9], [0, 0, 1]]), WIDTH, HEIGHT)


def rays(camera: Camera) -> Matrix:
    """(H, W, 3) points at depth 1."""
    x, y = np.meshgrid(np.arange(float(camera.width)), np.arange(float(camera.height)))
    points: Matrix = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.K).T
    return points


def plane_depth(camera: Camera, normal: Matrix, distance: float) -> tuple[Matrix, Mask]:
    """Depth of the plane normal . X = distance, and where it lies before the camera."""
    steepness = rays(camera) @ normal
    seen = steepness > 0.02
    return np.where(seen, distance / np.where(seen, steepness, 1), 0), seen


def angle_deg(normals_3HW: Matrix, normal: Matrix) -> Matrix:
    crossed = np.cross(np.moveaxis(normals_3HW, 0, -1), normal)
    angles: Matrix = np.degrees(np.arctan2(np.linalg.norm(crossed, axis=-1), np.tensordot(normal, normals_3HW, 1)))
    return angles


def bumpy(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Matrix:
    """Depth of a wall 4 m away with much relief."""
    return 4 + np.random.default_rng(seed).normal(0, 0.3, (height, width))


# -- planes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [1, 3, 10])
@pytest.mark.parametrize("camera", [CAMERA, SKEWED, MIRRORED], ids=["plain", "skewed", "mirrored"])
@pytest.mark.parametrize(
    "normal",
    [(0, 1, 0), (0, -1, 0), (-1, 0, 0), (1, 0, 0), (0, 0, 1), (0.3, -0.5, 0.8), (-0.6, 0.7, 0.1)],
    ids=["floor", "ceiling", "left", "right", "ahead", "tilted", "steep"],
)
def test_a_plane_has_its_normal_away_from_the_camera(
    normal: tuple[float, float, float], camera: Camera, radius: int
) -> None:
    truth = np.array(normal) / np.linalg.norm(normal)
    depth_HW, seen_HW = plane_depth(camera, truth, 1.7)
    assert seen_HW.any()
    for dtype, tolerance in ((np.float64, 1e-4), (np.float32, 0.02)):
        normals_3HW, found_HW = surface_normals(depth_HW.astype(dtype), seen_HW, camera, radius)
        assert angle_deg(normals_3HW, truth)[found_HW].max() < tolerance
        np.testing.assert_allclose(np.linalg.norm(normals_3HW, axis=0)[found_HW], 1)
        inner = seen_HW & np.roll(seen_HW, 1, 0) & np.roll(seen_HW, -1, 0) & np.roll(seen_HW, 1, 1)
        assert found_HW[inner].all()


def test_a_pixel_at_the_tip_of_the_camera_does_not_blur_what_is_far() -> None:
    truth = np.array([0.3, -0.2, 0.9]) / np.linalg.norm([0.3, -0.2, 0.9])
    depth_HW, seen_HW = plane_depth(CAMERA, truth, 80)
    depth_HW[5, 5] = 1e-9  # counts as a millimetre
    normals_3HW, found_HW = surface_normals(depth_HW, seen_HW, CAMERA, 3)
    found_HW[:9, :9] = False
    assert angle_deg(normals_3HW, truth)[found_HW].max() < 0.02


# -- the fit -----------------------------------------------------------------------------------------------------------


def fitted(depth_HW: Array, entering_HW: Mask, at: tuple[int, int], radius: int) -> Matrix | None:
    """The least-squares normal of one window; None where its pixels lie on a line."""
    y, x = at
    window = (slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1))
    chosen = entering_HW[window]
    here = rays(Camera(CAMERA.K, depth_HW.shape[1], depth_HW.shape[0]))
    ab1 = here[window][chosen]
    if len(ab1) < 3 or np.linalg.matrix_rank(ab1, tol=1e-9) < 3:
        return None
    normal = np.linalg.lstsq(ab1, 1 / depth_HW[window][chosen], rcond=None)[0].astype(np.float64)
    normal *= np.sign(normal @ here[y, x]) / np.linalg.norm(normal)
    return normal


@examples(12)
@given(st.integers(0, 9999), st.integers(1, 4), st.sampled_from([0.1, 0.3, 0.9]), st.booleans())
def test_every_window_is_a_least_squares_fit_of_what_is_known_and_measured(
    seed: int, radius: int, share: float, filled: bool
) -> None:
    rng = np.random.default_rng(seed)
    depth_HW, known_HW = bumpy(seed, 14, 11), rng.random((11, 14)) < share
    known_HW[2:5, 3:6] = True
    measured_HW = known_HW & (rng.random(known_HW.shape) < 0.7) if filled else None
    entering_HW = known_HW if measured_HW is None else measured_HW
    if not any(fitted(depth_HW, entering_HW, (y, x), radius) is not None for y, x in np.argwhere(known_HW)):
        return
    depth_HW[~known_HW] = rng.choice([np.nan, np.inf, 0, -7], int((~known_HW).sum()))
    camera = Camera(CAMERA.K, 14, 11)
    normals_3HW, found_HW = surface_normals(depth_HW, known_HW, camera, radius, measured_HW)
    for y, x in np.argwhere(known_HW).tolist():
        expected = fitted(depth_HW, entering_HW, (y, x), radius)
        assert found_HW[y, x] == (expected is not None)
        if expected is not None:
            np.testing.assert_allclose(normals_3HW[:, y, x], expected, atol=1e-5)
    assert (normals_3HW[:, ~found_HW] == 0).all()
    assert not found_HW[~known_HW].any()


def test_a_plane_that_is_continued_behind_the_camera_is_still_seen_from_the_front() -> None:
    depth_HW, measured_HW = np.full((HEIGHT, WIDTH), 2.0), np.zeros((HEIGHT, WIDTH), np.bool_)
    measured_HW[18:22, 30:32] = True
    depth_HW[:, 31] = 5.0  # one column further the inverse depth would be below 0
    normals_3HW, found_HW = surface_normals(depth_HW, np.ones_like(measured_HW), CAMERA, 3, measured_HW)
    towards_HW = np.einsum("ihw,hwi->hw", normals_3HW, rays(CAMERA))
    assert found_HW[20, 28:34].all()
    assert (towards_HW[20, 28:34] > 0).all()
    assert normals_3HW[0, 20, 30] * normals_3HW[0, 20, 33] < 0


@pytest.mark.parametrize("width", [WIDTH, WIDTH - 1])
def test_a_mirrored_image_has_exactly_mirrored_normals(width: int) -> None:
    depth_HW, known_HW = bumpy(4)[:, :width], np.random.default_rng(4).random((HEIGHT, width)) < 0.8
    camera = Camera(np.array([[50.0, 0, 20.25], [0, 55.0, 18.9], [0, 0, 1]]), width, HEIGHT)
    normals_3HW, found_HW = surface_normals(depth_HW, known_HW, camera, 3)
    mirrored_K = camera.K.copy()
    mirrored_K[0, 2] = width - 1 - camera.K[0, 2]
    mirror = Camera(mirrored_K, width, HEIGHT)
    flipped_3HW, flipped_found_HW = surface_normals(depth_HW[:, ::-1], known_HW[:, ::-1], mirror, 3)
    np.testing.assert_array_equal(flipped_found_HW[:, ::-1], found_HW)
    np.testing.assert_array_equal(flipped_3HW[:, :, ::-1], normals_3HW * np.array([-1, 1, 1])[:, None, None])
    turned = camera.transformed(flip_x_map(width), width, HEIGHT)  # the same points, seen in a mirrored picture
    turned_3HW, _ = surface_normals(depth_HW[:, ::-1], known_HW[:, ::-1], turned, 3)
    np.testing.assert_allclose(turned_3HW[:, :, ::-1], normals_3HW, atol=1e-12)


def test_bands_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    depth_HW, known_HW = bumpy(5), np.random.default_rng(5).random((HEIGHT, WIDTH)) < 0.7
    whole = surface_normals(depth_HW, known_HW, CAMERA, 2)
    monkeypatch.setattr(module, "_BAND_PIXELS", 1)
    parts = surface_normals(depth_HW, known_HW, CAMERA, 2)
    np.testing.assert_array_equal(parts[0], whole[0])
    np.testing.assert_array_equal(parts[1], whole[1])


# -- bad depth ---------------------------------------------------------------------------------------------------------


def test_only_finite_depth_is_known_and_invalid_pixels_may_hold_anything() -> None:
    depth_HW = np.array([[1.0, np.inf, np.nan], [-2.0, 0.0, 3.0]])
    valid_HW = np.array([[True, True, False], [False, False, True]])
    known_HW = checked_depth(depth_HW, valid_HW, Camera(CAMERA.K, 3, 2))
    np.testing.assert_array_equal(known_HW, [[True, False, False], [False, False, True]])


@pytest.mark.parametrize(
    ("value", "valid", "message"),
    [
        (2.0, False, "no pixel of its depth is valid"),
        (math.nan, True, r"2640 valid pixels of its depth are no numbers \(NaN\)"),
        (-1.0, True, "2640 valid pixels of its depth are not above 0 m"),
        (0.0, True, "not above 0 m"),
        (math.inf, True, "every valid pixel of its depth is infinitely far"),
    ],
)
def test_depth_of_which_nothing_can_be_made_is_refused(value: float, valid: bool, message: str) -> None:
    depth_HW = np.full((HEIGHT, WIDTH), value)
    with pytest.raises(CodeRangeError, match=message):
        checked_depth(depth_HW, np.full(depth_HW.shape, valid), CAMERA)


def test_grids_that_do_not_fit_and_singular_intrinsics_are_refused() -> None:
    depth_HW, valid_HW = np.ones((HEIGHT, WIDTH)), np.ones((HEIGHT, WIDTH), np.bool_)
    with pytest.raises(SizeMismatchError, match="calibrated for 60x44, but the image is 59x44"):
        checked_depth(depth_HW[:, 1:], valid_HW[:, 1:], CAMERA)
    with pytest.raises(SizeMismatchError, match="its mask"):
        checked_depth(depth_HW, valid_HW[:, 1:], CAMERA)
    with pytest.raises(MotionError, match="singular"):
        checked_depth(depth_HW, valid_HW, Camera(np.diag([0.0, 50, 1]), WIDTH, HEIGHT))


@pytest.mark.parametrize("where", [(slice(20, 21), slice(30, 31)), (slice(20, 21), slice(None))], ids=["one", "line"])
def test_a_single_pixel_and_a_line_of_pixels_show_no_surface(where: tuple[slice, slice]) -> None:
    known_HW = np.zeros((HEIGHT, WIDTH), np.bool_)
    known_HW[where] = True
    with pytest.raises(CodeRangeError, match=f"no surface.*{int(known_HW.sum())} of 2640 are known"):
        surface_normals(bumpy(1), known_HW, CAMERA, 3)
    known_HW[21, 30] = True
    if known_HW.sum() > 2:
        assert surface_normals(bumpy(1), known_HW, CAMERA, 3)[1].any()
