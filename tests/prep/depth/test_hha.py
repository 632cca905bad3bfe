"""HHA against the exact truth of a room, the rendered street, and the files of the published programs."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array, Camera, Mask, Matrix, flip_x_map, scale_map
from segprep.datasets.synthetic import RawId, World, render
from segprep.flow.camera.se3 import rotation_exp
from segprep.prep.depth.gravity import mount_down
from segprep.prep.depth.hha import PRESETS, HhaImage, HhaPreset, hha

INDOOR, OUTDOOR = PRESETS["indoor"], PRESETS["outdoor"]
WIDTH, HEIGHT = 160, 120
CAMERA = Camera(np.array([[130.0, 0, 81.25], [0, 132.0, 57.5], [0, 0, 1]]), WIDTH, HEIGHT)
WALLS = {
    "left": (0, -2.1),
    "right": (0, 1.9),
    "ceiling": (1, -1.3),
    "floor": (1, 1.2),
    "back": (2, -1.0),
    "front": (2, 4.0),
}
CODES = {"floor": 38, "ceiling": 218, "left": 128, "right": 128, "back": 128, "front": 128}
EVERYWHERE = np.ones((HEIGHT, WIDTH), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """What a camera sees of a room with axis-aligned walls (x right, y down, z forward), itself at the origin.

    Attributes:
        depth_HW: (H, W) metres.
        height_HW: (H, W) metres above the floor.
        wall_HW: (H, W) index into `WALLS`; -1 near the edges between walls.
        down_3: Gravity in camera axes.
    """

    depth_HW: Matrix
    height_HW: Matrix
    wall_HW: npt.NDArray[np.int64]
    down_3: Matrix

    def of(self, wall: str) -> Mask:
        at: Mask = self.wall_HW == list(WALLS).index(wall)
        return at


def look_around(pitch: float = 0, roll: float = 0, yaw: float = 0, camera: Camera = CAMERA) -> Room:
    """Turn the camera, in degrees: up, clockwise in the image, and to the right."""
    turns = [np.radians(each) for each in ((0, yaw, 0), (pitch, 0, 0), (0, 0, roll))]
    R = rotation_exp(turns[0]) @ rotation_exp(turns[1]) @ rotation_exp(turns[2])  # camera to room
    x, y = np.meshgrid(np.arange(float(camera.width)), np.arange(float(camera.height)))
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ (R @ np.linalg.inv(camera.K)).T
    hits = []
    for axis, at in WALLS.values():
        ahead = rays[..., axis] * at > 1e-9
        hits.append(np.where(ahead, at / np.where(ahead, rays[..., axis], 1), np.inf))
    depth = np.min(hits, axis=0)
    wall = np.argmin(hits, axis=0)
    window = np.ones((9, 9), np.uint8)
    alone = cv2.dilate(wall.astype(np.uint8), window) == cv2.erode(wall.astype(np.uint8), window)
    return Room(depth, 1.2 - depth * rays[..., 1], np.where(alone, wall, -1), R.T @ [0.0, 1.0, 0.0])


def codes_of(image: HhaImage, preset: HhaPreset = INDOOR) -> npt.NDArray[np.int64]:
    stored: npt.NDArray[np.int64] = preset.code.encode(image.values_HW3, image.valid_HW).stored.astype(np.int64)
    return stored


def degrees_between(a: Matrix, b: Matrix) -> float:
    return math.degrees(math.acos(min(1.0, float(a @ b))))


# -- the room ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pitch", "roll"),
    [(-30, 0), (-30, 8), (-20, -15), (-10, 0), (0, 0), (0, 8), (0, -15), (10, 8), (20, 0), (30, -15), (30, 0)],
)
def test_a_room_has_its_gravity_heights_angles_and_disparities(pitch: float, roll: float) -> None:
    camera = CAMERA.transformed(scale_map((WIDTH, HEIGHT), (640, 480)), 640, 480)
    room = look_around(pitch, roll, 25, camera)
    image = hha(room.depth_HW, np.ones((480, 640), np.bool_), camera)
    assert degrees_between(image.gravity_3, room.down_3) < 0.1
    if pitch <= 0:
        assert image.floor_seen
        assert image.floor_m == pytest.approx(1.2, abs=0.01)
        assert np.abs(image.values_HW3[..., 1] - room.height_HW).max() < 0.01
    assert image.valid_HW.all()
    assert image.without_normal == 0
    codes = codes_of(image)
    seen = {wall for wall in WALLS if room.of(wall).sum() > 50}
    assert len(seen) >= 3
    for wall in seen:
        assert np.median(codes[room.of(wall)][:, 2]) == CODES[wall]
        assert np.abs(codes[room.of(wall)][:, 2] - CODES[wall]).max() <= 1
    np.testing.assert_allclose(image.values_HW3[..., 0], 1 / room.depth_HW)


def test_angles_are_those_of_the_true_walls_to_the_last_code() -> None:
    room = look_around(-20, 5)
    codes = codes_of(hha(room.depth_HW, EVERYWHERE, CAMERA, down_3=room.down_3))
    for wall in ("floor", "left", "right", "front"):
        assert (codes[room.of(wall)][:, 2] == CODES[wall]).all()
    up = look_around(25, -5)
    codes = codes_of(hha(up.depth_HW, EVERYWHERE, CAMERA, down_3=3 * up.down_3))
    assert (codes[up.of("ceiling")][:, 2] == 218).all()


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (-20, 0), (-15, 12), (25, -6)])
def test_a_mirrored_image_has_the_mirrored_hha(pitch: float, roll: float) -> None:
    room = look_around(pitch, roll, yaw=10)
    relief_HW = room.depth_HW + np.random.default_rng(1).normal(0, 0.01, room.depth_HW.shape)
    valid_HW = np.random.default_rng(2).random(relief_HW.shape) < 0.9
    there = hha(relief_HW, valid_HW, CAMERA)
    K = CAMERA.K.copy()
    K[0, 2] = WIDTH - 1 - K[0, 2]
    for mirror in (Camera(K, WIDTH, HEIGHT), CAMERA.transformed(flip_x_map(WIDTH), WIDTH, HEIGHT)):
        back = hha(relief_HW[:, ::-1], valid_HW[:, ::-1], mirror)
        np.testing.assert_array_equal(codes_of(back)[:, ::-1], codes_of(there))
        np.testing.assert_array_equal(back.valid_HW[:, ::-1], there.valid_HW)
        assert back.floor_m == pytest.approx(there.floor_m, abs=1e-9)
    np.testing.assert_allclose(hha(relief_HW[:, ::-1], valid_HW[:, ::-1], mirror).gravity_3, there.gravity_3, atol=1e-9)
    K[0, 2] += 1
    off = hha(relief_HW[:, ::-1], valid_HW[:, ::-1], Camera(K, WIDTH, HEIGHT))
    assert (codes_of(off)[:, ::-1] != codes_of(there)).any()


def test_the_mount_finds_gravity_where_the_image_does_not() -> None:
    room = look_around(-55)
    mount = np.eye(4)
    mount[2, :3] = -np.add(room.down_3, (0.05, 0.02, 0))  # a little wrong
    mount[2, 3] = 1.2
    mounted = replace(CAMERA, mount=mount)
    assert degrees_between(hha(room.depth_HW, EVERYWHERE, CAMERA).gravity_3, room.down_3) > 30
    assert degrees_between(hha(room.depth_HW, EVERYWHERE, mounted).gravity_3, room.down_3) < 0.5
    # A given prior counts for more than the mount.
    sideways = replace(CAMERA, mount=np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 1.2], [0, 0, 0, 1]]))
    given = hha(room.depth_HW, EVERYWHERE, sideways, prior_3=np.add(room.down_3, (0, 0.1, 0)))
    assert degrees_between(given.gravity_3, room.down_3) < 0.5


# -- the floor ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("floor_m", "mount_m", "expected", "seen"),
    [
        (1.2, None, 1.2, True),
        (0.91, None, 0.91, True),
        (0.89, None, 1.3, False),  # as published: not below 90 cm, so taken as a table 130 cm below
        (0.41, 0.5, 0.41, True),
        (0.3, 0.5, 0.5, False),
        (0.89, -2.0, 1.3, False),  # a vehicle whose origin is above the camera tells no height
    ],
)
def test_the_floor_is_the_lowest_point_unless_that_is_too_high(
    floor_m: float, mount_m: float | None, expected: float, seen: bool
) -> None:
    room = look_around(-20)
    depth_HW = room.depth_HW * floor_m / 1.2
    mount = None
    if mount_m is not None:
        mount = np.eye(4)
        mount[:3, :3] = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
        mount[2, 3] = mount_m
    image = hha(depth_HW, EVERYWHERE, replace(CAMERA, mount=mount), down_3=room.down_3)
    assert image.floor_seen == seen
    assert image.floor_m == pytest.approx(expected, abs=0.005)
    raised = expected - floor_m
    np.testing.assert_allclose(image.values_HW3[..., 1], room.height_HW * floor_m / 1.2 + raised, atol=0.005)


def test_a_percentile_keeps_outliers_from_being_the_floor() -> None:
    room = look_around(-20)
    depth_HW = room.depth_HW.copy()
    depth_HW[-1, :5] *= 3
    kept_HW = EVERYWHERE.copy()
    kept_HW[-5:, :9] = False
    low = hha(depth_HW, EVERYWHERE, CAMERA, down_3=room.down_3)
    assert low.floor_m > 3
    robust = hha(depth_HW, EVERYWHERE, CAMERA, down_3=room.down_3, floor_percentile=2)
    assert robust.floor_m == pytest.approx(1.2, abs=0.01)
    assert np.abs(robust.values_HW3[..., 1] - room.height_HW)[kept_HW].max() < 0.01
    assert codes_of(robust).min() >= 0
    assert OUTDOOR.floor_percentile > 0 == INDOOR.floor_percentile
    sparse_HW = np.random.default_rng(0).random(depth_HW.shape) < 0.4  # holes are no points
    some = hha(room.depth_HW, sparse_HW, CAMERA, down_3=room.down_3, floor_percentile=40)
    whole = hha(room.depth_HW, EVERYWHERE, CAMERA, down_3=room.down_3, floor_percentile=40)
    assert some.floor_m == pytest.approx(whole.floor_m, abs=0.03)


# -- holes -------------------------------------------------------------------------------------------------------------


def test_holes_and_sky_are_invalid_and_nothing_is_no_number() -> None:
    room = look_around(-20)
    depth_HW, valid_HW = room.depth_HW.astype(np.float32), EVERYWHERE.copy()
    depth_HW[:30, :40] = np.inf
    valid_HW[50:70, 50:80] = False
    depth_HW[50:70, 50:80] = np.nan
    valid_HW[100:, 100:] = False
    valid_HW[110, 130] = True  # alone: it has a height, but no normal
    image = hha(depth_HW, valid_HW, CAMERA, down_3=room.down_3)
    expected_HW = valid_HW & np.isfinite(depth_HW)
    expected_HW[110, 130] = False
    np.testing.assert_array_equal(image.valid_HW, expected_HW)
    assert np.isfinite(image.values_HW3).all()
    assert (image.values_HW3[~image.valid_HW] == 0).all()
    assert image.without_normal == pytest.approx(1 / (expected_HW.sum() + 1))
    codes = codes_of(image)
    assert (codes[~expected_HW] == 0).all()
    assert codes[expected_HW][:, 2].min() >= 38
    whole = hha(room.depth_HW, EVERYWHERE, CAMERA, down_3=room.down_3)
    np.testing.assert_allclose(image.values_HW3[80:95, 10:45], whole.values_HW3[80:95, 10:45], atol=0.02)
    assert hha(depth_HW, valid_HW, CAMERA).gravity_3 == pytest.approx(room.down_3, abs=0.01)


def test_filled_depth_has_a_height_but_no_say_in_angles() -> None:
    room = look_around(-20)
    measured_HW = EVERYWHERE.copy()
    measured_HW[80:, 60:64] = False
    depth_HW = np.where(measured_HW, room.depth_HW, 0.9 * room.depth_HW)
    image = hha(depth_HW, EVERYWHERE, CAMERA, down_3=room.down_3, measured_HW=measured_HW)
    inside = ~measured_HW & room.of("floor")
    assert image.valid_HW[inside].all()
    np.testing.assert_allclose(image.values_HW3[inside][:, 2], 0, atol=0.1)
    np.testing.assert_allclose(image.values_HW3[inside][:, 1], 0.12, atol=0.01)
    taken = hha(depth_HW, EVERYWHERE, CAMERA, down_3=room.down_3)
    assert taken.values_HW3[inside][:, 2].max() > 5
    for other_m in (1.0, 2.5):  # whatever was filled in
        other = hha(np.where(measured_HW, depth_HW, other_m), EVERYWHERE, CAMERA, measured_HW=measured_HW)
        np.testing.assert_array_equal(
            other.gravity_3, hha(depth_HW, EVERYWHERE, CAMERA, measured_HW=measured_HW).gravity_3
        )


# -- codes -------------------------------------------------------------------------------------------------------------


def test_the_published_constants() -> None:
    metres = np.array([[0.5, 1.216, 2, 5, 10, 20, 40, 80]])
    values = np.stack([1 / metres, np.full(metres.shape, 2.55), np.full(metres.shape, 180)], axis=-1)
    stored = INDOOR.code.encode(values, None).stored
    np.testing.assert_array_equal(stored[0, :, 0], [255, 255, 155, 62, 31, 16, 8, 4])
    assert (stored[..., 1] == 255).all()
    assert (stored[..., 2] == 218).all()
    assert INDOOR.code.channels == ("disparity", "height", "angle")


def test_the_constants_for_outdoors_spread_a_street_over_all_codes() -> None:
    metres = np.array([[3.0, 4, 10, 20, 80]])
    values = np.stack([1 / metres, np.full(metres.shape, 10.0), np.zeros(metres.shape)], axis=-1)
    np.testing.assert_array_equal(OUTDOOR.code.encode(values, None).stored[0, :, 0], [255, 255, 102, 51, 13])
    assert OUTDOOR.code.encode(values, None).stored[0, 0, 1] == 250
    frame = render(World(seed=2), 30, 256, 128)
    spread = {}
    for name, preset in PRESETS.items():
        image = hha(frame.depth_HW, np.ones(frame.depth_HW.shape, np.bool_), frame.camera, preset)
        codes = codes_of(image, preset)[image.valid_HW]
        spread[name] = [len(np.unique(codes[:, channel])) for channel in range(2)]
        clipped = (codes[:, 1] == 255).mean()
        assert clipped > 0.5 if name == "indoor" else clipped < 0.1
    assert spread["outdoor"][0] > 2 * spread["indoor"][0]
    seen_HW = np.isfinite(frame.depth_HW)
    assert not image.valid_HW[~seen_HW].any()
    assert image.valid_HW[seen_HW].mean() > 0.99
    told_3 = mount_down(frame.camera)
    assert told_3 is not None
    assert degrees_between(image.gravity_3, told_3) < 0.6
    exact = hha(frame.depth_HW, np.ones(seen_HW.shape, np.bool_), frame.camera, OUTDOOR, down_3=told_3)
    assert exact.floor_seen
    assert exact.floor_m == pytest.approx(1.65, abs=0.005)
    road_HW = (frame.label_HW == RawId.ROAD) & exact.valid_HW
    assert np.abs(exact.values_HW3[road_HW][:, 1]).max() < 0.01


# -- the published programs --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    depth_HW: Array
    measured_HW: Mask
    camera: Camera
    folder: Path


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Published:
    folder = shared_data / "hha" / "nyu_python_demo"
    K = np.loadtxt(folder / "K_color.txt")
    K[:2, 2] -= 1  # Matlab's first pixel is 1
    depth_HW = read_image(folder / "0.png") / 10000
    measured_HW: Mask = read_image(folder / "0_raw.png") > 0
    return Published(depth_HW, measured_HW, Camera(K, 640, 480), folder)


def test_the_file_of_the_matlab_program_comes_out(published: Published) -> None:
    everywhere_HW = np.ones(published.depth_HW.shape, np.bool_)
    codes = codes_of(hha(published.depth_HW, everywhere_HW, published.camera))
    expected = read_image(published.folder / "matlab_hha.png").astype(int)
    assert ((codes == expected).mean(axis=(0, 1)) >= 0.999).all()
    assert np.abs(codes - expected).max() <= 1


def test_the_file_with_holes_of_the_python_port_comes_out_where_there_is_no_hole(published: Published) -> None:
    everywhere_HW = np.ones(published.depth_HW.shape, np.bool_)
    image = hha(published.depth_HW, everywhere_HW, published.camera, measured_HW=published.measured_HW)
    assert image.valid_HW[published.measured_HW].mean() > 0.999
    where = image.valid_HW & published.measured_HW
    expected = read_image(published.folder / "hha.png").astype(int)
    assert ((codes_of(image) == expected)[where].mean(axis=0) >= 0.995).all()


def test_a_scene_with_raw_holes_gives_a_plausible_room(shared_data: Path) -> None:
    depth_HW = read_image(shared_data / "hha" / "nyu_rcnn_depth_demo" / "rawdepth.png") / 1000
    K = np.array([[518.857901, 0, 283.582449], [0, 519.469611, 207.736166], [0, 0, 1]])
    image = hha(depth_HW, depth_HW > 0, Camera(K, 560, 425))
    assert degrees_between(image.gravity_3, np.array([0.0, 1.0, 0.0])) < 20
    assert np.isfinite(image.values_HW3).all()
    assert 0.9 < image.floor_m < 1.6
    assert image.without_normal < 0.01
