"""What every flow estimator must do with every preset, on pictures whose motion is known exactly."""

import dataclasses
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError, SizeMismatchError
from segprep.datasets.sample import Array, Matrix
from segprep.datasets.synthetic.motion import Motion, motion
from segprep.datasets.synthetic.render import render
from segprep.datasets.synthetic.world import World
from segprep.flow.estimators import ESTIMATORS, dis, farneback
from support.properties import examples

NAMES = ESTIMATORS.names()
every_estimator = pytest.mark.parametrize("name", NAMES)
every_preset = pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name in NAMES for preset in ESTIMATORS.load(name).PRESETS]
)
INNER = (slice(24, -24), slice(24, -24))  # no estimator knows what came in over the border


def run(name: str, first: Array, second: Array, preset: str | None = None) -> npt.NDArray[np.float32]:
    module = ESTIMATORS.load(name)
    uv: npt.NDArray[np.float32] = module.estimate(first, second, module.config_from(preset))
    return uv


def shifted(picture: Array, right: int, down: int) -> Array:
    return np.roll(picture, (down, right), axis=(0, 1))


def about_centre(size: tuple[int, int], zoom: float, degrees: float, right: float, down: float) -> Matrix:
    """The map of pixels that zooms and turns about the centre of the picture, then shifts."""
    centre, angle = np.array(size) / 2, np.deg2rad(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    A = np.eye(3)
    A[:2, :2], A[:2, 2] = turn, centre - turn @ centre + [right, down]
    return A


def moved(picture: Array, A: Matrix) -> tuple[Array, Matrix, Matrix]:
    """The picture whose point x lies at A x, the exact flow to it, and the exact flow back on its own grid."""
    height, width = picture.shape[:2]
    second = cv2.warpAffine(picture, A[:2], (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    y, x = np.mgrid[0.0:height, 0.0:width]
    pixels = np.dstack([x, y, np.ones_like(x)])
    there, back = ((pixels @ M.T - pixels)[..., :2] for M in (A, np.linalg.inv(A)))
    return second, there, back


@cache
def drive() -> tuple[tuple[Array, Motion], tuple[Array, Motion]]:
    """Two frames, each with the exact motion to the other."""
    world = World()
    first, second = ((render(world, a, 384, 192).rgb_HWC, motion(world, a, 1 - a, 384, 192)) for a in (0, 1))
    return first, second


def gap(uv: Array, other: Array) -> float:
    """Mean distance of two fields, away from the border."""
    return float(np.linalg.norm((uv - other)[INNER], axis=2).mean())


# -- settings ----------------------------------------------------------------------------------------------------------


def test_the_classical_estimators_are_found_by_name() -> None:
    assert {"dis", "farneback"} <= set(NAMES)


@every_estimator
def test_settings_are_chosen_by_the_name_of_a_preset(name: str, texture: Array) -> None:
    module = ESTIMATORS.load(name)
    assert module.PRESETS
    assert all(module.config_from(preset) == config for preset, config in module.PRESETS.items())
    assert module.config_from(None) == module.Config()
    assert module.Config() in module.PRESETS.values()
    second = shifted(texture, 2, 1)
    np.testing.assert_array_equal(module.estimate(texture, second), run(name, texture, second))
    with pytest.raises(ConfigurationError) as caught:
        module.config_from("superb")
    assert all(word in str(caught.value) for word in (name, "superb", *module.PRESETS))


@every_estimator
def test_settings_cannot_be_changed_and_can_be_compared(name: str) -> None:
    config = ESTIMATORS.load(name).config_from(None)
    for field in dataclasses.fields(config):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, field.name, 1)
    assert len({*ESTIMATORS.load(name).PRESETS.values()}) == len(ESTIMATORS.load(name).PRESETS)


@pytest.mark.parametrize(
    "change",
    [
        {"finest_scale": -1},
        {"finest_scale": 3},
        {"patch_stride": 0},
        {"patch_stride": 9},
        {"descent_iterations": 0},
        {"refinement_iterations": -1},
    ],
)
def test_settings_that_would_end_the_process_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        dis.Config(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"pyramid_scale": 1.0},
        {"pyramid_scale": 0.0},
        {"levels": 0},
        {"window": 1},
        {"iterations": 0},
        {"neighbourhood": 6},
        {"sigma": 0.0},
        {"sigma": float("nan")},
    ],
)
def test_settings_of_farneback_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="farneback needs"):
        farneback.Config(**change)


