"""Holes in depth: filled close to the truth by every method, without a change of what was measured."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.catalog._kitti.calibration import KittiCalibration
from segprep.datasets.codes import DepthCode
from segprep.datasets.errors import CodeRangeError, ConfigurationError, SizeMismatchError
from segprep.datasets.imageio import read_image
from segprep.datasets.imageio.scans import project_points, read_velodyne
from segprep.datasets.sample import Array, Mask
from segprep.datasets.synthetic import Frame, World, render
from segprep.prep.depth.completion import Fill, complete_depth, measured_depth
from support.properties import examples

SIZE = (384, 192)
UNKNOWN = np.float32(-7)  # stands in holes: must not be looked at


@pytest.fixture(scope="module")
def street() -> Frame:
    return render(World(seed=3), 6, *SIZE)


def _random_holes(shape: tuple[int, int]) -> Mask:
    valid: Mask = np.random.default_rng(0).random(shape) > 0.3
    return valid


def _rectangles(shape: tuple[int, int]) -> Mask:
    rng = np.random.default_rng(0)
    valid = np.ones(shape, np.bool_)
    for _ in range(25):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        height, width = rng.integers(5, 25, 2)
        valid[y : y + height, x : x + width] = False
    return valid


def _lidar_like(shape: tuple[int, int]) -> Mask:
    valid: Mask = np.random.default_rng(0).random(shape) < 0.05
    return valid


HOLES = {"random": _random_holes, "rectangles": _rectangles, "lidar-like": _lidar_like}
# (median, 90th percentile) of |filled - true| / true, and the share of holes that are rightly sky or not
BOUNDS = {
    ("random", Fill.IP_BASIC): (0.03, 0.12, 0.98),
    ("random", Fill.NEAREST): (0.008, 0.04, 0.99),
    ("random", Fill.GUIDED): (0.0015, 0.01, 0.999),
    ("rectangles", Fill.IP_BASIC): (0.06, 0.5, 0.94),
    ("rectangles", Fill.NEAREST): (0.02, 0.36, 0.96),
    ("rectangles", Fill.GUIDED): (0.012, 0.17, 0.995),
    ("lidar-like", Fill.IP_BASIC): (0.015, 0.1, 0.985),
    ("lidar-like", Fill.NEAREST): (0.016, 0.09, 0.985),
    ("lidar-like", Fill.GUIDED): (0.008, 0.065, 0.995),
}


def _filled(depth: Array, valid: Mask, fill: Fill, rgb: Array | None = None) -> Array:
    """Fill holes in which a trap stands."""
    given_HW = np.where(valid, depth, UNKNOWN).astype(np.float32)
    flat = np.full((*depth.shape, 3), 90, np.uint8)
    return complete_depth(given_HW, valid, fill, flat if rgb is None else rgb)[0]


@pytest.mark.parametrize(("holes", "fill"), BOUNDS, ids=lambda each: str(each))
def test_a_rendered_street_is_filled_close_to_the_truth(street: Frame, holes: str, fill: Fill) -> None:
    truth = street.depth_HW
    valid = HOLES[holes](truth.shape)
    found = _filled(truth, valid, fill, street.rgb_HWC)
    sky, said_sky = np.isinf(truth), np.isinf(found)
    median, most, sky_share = BOUNDS[holes, fill]
    assert (sky == said_sky)[~valid].mean() > sky_share
    near = ~valid & ~sky & ~said_sky
    error = np.abs(found[near] - truth[near]) / truth[near]
    assert np.median(error) < median
    assert np.percentile(error, 90) < most


@pytest.mark.parametrize("fill", Fill)
def test_sky_stays_sky_and_does_not_bleed_into_what_is_near(street: Frame, fill: Fill) -> None:
    truth = np.where(street.depth_HW < 150, street.depth_HW, np.inf)
    valid = _random_holes(truth.shape)
    found = _filled(truth, valid, fill, street.rgb_HWC)
    assert np.isposinf(found[valid & np.isinf(truth)]).all()
    finite = found[np.isfinite(found)]
    assert finite.max() <= 150  # nothing between the farthest thing and infinity
    assert np.isinf(found[~valid & np.isinf(truth)]).mean() > (0.8 if fill is Fill.IP_BASIC else 0.95)


@pytest.mark.parametrize("fill", Fill)
def test_what_is_farther_than_a_hundred_metres_is_neither_lost_nor_brought_near(fill: Fill) -> None:
    depth = np.full((40, 60), 473.0, np.float32)
    depth[20:] = 20
    found = _filled(depth, _random_holes(depth.shape), fill)
    np.testing.assert_allclose(found[:14], 473, rtol=1e-5)
    np.testing.assert_allclose(found[26:], 20, rtol=1e-5)


@pytest.mark.parametrize("fill", Fill)
def test_an_image_of_sky_alone_is_filled_with_sky(fill: Fill) -> None:
    found = _filled(np.full((30, 40), np.inf), _random_holes((30, 40)), fill)
    assert np.isposinf(found).all()


# Random small images: any shape, few or many measurements, infinity among them.
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40)).filter(lambda shape: shape[0] * shape[1] >= 4)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Array, Mask, Array]:
    shape = draw(SHAPES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth = np.exp(rng.uniform(-2, 6, shape)).astype(np.float32)
    depth[rng.random(shape) < draw(st.sampled_from([0, 0.2]))] = np.inf
    valid = rng.random(shape) < draw(st.sampled_from([0.02, 0.3, 0.9]))
    valid.flat[rng.choice(depth.size, 2, replace=False)] = True
    return depth, valid, rng.integers(0, 256, (*shape, 3), np.uint8)


@pytest.mark.parametrize("fill", Fill)
@examples(40)
@given(scene=scenes())
def test_every_hole_is_filled_from_the_range_of_what_was_measured_which_stays_as_it_is(
    fill: Fill, scene: tuple[Array, Mask, Array]
) -> None:
    depth, valid, rgb = scene
    before = depth.copy(), valid.copy(), rgb.copy()
    found, measured = complete_depth(depth, valid, fill, rgb)
    for array, was in zip(scene, before, strict=True):
        np.testing.assert_array_equal(array, was)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(measured, valid)
    np.testing.assert_array_equal(found[valid], depth[valid])
    finite = depth[valid & np.isfinite(depth)]
    assert ((np.isposinf(found) & np.isposinf(depth[valid]).any()) | np.isfinite(found)).all()
    if finite.size:
        assert found.min() >= finite.min()
        assert found[np.isfinite(found)].max() <= finite.max()
    np.testing.assert_array_equal(complete_depth(depth, valid, fill, rgb)[0], found)


@pytest.mark.parametrize("fill", Fill)
@examples(25)
@given(scene=scenes(), power=st.integers(-3, 3))
def test_the_unit_of_depth_does_not_matter(fill: Fill, scene: tuple[Array, Mask, Array], power: int) -> None:
    depth, valid, rgb = scene
    scale = 2.0**power
    np.testing.assert_allclose(_filled(depth * scale, valid, fill, rgb), _filled(depth, valid, fill, rgb) * scale, 1e-4)


@pytest.mark.parametrize("fill", [Fill.IP_BASIC, Fill.GUIDED])
@pytest.mark.parametrize("holes", ["random", "rectangles"])
def test_a_mirrored_image_is_filled_mirrored(street: Frame, fill: Fill, holes: str) -> None:
    valid = HOLES[holes](street.depth_HW.shape)
    depth, rgb = street.depth_HW[:, ::-1], street.rgb_HWC[:, ::-1]
    found = _filled(street.depth_HW, valid, fill, street.rgb_HWC)
    np.testing.assert_allclose(_filled(depth, valid[:, ::-1], fill, rgb)[:, ::-1], found, rtol=1e-5)


@examples(40)
@given(scene=scenes())
def test_nearest_takes_a_pixel_that_is_at_most_three_percent_farther_than_the_nearest(
    scene: tuple[Array, Mask, Array],
) -> None:
    depth, valid, _ = scene
    numbers = np.arange(1, depth.size + 1, dtype=np.float32).reshape(depth.shape)  # tell which pixel was taken
    taken = _filled(numbers, valid, Fill.NEAREST).astype(np.int64) - 1
    rows, columns = np.indices(depth.shape)
    distance = np.hypot(rows - taken // depth.shape[1], columns - taken % depth.shape[1])
    ys, xs = np.nonzero(valid)
    shortest = np.hypot(rows.reshape(-1, 1) - ys, columns.reshape(-1, 1) - xs).min(axis=1).reshape(depth.shape)
    assert (distance <= 1.03 * shortest).all()


def test_ip_basic_lets_the_nearer_side_grow_into_a_hole_and_leaves_nothing_between_the_two() -> None:
    depth = np.full((60, 120), 30.0)
    depth[:, :40] = 5
    valid = np.ones(depth.shape, np.bool_)
    valid[:, 40:70] = False
    found = _filled(depth, valid, Fill.IP_BASIC)
    np.testing.assert_allclose(found[:, 40:60], 5, rtol=1e-5)
    near, far = np.isclose(found, 5, rtol=1e-3), np.isclose(found, 30, rtol=1e-3)
    assert (near | far).all()


def test_ip_basic_extends_what_stands_highest_to_the_top() -> None:
    depth = np.full((60, 90), 50.0)
    depth[:, 40:52] = 8  # a trunk
    valid = np.zeros(depth.shape, np.bool_)
    valid[30:] = True
    found = _filled(depth, valid, Fill.IP_BASIC)
    np.testing.assert_allclose(found[:20, 44:48], 8, rtol=1e-5)
    np.testing.assert_allclose(found[:20, :30], 50, rtol=1e-5)
    np.testing.assert_allclose(found[:20, 62:], 50, rtol=1e-5)


def test_guided_stops_at_the_edge_of_the_image_whatever_is_nearer() -> None:
    rng = np.random.default_rng(1)
    columns = np.arange(120)
    slope = np.linspace(1.0, 1.2, 80)[:, None]  # each side is a slanted plane
    depth = np.where(columns < 70, 2.0, 10.0) * slope
    rgb = np.where(columns[:, None] < 70, [60, 80, 70], [150, 140, 160]) + rng.integers(-2, 3, (80, 120, 3))
    valid = np.ones(depth.shape, np.bool_)
    valid[20:60, 40:80] = False  # 30 columns of the near side, 10 of the far one
    error = np.abs(_filled(depth, valid, Fill.GUIDED, rgb.astype(np.uint8)) / depth - 1)[~valid]
    assert error.max() < 0.01
    blind = np.abs(_filled(depth, valid, Fill.NEAREST) / depth - 1)[~valid]
    assert (blind > 0.5).mean() > 0.05


def test_guided_fills_wide_holes_as_evenly_as_narrow_ones() -> None:
    depth = np.tile(np.geomspace(2, 8, 256), (200, 1))
    valid = np.ones(depth.shape, np.bool_)
    valid[:, 30:226] = False
    error = np.abs(_filled(depth, valid, Fill.GUIDED) / depth - 1)
    assert error.max() < 0.12


@pytest.mark.parametrize("fill", Fill)
def test_what_is_no_depth_is_a_hole(fill: Fill) -> None:
    depth = np.full((12, 16), 4.0, np.float32)
    depth[2, 3], depth[5, 5], depth[7, 9], depth[8, 1] = np.nan, -3, 0, -np.inf
    found, measured = complete_depth(depth, np.ones(depth.shape, np.bool_), fill, np.zeros((12, 16, 3), np.uint8))
    assert measured.sum() == depth.size - 4
    np.testing.assert_allclose(found, 4, rtol=1e-6)


@pytest.mark.parametrize("fill", Fill)
def test_nothing_is_filled_from_nothing_or_from_a_single_pixel(fill: Fill) -> None:
    depth, valid = np.full((6, 9), 3.0, np.float32), np.zeros((6, 9), np.bool_)
    rgb = np.zeros((6, 9, 3), np.uint8)
    with pytest.raises(CodeRangeError, match="no pixel has a depth of 9x6: there is nothing to fill holes from"):
        complete_depth(depth, valid, fill, rgb)
    with pytest.raises(CodeRangeError, match="no pixel has a depth"):
        complete_depth(depth * np.nan, ~valid, fill, rgb)
    valid[2, 2] = True
    with pytest.raises(CodeRangeError, match="only one pixel has a depth of 9x6"):
        complete_depth(depth, valid, fill, rgb)
    valid[4, 7] = True
    np.testing.assert_allclose(complete_depth(depth, valid, fill, rgb)[0], 3, rtol=1e-6)


def test_sizes_must_agree_and_guided_needs_an_image() -> None:
    depth, valid = np.ones((6, 9)), np.ones((6, 9), np.bool_)
    with pytest.raises(SizeMismatchError, match="one \\(H, W\\) grid"):
        measured_depth(depth, valid[:, :-1])
    with pytest.raises(SizeMismatchError, match="depth is 9x6, the image 8x6"):
        complete_depth(depth, valid, Fill.GUIDED, np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(ConfigurationError, match="image"):
        complete_depth(depth, valid, Fill.GUIDED)


# Real cameras and a laser scanner


def _read_depth(path: Path, scale_m: float) -> tuple[Array, Mask]:
    code = DepthCode(scale_m, far_code=False)
    depth, valid = code.decode(*code.from_file(read_image(path)))
    assert valid is not None
    return depth, valid


@pytest.mark.parametrize("fill", Fill)
def test_every_hole_of_a_hololens_is_filled(shared_data: Path, fill: Fill) -> None:
    folder = shared_data / "rgbd_pose/hololens"
    pairs = list(zip(sorted(folder.glob("depth/*")), sorted(folder.glob("images/*")), strict=True))
    assert len(pairs) >= 5
    shares = []
    for depth_path, image_path in pairs[::2]:
        depth, valid = _read_depth(depth_path, 0.001)
        shares.append(1 - valid.mean())
        found, measured = complete_depth(depth, valid, fill, read_image(image_path))
        np.testing.assert_array_equal(measured, valid)
        assert ((found >= depth[valid].min()) & (found <= depth[valid].max())).all()
        np.testing.assert_array_equal(found[valid], depth[valid])
    assert min(shares) > 0.2
    assert max(shares) < 0.42


@pytest.mark.parametrize(
    ("fill", "pixels_m", "blocks_m"),
    [(Fill.IP_BASIC, 0.055, 0.18), (Fill.NEAREST, 0.024, 0.1), (Fill.GUIDED, 0.017, 0.085)],
)
def test_hidden_depth_of_a_kinect_is_found_again(
    shared_data: Path, fill: Fill, pixels_m: float, blocks_m: float
) -> None:
    depth, valid = _read_depth(shared_data / "hha/nyu_python_demo/0_raw.png", 1e-4)
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.random((20, 27)) < 0.2, np.ones((24, 24), np.bool_))[:480, :640].astype(np.bool_)
    for hidden, bound in ((rng.random(depth.shape) < 0.2, pixels_m), (blocks, blocks_m)):
        error = (_filled(depth, valid & ~hidden, fill) - depth)[valid & hidden]
        assert np.sqrt(np.mean(np.square(error))) < bound


@pytest.mark.parametrize("fill", Fill)
def test_hidden_points_of_a_laser_scanner_are_found_again(shared_data: Path, fill: Fill) -> None:
    folder = shared_data / "kitti/lidar_frame_000007"
    rgb = read_image(folder / "image_2/000007.png")
    P = KittiCalibration.from_object_file(folder / "calib/000007.txt").P_image_velo
    assert P is not None
    points = read_velodyne(folder / "velodyne/000007.bin")
    depth, valid = project_points(points, P, (rgb.shape[1], rgb.shape[0]))
    hidden = np.random.default_rng(0).random(depth.shape) < 0.2
    found = _filled(depth, valid & ~hidden, fill, rgb)
    assert np.isfinite(found).all()
    error = (np.abs(found - depth) / np.maximum(depth, 1))[valid & hidden]
    assert np.median(error) < 0.01
    assert error.mean() < 0.12
