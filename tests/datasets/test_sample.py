"""Cameras follow the warps of their images, poses give motions, and keys are safe file names."""

import json
import re
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segprep.datasets.sample import Array, Camera, Matrix, Pose, flip_x_map, make_key, scale_map
from support.properties import examples

_sides = st.integers(1, 4000)
_sizes = st.tuples(_sides, _sides)


def _finite(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def _cameras(draw: st.DrawFn) -> Camera:
    width, height = draw(_sizes)
    K = [
        [draw(_finite(50, 3000)), 0.0, draw(_finite(-50, 4000))],
        [0.0, draw(_finite(50, 3000)), draw(_finite(-50, 4000))],
    ]
    return Camera(np.array([*K, [0.0, 0.0, 1.0]]), width, height, draw(st.none() | _finite(0.05, 1)))


_points = st.tuples(_finite(-30, 30), _finite(-30, 30), _finite(0.5, 200)).map(np.array)


def _project(camera: Camera, point: Array) -> Matrix:
    """Return the homogeneous pixel (3,) of a point in the camera's axes."""
    pixel = camera.K @ point
    projected: Matrix = pixel / pixel[2]
    return projected


def _rigid(values: tuple[float, ...]) -> Pose:
    """A pose from a rotation vector and a place."""
    x, y, z = values[:3]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = float(np.linalg.norm(values[:3]))
    matrix = np.eye(4)
    sine, cosine = (np.sinc(angle / np.pi), 0.5 * np.sinc(angle / 2 / np.pi) ** 2)
    matrix[:3, :3] += sine * cross + cosine * cross @ cross
    matrix[:3, 3] = values[3:]
    return Pose(matrix)


_poses = st.tuples(*[_finite(-3, 3)] * 3, *[_finite(-100, 100)] * 3).map(_rigid)


@examples(100)
@given(_cameras(), _points, _sizes)
def test_a_scaled_camera_sees_a_point_where_the_scaled_image_shows_it(
    camera: Camera, point: Array, target: tuple[int, int]
) -> None:
    A = scale_map((camera.width, camera.height), target)
    scaled = camera.transformed(A, *target)
    assert (scaled.width, scaled.height, scaled.baseline) == (*target, camera.baseline)
    np.testing.assert_allclose(_project(scaled, point), A @ _project(camera, point), rtol=1e-9, atol=1e-6)


@examples(100)
@given(_cameras(), _points, _sizes, st.integers(-100, 100), st.integers(-100, 100), st.booleans())
def test_cropping_and_flipping_and_scaling_in_one_map_or_one_by_one_are_the_same_camera(
    camera: Camera, point: Array, target: tuple[int, int], left: int, top: int, flipped: bool
) -> None:
    crop = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]])
    flip = flip_x_map(target[0]) if flipped else np.eye(3)
    scale = scale_map((camera.width, camera.height), target)
    stepwise = camera.transformed(crop, camera.width, camera.height).transformed(scale, *target)
    stepwise = stepwise.transformed(flip[:2], *target)
    together = camera.transformed(flip @ scale @ crop, *target)
    np.testing.assert_allclose(stepwise.K, together.K, rtol=1e-9, atol=1e-6)
    u, v, _ = _project(camera, point)
    x, y, _ = scale @ [u - left, v - top, 1]
    expected = np.array([target[0] - 1 - x if flipped else x, y])
    np.testing.assert_allclose(_project(together, point)[:2], expected, rtol=1e-9, atol=1e-6)


def test_scaling_keeps_the_outer_edges_and_worked_numbers() -> None:
    A = scale_map((1242, 375), (310, 93))
    np.testing.assert_allclose(A @ [-0.5, -0.5, 1], [-0.5, -0.5, 1])
    np.testing.assert_allclose(A @ [1241.5, 374.5, 1], [309.5, 92.5, 1])
    np.testing.assert_allclose(scale_map((4, 4), (2, 2)) @ [0.5, 2.5, 1], [0, 1, 1])  # means of pixels 0|1 and 2|3
    camera = Camera(np.array([[700.0, 0, 600], [0, 710, 180], [0, 0, 1]]), 1242, 375)
    halved = camera.transformed(scale_map((1242, 375), (621, 187)), 621, 187)
    expected = np.array([[350, 0, 299.75], [0, 710 * 187 / 375, 180.5 * 187 / 375 - 0.5], [0, 0, 1]])
    np.testing.assert_allclose(halved.K, expected)


