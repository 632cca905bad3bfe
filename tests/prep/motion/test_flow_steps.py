"""Optical flow and SMSnet's motion image of rendered frames, against the exact motion."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.errors import CodeRangeError, SizeMismatchError, UnknownNameError
from segprep.datasets.imageio import decode_image
from segprep.datasets.record import Direction
from segprep.datasets.sample import Array, Mask, Sample, SampleKey
from segprep.datasets.synthetic import Motion, World, motion, render
from segprep.datasets.workspace import Workspace, WorkspaceConfig
from segprep.datasets.workspace.cells import Cell, Column, decode_cell, encode_cell
from segprep.prep.motion.flow_steps import MotionImage, OpticalFlow
from support.opencv import opencv_like

KEY = SampleKey("a")
WIDTH, HEIGHT = 384, 192
WORLD = World(seed=4, speed=6.0)
FRAME = 20


@dataclass(frozen=True)
class Pair:
    """A frame, its neighbour, the true motion between them, and what the step made of them."""

    image: Array
    other: Array
    truth: Motion
    found: Cell
    uv: Array
    valid: Mask


def _column(step: OpticalFlow | MotionImage) -> Column:
    (column,) = step.outputs
    return column


def _optical_flow(image: Array, other: Array, direction: Direction) -> Cell:
    return OpticalFlow(direction=direction)(Sample(KEY, {"image": image, direction.value: other}, {}))["optical_flow"]


def _made(cell: Cell) -> tuple[Array, Mask]:
    assert isinstance(cell.values, np.ndarray)
    assert cell.valid is not None
    return cell.values, cell.valid


@pytest.fixture(scope="module", params=Direction)
def direction(request: pytest.FixtureRequest) -> Direction:
    chosen: Direction = request.param
    return chosen


@pytest.fixture(scope="module")
def pair(direction: Direction) -> Pair:
    other = FRAME - 1 if direction is Direction.PREVIOUS else FRAME + 1
    image, near = (render(WORLD, f, WIDTH, HEIGHT).rgb_HWC for f in (FRAME, other))
    cell = _optical_flow(image, near, direction)
    return Pair(image, near, motion(WORLD, FRAME, other, WIDTH, HEIGHT), cell, *_made(cell))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    classes = ClassMap((SemanticClass("road", (0, 0, 0), (0,)),), ())
    return Workspace(tmp_path, WorkspaceConfig("folder", tmp_path / "data", Direction.PREVIOUS, classes, {}))


def _write(workspace: Workspace, column: Column, cell: Cell) -> Cell:
    """Store a cell; return it as later steps of the same run see it."""
    stored = encode_cell(column, KEY, cell)
    for name, data in stored.files:
        path = workspace.root / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return stored.cell


def _motion_sample(cell: Cell) -> Sample:
    uv, valid = _made(cell)
    return Sample(KEY, {"optical_flow": uv}, {}, {"optical_flow": valid})


def test_vectors_point_to_where_the_pixels_are_in_the_neighbour(pair: Pair) -> None:
    truth = pair.truth
    static = ~truth.moving_HW & ~truth.occluded_HW & truth.valid_HW & pair.valid
    assert static.mean() > 0.4
    error = np.linalg.norm(pair.uv - truth.flow_HW2, axis=2)
    assert np.median(error[static]) < 0.5
    moved = static & (np.linalg.norm(truth.flow_HW2, axis=2) > 2)  # where a wrong sign would be seen
    assert moved.mean() > 0.05
    assert np.median(error[moved]) < 0.5
    wrong = np.linalg.norm(pair.uv + truth.flow_HW2, axis=2)
    assert np.median(wrong[moved]) > 2


def test_earlier_frames_shrink_towards_the_middle_and_later_ones_spread(pair: Pair, direction: Direction) -> None:
    x = np.arange(WIDTH) - (WIDTH - 1) / 2
    outward = np.broadcast_to(np.sign(x), (HEIGHT, WIDTH)) * pair.uv[..., 0]
    seen = pair.valid & (np.abs(x) > WIDTH / 4) & (np.linalg.norm(pair.truth.flow_HW2, axis=2) > 2)
    assert (np.median(outward[seen]) > 0) == (direction is Direction.NEXT)


def test_what_leaves_the_image_is_invalid(pair: Pair, direction: Direction) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    target_x, target_y = x + pair.uv[..., 0], y + pair.uv[..., 1]
    inside = (target_x > -1) & (target_x < WIDTH) & (target_y > -1) & (target_y < HEIGHT)
    assert inside[pair.valid].all()
    truly_outside = np.abs(x + pair.truth.flow_HW2[..., 0] - (WIDTH - 1) / 2) > WIDTH / 2 + 2
    if direction is Direction.NEXT:  # driving forward
        assert truly_outside.any()
    assert pair.valid[truly_outside].sum() < 0.5 * truly_outside.sum() + 1
    assert pair.valid.mean() > 0.7


def test_the_step_reads_the_neighbour_of_its_direction_and_says_so() -> None:
    step = OpticalFlow(direction=Direction.NEXT)
    assert [i.name for i in step.inputs] == ["image", "next"]
    assert dict(_column(step).attributes) == {"direction": "next"}
    assert step.parameters != OpticalFlow().parameters
    assert dict(_column(MotionImage()).attributes) == {"direction": "previous", "source": "optical_flow"}


@pytest.mark.parametrize(("number", "stated"), [(4, 4), (5, 5), (None, 5)])
def test_only_what_rests_on_it_states_how_opencv_interpolates(number: int | None, stated: int) -> None:
    with opencv_like(number):
        assert OpticalFlow().parameters["opencv"] == OpticalFlow("dis", "fine").parameters["opencv"] == stated
        assert "opencv" not in OpticalFlow("farneback").parameters
        assert "opencv" not in OpticalFlow("dis", "ultrafast").parameters


def test_images_of_two_sizes_are_refused() -> None:
    image, other = np.zeros((80, 96, 3), np.uint8), np.zeros((80, 95, 3), np.uint8)
    with pytest.raises(SizeMismatchError, match="the image is 96x80, its previous frame 95x80"):
        _optical_flow(image, other, Direction.PREVIOUS)


def test_an_unknown_estimator_is_named() -> None:
    image = np.zeros((80, 96, 3), np.uint8)
    with pytest.raises(UnknownNameError, match="dis"):
        OpticalFlow("no-such")(Sample(KEY, {"image": image, "previous": image}, {}))


# -- motion image --------------------------------------------------------------------------------------------------


def test_the_motion_image_is_the_same_in_one_run_and_from_the_file(pair: Pair, workspace: Workspace) -> None:
    flow_column, step = _column(OpticalFlow()), MotionImage()
    in_this_run = _write(workspace, flow_column, pair.found)
    from_file = decode_cell(workspace, "val", flow_column, KEY)
    images = [
        encode_cell(_column(step), KEY, step(_motion_sample(cell))["flow"]).files for cell in (in_this_run, from_file)
    ]
    assert images[0] == images[1]
    unrounded = step(_motion_sample(pair.found))["flow"]
    assert not np.array_equal(_made(unrounded)[0], _made(in_this_run)[0]), "the file rounds, so this compares something"


def test_the_picture_holds_u_in_blue_v_in_green_and_the_magnitude_in_red(pair: Pair) -> None:
    step = MotionImage()
    stored = encode_cell(_column(step), KEY, step(_motion_sample(pair.found))["flow"])
    red, green, blue = np.moveaxis(decode_image(stored.files[0][1], Path("flow.png")).astype(int), 2, 0)
    mask = decode_image(stored.files[1][1], Path("mask.png")) > 0
    np.testing.assert_array_equal(mask, pair.valid)
    u, v = np.moveaxis(pair.uv.astype(np.float64), 2, 0)
    for channel, expected in (
        (blue, 6.4 * u + 128),
        (green, 6.4 * v + 128),
        (red, 12.75 * np.hypot(u, v)),
    ):
        assert np.abs(channel - np.clip(expected, 0, 255))[mask].max() <= 0.5 + 1e-6
    assert (blue[~mask] == 128).all()
    assert (red[~mask] == 0).all()


def test_no_motion_is_128_128_0() -> None:
    step = MotionImage()
    still = Cell(np.zeros((6, 8, 2), np.float32), np.ones((6, 8), np.bool_))
    stored = encode_cell(_column(step), KEY, step(_motion_sample(still))["flow"])
    picture = decode_image(stored.files[0][1], Path("flow.png"))
    assert np.unique(picture.reshape(-1, 3), axis=0).tolist() == [[0, 128, 128]]  # red is the magnitude


@pytest.mark.parametrize("scale", [1.0, 3.2, 6.4, 12.8])
def test_the_scale_decides_vectors_and_magnitude(scale: float) -> None:
    step = MotionImage(SmsnetFlowCode(scale))
    uv = np.full((2, 2, 2), [3.0, -4.0], np.float32)
    made = step(_motion_sample(Cell(uv, np.ones((2, 2), np.bool_))))["flow"]
    column = _column(step)
    assert column.code is not None
    stored = column.code.encode(*_made(made)).stored
    expected = [round(3 * scale) + 128, 128 - round(4 * scale), min(255, round(5 * scale * 255 / 128))]
    assert stored[0, 0].tolist() == expected
    assert step.parameters == {"name": "smsnet-flow", "scale_per_px": scale}


def test_a_scale_that_makes_no_sense_is_refused() -> None:
    for scale in (0.0, -1.0, float("nan")):
        with pytest.raises(CodeRangeError, match="scale must be a number above 0"):
            replace(MotionImage(), code=SmsnetFlowCode(scale))
