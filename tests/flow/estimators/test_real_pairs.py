"""How good the estimators are on real and public pairs with a truth; the figures in brackets are what they reach."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array
from segprep.flow.consistency import consistent
from segprep.flow.estimators import ESTIMATORS, dis
from segprep.flow.evaluation import evaluate_pairs
from segprep.flow.field import FlowField
from segprep.flow.flow_files import read_flow
from segprep.flow.metrics import FlowErrors, flow_errors

every_preset = pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name in ("dis", "farneback") for preset in ESTIMATORS.load(name).PRESETS]
)


def everywhere(uv: Array) -> FlowField:
    return FlowField(uv, np.ones(uv.shape[:2], np.bool_))


@cache
def whale(shared_data: Path) -> tuple[Array, Array, FlowField]:
    folder = shared_data / "flow" / "middlebury_RubberWhale"
    return read_image(folder / "frame10.png"), read_image(folder / "frame11.png"), read_flow(folder / "flow10.flo")


@cache
def chairs(shared_data: Path, number: int) -> tuple[Array, Array, FlowField]:
    folder = shared_data / "flow" / "flyingchairs"
    first, second = (read_image(folder / f"000000{number}-img{i}.ppm") for i in (0, 1))
    return first, second, read_flow(folder / f"000000{number}-gt.flo")


@cache
def tartan(shared_data: Path) -> tuple[Array, Array, FlowField]:
    folder = shared_data / "flow" / "tartanair"
    first, second = (read_image(folder / f"{number}_left.png") for number in ("000010", "000009"))
    return first, second, read_flow(folder / "000010_000009_flow.npy")


@cache
def errors(shared_data: Path, pair: str, name: str, preset: str) -> FlowErrors:
    module = ESTIMATORS.load(name)
    first, second, truth = {"whale": whale, "tartan": tartan}[pair](shared_data)
    return flow_errors(everywhere(module.estimate(first, second, module.config_from(preset))), truth)


def test_dis_meets_the_truth_of_a_real_scene(shared_data: Path) -> None:
    medium, fine = (errors(shared_data, "whale", "dis", preset) for preset in ("medium", "fine"))
    assert medium.epe_mean <= 0.24  # (0.226)
    assert fine.epe_mean <= 0.12  # (0.114)
    assert medium.coverage == 1
    assert medium.pixels == read_flow(shared_data / "flow/middlebury_RubberWhale/flow10.flo").valid.sum()


def test_slower_presets_of_dis_are_better(shared_data: Path) -> None:
    found = [errors(shared_data, "whale", "dis", preset) for preset in dis.PRESETS]
    for figure in ("epe_mean", "epe_median", "angular_mean", "fl_all", "over_1px"):
        values = [getattr(each, figure) for each in found]
        assert values == sorted(values, reverse=True), figure
    assert dis.config_from(None) == dis.PRESETS["medium"]


@every_preset
@pytest.mark.parametrize("pair", ["whale", "tartan"])
def test_every_preset_finds_the_direction_of_real_motion(shared_data: Path, pair: str, name: str, preset: str) -> None:
    truth = {"whale": whale, "tartan": tartan}[pair](shared_data)[2]
    still = flow_errors(everywhere(np.zeros_like(truth.uv)), truth)
    found = errors(shared_data, pair, name, preset)
    assert found.epe_mean < 0.5 * still.epe_mean
    assert found.epe_median < 0.3 * still.epe_median
    assert found.angular_mean < 0.5 * still.angular_mean


def test_the_opposite_direction_is_no_truth(shared_data: Path) -> None:
    first, second, truth = whale(shared_data)
    opposite = FlowField(-dis.estimate(first, second), truth.valid)
    assert flow_errors(opposite, truth).epe_mean > 1.5
    first, second, truth = tartan(shared_data)
    in_order = everywhere(dis.estimate(second, first))
    assert flow_errors(in_order, truth).epe_median > 100 * errors(shared_data, "tartan", "dis", "medium").epe_median


@every_preset
def test_most_vectors_of_the_synthetic_chairs_are_found(shared_data: Path, name: str, preset: str) -> None:
    module = ESTIMATORS.load(name)
    config = module.config_from(preset)
    pairs = [chairs(shared_data, number) for number in range(3)]
    found = evaluate_pairs(
        (str(i), everywhere(module.estimate(first, second, config)), truth)
        for i, (first, second, truth) in enumerate(pairs)
    )
    still = evaluate_pairs((str(i), everywhere(np.zeros_like(truth.uv)), truth) for i, (*_, truth) in enumerate(pairs))
    assert found.pooled.pixels == 3 * 384 * 512
    assert found.pooled.epe_mean < still.pooled.epe_mean
    assert found.pooled.epe_median < 0.45 * still.pooled.epe_median
    if preset in ("medium", "fine"):
        for (_, mine), (_, none) in zip(found.fields, still.fields, strict=True):
            assert mine.epe_median < 0.35 * none.epe_median


def test_pixels_that_fail_the_check_there_and_back_are_the_wrong_ones(shared_data: Path) -> None:
    first, second, truth = whale(shared_data)
    uv = dis.estimate(first, second)
    agree = consistent(uv, dis.estimate(second, first))
    assert 0.8 < agree.mean() < 1
    kept = flow_errors(FlowField(uv, agree), truth)
    rejected = flow_errors(FlowField(uv, ~agree), truth)
    assert rejected.epe_mean > 3 * kept.epe_mean
    assert kept.coverage + rejected.coverage == pytest.approx(1)