@pytest.mark.parametrize("width", [1, 2, 7, 640])
def test_a_flip_exchanges_the_first_and_the_last_pixel_and_is_its_own_inverse(width: int) -> None:
    A = flip_x_map(width)
    np.testing.assert_array_equal(A @ [0, 3, 1], [width - 1, 3, 1])
    np.testing.assert_array_equal(A @ A, np.eye(3))


def test_a_flipped_camera_has_a_negative_focal_length() -> None:
    camera = Camera(np.array([[500.0, 0, 310], [0, 500, 200], [0, 0, 1]]), 640, 400)
    np.testing.assert_array_equal(
        camera.transformed(flip_x_map(640), 640, 400).K, [[-500, 0, 329], [0, 500, 200], [0, 0, 1]]
    )


@examples(50)
@given(_cameras(), st.none() | _poses)
def test_cameras_survive_json_to_the_last_bit(camera: Camera, mount: Pose | None) -> None:
    camera = Camera(camera.K, camera.width, camera.height, camera.baseline, None if mount is None else mount.matrix)
    read = Camera.from_json(json.loads(json.dumps(camera.to_json())))
    assert read.to_json() == camera.to_json()
    assert read.K.tobytes() == camera.K.tobytes()
    if mount is not None:
        assert read.mount is not None
        assert read.mount.tobytes() == mount.matrix.tobytes()


def test_cameras_and_poses_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="K must be a finite 3x3 matrix"):
        Camera(np.eye(4), 4, 4)
    with pytest.raises(ValueError, match="K must be a finite 3x3 matrix"):
        Camera(np.full((3, 3), np.nan), 4, 4)
    with pytest.raises(ValueError, match="a camera mount must be a finite 4x4 matrix"):
        Camera(np.eye(3), 4, 4, mount=np.eye(3))
    with pytest.raises(ValueError, match="a pose must be a finite 4x4 matrix"):
        Pose(np.eye(3))
    with pytest.raises(KeyError, match="height"):
        Camera.from_json({"K": np.eye(3).tolist(), "width": 4})


def test_a_camera_cannot_be_changed_through_the_array_that_it_was_made_from() -> None:
    K = np.eye(3)
    camera = Camera(K, 4, 4)
    K[0, 0] = 9
    assert camera.K[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        camera.K[0, 0] = 9


@examples(50)
@given(_poses, _poses, _points)
def test_the_motion_between_poses_takes_points_from_the_first_camera_to_the_second(
    first: Pose, second: Pose, point: Array
) -> None:
    in_first = np.append(point, 1.0)
    in_second = first.motion_to(second) @ in_first
    np.testing.assert_allclose(second.matrix @ in_second, first.matrix @ in_first, atol=1e-8)
    np.testing.assert_allclose(first.motion_to(second) @ second.motion_to(first), np.eye(4), atol=1e-9)


def test_driving_forward_brings_points_closer() -> None:
    ahead = np.eye(4)
    ahead[2, 3] = 2.0  # two metres along the optical axis
    np.testing.assert_allclose(Pose(np.eye(4)).motion_to(Pose(ahead)) @ [1, 0, 10, 1], [1, 0, 8, 1])


# -- keys ----------------------------------------------------------------------------------------------------------


@examples(300)
@given(st.text(min_size=1, max_size=40))
@example("aachen/a b")
@example(".hidden")
@example("100%")
@example("Straße é 道")
def test_keys_are_safe_file_names_that_tell_their_source_name(name: str) -> None:
    try:
        key = make_key(name)
    except ValueError:
        assert len(name.encode()) * 3 > 200
        return
    assert re.fullmatch(r"(?!\.)(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+", key)
    assert len(key.encode()) <= 200
    assert unquote(key) == name, "different names have different keys"


def test_keys_in_worked_examples() -> None:
    assert make_key("aachen_000001_000019") == "aachen_000001_000019"
    assert make_key("aachen/a b") == "aachen%2Fa%20b"
    assert make_key("..") == "%2E."
    assert make_key("ü") == "%C3%BC"
    assert make_key("x" * 200) == "x" * 200


@pytest.mark.parametrize("name", ["", "x" * 201, "/" * 67])
def test_names_that_give_no_key_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no sample key of 1\.\.200 bytes"):
        make_key(name)
