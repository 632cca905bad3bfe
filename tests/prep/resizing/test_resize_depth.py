"""`prep resize` for distances: averaged over what is known, disparity turned into depth, the own vehicle masked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import DepthCode
from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Sample, SampleKey
from segprep.datasets.workspace.cells import Cell
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.resizing.depth import ResizeDepth, depth_from_disparity, refuse_implausible
from support.properties import examples

KEY = SampleKey("a")
HALF = TargetSize(factor=2)
STREET = ClassMap((SemanticClass("road", (128, 64, 128), (7,)),), (0, 1), masked_raw_ids=(1,))
PLAIN = ClassMap(STREET.classes, (0, 1))
K = np.array([[200.0, 0, 3.5], [0, 210, 1.5], [0, 0, 1]])


def _run(
    step: ResizeDepth,
    values: Array,
    valid: Mask | None = None,
    *,
    label: Array | None = None,
    camera: Camera | None = None,
) -> tuple[Array, Mask]:
    mask = np.ones(values.shape, np.bool_) if valid is None else valid
    arrays = {step.source: values} | ({} if label is None else {"label": label})
    size = (values.shape[1], values.shape[0])
    cell: Cell = step(Sample(KEY, arrays, {}, {step.source: mask}, camera, meta={"image_size": size}))["depth"]
    assert isinstance(cell.values, np.ndarray)
    assert cell.valid is not None
    assert cell.facts["source_size"] == list(size)
    return cell.values, cell.valid


def _camera(width: int, height: int, baseline: float | None = 0.2) -> Camera:
    return Camera(K, width, height, baseline)


def test_depth_is_averaged_over_what_is_known() -> None:
    depth = np.array([[10, 0, 0, 0], [20, 0, 0, 8]], np.float32)
    metres, valid = _run(ResizeDepth("depth", DepthCode(), HALF, PLAIN), depth, depth > 0)
    np.testing.assert_allclose(metres, [[15, 0]])
    np.testing.assert_array_equal(valid, [[True, False]])


def test_what_does_not_show_the_scene_has_no_depth() -> None:
    depth = np.full((2, 4), 5, np.float32)
    label = np.array([[7, 7, 7, 1], [7, 7, 1, 1]], np.uint8)
    step = ResizeDepth("depth", DepthCode(), HALF, STREET)
    np.testing.assert_array_equal(_run(step, depth, label=label)[1], [[True, False]])
    np.testing.assert_array_equal(_run(step, depth)[1], [[True, True]])
    np.testing.assert_array_equal(
        _run(ResizeDepth("depth", DepthCode(), HALF, PLAIN), depth, label=label)[1], [[True, True]]
    )
    with pytest.raises(SizeMismatchError, match="label is 3x2"):
        _run(step, depth, label=label[:, :3])


def test_the_label_is_an_input_only_where_it_masks() -> None:
    assert [i.name for i in ResizeDepth("depth", DepthCode(), HALF, PLAIN).inputs] == ["depth", "image"]
    masked = ResizeDepth("depth", DepthCode(), HALF, STREET)
    assert [(i.name, i.optional) for i in masked.inputs] == [("depth", False), ("image", False), ("label", True)]
    assert masked.parameters != ResizeDepth("depth", DepthCode(), HALF, PLAIN).parameters
    assert [i.name for i in ResizeDepth.of_disparity(HALF, PLAIN).inputs] == ["disparity", "image", "camera"]


@examples(40)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.floats(1, 50),
)
def test_an_even_disparity_gives_its_depth_at_any_size(
    source: tuple[int, int], target: tuple[int, int], pixels: float
) -> None:
    step = ResizeDepth.of_disparity(TargetSize(size=target), PLAIN)
    metres, valid = _run(step, np.full(source[::-1], pixels, np.float32), camera=_camera(*source))
    assert metres.shape == target[::-1]
    assert valid.all()
    np.testing.assert_allclose(metres, 0.2 * 200 / pixels, rtol=1e-5)


def test_a_plane_keeps_its_depth_at_the_centre_of_each_new_pixel() -> None:
    disparity = np.tile(np.linspace(2, 9, 8, dtype=np.float32), (4, 1))  # changes evenly, as on any plane
    metres, _ = _run(ResizeDepth.of_disparity(HALF, PLAIN), disparity, camera=_camera(8, 4))
    np.testing.assert_allclose(metres, np.tile(40 / np.array([2.5, 4.5, 6.5, 8.5]), (2, 1)), rtol=1e-6)


def test_no_disparity_is_infinitely_far_and_wins_at_half_of_a_pixel() -> None:
    disparity = np.array([[0, 0, 0, 8], [0, 0, 8, 8], [0, 8, 3, 3], [0, 8, 0, 0]], np.float32)
    valid = np.ones((4, 4), np.bool_)
    valid[3, 2:] = False
    metres, mask = _run(ResizeDepth.of_disparity(HALF, PLAIN), disparity, valid, camera=_camera(4, 4))
    assert np.isposinf(metres[:, 0]).all()
    np.testing.assert_allclose(metres[:, 1], [5, 40 / 3], rtol=1e-6)
    assert mask.all()


def test_disparity_needs_a_camera_of_its_image_with_a_baseline() -> None:
    disparity = np.ones((4, 4), np.float32)
    step = ResizeDepth.of_disparity(HALF, PLAIN)
    for baseline in (None, 0.0):
        with pytest.raises(CodeRangeError, match="baseline"):
            _run(step, disparity, camera=_camera(4, 4, baseline))
    with pytest.raises(SizeMismatchError, match="calibrated for 8x4, but the image is 4x4"):
        _run(step, disparity, camera=_camera(8, 4))


def test_a_known_disparity_means_a_known_depth() -> None:
    camera = Camera(np.array([[2262.0, 0, 1096], [0, 2262, 513], [0, 0, 1]]), 2048, 1024, 0.2)
    metres, valid = depth_from_disparity(np.array([[45.24, 0, -1, 3]]), np.array([[True, True, True, False]]), camera)
    np.testing.assert_allclose(metres, [[10, np.inf, 0, 0]])
    assert valid.tolist() == [[True, True, False, False]]


# -- plausibility --------------------------------------------------------------------------------------------------

MM, M = DepthCode(0.001), DepthCode(0.002)


@pytest.mark.parametrize(
    ("scene", "metres"),
    [
        ("a hand before the camera", np.linspace(0.07, 0.4, 60)),
        ("a desk", np.linspace(0.3, 0.9, 60)),
        ("a room", np.linspace(1, 8, 60)),
        ("a street", np.geomspace(2, 120, 60)),
        ("a street with a few wrong points", np.r_[np.geomspace(2, 80, 57), 0.001, 9e4, 1e10]),
        ("a sky with one roof", np.r_[np.full(59, np.inf), 30]),
        ("a sky", np.full(60, np.inf)),
    ],
)
def test_what_cameras_see_is_plausible(scene: str, metres: Array) -> None:
    depth_HW = metres.reshape(6, 10).astype(np.float32)
    refuse_implausible(depth_HW, depth_HW > 0, M, scene)
    refuse_implausible(np.zeros((6, 10), np.float32), np.zeros((6, 10), np.bool_), M, "nothing at all")


@pytest.mark.parametrize(("near", "far"), [(0.3, 0.9), (1, 8), (2, 60)])
@pytest.mark.parametrize(("factor", "code"), [(1000, M), (0.001, MM)])
def test_metres_and_millimetres_taken_for_one_another_are_refused(
    near: float, far: float, factor: float, code: DepthCode
) -> None:
    depth_HW = np.linspace(near, far, 60, dtype=np.float32).reshape(6, 10) * np.float32(factor)
    with pytest.raises(CodeRangeError, match="implausible") as caught:
        refuse_implausible(depth_HW, depth_HW > 0, code, "say what it is")
    text = str(caught.value)
    assert f"depth from {depth_HW.min():.3g} to {depth_HW.max():.3g} m" in text
    assert text.endswith("say what it is")


def test_only_valid_pixels_are_judged() -> None:
    depth_HW = np.array([[5, 6, 9e3, 9e3, 9e3]], np.float32)
    refuse_implausible(depth_HW, depth_HW < 10, M, "")
    with pytest.raises(CodeRangeError, match="implausible"):
        refuse_implausible(depth_HW, depth_HW > 0, M, "")


def test_the_step_tells_the_unit_and_leaves_empty_depth_empty() -> None:
    step = ResizeDepth("depth", M, HALF, PLAIN, "m")
    with pytest.raises(CodeRangeError, match=r"from 5e\+03 to 5e\+03 m .* in the unit m; .*--depth-unit UNIT"):
        _run(step, np.full((2, 4), 5000, np.float32))
    metres, valid = _run(step, np.zeros((2, 4), np.float32), np.zeros((2, 4), np.bool_))
    assert not valid.any()
    assert not metres.any()
    assert step.parameters == ResizeDepth("depth", M, HALF, PLAIN, "1/1").parameters, "a name decides nothing"
