"""The frames of the rendered world: what a ray hits, what is labelled, and that equal parameters give equal bytes."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array, scale_map
from segprep.datasets.synthetic import (
    CLASSES,
    Frame,
    RawId,
    World,
    camera_pose,
    make_camera,
    render,
    things_near,
    trace,
    trace_grid,
)
from segprep.datasets.synthetic.noise import fractal_noise, random_lattice
from segprep.datasets.synthetic.patterns import band, stripes
from segprep.datasets.synthetic.shapes import Solid
from support.properties import examples

ARRAYS = ("rgb_HWC", "nir_HW", "depth_HW", "label_HW", "instance_HW")


def same(a: Frame, b: Frame) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)


def contains(solid: Solid, local: Array) -> Array:
    """Whether points (N, 3) in the solid's coordinates lie inside."""
    if solid.radii is not None:
        scaled = (local - (solid.low + solid.high) / 2) / solid.radii
        return np.asarray((scaled**2).sum(axis=1) <= 1)
    return np.asarray((local @ solid.normals.T <= solid.offsets).all(axis=1))


def inside_anything(world: World, frame: int, points: Array) -> Array:
    """Whether world points (N, 3) lie in any solid of a frame."""
    time = world.time(frame)
    inside = points[:, 2] < 0
    for thing in things_near(world, world.start + world.speed * time, time):
        to_local = np.linalg.inv(thing.to_world(world, time))
        local = points @ to_local[:3, :3].T + to_local[:3, 3]
        for solid in thing.solids:
            inside |= contains(solid, local)
    return inside


def test_a_frame_has_the_promised_arrays() -> None:
    frame = render(World(), 0, 64, 32)
    assert frame.rgb_HWC.shape == (32, 64, 3)
    assert frame.rgb_HWC.dtype == np.uint8
    assert frame.nir_HW.dtype == frame.label_HW.dtype == np.uint8
    assert frame.depth_HW.dtype == np.float64
    assert frame.instance_HW.dtype == np.uint16
    assert (frame.camera.width, frame.camera.height) == (64, 32)
    assert render(World(), 30, 64, 32).time == 2.0


def test_rays_stop_at_the_first_surface() -> None:
    world, rng = World(seed=4), np.random.default_rng(0)
    camera = make_camera(512, 256)
    for frame in (0, 33):
        x, y = rng.uniform(-0.5, 511.5, 60), rng.uniform(-0.5, 255.5, 60)
        hits = trace(world, frame, camera, x, y)
        depth = np.where(hits.inverse_depth > 0, 1 / np.maximum(hits.inverse_depth, 1e-9), 200.0)
        depth = np.minimum(depth, 200.0)
        pose = camera_pose(world, frame).matrix
        rays = (np.stack([x, y, np.ones_like(x)], axis=1) @ np.linalg.inv(camera.K).T) @ pose[:3, :3].T
        along = np.linspace(0, 1 - 1e-9, 400)
        points = pose[:3, 3] + rays[:, None] * (depth[:, None] * along)[:, :, None]
        assert not inside_anything(world, frame, points.reshape(-1, 3)).any()
        stopped = depth < 200
        assert stopped.sum() > 20
        behind = pose[:3, 3] + (rays * (depth * (1 + 1e-9) + 1e-9)[:, None])[stopped]
        assert inside_anything(world, frame, behind).all()


def test_tracing_points_agrees_with_tracing_the_grid() -> None:
    world, camera = World(seed=9), make_camera(128, 64)
    grid = trace_grid(world, 20, camera)
    x, y = np.meshgrid(np.arange(128.0), np.arange(64.0))
    points = trace(world, 20, camera, x, y)
    np.testing.assert_allclose(points.inverse_depth, grid.inverse_depth, rtol=1e-12, atol=1e-15)
    assert (points.solid == grid.solid).mean() > 0.999


