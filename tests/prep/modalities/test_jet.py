"""`jet`: the colours stand for metres, inverse metres or places in the image's own range, exactly and reversibly."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.codes import DepthCode, JetCode, PlainCode
from segprep.datasets.errors import CodeRangeError, ConfigurationError
from segprep.datasets.imageio import decode_image, read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask, Sample, SampleKey
from segprep.datasets.synthetic import World, render
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from segprep.prep.depth.depth_range import FixedRange, OwnRange, ShownQuantity, check_depth, scaled_position
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Input, Origin, Step
from support.members import built
from support.properties import examples

KEY = SampleKey("a")
STREET = Scene((2.0, 80.0))
FAR_BLUE, FAR_RED = (0, 0, 128), (128, 0, 0)


def step(scene: Scene = STREET, **arguments: Any) -> Step:
    return built(MODALITIES.load("jet"), scene, **arguments)


def sample_of(depth_HW: npt.ArrayLike, valid_HW: Mask | None = None) -> Sample:
    depth = np.asarray(depth_HW, np.float32)
    valid = np.ones(depth.shape, np.bool_) if valid_HW is None else valid_HW
    return Sample(KEY, {"depth": depth}, {"depth": Kind.DEPTH}, {"depth": valid})


def stored(made: Step, sample: Sample) -> tuple[Array, Array, Mask, JsonDict]:
    """Picture, what a reader decodes from it, its mask, and the facts."""
    (column,) = made.outputs
    cell = encode_cell(column, KEY, made(sample)["jet"])
    assert isinstance(cell.cell.values, np.ndarray)
    assert cell.cell.valid is not None
    return decode_image(cell.files[0][1], Path("a.png")), cell.cell.values, cell.cell.valid, cell.cell.facts


def code_of(made: Step) -> JetCode:
    code = made.outputs[0].code
    assert isinstance(code, JetCode)
    return code


@pytest.fixture(scope="module")
def street() -> Sample:
    depth = render(World(), 0, 256, 128).depth_HW.astype(np.float32)
    valid = np.ones(depth.shape, np.bool_)
    valid[30:50, 40:90] = False
    return sample_of(np.where(valid, depth, 0), valid)


# -- a fixed range -----------------------------------------------------------------------------------------------------


def test_of_a_street_a_reader_gets_the_depth_within_half_a_step(street: Sample) -> None:
    made = step()
    picture, metres, valid, facts = stored(made, street)
    depth, sky = street.arrays["depth"], np.isinf(street.arrays["depth"])
    np.testing.assert_array_equal(valid, street.valid["depth"])
    near = valid & (depth <= 80)
    assert near.sum() > 0.5 * depth.size
    assert np.abs(metres - depth)[near].max() <= 78 / 255 / 2 + 1e-4
    beyond = valid & ~sky & (depth > 80)
    assert sky.sum() > 1000
    assert (picture[sky | (beyond & (depth > 80.2))] == FAR_RED).all()
    assert (picture[~valid] == 0).all()
    np.testing.assert_allclose(metres[sky], 80)
    assert 0 < facts["clipped"] <= beyond.sum()  # of the sky nothing is clipped: it belongs to the far end


def test_near_is_blue_and_far_is_red() -> None:
    picture, _, _, _ = stored(step(near=1, far=3), sample_of([[1.0, 2.0, 3.0]]))
    assert tuple(picture[0, 0]) == FAR_BLUE
    assert tuple(picture[0, 2]) == FAR_RED
    assert picture[0, 1, 1] == 255  # green between


def test_disparity_makes_equal_steps_of_the_inverse_depth_and_near_red() -> None:
    made = step(near=2, far=80, quantity="disparity")
    assert code_of(made) == JetCode(1 / 80, 1 / 2)
    depth = np.array([[2.0, 4.0, 80.0, np.inf, 8.0]])
    picture, inverse, valid, facts = stored(made, sample_of(depth))
    assert valid.all()
    assert tuple(picture[0, 0]) == FAR_RED
    assert tuple(picture[0, 2]) == tuple(picture[0, 3]) == FAR_BLUE
    np.testing.assert_allclose(inverse, 1 / np.minimum(depth, 80), atol=code_of(made).step / 2 + 1e-6)
    assert "clipped" not in facts
    even = 1 / np.linspace(1 / 80, 1 / 2, 256).reshape(16, 16)
    colors, _, _, _ = stored(made, sample_of(even))
    np.testing.assert_array_equal(colors, code_of(made).encode(1 / even, None).stored)
    assert len({tuple(c) for c in colors.reshape(-1, 3).tolist()}) == 256


def test_a_range_that_is_given_goes_before_the_usual_one_end_by_end() -> None:
    assert code_of(step()) == JetCode(2, 80)
    assert code_of(step(far=40)) == JetCode(2, 40)
    assert code_of(step(near=0)) == JetCode(0, 80)
    assert code_of(step(Scene(), near=0.5, far=8)) == JetCode(0.5, 8)


def test_one_valid_pixel_is_shown() -> None:
    valid = np.zeros((4, 5), np.bool_)
    valid[2, 3] = True
    picture, metres, known, _ = stored(step(), sample_of(np.full((4, 5), 2.0), valid))
    assert known.sum() == 1
    assert tuple(picture[2, 3]) == FAR_BLUE
    assert picture.sum() == 128
    assert metres[2, 3] == 2


# -- a range of its own ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", list(ShownQuantity))
def test_percentiles_take_the_range_from_each_image_and_keep_it_in_metres(
    street: Sample, quantity: ShownQuantity
) -> None:
    made = step(Scene(), percentiles=[2, 98], quantity=quantity.value)
    assert code_of(made) == JetCode(0, 1)
    _, position, valid, facts = stored(made, street)
    depth = street.arrays["depth"].astype(np.float64)
    finite = valid & np.isfinite(depth)
    near, far = np.percentile(depth[finite], [2, 98])
    assert (facts["near_m"], facts["far_m"]) == pytest.approx((near, far))
    inverse = quantity is ShownQuantity.DISPARITY
    low, high = (1 / far, 1 / near) if inverse else (near, far)
    expected = np.clip(1 / depth[finite] if inverse else depth[finite], low, high)
    assert np.abs(low + position[finite] * (high - low) - expected).max() <= (high - low) / 255 / 2 * 1.01
    assert 0.01 * finite.sum() < facts["clipped"] <= 0.041 * finite.sum()
    np.testing.assert_allclose(position[valid & ~finite], 0 if inverse else 1)
    assert json.loads(json.dumps(facts)) == facts


def test_images_at_another_distance_look_the_same_in_a_range_of_their_own_and_not_in_a_fixed_one() -> None:
    depth = np.linspace(3, 9, 60).reshape(6, 10)
    own, fixed = step(percentiles=(0, 100)), step()
    assert (stored(own, sample_of(depth))[0] == stored(own, sample_of(4 * depth))[0]).all()
    assert (stored(fixed, sample_of(depth))[0] != stored(fixed, sample_of(4 * depth))[0]).any()


def test_images_without_a_range_are_refused_by_name() -> None:
    own = step(percentiles=[2, 98])
    with pytest.raises(CodeRangeError, match=r"both 4 m.*--near --far"):
        own(sample_of(np.full((5, 6), 4.0)))
    valid = np.zeros((4, 5), np.bool_)
    valid[2, 3] = True
    with pytest.raises(CodeRangeError, match="of 1 finite pixels"):
        own(sample_of(np.full((4, 5), 7.0), valid))
    with pytest.raises(CodeRangeError, match="infinitely far"):
        own(sample_of(np.full((4, 5), np.inf)))


# -- bad depth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"quantity": "disparity"}, {"percentiles": [0, 100]}])
@pytest.mark.parametrize(
    ("bad", "message"),
    [(np.nan, "1 valid pixels.*NaN"), (-1.5, r"not above 0 m \(down to -1.5 m\)"), (0.0, "not above 0")],
)
def test_depth_that_is_none_is_refused_where_it_is_valid(
    arguments: JsonDict, bad: float, message: str, street: Sample
) -> None:
    depth, valid = street.arrays["depth"].copy(), street.valid["depth"].copy()
    depth[100, 100] = bad
    with pytest.raises(CodeRangeError, match=message):
        step(**arguments)(sample_of(depth, valid))
    valid[100, 100] = False
    assert not stored(step(**arguments), sample_of(depth, valid))[2][100, 100]


@pytest.mark.parametrize("arguments", [{}, {"quantity": "disparity"}, {"percentiles": [0, 100]}])
def test_depth_without_a_valid_pixel_is_refused(arguments: JsonDict) -> None:
    with pytest.raises(CodeRangeError, match="no pixel of its depth is valid"):
        step(**arguments)(sample_of(np.ones((3, 4)), np.zeros((3, 4), np.bool_)))


def test_depth_without_a_mask_is_valid_everywhere(street: Sample) -> None:
    sample = replace(sample_of([[2.0, 5.0]]), valid={})
    assert stored(step(), sample)[2].all()


# -- options -----------------------------------------------------------------------------------------------------------


def test_without_a_known_range_the_message_says_how_to_give_one() -> None:
    for arguments in ({}, {"near": 1}, {"far": 10}):
        with pytest.raises(ConfigurationError, match=r"--near --far.*--percentiles"):
            step(Scene(), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"near": 5, "far": 5}, "near < far"),
        ({"near": 100}, "near < far"),
        ({"near": -1}, "near < far"),
        ({"near": "close"}, "--near must be a"),
        ({"far": float("inf")}, "--far must be a"),
        ({"far": True}, "--far must be a"),
        ({"near": 0, "quantity": "disparity"}, "above 0 for disparity"),
        ({"quantity": "distance"}, "must be depth or disparity"),
        ({"quantity": None}, "must be depth or disparity"),
        ({"percentiles": [2, 98], "far": 10}, "omit --near and --far"),
        ({"percentiles": [98, 2]}, "percentiles rise"),
        ({"percentiles": [-1, 50]}, "percentiles rise"),
        ({"percentiles": [1, 101]}, "percentiles rise"),
        ({"percentiles": [2]}, "two numbers"),
        ({"percentiles": "2"}, "two numbers"),
        ({"percentiles": "98"}, "two numbers"),
        ({"percentiles": [True, 2]}, "two numbers"),
        ({"percentiles": [float("nan"), 2]}, "two numbers"),
        ({"depth": ""}, "--depth names a column"),
        ({"depth": 3}, "--depth must be a text"),
        ({"depth": "image"}, "image is one of image"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: JsonDict, message: str) -> None:
    columns = {"image": Column("image", Kind.IMAGE, PlainCode()), "depth": Column("depth", Kind.DEPTH, DepthCode())}
    with pytest.raises(ConfigurationError, match=message):
        step(Scene((2.0, 80.0), columns), **arguments)


def test_another_column_of_depth_is_read(street: Sample) -> None:
    made = step(depth="depth_filled")
    assert made.inputs == (Input("depth_filled", Origin.COLUMN),)
    other = replace(
        street,
        arrays={"depth_filled": street.arrays["depth"]},
        valid={"depth_filled": street.valid["depth"]},
    )
    np.testing.assert_array_equal(stored(made, other)[0], stored(step(), street)[0])
    assert dict(made.outputs[0].attributes)["source"] == "depth_filled"


def test_the_column_says_what_its_colours_mean() -> None:
    def about(made: Step) -> Mapping[str, str]:
        (column,) = made.outputs
        assert (column.name, column.kind) == ("jet", Kind.CODED)
        assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column
        return dict(column.attributes)

    assert about(step()) == {"per_image": "no", "quantity": "depth", "source": "depth", "unit": "m"}
    assert about(step(quantity="disparity"))["unit"] == "1/m"
    own = about(step(percentiles=[2, 98]))
    assert own["per_image"] == "percentiles 2 to 98"
    assert "range" in own["unit"]


def test_whatever_changes_the_colours_is_a_parameter() -> None:
    made = [
        step(),
        step(near=1),
        step(far=70),
        step(depth="depth_filled"),
        step(quantity="disparity"),
        step(percentiles=[2, 98]),
        step(percentiles=[2, 99]),
        step(percentiles=[2, 98], quantity="disparity"),
    ]
    assert len({json.dumps(each.parameters, sort_keys=True) for each in made}) == len(made)
    assert step(near=2, far=80).parameters == step().parameters == step(near=2.0, far=80.0).parameters
    for each in made:
        assert pickle.loads(pickle.dumps(each)) == each


# -- the scale ---------------------------------------------------------------------------------------------------------


def test_four_metres_between_two_and_eight_lie_at_a_third_of_either_scale() -> None:
    depth, valid = np.array([[2.0, 4.0, 8.0]], np.float32), np.ones((1, 3), np.bool_)
    span = FixedRange(2, 8)
    np.testing.assert_allclose(scaled_position(depth, valid, span, ShownQuantity.DEPTH), [[0, 1 / 3, 1]], atol=1e-7)
    np.testing.assert_allclose(scaled_position(depth, valid, span, ShownQuantity.DISPARITY), [[1, 1 / 3, 0]], atol=1e-7)


@given(
    near=st.floats(0.1, 10),
    factor=st.floats(1.1, 100),
    depth=st.lists(st.floats(0.05, 2000), min_size=2, max_size=20),
    quantity=st.sampled_from(ShownQuantity),
)
@examples(60)
def test_positions_lie_in_0_to_1_exactly_for_depths_of_the_range_and_keep_their_order(
    near: float, factor: float, depth: list[float], quantity: ShownQuantity
) -> None:
    span = FixedRange(near, near * factor)
    values = np.array([sorted(depth)])
    position = scaled_position(values, np.ones(values.shape, np.bool_), span, quantity)
    inside = (values > span.near * 1.0001) & (values < span.far * 0.9999)
    outside = (values < span.near * 0.9999) | (values > span.far * 1.0001)
    assert ((position >= 0) & (position <= 1))[inside].all()
    assert ((position < 0) | (position > 1))[outside].all()
    order = np.diff(position[0]) * (1 if quantity is ShownQuantity.DEPTH else -1)
    assert (order >= 0).all()


def test_ranges_and_depths_are_checked_wherever_they_are_used() -> None:
    with pytest.raises(ConfigurationError):
        FixedRange(1, float("inf"))
    with pytest.raises(ConfigurationError):
        OwnRange(float("nan"), 50)
    check_depth(np.array([[1.0, np.inf]]), np.ones((1, 2), np.bool_))


# -- real depth --------------------------------------------------------------------------------------------------------


def test_of_a_real_room_a_reader_gets_the_depth_within_half_a_step(shared_data: Path) -> None:
    code = DepthCode(0.001, far_code=False)
    raw = read_image(shared_data / "rgbd_pose/7scenes_redkitchen/frame-000150.depth.png")
    metres, valid = code.decode(*code.from_file(raw))
    assert valid is not None
    picture, shown, known, facts = stored(step(Scene((0.4, 5.0))), sample_of(metres, valid))
    np.testing.assert_array_equal(known, (raw > 0) & (raw < 65535))
    assert np.abs(shown - np.clip(metres, 0.4, 5))[known].max() <= 4.6 / 255 / 2 + 1e-4
    assert facts.get("clipped", 0) < 0.01 * known.sum()
    assert len(np.unique(picture[known], axis=0)) > 50


def test_cells_alias_nothing_of_the_sample(street: Sample) -> None:
    before = street.arrays["depth"].copy()
    for arguments in ({}, {"quantity": "disparity"}, {"percentiles": [0, 100]}):
        cell: Cell = step(**arguments)(street)["jet"]
        assert isinstance(cell.values, np.ndarray)
        cell.values[:] = 0
    np.testing.assert_array_equal(street.arrays["depth"], before)
