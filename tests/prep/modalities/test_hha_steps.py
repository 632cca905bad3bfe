"""The steps of `hha` and `normals`: what they ask for, what they say of a sample, and how they refuse."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from segprep.datasets.codes import DepthCode, LinearCode
from segprep.datasets.errors import CodeRangeError, ConfigurationError, MotionError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, Sample, SampleKey
from segprep.datasets.synthetic import World, render
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from segprep.prep.depth.gravity import mount_down
from segprep.prep.depth.hha import PRESETS
from segprep.prep.modalities import hha as hha_member
from segprep.prep.modalities import normals as normals_member
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Absent, Origin, Step
from support.members import built

KEY = SampleKey("a")
STREET, ROOM = Scene((2.0, 80.0)), Scene((0.4, 5.0))
FRAME = render(World(seed=1), 3, 256, 128)
SEEN_HW = np.isfinite(FRAME.depth_HW)


def hha_step(scene: Scene = STREET, **options: object) -> Step:
    return built(hha_member, scene, **options)


def normals_step(**options: object) -> Step:
    return built(normals_member, STREET, **options)


def sample(
    depth_HW: Array = FRAME.depth_HW, valid_HW: Mask | None = None, camera: Camera | None = FRAME.camera
) -> Sample:
    mask = np.ones(depth_HW.shape, np.bool_) if valid_HW is None else valid_HW
    return Sample(KEY, {"depth": depth_HW.astype(np.float32)}, {"depth": Kind.DEPTH}, {"depth": mask}, camera)


def only(step: Step, given: Sample) -> tuple[Array, Mask, JsonDict]:
    (cell,) = step(given).values()
    assert isinstance(cell.values, np.ndarray)
    assert cell.valid is not None
    return cell.values, cell.valid, cell.facts


STEPS = pytest.mark.parametrize("step", [hha_step(), normals_step()], ids=["hha", "normals"])


# -- hha ---------------------------------------------------------------------------------------------------------------


def test_hha_says_what_it_found() -> None:
    down_3 = mount_down(FRAME.camera)
    assert down_3 is not None
    values, valid, facts = only(hha_step(), sample())
    assert values.shape == (128, 256, 3)
    assert math.degrees(math.acos(np.dot(facts["gravity"], down_3))) < 1
    assert 1.5 < facts["floor_m"] < 2.2
    assert facts["floor_seen"] is True
    assert facts["share_without_normal"] == pytest.approx(1 - valid.sum() / SEEN_HW.sum(), abs=1e-4)
    told = only(hha_step(gravity="mount"), sample())[2]
    np.testing.assert_allclose(told["gravity"], down_3, atol=1e-6)
    assert told["floor_m"] == pytest.approx(1.65, abs=0.01)
    assert only(hha_step(floor_percentile=0), sample())[2]["floor_m"] > facts["floor_m"] + 0.5
    json.dumps(facts)


def test_hha_takes_its_constants_from_the_scene_or_the_user() -> None:
    for scene, expected in ((STREET, "outdoor"), (ROOM, "indoor"), (Scene(), "indoor")):
        for step in (hha_step(scene), hha_step(preset=expected)):
            (column,) = step.outputs
            assert column.kind is Kind.INDEX
            assert column.code == PRESETS[expected].code
            assert dict(column.attributes)["preset"] == expected
            assert step.parameters["floor_percentile"] == PRESETS[expected].floor_percentile
            assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column
    assert hha_step(floor_percentile=7).parameters["floor_percentile"] == 7


def test_whatever_decides_the_pixels_is_a_parameter() -> None:
    variants: tuple[JsonDict, ...] = (
        {},
        {"preset": "indoor"},
        {"gravity": "mount"},
        {"gravity": [0.0, 1.0, 0.1]},
        {"floor_percentile": 5.0},
        {"depth": "depth_filled"},
    )
    texts = {json.dumps(hha_step(**each).parameters, sort_keys=True) for each in variants}
    assert len(texts) == len(variants)
    assert [(i.name, i.origin, i.optional) for i in hha_step(depth="depth_filled").inputs] == [
        ("depth_filled", Origin.COLUMN, False),
        ("camera", Origin.COLUMN, False),
        ("depth_measured", Origin.COLUMN, True),
    ]


def test_only_filled_depth_has_a_new_version_and_laser_points_are_used_as_they_were_filled() -> None:
    assert (hha_step().version, hha_step(depth="depth_filled").version) == (1, 2)
    points = Column("depth", Kind.DEPTH, DepthCode(0.01), (("source", "points"),))
    scene = Scene(columns={"depth": points})
    for member in (hha_member, normals_member):
        step = built(member, scene, depth="depth_filled")
        assert (step.version, len(step.inputs)) == (1, 2)


def test_hha_is_stored_with_black_holes_and_counts_what_is_clipped() -> None:
    holes_HW = SEEN_HW.copy()
    holes_HW[60:80, 100:150] = False
    step = hha_step(ROOM)
    stored = encode_cell(step.outputs[0], KEY, step(sample(valid_HW=holes_HW))["hha"])
    assert [name for name, _ in stored.files] == ["hha_data/a.png", "hha_valid/a.png"]
    assert stored.cell.facts["clipped"] > 1000  # indoor constants on a street
    assert stored.cell.valid is not None
    assert not stored.cell.valid[60:80, 100:150].any()
    fitting = encode_cell(hha_step().outputs[0], KEY, hha_step()(sample(valid_HW=holes_HW))["hha"])
    assert fitting.cell.facts["clipped"] < 0.2 * stored.cell.facts["clipped"]


def test_a_direction_is_where_the_estimate_starts() -> None:
    down_3 = mount_down(FRAME.camera)
    assert down_3 is not None
    near = only(hha_step(gravity=[0, 2, 0.4]), sample())[2]["gravity"]
    assert math.degrees(math.acos(np.dot(near, down_3))) < 1
    sideways = only(hha_step(gravity=[1, 0.2, 0]), sample())[2]["gravity"]
    assert abs(sideways[0]) > 0.9
    with pytest.raises(CodeRangeError, match=r"gravity was found \d+ degrees away from where it was expected"):
        only(hha_step(gravity=[1, 0.9, 1]), sample())


def test_without_a_mount_there_is_nothing_to_take_gravity_from() -> None:
    with pytest.raises(Absent, match="no mount"):
        hha_step(gravity="mount")(sample(camera=replace(FRAME.camera, mount=None)))


# -- normals -----------------------------------------------------------------------------------------------------------


def test_normals_point_towards_the_camera() -> None:
    values, valid, facts = only(normals_step(), sample())
    assert values.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(values, axis=2)[valid], 1, atol=1e-6)
    down_3 = mount_down(FRAME.camera)
    assert down_3 is not None
    road = values[100:, 60:120].reshape(-1, 3)
    assert np.abs(np.median(road, axis=0) + down_3).max() < 0.01
    assert facts["share_without_normal"] == pytest.approx(1 - valid.sum() / SEEN_HW.sum(), abs=1e-4)
    step = normals_step()
    stored = encode_cell(step.outputs[0], KEY, Cell(values, valid))
    assert "clipped" not in stored.cell.facts
    (column,) = step.outputs
    assert column.code == LinearCode(1 / 127, -128 / 127, ("x", "y", "z"))
    assert column.kind is Kind.NORMALS


def test_a_larger_window_is_smoother_and_another_parameter() -> None:
    noisy = sample(FRAME.depth_HW * (1 + np.random.default_rng(0).normal(0, 0.002, FRAME.depth_HW.shape)))
    road = (slice(100, None), slice(60, 120))
    spread = [only(normals_step(radius=r), noisy)[0][road].std(axis=(0, 1)).sum() for r in (1, 3, 8)]
    assert spread[0] > 2 * spread[1] > 3 * spread[2]
    assert normals_step(radius=8).parameters != normals_step().parameters


# -- both --------------------------------------------------------------------------------------------------------------


@STEPS
def test_a_sample_without_camera_is_absent(step: Step) -> None:
    with pytest.raises(Absent, match="no camera"):
        step(sample(camera=None))


@STEPS
def test_depth_without_a_mask_is_valid_everywhere(step: Step) -> None:
    bare = replace(sample(), valid={})
    np.testing.assert_array_equal(only(step, bare)[0], only(step, sample())[0])


def _one_pixel() -> Mask:
    alone_HW = np.zeros(SEEN_HW.shape, np.bool_)
    alone_HW[100, 100] = True
    return alone_HW


@STEPS
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (sample(valid_HW=np.zeros_like(SEEN_HW)), CodeRangeError, "no pixel of its depth is valid"),
        (sample(valid_HW=_one_pixel()), CodeRangeError, "shows no surface.* 1 of 32768 are known"),
        (sample(np.where(_one_pixel(), np.nan, FRAME.depth_HW)), CodeRangeError, r"1 valid .* no numbers \(NaN\)"),
        (sample(np.where(_one_pixel(), -4.0, FRAME.depth_HW)), CodeRangeError, "1 valid .* not above 0 m"),
        (sample(valid_HW=~SEEN_HW), CodeRangeError, "infinitely far: there is no surface"),
        (sample(FRAME.depth_HW[1:]), SizeMismatchError, "calibrated for 256x128, but the image is 256x127"),
        (sample(camera=Camera(np.diag([0.0, 1, 1]), 256, 128)), MotionError, "intrinsics are singular"),
    ],
    ids=["nothing", "one pixel", "nan", "negative", "sky", "size", "singular"],
)
def test_bad_depth_has_its_own_message(step: Step, given: Sample, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        step(given)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hha", {"preset": "moon"}, "--preset must be indoor or outdoor, not 'moon'"),
        ("hha", {"gravity": "down"}, "--gravity must be estimate, mount, or"),
        ("hha", {"gravity": [0, 1]}, "--gravity"),
        ("hha", {"gravity": [0, 0, 0]}, "--gravity"),
        ("hha", {"gravity": [0, math.nan, 1]}, "--gravity"),
        ("hha", {"gravity": [0, True, 1]}, "--gravity"),
        ("hha", {"floor_percentile": -1}, "--floor-percentile must be a number from 0 to 50"),
        ("hha", {"floor_percentile": 51}, "--floor-percentile"),
        ("hha", {"floor_percentile": "low"}, "--floor-percentile"),
        ("hha", {"depth": ""}, "--depth names a column of depth"),
        ("hha", {"depth": "image"}, "--depth names a column of depth; image is one of image"),
        ("normals", {"depth": 3}, "--depth must be a text"),
        ("normals", {"radius": 0}, "--radius must be a whole number of pixels from 1 to 50"),
        ("normals", {"radius": 51}, "--radius"),
        ("normals", {"radius": 2.5}, "--radius"),
        ("normals", {"radius": True}, "--radius"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: JsonDict, message: str) -> None:
    member = {"hha": hha_member, "normals": normals_member}[name]
    scene = Scene(None, {"image": Column("image", Kind.IMAGE, None)})
    with pytest.raises(ConfigurationError, match=message):
        built(member, scene, **options)