def test_points_outside_the_image_can_be_traced() -> None:
    world, camera = World(seed=9), make_camera(128, 64)
    x, y = np.array([-200.0, 64.0, 1e7]), np.array([30.0, 500.0, -1e7])
    hits = trace(world, 20, camera, x, y)
    wide = camera.transformed(np.array([[1.0, 0, 300], [0, 1, 0]]), 700, 64)
    assert hits.inverse_depth[0] == pytest.approx(trace_grid(world, 20, wide).inverse_depth[30, 100], rel=1e-9)
    assert 1 / hits.inverse_depth[1] < 2  # the ground just ahead
    assert trace(world, 20, camera, np.zeros(0), np.zeros(0)).inverse_depth.shape == (0,)


@pytest.mark.parametrize("size", [(256, 128), (200, 150), (96, 256)])
def test_every_size_shows_the_same_world(size: tuple[int, int]) -> None:
    world, full = World(seed=3), make_camera(512, 256)
    frame = render(world, 8, *size)
    back = np.linalg.inv(scale_map((512, 256), size))
    x, y = np.meshgrid(np.arange(size[0], dtype=float), np.arange(size[1], dtype=float))
    hits = trace(world, 8, full, back[0, 0] * x + back[0, 2], back[1, 1] * y + back[1, 2])
    np.testing.assert_allclose(1 / frame.depth_HW, hits.inverse_depth, rtol=1e-9, atol=1e-12)