@pytest.mark.parametrize(
    ("preset", "number"),
    [
        ("ultrafast", cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST),
        ("fast", cv2.DISOPTICAL_FLOW_PRESET_FAST),
        ("medium", cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
    ],
)
def test_presets_of_the_same_name_give_what_opencv_gives(preset: str, number: int, texture: Array) -> None:
    second = shifted(texture, 5, -3)
    one, two = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (texture, second))
    expected = cv2.DISOpticalFlow.create(number).calc(one, two, np.zeros((*one.shape, 2), np.float32))
    np.testing.assert_array_equal(run("dis", texture, second, preset), expected)


def test_the_finest_preset_works_at_full_resolution_with_more_iterations(texture: Array) -> None:
    second = shifted(texture, 5, -3)
    one, two = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (texture, second))
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    estimator.setFinestScale(0)
    estimator.setPatchStride(3)
    estimator.setGradientDescentIterations(50)
    estimator.setVariationalRefinementIterations(10)
    expected = estimator.calc(one, two, np.zeros((*one.shape, 2), np.float32))
    np.testing.assert_array_equal(run("dis", texture, second, "fine"), expected)


def test_settings_of_farneback_mean_what_they_mean_to_opencv(texture: Array) -> None:
    second = shifted(texture, 5, -3)
    one, two = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (texture, second))
    still = np.zeros((*one.shape, 2), np.float32)
    expected = cv2.calcOpticalFlowFarneback(one, two, still, 0.5, 5, 15, 3, 5, 1.2, 0)
    np.testing.assert_array_equal(run("farneback", texture, second), expected)
    expected = cv2.calcOpticalFlowFarneback(one, two, still, 0.6, 2, 9, 1, 7, 1.5, 0)
    found = farneback.estimate(texture, second, farneback.Config(0.6, 2, 9, 1, 7, 1.5))
    np.testing.assert_array_equal(found, expected)


# -- any input ---------------------------------------------------------------------------------------------------------


@every_preset
def test_equal_images_do_not_move(name: str, preset: str, texture: Array) -> None:
    uv = run(name, texture, texture, preset)
    assert np.abs(uv).max() < 0.1
    assert np.abs(uv[INNER]).max() < 0.05


@every_preset
def test_results_are_equal_to_the_bit_whatever_the_number_of_threads(name: str, preset: str, texture: Array) -> None:
    before, second = texture.copy(), shifted(texture, 2, 1)
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            results.append(run(name, texture, second, preset))
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(texture, before)


@every_preset
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (8, 100), (17, 300), (200, 9), (3, 900), (63, 64)])
def test_images_of_any_size_and_proportion_are_handled(name: str, preset: str, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    uv = run(name, picture, shifted(picture, 1, 0), preset)
    assert uv.shape == (*shape, 2)
    assert uv.dtype == np.float32
    assert np.isfinite(uv).all()


@every_preset
def test_images_without_texture_give_finite_vectors(name: str, preset: str) -> None:
    grey = np.full((70, 90, 3), 128, np.uint8)
    assert np.isfinite(run(name, grey, grey, preset)).all()


@every_estimator
def test_views_of_images_are_read_as_their_copies(name: str, texture: Array) -> None:
    first, second = texture[::-1, 10:], shifted(texture, 2, 1)[::-1, 10:]
    np.testing.assert_array_equal(run(name, first, second), run(name, first.copy(), second.copy()))


@every_estimator
def test_images_that_do_not_fit_together_are_refused(name: str) -> None:
    picture = np.zeros((70, 90, 3), np.uint8)
    for other in (picture[:, 1:], picture[..., 0], picture.astype(np.float32), picture[0, 0]):
        with pytest.raises(SizeMismatchError):
            run(name, picture, other)
        with pytest.raises(SizeMismatchError):
            run(name, other, picture)


# -- exact motion ------------------------------------------------------------------------------------------------------


@every_preset
def test_motion_points_from_the_first_image_to_the_second(name: str, preset: str, texture: Array) -> None:
    uv = run(name, texture, shifted(texture, 5, -3), preset)
    inner = uv[INNER].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inner, axis=0), [5, -3], atol=0.2)
    assert np.hypot(*(inner - [5, -3]).T).mean() < 0.5


