"""Facts of single files against plain counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.sample import Array
from segprep.prep.inspection.facts import LabelFacts, count_labels, describe, measure_distances
from support.properties import examples

CLASSES = ClassMap(
    (
        SemanticClass("road", (128, 64, 128), (7, 9)),
        SemanticClass("sky", (70, 130, 180), (2,)),
        SemanticClass("car", (0, 0, 142), (4,), raw_colors=((0, 0, 142), (0, 0, 70))),
    ),
    ignored_raw_ids=(0, 255),
)
RAW_IDS = {7: 0, 9: 0, 2: 1, 4: 2}
COLORS = {(128, 64, 128): 0, (70, 130, 180): 1, (0, 0, 142): 2, (0, 0, 70): 2}


def pixels(facts: LabelFacts) -> dict[int, list[int]]:
    return dict(zip(facts.train_ids, facts.pixels_KB.tolist(), strict=True))


def counted(train_HW: Array) -> dict[int, list[int]]:
    """Count train ids 0..2 row by row, in the four bands."""
    rows = np.searchsorted(np.arange(1, 4) * len(train_HW) // 4, np.arange(len(train_HW)), side="right")
    table = {c: [int((train_HW[rows == band] == c).sum()) for band in range(4)] for c in range(3)}
    return {c: each for c, each in table.items() if any(each)}


@examples(60)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.sampled_from([0, 2, 4, 7, 9, 11, 255]),
    )
)
def test_ids_are_counted_by_class_and_band_and_unknown_ones_by_id(raw_HW: Array) -> None:
    facts = count_labels(raw_HW, CLASSES)
    train_HW = np.vectorize(lambda i: RAW_IDS.get(int(i), 255), otypes=[np.uint8])(raw_HW)
    assert pixels(facts) == counted(train_HW)
    assert facts.ignored == int(np.isin(raw_HW, [0, 255]).sum())
    unknown = int((raw_HW == 11).sum())
    assert facts.unknown == (((11, unknown),) if unknown else ())
    assert (facts.unknown_values, facts.unknown_pixels) == (int(unknown > 0), unknown)


@examples(40)
@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 5)),
)
def test_colours_are_counted_like_ids(which_HW: Array) -> None:
    colors = [*COLORS, (0, 0, 0), (1, 2, 3)]
    facts = count_labels(np.array(colors, np.uint8)[which_HW], CLASSES)
    train_HW = np.array([*COLORS.values(), 255, 255], np.uint8)[which_HW]
    assert pixels(facts) == counted(train_HW)
    assert facts.ignored == int((which_HW == 4).sum())
    unknown = int((which_HW == 5).sum())
    assert facts.unknown == ((((1, 2, 3), unknown),) if unknown else ())


def test_the_most_frequent_unknown_values_come_first_and_all_are_counted() -> None:
    raw_HW = np.repeat(np.arange(1000, 1400, dtype=np.uint16), 2)[None].copy()
    raw_HW[0, :6] = 1399
    facts = count_labels(raw_HW, CLASSES)
    assert facts.unknown[0] == (1399, 8)
    assert facts.unknown[1:3] == ((1003, 2), (1004, 2))
    assert len(facts.unknown) == 256
    assert (facts.unknown_values, facts.unknown_pixels) == (397, 800)


def test_instances_in_the_low_byte_do_not_make_an_id_unknown() -> None:
    classes = ClassMap((SemanticClass("road", (0, 0, 0), (7,)),), (0,), raw_id_divisor=256)
    facts = count_labels(np.array([[7 * 256, 7 * 256 + 1, 9 * 256 + 3, 9 * 256 + 4, 5]], np.uint16), classes)
    assert facts.pixels_KB.sum() == 2
    assert facts.ignored == 1
    assert facts.unknown == ((9, 2),)


def test_a_picture_is_described_as_its_file_holds_it() -> None:
    assert describe(np.zeros((3, 5, 4), np.uint16)).size == (5, 3)
    assert (describe(np.zeros((3, 5, 4), np.uint16)).channels, describe(np.zeros((3, 5))).channels) == (4, 1)
    assert describe(np.zeros((3, 5), np.uint16)).dtype == "uint16"


def test_depth_is_measured_where_it_is_valid_and_finite() -> None:
    metres_HW = np.arange(1, 102, dtype=np.float32).reshape(1, 101).repeat(4, axis=0)
    metres_HW[1:] = 0
    metres_HW[2] = np.inf
    valid_HW = np.ones((4, 101), np.bool_)
    valid_HW[1] = valid_HW[3] = False
    facts = measure_distances(metres_HW, valid_HW, zero_is_far=False)
    assert facts.percentiles == pytest.approx((2, 51, 100))
    assert (facts.valid, facts.far, facts.constant) == (0.5, 0.25, False)


def test_a_disparity_of_zero_is_infinitely_far() -> None:
    pixels_HW = np.array([[0, 0, 8, 8]], np.float32)
    facts = measure_distances(pixels_HW, None, zero_is_far=True)
    assert (facts.valid, facts.far, facts.percentiles, facts.constant) == (1, 0.5, (8, 8, 8), True)
    assert measure_distances(pixels_HW, None, zero_is_far=False).percentiles == pytest.approx((0, 4, 8))


def test_nothing_valid_has_no_range() -> None:
    facts = measure_distances(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.bool_), zero_is_far=False)
    assert (facts.valid, facts.far, facts.percentiles) == (0, 0, None)


def test_large_pictures_are_measured_by_a_part_of_their_pixels() -> None:
    rng = np.random.default_rng(0)
    metres_HW = rng.uniform(10, 20, (1500, 1500)).astype(np.float32)
    facts = measure_distances(metres_HW, None, zero_is_far=False)
    assert facts.percentiles == pytest.approx((10.1, 15, 19.9), abs=0.05)