def test_equal_parameters_give_equal_bytes_in_any_order_and_process() -> None:
    world = World(seed=21)
    frames = {i: render(world, i, 96, 48) for i in (3, 1, 2)}
    assert same(render(World(seed=21), 1, 96, 48), frames[1])
    assert not same(frames[1], frames[2])
    code = (
        "import hashlib; from segprep.datasets.synthetic import World, render;"
        "f = render(World(seed=21), 2, 96, 48);"
        f"print(hashlib.sha256(b''.join(getattr(f, n).tobytes() for n in {ARRAYS})).hexdigest())"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert alone == hashlib.sha256(b"".join(getattr(frames[2], n).tobytes() for n in ARRAYS)).hexdigest()


def test_other_seeds_and_other_stretches_show_another_street() -> None:
    base = render(World(seed=1), 0, 96, 48)
    for other in (World(seed=2), World(seed=1, start=7200.0)):
        frame = render(other, 0, 96, 48)
        assert np.mean(frame.label_HW != base.label_HW) > 0.1
        assert np.mean(frame.rgb_HWC != base.rgb_HWC) > 0.8


def test_a_drive_shows_every_class_regularly() -> None:
    frames = [render(World(seed=5), i, 256, 128) for i in range(0, 160, 8)]
    for raw_id in RawId:
        shown = np.mean([np.any(f.label_HW == raw_id) for f in frames])
        assert shown >= 0.7, f"{raw_id.name} is in {shown:.0%} of the frames"
    for frame in frames:
        CLASSES.to_train_ids(frame.label_HW)
    assert set(CLASSES.ignored_raw_ids) | {i for c in CLASSES.classes for i in c.raw_ids} == set(RawId)


def test_instances_are_cars_and_persons_and_keep_their_numbers() -> None:
    frames = [render(World(seed=6), i, 256, 128) for i in (10, 11)]
    for frame in frames:
        assert ((frame.instance_HW > 0) == np.isin(frame.label_HW, [RawId.CAR, RawId.PERSON])).all()
    ids = [set(np.unique(f.instance_HW).tolist()) for f in frames]
    assert len(ids[0]) > 8
    assert len(ids[0] & ids[1]) / len(ids[0] | ids[1]) > 0.6
    for number in ids[0] & ids[1] - {0}:
        classes = {int(f.label_HW[f.instance_HW == number][0]) for f in frames}
        assert len(classes) == 1


def test_no_two_things_in_view_share_a_number() -> None:
    for start in (0.0, 123456.0, -98765.0):
        numbers = [t.instance for t in things_near(World(seed=8), start, 100.0) if t.instance]
        assert len(numbers) == len(set(numbers))
        assert max(numbers) <= 65535


@examples(15)
@given(
    seed=st.integers(0, 2**32 - 1),
    bend=st.floats(0, 0.3),
    speed=st.floats(-30, 30),
    frame=st.integers(-5000, 5000),
)
def test_the_camera_never_enters_or_grazes_a_thing(seed: int, bend: float, speed: float, frame: int) -> None:
    world = World(seed=seed, bend=bend, speed=speed)
    position = camera_pose(world, frame).matrix[:3, 3]
    around = np.array([(x, y, z) for x in (-0.8, 0, 0.8) for y in (-0.8, 0, 0.8) for z in (-1.5, 0, 0.8)])
    assert not inside_anything(world, frame, position + around).any()


def test_the_sky_is_infinitely_far_and_nothing_else_is() -> None:
    frame = render(World(seed=2), 4, 128, 64)
    assert (np.isinf(frame.depth_HW) == (frame.label_HW == RawId.SKY)).all()
    assert frame.depth_HW.min() > 0.5


def test_near_infrared_shows_bright_leaves_and_a_dark_sky() -> None:
    frame = render(World(seed=2), 4, 256, 128)
    mean = {i: frame.nir_HW[frame.label_HW == i].mean() for i in (RawId.VEGETATION, RawId.SKY, RawId.ROAD)}
    assert mean[RawId.VEGETATION] > mean[RawId.ROAD] + 40
    assert mean[RawId.VEGETATION] > mean[RawId.SKY] + 20
    red = frame.rgb_HWC[..., 0].astype(float)
    ndvi = (frame.nir_HW - red) / (frame.nir_HW + red + 1e-9)
    assert np.median(ndvi[frame.label_HW == RawId.VEGETATION]) > 0.2
    assert np.median(ndvi[frame.label_HW == RawId.ROAD]) < 0.1


def test_the_mount_puts_the_ground_at_height_zero() -> None:
    frame = render(World(seed=2), 4, 128, 64)
    mount = frame.camera.mount
    assert mount is not None
    road = frame.label_HW == RawId.ROAD
    y, x = np.nonzero(road)
    points = np.stack([x, y, np.ones(x.size)], axis=1) @ np.linalg.inv(frame.camera.K).T * frame.depth_HW[road][:, None]
    vehicle = points @ mount[:3, :3].T + mount[:3, 3]
    assert np.abs(vehicle[:, 2]).max() < 1e-9
    assert vehicle[:, 0].min() > 0


@pytest.mark.parametrize("pixel", [0.02, 0.1, 0.3, 1.0])
def test_noise_has_nothing_finer_than_the_pixels_can_show(pixel: float) -> None:
    lattice = random_lattice(3)
    s = np.random.default_rng(0).uniform(0, 600, 20000)
    t = np.full(s.shape, 17.3)

    def neighbours_agree(pixel_size: float) -> float:
        size = np.full(s.shape, pixel_size)
        here, beside = (fractal_noise(lattice, s + shift, t, size) for shift in (0.0, pixel))
        return float(np.corrcoef(here, beside)[0, 1])

    assert neighbours_agree(pixel) > 0.65
    if pixel >= 0.1:  # with all octaves, as if seen from near, neighbouring pixels would be noise
        assert neighbours_agree(1e-3) < neighbours_agree(pixel) - 0.05
    assert not fractal_noise(lattice, s, t, np.full(s.shape, 2.0)).any()


@given(x=st.floats(-50, 50), pixel=st.floats(1e-3, 20), period=st.floats(0.5, 5), share=st.floats(0.05, 0.95))
@examples(50)
def test_stripes_are_the_mean_over_the_pixel(x: float, pixel: float, period: float, share: float) -> None:
    places = x + (np.arange(20000) + 0.5) / 20000 * pixel - pixel / 2
    mean = np.mean(places % period < share * period)
    assert stripes(np.array([x]), period, share * period, np.array([pixel]))[0] == pytest.approx(mean, abs=2e-3)
    assert band(np.array([x]), 0, period, np.array([pixel]))[0] == pytest.approx(
        np.mean((places >= 0) & (places <= period)), abs=2e-3
    )


@pytest.mark.parametrize(
    "change",
    [
        {"frame_rate": 0.0},
        {"bend": 0.5},
        {"speed": float("nan")},
        {"pitch_wobble": 1.0},
        {"traffic_speed": -1.0},
        {"traffic_density": 0.5},
        {"traffic_density": 4.0},
        {"seed": -1},
        {"view_distance": 5.0},
    ],
)
def test_worlds_without_sense_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="world"):
        replace(World(), **change)  # type: ignore[arg-type]
