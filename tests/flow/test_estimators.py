"""What every flow estimator must do, and how good the classical one is on real pairs."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array
from segprep.flow.consistency import consistent
from segprep.flow.estimators import ESTIMATORS, dis
from segprep.flow.field import FlowField
from segprep.flow.metrics import flow_errors

NAMES = ESTIMATORS.names()


def shifted(picture: Array, right: int, down: int) -> Array:
    return np.roll(picture, (down, right), axis=(0, 1))


def test_the_classical_estimator_is_found_by_name() -> None:
    assert "dis" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_motion_points_from_the_first_image_to_the_second(name: str, texture: Array) -> None:
    uv = ESTIMATORS.load(name).estimate(texture, shifted(texture, 5, -3))
    assert uv.shape == (*texture.shape[:2], 2)
    assert uv.dtype == np.float32
    inner = uv[20:-20, 20:-20].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inner, axis=0), [5, -3], atol=0.2)
    assert np.hypot(*(inner - [5, -3]).T).mean() < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_equal_images_do_not_move(name: str, texture: Array) -> None:
    uv = ESTIMATORS.load(name).estimate(texture, texture)
    assert np.abs(uv).max() < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_results_are_equal_to_the_bit_whatever_the_number_of_threads(name: str, texture: Array) -> None:
    estimate = ESTIMATORS.load(name).estimate
    before, second = texture.copy(), shifted(texture, 2, 1)
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            results.append(estimate(texture, second))
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(texture, before)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (8, 100), (17, 200), (200, 9), (3, 900), (63, 64)])
def test_images_of_any_size_and_proportion_are_handled(name: str, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    uv = ESTIMATORS.load(name).estimate(picture, shifted(picture, 1, 0))
    assert uv.shape == (*shape, 2)
    assert np.isfinite(uv).all()


@pytest.mark.parametrize("name", NAMES)
def test_images_without_texture_give_finite_vectors(name: str) -> None:
    grey = np.full((70, 90, 3), 128, np.uint8)
    assert np.isfinite(ESTIMATORS.load(name).estimate(grey, grey)).all()


@pytest.mark.parametrize("name", NAMES)
def test_images_that_do_not_fit_together_are_refused(name: str) -> None:
    picture = np.zeros((70, 90, 3), np.uint8)
    for other in (picture[:, 1:], picture[..., 0], picture.astype(np.float32)):
        with pytest.raises(SizeMismatchError):
            ESTIMATORS.load(name).estimate(picture, other)
        with pytest.raises(SizeMismatchError):
            ESTIMATORS.load(name).estimate(other, picture)


@pytest.mark.parametrize("preset", list(dis.Preset))
def test_every_preset_works_on_small_longish_images(preset: dis.Preset) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (17, 300, 3), dtype=np.uint8)
    assert dis.estimate(picture, picture, dis.Config(preset)).shape == (17, 300, 2)


def whale(shared_data: Path) -> tuple[Array, Array, FlowField]:
    folder = shared_data / "flow" / "middlebury_RubberWhale"
    truth = read_image(folder / "flow10.flo")
    known = np.abs(truth).max(axis=2) < 1e9
    return read_image(folder / "frame10.png"), read_image(folder / "frame11.png"), FlowField(truth, known)


def test_dis_meets_the_truth_of_a_real_scene_and_slower_presets_are_better(shared_data: Path) -> None:
    first, second, truth = whale(shared_data)
    errors = {
        preset: flow_errors(
            FlowField(dis.estimate(first, second, dis.Config(preset)), np.ones(truth.valid.shape, np.bool_)), truth
        )
        for preset in dis.Preset
    }
    assert errors[dis.Preset.MEDIUM].epe_mean <= 0.30
    assert errors[dis.Preset.MEDIUM].epe_mean < errors[dis.Preset.FAST].epe_mean < errors[dis.Preset.ULTRAFAST].epe_mean
    opposite = FlowField(-dis.estimate(first, second), truth.valid)
    assert flow_errors(opposite, truth).epe_mean > 1.5
    assert dis.Config() == dis.Config(dis.Preset.MEDIUM)


def test_dis_follows_the_synthetic_chairs(shared_data: Path) -> None:
    folder = shared_data / "flow" / "flyingchairs"
    for number in range(3):
        first, second = (read_image(folder / f"000000{number}-img{i}.ppm") for i in (0, 1))
        uv = read_image(folder / f"000000{number}-gt.flo")
        truth = FlowField(uv, np.ones(uv.shape[:2], np.bool_))
        still = flow_errors(FlowField(np.zeros_like(uv), truth.valid), truth)
        found = flow_errors(FlowField(dis.estimate(first, second), truth.valid), truth)
        assert found.epe_median < 0.35 * still.epe_median


def test_pixels_that_fail_the_check_there_and_back_are_the_wrong_ones(shared_data: Path) -> None:
    first, second, truth = whale(shared_data)
    uv = dis.estimate(first, second)
    agree = consistent(uv, dis.estimate(second, first))
    assert 0.8 < agree.mean() < 1
    kept = flow_errors(FlowField(uv, agree), truth)
    rejected = flow_errors(FlowField(uv, ~agree), truth)
    assert rejected.epe_mean > 3 * kept.epe_mean
