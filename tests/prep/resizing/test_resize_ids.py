"""`prep resize` for labels and instances: which ids vote, which are kept, and what makes a column stale."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import IdCode
from segprep.datasets.errors import LabelIdError, SizeMismatchError
from segprep.datasets.sample import Array, Sample, SampleKey
from segprep.datasets.workspace.cells import Cell
from segprep.prep.labels.resampling import LabelMethod
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.resizing.ids import LabelIds, ResizeInstance, ResizeLabel
from segprep.prep.step import Origin

KEY = SampleKey("a")
HALF = TargetSize(factor=2)
STREET = ClassMap(
    (SemanticClass("road", (128, 64, 128), (7, 8)), SemanticClass("car", (0, 0, 142), (26,))), ignored_raw_ids=(0, 4)
)
PARIS = LabelMethod("paris", threshold=0.75, void=0)


def _sample(**arrays: Array) -> Sample:
    first = next(iter(arrays.values()))
    return Sample(KEY, arrays, {}, meta={"image_size": (first.shape[1], first.shape[0])})


def _array(cells: Mapping[str, Cell], name: str) -> Array:
    assert set(cells) == {name}
    values = cells[name].values
    assert isinstance(values, np.ndarray)
    return values


def _label(raw: object, ids: LabelIds, target: TargetSize = HALF) -> Array:
    return _array(ResizeLabel(ids, target)(_sample(label=np.array(raw, np.uint8))), "label")


def test_raw_ids_of_one_class_vote_together() -> None:
    ids = LabelIds(STREET)
    # 7 and 8 are both road; 0 and 4 are both ignored: three against one car.
    assert _label([[7, 8, 0, 0], [8, 26, 4, 26]], ids).tolist() == [[0, 255]]
    split = [[26, 26, 7], [7, 8, 8], [8, 26, 26]]  # 26 leads among raw ids, road among classes
    assert _label(split, ids, TargetSize(factor=3)).tolist() == [[0]]
    assert _label(split, replace(ids, raw=True), TargetSize(factor=3)).tolist() == [[26]]


def test_labels_by_nearest_take_the_exact_centre() -> None:
    label = np.full((3, 3), 26)
    label[1, 1] = 7
    third = TargetSize(factor=3)
    assert _label(label, LabelIds(STREET, LabelMethod("nearest")), third).tolist() == [[0]]
    assert _label(label, LabelIds(STREET), third).tolist() == [[1]]


def test_a_listed_class_wins_from_its_share_on() -> None:
    label = [[26, 7], [7, 7]]
    assert _label(label, LabelIds(STREET, LabelMethod("priority", priority=(1,), share=0.25))).tolist() == [[1]]
    assert _label(label, LabelIds(STREET, LabelMethod("priority", priority=(1,), share=0.3))).tolist() == [[0]]


def test_below_the_threshold_void_wins() -> None:
    label = [[26, 7], [26, 7]]
    assert _label(label, LabelIds(STREET, LabelMethod(threshold=0.5))).tolist() == [[0]]
    assert _label(label, LabelIds(STREET, LabelMethod(threshold=0.51))).tolist() == [[255]]


def test_paris_sees_raw_ids_and_ends_in_train_ids_or_raw_ones() -> None:
    label = [[7, 7, 7, 8], [7, 0, 7, 8]]  # three of four and void; two raw ids of one class
    assert _label(label, LabelIds(STREET, PARIS, raw=True)).tolist() == [[7, 0]]
    assert _label(label, LabelIds(STREET, PARIS)).tolist() == [[0, 255]]


def test_raw_ids_take_as_many_bits_as_they_need() -> None:
    wide = ClassMap((SemanticClass("a", (0, 0, 0), (300,)),), (0,))
    assert LabelIds(STREET, raw=True).column().code == IdCode(bits=8)
    assert LabelIds(wide, raw=True).column().code == IdCode(bits=16)
    assert LabelIds(wide).column().code == IdCode(bits=8)
    assert LabelIds(wide, raw=True).column().holds_raw_ids
    assert not LabelIds(wide).column().holds_raw_ids


def test_colours_become_ids_of_either_sort() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[...] = (0, 0, 142)
    assert _array(ResizeLabel(LabelIds(STREET), HALF)(_sample(label=picture)), "label").tolist() == [[1]]
    assert _array(ResizeLabel(LabelIds(STREET, raw=True), HALF)(_sample(label=picture)), "label").tolist() == [[26]]


def test_unknown_label_ids_fail_by_name() -> None:
    for raw in (False, True):
        with pytest.raises(LabelIdError, match=r"99 \(1 px\)"):
            _label([[7, 7], [7, 99]], LabelIds(STREET, raw=raw))


def test_instances_follow_the_winning_label() -> None:
    label = np.array([[26, 26, 7, 7], [26, 7, 7, 26]], np.uint8)
    # Left: car wins, and of the cars 5 covers more than 9, whatever stands on the road. Right: road wins.
    instance = np.array([[5, 5, 0, 0], [9, 8, 0, 9]], np.uint16)
    made = ResizeInstance(LabelIds(STREET), HALF)(_sample(instance=instance, label=label))
    assert _array(made, "instance").tolist() == [[5, 0]]
    assert _array(made, "instance").dtype == np.uint16


def test_instances_without_a_label_vote_alone_and_are_never_mixed() -> None:
    instance = np.array([[1000, 1000, 0, 0], [1000, 3, 0, 65535]], np.uint16)
    made = ResizeInstance(LabelIds(STREET), HALF)(_sample(instance=instance))
    assert _array(made, "instance").tolist() == [[1000, 0]]
    assert [i.name for i in ResizeInstance(LabelIds(STREET), HALF).inputs if i.optional] == ["label"]


def test_factor_1_converts_without_resampling() -> None:
    label = [[7, 26, 0], [8, 4, 26]]
    same = TargetSize(factor=1)
    assert _label(label, LabelIds(STREET), same).tolist() == [[0, 1, 255], [0, 255, 1]]
    assert _label(label, LabelIds(STREET, raw=True), same).tolist() == label


def test_a_label_of_another_size_than_its_image_is_refused_with_both_sizes() -> None:
    sample = Sample(KEY, {"label": np.full((2, 4), 7, np.uint8)}, {}, meta={"image_size": (4, 3)})
    with pytest.raises(SizeMismatchError, match="label is 4x2, but its image is 4x3"):
        ResizeLabel(LabelIds(STREET), HALF)(sample)


def test_labels_ask_for_the_size_of_the_image() -> None:
    assert [(i.name, i.origin) for i in ResizeLabel(LabelIds(STREET), HALF).inputs] == [
        ("label", Origin.SOURCE),
        ("image", Origin.SOURCE_SIZE),
    ]


def _texts(*steps: ResizeLabel) -> list[str]:
    return [json.dumps(s.parameters, sort_keys=True) for s in steps]


def test_parameters_change_with_what_changes_a_pixel() -> None:
    ids = LabelIds(STREET)
    swapped = ClassMap(STREET.classes[::-1], STREET.ignored_raw_ids)
    step = ResizeLabel(ids, HALF)
    others = [
        replace(step, target=TargetSize(factor=3)),
        replace(step, target=TargetSize(size=(2, 2))),
        *(
            replace(step, ids=each)
            for each in (
                replace(ids, method=LabelMethod("nearest")),
                replace(ids, method=LabelMethod(threshold=0.5)),
                replace(ids, method=LabelMethod("priority", priority=(1,), share=0.2)),
                replace(ids, method=LabelMethod("priority", priority=(1,), share=0.3)),
                replace(ids, method=PARIS),
                replace(ids, raw=True),
                replace(ids, class_map=swapped),
                replace(ids, class_map=ClassMap(STREET.classes, (0,))),
                replace(ids, class_map=replace(STREET, raw_id_divisor=256)),
                replace(ids, class_map=replace(STREET, ignored_colors=((1, 1, 1),))),
            )
        ),
    ]
    texts = _texts(step, *others)
    assert len(set(texts)) == len(texts)


def test_parameters_do_not_change_with_names_and_the_order_of_ids() -> None:
    renamed = ClassMap(tuple(replace(c, name=c.name.upper()) for c in STREET.classes), (4, 0))
    assert ResizeLabel(LabelIds(renamed), HALF).parameters == ResizeLabel(LabelIds(STREET), HALF).parameters


def test_regrouping_classes_leaves_raw_labels_alone() -> None:
    apart = ClassMap((*STREET.classes, SemanticClass("lane", (1, 2, 3), (4,))), (0,))
    grouped = replace(
        apart,
        classes=(replace(apart.classes[0], raw_ids=(7,)), replace(apart.classes[1], raw_ids=(8, 26)), apart.classes[2]),
    )
    train = [ResizeLabel(LabelIds(m), HALF).parameters["class_map"]["raw_ids"] for m in (apart, grouped)]
    raw = [ResizeLabel(LabelIds(m, raw=True), HALF).parameters["class_map"]["raw_ids"] for m in (apart, grouped)]
    assert train[0] != train[1]
    assert raw[0] == raw[1]
