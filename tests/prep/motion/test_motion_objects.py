"""Which pixels are one thing: by instance, by connected area, cut where depth jumps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segprep.prep.motion.objects import MovableObject, find_objects
from support.properties import examples

CAR, PERSON, ROAD, IGNORE = 3, 4, 0, 255


def test_instances_are_things_also_in_pieces() -> None:
    label = np.array([[CAR, CAR, ROAD, CAR], [PERSON, ROAD, ROAD, CAR]], np.uint8)
    instance = np.array([[7, 9, 0, 7], [7, 0, 5, 9]], np.uint16)
    found = find_objects(label, instance, {CAR, PERSON})
    assert found.objects == (MovableObject(CAR, 7, 2), MovableObject(CAR, 9, 2), MovableObject(PERSON, 7, 1))
    assert found.index_HW.tolist() == [[1, 2, 0, 1], [3, 0, 0, 2]], "a number may stand for a thing of each class"


def test_without_ids_areas_are_things_and_touch_over_corners() -> None:
    label = np.full((5, 7), ROAD, np.uint8)
    label[0, 0] = label[1, 1] = CAR
    label[1, 5] = label[4, 2] = CAR
    label[2, 1:3] = PERSON
    found = find_objects(label, None, [PERSON, CAR])
    assert [(o.label, o.instance, o.pixels) for o in found.objects if o.label == PERSON] == [(PERSON, 0, 2)]
    assert sorted(o.pixels for o in found.objects if o.label == CAR) == [1, 1, 2]
    assert found.index_HW[0, 0] == found.index_HW[1, 1] != found.index_HW[1, 5]


def test_things_with_and_without_ids_live_together() -> None:
    label = np.full((2, 6), CAR, np.uint8)
    instance = np.array([[0, 0, 12, 12, 0, 0]] * 2, np.uint16)
    found = find_objects(label, instance, (CAR,))
    assert found.objects == (MovableObject(CAR, 12, 4), MovableObject(CAR, 0, 4), MovableObject(CAR, 0, 4))


def test_areas_are_cut_where_depth_jumps() -> None:
    label = np.full((9, 12), CAR, np.uint8)
    depth = np.full((9, 12), 8.0)
    depth[:, 7:] = 12.0
    assert len(find_objects(label, None, (CAR,)).objects) == 1
    cut = find_objects(label, None, (CAR,), depth)
    assert sorted(o.pixels for o in cut.objects) in ([36, 72], [45, 63]), "pixels of the cut belong to either side"
    assert len(set(cut.index_HW[:, :7].ravel())) == len(set(cut.index_HW[:, 8:].ravel())) == 1
    with_ids = find_objects(label, np.ones_like(label), (CAR,), depth)
    assert len(with_ids.objects) == 1, "instances are not cut"


def test_a_slanted_side_and_unknown_depth_cut_nothing() -> None:
    label = np.full((9, 40), CAR, np.uint8)
    depth = np.broadcast_to(np.linspace(8, 14, 40), (9, 40)).copy()
    depth[3:5, 10:20] = np.nan
    assert len(find_objects(label, None, (CAR,), depth).objects) == 1
    assert len(find_objects(label, None, (CAR,), np.full((9, 40), np.nan)).objects) == 1


def test_an_area_that_is_nothing_but_jumps_stays_whole() -> None:
    depth = np.array([[2.0, 4.0, 8.0, 16.0], [3.0, 6.0, 12.0, 24.0]])
    found = find_objects(np.full((2, 4), CAR, np.uint8), None, (CAR,), depth)
    assert sum(o.pixels for o in found.objects) == 8
    assert (found.index_HW > 0).all()


def test_the_distance_from_the_edge_counts_other_things_and_not_the_picture() -> None:
    label = np.full((7, 12), CAR, np.uint8)
    instance = np.ones((7, 12), np.uint16)
    instance[:, 6:] = 2
    found = find_objects(label, instance, (CAR,))
    assert found.inside(2)[3].tolist() == [2, 2, 2, 2, 1, 0, 0, 1, 2, 2, 2, 2]
    assert not found.inside(0).any()


@examples(40)
@given(st.integers(0, 2**32 - 1))
def test_the_pixels_of_all_things_are_the_movable_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 25, 2))
    label = rng.choice(np.array([ROAD, CAR, PERSON, IGNORE], np.uint8), shape)
    instance = rng.integers(0, 3, shape).astype(np.uint16) if rng.random() < 0.6 else None
    depth = rng.uniform(2, 40, shape) if rng.random() < 0.5 else None
    found = find_objects(label, instance, (CAR, PERSON), depth)
    assert np.array_equal(found.index_HW > 0, np.isin(label, (CAR, PERSON)))
    chosen = rng.random(shape) < 0.5
    for i, (thing, pixels) in enumerate(zip(found.objects, found.pixels_of(chosen), strict=True)):
        shown = found.index_HW == i + 1
        assert shown.sum() == thing.pixels > 0
        assert set(label[shown]) == {thing.label}
        assert instance is None or set(instance[shown]) == {thing.instance}
        assert np.array_equal(np.flatnonzero(shown & chosen), pixels)
