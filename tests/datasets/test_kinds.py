"""The table of kinds is complete and says what the field expects."""

import pytest

from segprep.datasets.kinds import IGNORE_ID, RULES, Flip, Kind, Resampling, Scaling, rule


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.CAMERA, Kind.POINTS}))
def test_every_kind_of_array_has_a_rule(kind: Kind) -> None:
    found = rule(kind)
    assert found.resampling in Resampling
    assert found.flip in Flip
    assert found.scaling in Scaling


def test_a_camera_is_refused_with_the_way_to_do_it() -> None:
    with pytest.raises(ValueError, match=r"Camera\.transformed"):
        rule(Kind.CAMERA)
    with pytest.raises(ValueError, match="project them"):
        rule(Kind.POINTS)
    assert set(RULES) == set(Kind) - {Kind.CAMERA, Kind.POINTS}


def test_ids_are_never_mixed_and_unreached_labels_are_ignored() -> None:
    for kind in (Kind.LABEL, Kind.INSTANCE, Kind.MASK):
        assert rule(kind).resampling is Resampling.VOTE
    assert rule(Kind.LABEL).fill == IGNORE_ID == 255
    assert rule(Kind.INSTANCE).fill == 0


def test_values_in_pixels_scale_with_the_image_and_others_do_not() -> None:
    scaled = {kind: found.scaling for kind, found in RULES.items() if found.scaling is not Scaling.UNCHANGED}
    assert scaled == {Kind.DISPARITY: Scaling.BY_X, Kind.FLOW: Scaling.BY_XY}


def test_directions_turn_round_in_a_mirror() -> None:
    turned = {kind for kind, found in RULES.items() if found.flip is Flip.NEGATE_FIRST}
    assert turned == {Kind.FLOW, Kind.NORMALS}


def test_exactly_the_kinds_that_are_averaged_over_valid_places_or_drawn_from_such_have_masks() -> None:
    for kind, found in RULES.items():
        assert found.masked == (found.resampling in (Resampling.VALID_AREA, Resampling.NEVER)), kind
