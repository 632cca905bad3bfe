"""What every flow estimator must do with every preset, on pictures whose motion is known exactly."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array
from segprep.datasets.synthetic import drive_world, motion, render
from segprep.flow.conformance import ESTIMATOR_CHECKS, EstimatorMember, check_mirror, moved
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


# -- settings ----------------------------------------------------------------------------------------------------------


def test_the_classical_estimators_are_found_by_name() -> None:
    assert {"dis", "farneback"} <= set(NAMES)


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
    expected = cv2.DISOpticalFlow.create(number).calc(one, two, None)  # type: ignore[call-overload]
    np.testing.assert_array_equal(run("dis", texture, second, preset), expected)


def test_the_finest_preset_works_at_full_resolution_with_more_iterations(texture: Array) -> None:
    second = shifted(texture, 5, -3)
    one, two = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (texture, second))
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    estimator.setFinestScale(0)
    estimator.setPatchStride(3)
    estimator.setGradientDescentIterations(50)
    estimator.setVariationalRefinementIterations(10)
    expected = estimator.calc(one, two, None)  # type: ignore[call-overload]
    np.testing.assert_array_equal(run("dis", texture, second, "fine"), expected)


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium", "fine"])
def test_no_flow_is_assumed_before_dis_looks(preset: str) -> None:
    before, now = (render(drive_world(0, 0), frame, 256, 128) for frame in (4, 5))
    truth = motion(drive_world(0, 0), 5, 4, 256, 128)
    one, two = (cv2.cvtColor(each.rgb_HWC, cv2.COLOR_RGB2GRAY) for each in (now, before))
    config = dis.PRESETS[preset]
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setFinestScale(config.finest_scale)
    estimator.setPatchStride(config.patch_stride)
    estimator.setGradientDescentIterations(config.descent_iterations)
    estimator.setVariationalRefinementIterations(config.refinement_iterations)
    from_zeros = estimator.calc(one, two, np.zeros((*one.shape, 2), np.float32))
    found = run("dis", now.rgb_HWC, before.rgb_HWC, preset)
    seen = truth.valid_HW & ~truth.occluded_HW
    ours, theirs = (np.linalg.norm(uv - truth.flow_HW2, axis=2)[seen].mean() for uv in (found, from_zeros))
    assert ours < theirs


def test_settings_of_farneback_mean_what_they_mean_to_opencv(texture: Array) -> None:
    second = shifted(texture, 5, -3)
    one, two = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (texture, second))
    still = np.zeros((*one.shape, 2), np.float32)  # without the flag of an initial flow nothing is read of it
    expected = cv2.calcOpticalFlowFarneback(one, two, still, 0.5, 5, 15, 3, 5, 1.2, 0)
    np.testing.assert_array_equal(run("farneback", texture, second), expected)
    expected = cv2.calcOpticalFlowFarneback(one, two, still, 0.6, 2, 9, 1, 7, 1.5, 0)
    found = farneback.estimate(texture, second, farneback.Config(0.6, 2, 9, 1, 7, 1.5))
    np.testing.assert_array_equal(found, expected)


# -- what all of them do -----------------------------------------------------------------------------------------------


@every_preset
@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_members_keep_what_they_promise(name: str, preset: str, check: Callable[[EstimatorMember, str], None]) -> None:
    check(ESTIMATORS.load(name), preset)


@every_estimator
def test_an_unknown_preset_is_refused_with_the_estimators_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        ESTIMATORS.load(name).config_from("superb")


@every_estimator
@examples(8)
@given(
    zoom=st.floats(0.96, 1.05),
    degrees=st.floats(-2, 2),
    right=st.floats(-6, 6),
    down=st.floats(-6, 6),
)
def test_a_mirrored_pair_moves_as_the_mirror_image(
    name: str, zoom: float, degrees: float, right: float, down: float
) -> None:
    member = ESTIMATORS.load(name)
    (default,) = (preset for preset, config in member.PRESETS.items() if config == member.Config())
    check_mirror(member, default, zoom, degrees, right, down)


def test_pixel_centres_lie_at_integers(texture: Array) -> None:
    # A zoom about the centre of pixel (100, 60) leaves exactly that pixel where it is.
    second, truth, _ = moved(texture, np.array([[1.1, 0, -10], [0, 1.1, -6], [0, 0, 1]]))
    uv = run("dis", texture, second, "fine")
    np.testing.assert_allclose(truth[60, 100], 0, atol=1e-9)
    np.testing.assert_allclose((uv - truth)[INNER].mean(axis=(0, 1)), 0, atol=0.02)