@every_estimator
@examples(8, suppress=(HealthCheck.function_scoped_fixture,))
@given(
    zoom=st.floats(0.96, 1.05),
    degrees=st.floats(-2, 2),
    right=st.floats(-6, 6),
    down=st.floats(-6, 6),
)
def test_a_mirrored_pair_moves_as_the_mirror_image(
    name: str, texture: Array, zoom: float, degrees: float, right: float, down: float
) -> None:
    second, truth, _ = moved(texture, about_centre((240, 160), zoom, degrees, right, down))
    plain = run(name, texture, second)
    mirrored = run(name, texture[:, ::-1].copy(), second[:, ::-1].copy())[:, ::-1] * [-1, 1]
    assert gap(plain, truth) < 0.4
    assert gap(mirrored, plain) < 0.2


@every_preset
def test_reversed_in_time_the_motion_is_that_of_the_other_frame_and_not_the_opposite(
    name: str, preset: str, texture: Array
) -> None:
    second, there, back = moved(texture, about_centre((240, 160), 1.12, 3, 5, -4))
    found_there, found_back = run(name, texture, second, preset), run(name, second, texture, preset)
    assert gap(found_there, there) < 0.75
    assert gap(found_back, back) < 0.75
    assert gap(found_back, -there) > 2 * gap(found_back, back)
    assert gap(found_back, there) > 10


@every_preset
def test_at_half_the_size_the_motion_is_half(name: str, preset: str, texture: Array) -> None:
    size, half = (480, 320), (240, 160)
    first = cv2.resize(texture, size, interpolation=cv2.INTER_CUBIC)
    second, truth, _ = moved(first, about_centre(size, 1.05, 1.5, 9, -7))
    small, small_second = (cv2.resize(picture, half, interpolation=cv2.INTER_AREA) for picture in (first, second))
    whole = cv2.resize(run(name, first, second, preset), half, interpolation=cv2.INTER_AREA)
    assert np.linalg.norm(truth, axis=2).mean() > 10
    assert gap(2 * run(name, small, small_second, preset), whole) < 1


@every_preset
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_the_exact_flow_of_a_rendered_drive_is_found_in_both_directions_of_time(
    name: str, preset: str, backward: bool
) -> None:
    (first, truth), (second, reverse) = reversed(drive()) if backward else drive()
    seen = truth.valid_HW & ~truth.occluded_HW
    uv = run(name, first, second, preset)
    error, swapped = (float(np.median(np.linalg.norm(uv - each.flow_HW2, axis=2)[seen])) for each in (truth, reverse))
    assert error < 1
    assert swapped > 5 * error


def test_pixel_centres_lie_at_integers(texture: Array) -> None:
    # A zoom about the centre of pixel (100, 60) leaves exactly that pixel where it is.
    second, truth, _ = moved(texture, np.array([[1.1, 0, -10], [0, 1.1, -6], [0, 0, 1]]))
    uv = run("dis", texture, second, "fine")
    np.testing.assert_allclose(truth[60, 100], 0, atol=1e-9)
    np.testing.assert_allclose((uv - truth)[INNER].mean(axis=(0, 1)), 0, atol=0.02)
