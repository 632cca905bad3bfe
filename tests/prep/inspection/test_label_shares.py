"""Wrong mappings are suspected, honest differences are not: on real labels and on chosen numbers."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.imageio import read_image
from segprep.prep.inspection.facts import count_labels
from segprep.prep.inspection.label_shares import divergence, suspect_mapping
from support.properties import examples

Pixels = npt.NDArray[np.float64]


def class_map(*raw_ids: int) -> ClassMap:
    return ClassMap(tuple(SemanticClass(f"c{i}", (i, i, i), (i,)) for i in raw_ids), (99,))


FIVE = class_map(0, 1, 2, 3, 4)
SHARES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])


def suspect(pixels_C: Pixels, expected_C: Pixels = SHARES, classes: ClassMap = FIVE, images: float = 100) -> str | None:
    found = suspect_mapping(pixels_C[:, None], expected_C[:, None], classes, images)
    return None if found is None else found.reading


def test_divergence_of_known_distributions() -> None:
    assert divergence(np.array([3.0, 1.0]), np.array([30.0, 10.0])) == pytest.approx(0, abs=1e-15)
    assert divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)
    assert divergence(np.array([0.5, 0.5]), np.array([0.75, 0.25])) == pytest.approx(0.0488, abs=5e-5)


def test_every_kind_of_wrong_mapping_has_its_sentence() -> None:
    assert suspect(SHARES * 1e6) is None
    assert suspect(SHARES[[2, 1, 0, 3, 4]]) == "c0 and c2 look swapped"
    assert suspect(np.roll(SHARES, 1)) == "the classes look shifted by +1: each has the pixels of another one"
    assert suspect(np.roll(SHARES, -2)) == "the classes look shifted by -2: each has the pixels of another one"
    assert suspect(SHARES[::-1]) == "the order of the classes looks reversed"


def test_raw_ids_off_by_one_and_train_ids_in_their_place_are_told_from_shifted_classes() -> None:
    classes = class_map(1, 2, 4, 7, 8)  # moved by one, 1 becomes 2 and 7 becomes 8; the others leave the map
    assert suspect(np.array([0, 0.4, 0, 0, 0.1]), classes=classes) == "the raw ids of the files look shifted by +1"
    assert suspect(np.array([0.3, 0, 0, 0.05, 0]), classes=classes) == "the raw ids of the files look shifted by -1"
    # Train ids 1, 2 and 4 are raw ids of the first three classes.
    reading = suspect(np.array([0.3, 0.15, 0.05, 0, 0]), classes=classes)
    assert reading == "the files look as if they held train ids where the class map expects raw ids"


def test_few_images_need_more_evidence() -> None:
    swapped = SHARES[[2, 1, 0, 3, 4]]
    evidence = 0.8 / divergence(swapped, SHARES)
    assert suspect(swapped, images=evidence + 0.1) is not None
    assert suspect(swapped, images=evidence - 0.1) is None
    assert suspect(swapped, images=0) is None


def test_classes_of_unknown_share_do_not_count() -> None:
    expected = SHARES.copy()
    expected[1] = np.nan
    observed = SHARES[[2, 1, 0, 3, 4]]
    observed[1] = 7.0
    assert suspect(observed, expected) == "c0 and c2 look swapped"
    assert suspect(np.array([0, 7.0, 0, 0, 0]), expected) is None
    assert suspect(SHARES, np.full(5, np.nan)) is None


def test_classes_of_equal_share_are_told_apart_by_where_they_lie() -> None:
    sky_and_road = np.array([[30.0, 10, 0, 0], [0, 0, 10, 30], [5, 5, 5, 5], [1, 2, 3, 4], [4, 3, 2, 1]])
    swapped = sky_and_road[[1, 0, 2, 3, 4]]
    assert suspect(swapped.sum(axis=1), sky_and_road.sum(axis=1)) is None
    found = suspect_mapping(swapped, sky_and_road, FIVE, 100)
    assert found is not None
    assert found.reading == "c0 and c1 look swapped"
    assert found.divergence == pytest.approx(divergence(swapped, sky_and_road))
    assert found.divergence_so_read == pytest.approx(0, abs=1e-12)


@examples(60)
@given(st.permutations(range(5)), st.integers(1, 2000))
def test_a_reading_is_only_named_if_it_explains_most(order: list[int], images: int) -> None:
    observed = SHARES[order] * 1000 + 3
    found = suspect_mapping(observed[:, None], SHARES[:, None], FIVE, images)
    if found is not None:
        assert found.divergence == pytest.approx(divergence(observed, SHARES))
        assert found.divergence >= max(0.02, 0.8 / images)
        assert 3 * found.divergence_so_read <= found.divergence


# -- real labels ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def camvid(shared_data: Path) -> tuple[ClassMap, Pixels, Pixels, int]:
    """Class map, usual shares (C,), pixels of each frame (N, C, 4), and how many of them are in train."""
    member = CATALOG.load("camvid")
    classes: ClassMap = member.class_map(DatasetSource(shared_data / "camvid"))
    frames = []
    for split in ("train", "val"):
        for path in sorted((shared_data / f"camvid/{split}annot").iterdir()):
            facts = count_labels(read_image(path), classes)
            pixels_CB = np.zeros((len(classes.classes), 4))
            pixels_CB[list(facts.train_ids)] = facts.pixels_KB
            frames.append(pixels_CB)
    shares = np.array([member.SPEC.class_shares[name] for name in classes.names])
    return classes, shares, np.array(frames), len(list((shared_data / "camvid/train").iterdir()))


def test_no_part_of_a_real_drive_is_suspected(camvid: tuple[ClassMap, Pixels, Pixels, int]) -> None:
    classes, shares, frames, _ = camvid
    for length in (1, 2, 5, 10, 20, 40, 80, 160, len(frames)):
        for start in range(0, len(frames) - length + 1, max(1, length // 5)):
            part = frames[start : start + length].sum(axis=0)
            assert suspect(part.sum(axis=1), shares, classes, length) is None, (start, length)
            if length < len(frames):
                others = frames.sum(axis=0) - part
                assert suspect_mapping(part, others, classes, length) is None, (start, length)


@pytest.mark.parametrize("pair", [("sky", "road"), ("building", "tree"), ("road", "car"), ("sky", "building")])
def test_real_labels_with_two_large_classes_swapped_are_suspected(
    camvid: tuple[ClassMap, Pixels, Pixels, int], pair: tuple[str, str]
) -> None:
    classes, shares, frames, _ = camvid
    i, j = (classes.names.index(name) for name in pair)
    swapped = frames.sum(axis=(0, 2))
    swapped[[i, j]] = swapped[[j, i]]
    assert suspect(swapped, shares, classes, len(frames)) == f"{pair[0]} and {pair[1]} look swapped"


def test_real_labels_in_another_order_are_suspected_even_if_they_are_few(
    camvid: tuple[ClassMap, Pixels, Pixels, int],
) -> None:
    classes, shares, frames, _ = camvid
    for start in range(0, len(frames) - 10, 20):
        pixels = frames[start : start + 10].sum(axis=(0, 2))
        raised, lowered = np.append(0, pixels[:-1]), np.append(pixels[1:], 0)
        assert "shifted" in (suspect(raised, shares, classes, 10) or "")
        assert "shifted" in (suspect(lowered, shares, classes, 10) or "")
        assert suspect(pixels[::-1], shares, classes, 10) == "the order of the classes looks reversed"


@pytest.mark.parametrize("pair", [("sky", "road"), ("building", "road"), ("sky", "building"), ("road", "car")])
def test_a_real_split_is_compared_with_another_without_known_shares(
    camvid: tuple[ClassMap, Pixels, Pixels, int], pair: tuple[str, str]
) -> None:
    classes, _, frames, in_train = camvid
    train, val = frames[:in_train].sum(axis=0), frames[in_train:].sum(axis=0)
    assert suspect_mapping(val, train, classes, 50) is None
    i, j = (classes.names.index(name) for name in pair)
    val[[i, j]] = val[[j, i]]
    found = suspect_mapping(val, train, classes, 50)
    assert found is not None
    assert found.reading == f"{pair[0]} and {pair[1]} look swapped"
