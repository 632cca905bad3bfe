"""What errors of flow and depth may explain is not called moving."""

from dataclasses import replace

import numpy as np
import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.prep.motion.labels import MotionState, Tolerance
from support.boards import CAMERA, FORWARD, HEIGHT, WIDTH, Board, judge, states


def test_flow_of_thin_things_is_trusted_less() -> None:
    small = (0.35 * 12 / float(CAMERA.K[0, 0]), 0.0, 0.0)
    (wide,) = judge([Board(-80, 10, 12, moves=small)], np.zeros(3)).objects
    (thin,) = judge([Board(-80, 10, 12, moves=small, size=8)], np.zeros(3)).objects
    assert wide.state is MotionState.MOVING
    assert thin.residual_px == pytest.approx(wide.residual_px, abs=0.02)
    assert (thin.state, thin.reason) == (MotionState.UNKNOWN, "in doubt")


def test_depth_excuses_motion_along_the_cameras_path_and_no_other() -> None:
    camera_t = FORWARD * 1.5
    beside = Board(150, 0, 15)  # its parallax is 15 px to the right
    along = replace(beside, moves=(0, 0, -0.09))  # looks like 6 % more parallax: 0.9 px
    across = replace(beside, moves=(0, 0.9 * 15 / float(CAMERA.K[1, 1]), 0))
    found = judge([along], camera_t), judge([across], camera_t)
    sizes = [each.objects[0].residual_px for each in found]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.3), "equally long"
    assert found[0].objects[0].state is not MotionState.MOVING
    assert found[1].objects[0].state is MotionState.MOVING


@pytest.mark.parametrize("error", [0.95, 0.97, 1.03, 1.05])
def test_a_depth_that_is_wrong_by_a_standard_deviation_moves_nothing(error: float) -> None:
    (car,) = judge([Board(-150, 20, 10, believed=error)], FORWARD).objects
    assert car.state is not MotionState.MOVING
    assert car.score is not None
    assert car.score < 1.2
    (badly,) = judge([Board(-150, 20, 10, believed=1.4)], FORWARD).objects
    assert badly.score is not None
    assert badly.score > 2


def test_what_errors_may_or_may_not_explain_is_unknown() -> None:
    small = 0.25 * 12 / float(CAMERA.K[0, 0])  # a quarter of a pixel; the flow's standard deviation is 0.15
    (car,) = judge([Board(-80, 10, 12, moves=(small, 0, 0))], np.zeros(3)).objects
    assert (car.state, car.reason) == (MotionState.UNKNOWN, "in doubt")
    assert car.residual_px == pytest.approx(0.25, abs=0.02)
    assert car.score == pytest.approx(0.25 / (0.15 + 0.5 / 40), rel=0.05)
    strict = Tolerance(static_below=0.5, moving_above=1.5)
    assert states(judge([Board(-80, 10, 12, moves=(small, 0, 0))], np.zeros(3), tolerance=strict)) == [
        MotionState.MOVING
    ]


def test_a_restless_background_raises_the_limit() -> None:
    board = Board(-80, 10, 12, moves=(0.35 * 12 / float(CAMERA.K[0, 0]), 0, 0))
    rng = np.random.default_rng(2)
    calm = judge([board], np.zeros(3))
    restless = judge([board], np.zeros(3), flow_error=rng.normal(scale=0.3, size=(HEIGHT, WIDTH, 2)))
    assert restless.background_px == pytest.approx(0.3 * 1.177, rel=0.05)  # median of a Rayleigh distribution
    assert states(calm) == [MotionState.MOVING]
    assert states(restless) == [MotionState.UNKNOWN]


def test_flow_mixed_along_the_edge_does_not_count() -> None:
    board = Board(-80, 10, 12, size=12)
    rows, columns = board.area
    mixed = np.zeros((HEIGHT, WIDTH, 2))
    mixed[board.area] = 4.0
    mixed[rows.start + 3 : rows.stop - 3, columns.start + 3 : columns.stop - 3] = 0  # 36 of 144 pixels are right
    assert states(judge([board], np.zeros(3), flow_error=mixed)) == [MotionState.STATIC]
    loose = Tolerance(border_px=0)
    assert states(judge([board], np.zeros(3), flow_error=mixed, tolerance=loose)) == [MotionState.UNKNOWN]


def test_pixels_that_disagree_make_no_motion() -> None:
    board = Board(-80, 10, 12)
    torn = np.zeros((HEIGHT, WIDTH, 2))
    torn[board.area] = np.random.default_rng(1).normal(size=(40, 40, 2)) * 20 + [3, 0]
    (car,) = judge([board], np.zeros(3), flow_error=torn).objects
    assert (car.state, car.reason) == (MotionState.UNKNOWN, "its pixels disagree")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flow_px", 0.0),
        ("flow_share", -0.1),
        ("thin_px", -0.1),
        ("depth_share", float("nan")),
        ("static_below", 0.0),
        ("static_below", 3.0),
        ("moving_above", float("inf")),
        ("min_pixels", 0),
        ("min_valid", 1.5),
        ("min_agreement", -0.5),
        ("border_px", -1),
        ("max_unexplained", -1.0),
    ],
)
def test_tolerances_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError):
        Tolerance(**{name: value})  # type: ignore[arg-type]
