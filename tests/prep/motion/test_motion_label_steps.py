"""The two steps that make motion labels: what they read, write and refuse, and what becomes of an annotation."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from segprep.datasets.codes import IdCode, KittiFlowCode, code_from_json
from segprep.datasets.errors import ConfigurationError, LabelIdError, MissingInputError, SizeMismatchError
from segprep.datasets.kinds import Kind, rule
from segprep.datasets.sample import Array, Sample, SampleKey
from segprep.datasets.synthetic import CLASSES, drive_world, motion, render
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from segprep.prep.motion.annotation import AnnotationMap
from segprep.prep.motion.label_steps import GivenMotionLabel, MotionLabel
from segprep.prep.motion.labels import Tolerance
from segprep.prep.motion.movable import Movable
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.step import Absent, Input, Origin

KEY = SampleKey("a")
PERSON, CAR = CLASSES.names.index("person"), CLASSES.names.index("car")
MOVABLE = Movable((PERSON, CAR))
WIDTH, HEIGHT = 384, 192


@pytest.fixture(scope="module")
def sample() -> Sample:
    """A frame of the drive as the workspace holds it: flow and ego flow rounded to 1/64 pixel."""
    world = drive_world(0, 1)
    frame, truth = render(world, 9, WIDTH, HEIGHT), motion(world, 9, 8, WIDTH, HEIGHT)
    arrays: dict[str, Array] = {
        "label": CLASSES.to_train_ids(frame.label_HW),
        "instance": frame.instance_HW,
        "depth": frame.depth_HW.astype(np.float32),
        "moving": truth.moving_HW,
    }
    valid = {"depth": np.ones((HEIGHT, WIDTH), np.bool_)}
    for name, uv in (("optical_flow", truth.flow_HW2), ("ego_flow", truth.ego_HW2)):
        column = Column(name, Kind.FLOW, KittiFlowCode())
        cell = encode_cell(column, KEY, Cell(uv.astype(np.float32), truth.valid_HW)).cell
        assert isinstance(cell.values, np.ndarray)
        assert cell.valid is not None
        arrays[name], valid[name] = cell.values, cell.valid
    neighbour = {"direction": "previous", "frame": 8, "time_difference": -1 / world.frame_rate, "motion": None}
    return Sample(KEY, arrays, {}, valid, frame.camera, meta={"neighbour": neighbour})


def _made(cells: Mapping[str, Cell]) -> Array:
    values = cells["motion_label"].values
    assert isinstance(values, np.ndarray)
    return values


# -- judged from flow ----------------------------------------------------------------------------------------------


def test_the_step_labels_what_moves(sample: Sample) -> None:
    cells = MotionLabel(MOVABLE)(sample)
    label, moving = _made(cells), sample.arrays["moving"]
    movable = np.isin(sample.arrays["label"], (PERSON, CAR))
    assert (label[~movable] == 255).all()
    known = label != 255
    assert known.sum() > 0.7 * movable.sum()
    assert (label[known] == moving[known]).mean() > 0.95
    assert 0 < (label[movable] == 1).mean() < 1
    facts = cells["motion_label"].facts
    assert json.loads(json.dumps(facts)) == facts
    assert facts["things"]["moving"] > 0
    assert facts["background_px"] < 0.05


def test_the_column_is_a_label_that_says_what_it_is_and_where_from(sample: Sample) -> None:
    (column,) = MotionLabel(MOVABLE).outputs
    assert (column.name, column.kind, column.code) == ("motion_label", Kind.LABEL, IdCode())
    assert rule(column.kind).fill == 255
    about = dict(column.attributes)
    assert about["classes"] == "static,moving"
    assert about["source"].startswith("pseudo label")
    assert not column.holds_raw_ids
    assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column
    (given,) = GivenMotionLabel(AnnotationMap((0,), (1,)), TargetSize(factor=1), "{stem}.png").outputs
    assert "pseudo" not in dict(given.attributes)["source"]
    stored = encode_cell(column, KEY, MotionLabel(MOVABLE)(sample)["motion_label"])
    assert code_from_json(column.to_json()["code"]) == column.code
    assert isinstance(stored.cell.values, np.ndarray)
    assert set(np.unique(stored.cell.values)) == {0, 1, 255}


def test_instances_are_optional(sample: Sample) -> None:
    step = MotionLabel(MOVABLE)
    assert Input("instance", Origin.COLUMN, optional=True) in step.inputs
    assert {each.name for each in step.inputs if not each.optional} == {
        "label",
        "optical_flow",
        "ego_flow",
        "depth",
        "camera",
    }
    without = replace(sample, arrays={name: a for name, a in sample.arrays.items() if name != "instance"})
    label = _made(step(without))
    known = label != 255
    assert (label[known] == sample.arrays["moving"][known]).mean() > 0.85


def test_raw_labels_are_mapped_first(sample: Sample) -> None:
    raw = replace(sample, arrays={**sample.arrays, "label": CLASSES.to_raw_ids(sample.arrays["label"])})
    step = MotionLabel(Movable(MOVABLE.train_ids, CLASSES))
    assert np.array_equal(_made(step(raw)), _made(MotionLabel(MOVABLE)(sample)))
    assert step.parameters["class_map"] == CLASSES.pixel_rules()
    unknown = raw.arrays["label"].copy()
    unknown[0, :3] = 77
    with pytest.raises(LabelIdError, match=r"77 \(3 px\)"):
        step(replace(raw, arrays={**raw.arrays, "label": unknown}))


def test_the_range_and_the_classes_decide(sample: Sample) -> None:
    everything, near = _made(MotionLabel(MOVABLE)(sample)), _made(MotionLabel(MOVABLE, 20.0)(sample))
    gone = (everything != 255) & (near == 255)
    assert gone.any()
    assert sample.arrays["depth"][gone].min() > 15
    assert np.array_equal(everything[~gone], near[~gone])
    cars = _made(MotionLabel(Movable((CAR,)))(sample))
    assert (cars[sample.arrays["label"] == PERSON] == 255).all()
    assert (everything[sample.arrays["label"] == PERSON] != 255).any()


def test_every_parameter_stands_in_the_ledger() -> None:
    step = MotionLabel(MOVABLE)
    others = [
        MotionLabel(Movable((CAR,))),
        MotionLabel(MOVABLE, 40.0),
        MotionLabel(MOVABLE, min_speed=2.0),
        MotionLabel(MOVABLE, tolerance=Tolerance(depth_share=0.1)),
        MotionLabel(Movable((PERSON, CAR), CLASSES)),
    ]
    known = [json.dumps(each.parameters, sort_keys=True) for each in (step, *others)]
    assert len(set(known)) == len(known)
    assert MotionLabel(Movable((CAR, PERSON))).parameters == step.parameters, "their order says nothing"


def test_missing_or_misfitting_inputs_are_named(sample: Sample) -> None:
    with pytest.raises(MissingInputError, match="camera"):
        MotionLabel(MOVABLE)(replace(sample, camera=None))
    with pytest.raises(Absent, match="neighbour"):
        MotionLabel(MOVABLE)(replace(sample, meta={}))
    narrow = replace(
        sample,
        arrays={**sample.arrays, "depth": sample.arrays["depth"][:, 1:]},
        valid={**sample.valid, "depth": sample.valid["depth"][:, 1:]},
    )
    with pytest.raises(SizeMismatchError, match="depth 383x192"):
        MotionLabel(MOVABLE)(narrow)


@pytest.mark.parametrize("ids", [(), (255,), (-1,)])
def test_something_must_be_movable(ids: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="at least one class must be movable"):
        Movable(ids)


@pytest.mark.parametrize("metres", [0.0, -5.0, float("inf"), float("nan")])
def test_the_range_is_a_number_of_metres(metres: float) -> None:
    with pytest.raises(ConfigurationError, match="range"):
        MotionLabel(MOVABLE, metres)


# -- given ---------------------------------------------------------------------------------------------------------

SMSNET = AnnotationMap(static=(1,), moving=(2,), ignored=(0,))


def _annotated(ids: Array, image: tuple[int, int] | None = None, label: Array | None = None) -> Sample:
    arrays = {"motion_annotation": ids} | ({} if label is None else {"label": label})
    size = (ids.shape[1], ids.shape[0]) if image is None else image
    return Sample(KEY, arrays, {}, meta={"image_size": list(size)})


def test_an_annotation_is_mapped_and_resized_by_majority() -> None:
    ids = np.array(
        [
            [2, 2, 1, 1, 0, 0],
            [2, 1, 1, 0, 0, 2],
            [1, 1, 2, 2, 0, 0],
            [1, 2, 2, 2, 0, 0],
        ],
        np.uint8,
    )
    cells = GivenMotionLabel(SMSNET, TargetSize(factor=2), "{stem}.png")(_annotated(ids))
    assert _made(cells).tolist() == [[1, 0, 255], [0, 1, 255]]
    assert cells["motion_label"].facts == {"source_size": [6, 4]}
    same = GivenMotionLabel(SMSNET, TargetSize(factor=1), "{stem}.png")(_annotated(ids.astype(np.uint16)))
    assert _made(same).tolist() == np.array([255, 0, 1])[ids].tolist()


def test_several_ids_of_one_meaning_vote_together() -> None:
    ids = np.array([[26, 27, 24, 24]] * 4, np.uint8)
    given = AnnotationMap.parse("moving=26,moving=27, static=24,ignore=0")
    assert given == AnnotationMap((24,), (26, 27), (0,))
    assert _made(GivenMotionLabel(given, TargetSize(size=(1, 1)), "{stem}.png")(_annotated(ids[:, :3]))).tolist() == [
        [1]
    ]


def test_an_annotation_of_another_size_must_show_the_same_view() -> None:
    ids = np.full((192, 384), 2, np.uint8)
    step = GivenMotionLabel(SMSNET, TargetSize(factor=4), "{stem}.png")
    assert _made(step(_annotated(ids, (2048, 1024)))).shape == (256, 512)
    with pytest.raises(SizeMismatchError, match="annotation is 384x192, its image 1242x375"):
        step(_annotated(ids, (1242, 375)))


def test_what_cannot_move_is_taken_out() -> None:
    ids = np.zeros((2, 3), np.uint8)
    ids[:, 1] = 1
    label = np.array([[CAR, PERSON, 0], [0, 0, 255]], np.uint8)
    given = AnnotationMap.parse("moving=1,static=0")
    step = GivenMotionLabel(given, TargetSize(factor=1), "{stem}.png", MOVABLE)
    assert Input("label", Origin.COLUMN) in step.inputs
    assert _made(step(_annotated(ids, label=label))).tolist() == [[0, 1, 255], [255, 255, 255]]
    alone = GivenMotionLabel(given, TargetSize(factor=1), "{stem}.png")
    assert [each.name for each in alone.inputs] == ["motion_annotation", "image"]
    assert _made(alone(_annotated(ids))).tolist() == [[0, 1, 0], [0, 1, 0]]
    with pytest.raises(SizeMismatchError, match="becomes 3x2, but the label is 2x2"):
        step(_annotated(ids, label=label[:, 1:]))


def test_unknown_ids_are_named_with_their_pixels() -> None:
    ids = np.ones((4, 4), np.uint8)
    ids[0, :3], ids[1, 0] = 9, 200
    with pytest.raises(LabelIdError, match=r"9 \(3 px\), 200 \(1 px\).*ignore=9"):
        GivenMotionLabel(SMSNET, TargetSize(factor=1), "{stem}.png")(_annotated(ids))
    many = np.arange(100, 164, dtype=np.uint8).reshape(8, 8)
    with pytest.raises(LabelIdError, match="and 44 more"):
        SMSNET.to_motion(many)


@pytest.mark.parametrize("ids", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32)])
def test_colours_are_no_annotation(ids: Array) -> None:
    with pytest.raises(LabelIdError, match="image of ids"):
        SMSNET.to_motion(ids)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("moving=1,static", "'static' is no part"),
        ("moving=1,parked=0", "'parked=0' is no part"),
        ("moving=-1", "'moving=-1' is no part"),
        ("moving=²", "no part"),
        ("", "'' is no part"),
        ("static=0", "needs an id for moving"),
        ("moving=1,static=1", "once"),
        ("moving=70000", "65535"),
    ],
)
def test_annotation_maps_that_make_no_sense_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        AnnotationMap.parse(text)


def test_every_parameter_of_a_given_label_stands_in_the_ledger() -> None:
    steps = [
        GivenMotionLabel(SMSNET, TargetSize(factor=2), "{stem}.png"),
        GivenMotionLabel(SMSNET, TargetSize(size=(4, 2)), "{stem}.png"),
        GivenMotionLabel(SMSNET, TargetSize(factor=2), "{stem}.png", MOVABLE),
        GivenMotionLabel(AnnotationMap((1,), (2,)), TargetSize(factor=2), "{stem}.png"),
    ]
    known = [json.dumps(each.parameters, sort_keys=True) for each in steps]
    assert len(set(known)) == len(known)
