"""`prep resize`, one sample at a time: sizes, values by kind, the parameters that make a column stale, cameras."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.codes import KittiFlowCode, PlainCode, SmsnetFlowCode
from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.imageio import decode_image
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, Mask, Pose, Sample, SampleKey
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from segprep.prep.resizing.columns import ResizeCamera, ResizeColumn, TargetSize
from segprep.prep.step import Origin
from support.properties import examples

KEY = SampleKey("a")
HALF = TargetSize(factor=2)

IMAGE = Column("image", Kind.IMAGE, PlainCode())
NIR = Column("nir", Kind.NIR, PlainCode(channels=()))
FLOW = Column("optical_flow", Kind.FLOW, KittiFlowCode())
SMSNET = Column("flow", Kind.CODED, SmsnetFlowCode())


def _sample(
    name: str,
    values: Array,
    valid: Mask | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    camera: Camera | None = None,
    pose: Pose | None = None,
) -> Sample:
    meta: dict[str, Any] = {} if image_size is None else {"image_size": image_size}
    masks = {} if valid is None else {name: valid}
    return Sample(KEY, {name: values}, {}, masks, camera, pose, meta)


def _resized(step: ResizeColumn, values: Array, valid: Mask | None = None) -> Cell:
    made: Mapping[str, Cell] = step(_sample(step.column.name, values, valid, image_size=values.shape[1::-1]))
    assert set(made) == {step.column.name} == {c.name for c in step.outputs}
    return made[step.column.name]


def _array(cell: Cell) -> Array:
    assert isinstance(cell.values, np.ndarray)
    return cell.values


# -- sizes ---------------------------------------------------------------------------------------------------------


def test_a_factor_divides_and_drops_the_remainder_and_a_size_is_taken_as_it_is() -> None:
    assert TargetSize(factor=4).of((1242, 375)) == (310, 93)
    assert TargetSize(factor=1).of((7, 5)) == (7, 5)
    assert TargetSize(factor=5).of((9, 5)) == (1, 1)
    assert TargetSize(size=(768, 384)).of((1242, 375)) == (768, 384)


def test_a_factor_that_leaves_nothing_is_refused_with_the_size() -> None:
    with pytest.raises(SizeMismatchError, match="factor 6 leaves nothing of an image of 9x5"):
        TargetSize(factor=6).of((9, 5))


def test_equal_sizes_are_equal_parameters() -> None:
    assert TargetSize(factor=4).to_json() == {"factor": 4}
    assert TargetSize(size=(768, 384)).to_json() == {"size": [768, 384]}
    assert TargetSize(factor=4, size=(8, 8)).to_json() == {"size": [8, 8]}


# -- columns -------------------------------------------------------------------------------------------------------


def test_images_are_averaged_over_the_area() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[:2, :2] = [[[10, 0, 0], [20, 0, 0]], [[30, 0, 4], [40, 0, 8]]]
    cell = _resized(ResizeColumn(IMAGE, HALF), image)
    assert _array(cell).shape == (2, 3, 3)
    np.testing.assert_array_equal(_array(cell)[0, 0], [25, 0, 3])
    assert cell.valid is None
    assert cell.facts["source_size"] == [6, 4]


@examples(40)
@given(st.tuples(*[st.integers(1, 24)] * 2), st.tuples(*[st.integers(1, 24)] * 2), st.floats(-9, 9), st.floats(-9, 9))
def test_even_motion_scales_by_the_exact_ratio_of_each_axis(
    source: tuple[int, int], target: tuple[int, int], u: float, v: float
) -> None:
    uv = np.broadcast_to(np.array([u, v], np.float32), (source[1], source[0], 2))
    cell = _resized(ResizeColumn(FLOW, TargetSize(size=target)), uv)
    ratio = np.array(target) / source
    np.testing.assert_allclose(_array(cell)[..., 0], np.float32(u) * ratio[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(_array(cell)[..., 1], np.float32(v) * ratio[1], rtol=1e-5, atol=1e-6)
    assert _array(cell).shape == (target[1], target[0], 2)
    assert cell.valid is not None
    assert cell.valid.all()


def test_a_ready_made_motion_image_is_resized_as_vectors_and_encoded_again() -> None:
    code = SmsnetFlowCode()
    uv = np.zeros((4, 4, 2), np.float32)
    uv[:, :2] = [5, -2.5]  # 32 and -16 grey levels
    picture = code.to_file(code.encode(uv, None).stored, None)
    stored, beside = code.from_file(picture)
    vectors, valid = code.decode(stored, beside)
    cell = _resized(ResizeColumn(SMSNET, HALF), vectors, valid)
    made = encode_cell(SMSNET, KEY, cell)
    integers = code.encode(_array(cell), cell.valid).stored
    np.testing.assert_array_equal(integers[:, 0], [[128 + 16, 128 - 8, round(np.hypot(2.5, 1.25) * 12.75)]] * 2)
    np.testing.assert_array_equal(integers[:, 1], [[128, 128, 0]] * 2)
    assert [name for name, _ in made.files] == ["flow_data/a.png", "flow_valid/a.png"]


@pytest.mark.parametrize("code", [PlainCode(masked=True), PlainCode(masked=True, keep_invalid=True)])
def test_what_is_coded_for_the_eye_passes_at_its_own_size_only(code: PlainCode) -> None:
    jet = Column("jet", Kind.CODED, code)
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(_array(_resized(ResizeColumn(jet, TargetSize(factor=1)), picture)), picture)
    with pytest.raises(CodeRangeError, match="coded for the eye"):
        _resized(ResizeColumn(jet, HALF), picture)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (IMAGE, np.arange(36, dtype=np.uint8).reshape(3, 4, 3)),
        (NIR, np.arange(12, dtype=np.uint8).reshape(3, 4)),
        (FLOW, np.array([[[0.1, 3], [-7, 1e3]]], np.float32)),
    ],
    ids=["image", "nir", "flow"],
)
def test_factor_1_converts_without_resampling(column: Column, values: Array) -> None:
    np.testing.assert_array_equal(_array(_resized(ResizeColumn(column, TargetSize(factor=1)), values)), values)


def test_near_infrared_is_averaged_as_images_are() -> None:
    cell = _resized(ResizeColumn(NIR, HALF), np.array([[10, 20], [30, 40]], np.uint8))
    assert _array(cell).tolist() == [[25]]
    assert cell.valid is None


def test_a_source_of_another_size_than_its_image_is_refused_with_both_sizes() -> None:
    with pytest.raises(SizeMismatchError, match="nir is 4x2, but its image is 4x3"):
        ResizeColumn(NIR, HALF)(_sample("nir", np.full((2, 4), 7, np.uint8), image_size=(4, 3)))


def test_all_sources_but_the_image_ask_for_its_size() -> None:
    assert [(i.name, i.origin) for i in ResizeColumn(IMAGE, HALF).inputs] == [("image", Origin.SOURCE)]
    assert [(i.name, i.origin) for i in ResizeColumn(NIR, HALF).inputs] == [
        ("nir", Origin.SOURCE),
        ("image", Origin.SOURCE_SIZE),
    ]


def test_parameters_are_target_and_code() -> None:
    step = ResizeColumn(IMAGE, HALF)
    jpeg = replace(IMAGE, code=PlainCode(lossy=True))
    others = [replace(step, target=TargetSize(factor=3)), replace(step, column=jpeg)]
    assert len({json.dumps(s.parameters, sort_keys=True) for s in (step, *others)}) == 3
    assert ResizeColumn(NIR, HALF).name != step.name


def test_a_jpeg_cell_is_seen_by_later_steps_as_its_file_holds_it() -> None:
    column = replace(IMAGE, code=PlainCode(lossy=True))
    image = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    stored = encode_cell(column, KEY, Cell(image))
    ((name, data),) = stored.files
    assert name == "image_data/a.jpg"
    np.testing.assert_array_equal(_array(stored.cell), decode_image(data, Path(name)))
    assert not np.array_equal(_array(stored.cell), image)


# -- cameras -------------------------------------------------------------------------------------------------------

K = np.array([[700.0, 0, 600], [0, 710, 180], [0, 0, 1]])
CAMERA = Column("camera", Kind.CAMERA, None)


def _camera_sample(image_size: tuple[int, int], *, neighbour: object = None, pose: Pose | None = None) -> Sample:
    camera = Camera(K, 1242, 375, baseline=0.54, mount=np.diag([1.0, 1, 1, 1]))
    return Sample(KEY, {}, {}, {}, camera, pose, {"image_size": image_size, "neighbour": neighbour})


def test_the_camera_is_scaled_by_the_exact_ratio_of_each_axis() -> None:
    neighbour = {"direction": "previous", "frame": 3, "time_difference": -0.1, "motion": np.eye(4).tolist()}
    place = np.eye(4)
    place[0, 3] = 7.5
    cell = ResizeCamera(CAMERA, TargetSize(factor=4))(
        _camera_sample((1242, 375), neighbour=neighbour, pose=Pose(place))
    )["camera"]
    assert isinstance(cell.values, dict)
    sx, sy = 310 / 1242, 93 / 375
    expected = np.array([[700 * sx, 0, (600 + 0.5) * sx - 0.5], [0, 710 * sy, (180 + 0.5) * sy - 0.5], [0, 0, 1]])
    np.testing.assert_allclose(cell.values["K"], expected, rtol=1e-15, atol=1e-13)
    assert (cell.values["width"], cell.values["height"]) == (310, 93)
    assert cell.values["baseline"] == 0.54, "metres do not scale"
    assert cell.values["pose"] == place.tolist()
    assert cell.values["neighbour"] == neighbour
    stored = encode_cell(CAMERA, KEY, cell)
    assert json.loads(stored.files[0][1]) == cell.values


def test_a_camera_at_factor_1_keeps_every_bit() -> None:
    cell = ResizeCamera(CAMERA, TargetSize(factor=1))(_camera_sample((1242, 375)))["camera"]
    assert isinstance(cell.values, dict)
    assert cell.values["K"] == K.tolist()
    assert cell.values["pose"] is None
    assert cell.values["neighbour"] is None


def test_a_camera_of_another_size_than_the_image_is_refused() -> None:
    with pytest.raises(SizeMismatchError, match="calibrated for 1242x375, but the image is 1241x376"):
        ResizeCamera(CAMERA, HALF)(_camera_sample((1241, 376)))
    with pytest.raises(SizeMismatchError, match="no camera"):
        ResizeCamera(CAMERA, HALF)(_sample("image", np.zeros((2, 2)), image_size=(2, 2)))


def test_the_cameras_parameters_are_its_target() -> None:
    assert ResizeCamera(CAMERA, HALF).parameters == {"factor": 2}
    assert ResizeCamera(CAMERA, TargetSize(size=(8, 4))).parameters == {"size": [8, 4]}
