"""The registry of facts: what cells say of a column, and from where on it is a warning."""

import pytest

from segprep.datasets.sample import JsonDict, SampleKey
from segprep.workflows.ledger.figures import FIGURES, ColumnFigures
from segprep.workflows.ledger.rows import CellRow, CellState

LENGTHS = {"valid": 0.5, "median": 0.2, "p95": 1.5, "longest": 30.0}
SUBTRACTED = {"column optical_flow": "a", "column ego_flow": "b"}


def said(column: str, *facts: JsonDict, inputs: dict[str, str] | None = None) -> ColumnFigures:
    found = ColumnFigures(column)
    for index, each in enumerate(facts):
        row = CellRow(SampleKey(f"k{index}"), column, CellState.DONE, "f", {}, inputs or {}, facts=each)
        found.add(row)
    return found


def test_names_are_unique_and_every_text_can_be_written() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    for figure in FIGURES:
        assert bool(figure.warning) == (figure.least is not None or figure.most is not None), figure.name
        for text in (figure.headline, figure.warning):
            text.format(value=0.5, count=1, cells=2)


def test_cells_that_are_not_done_and_columns_without_facts_say_nothing() -> None:
    found = ColumnFigures("flow")
    found.add(CellRow(SampleKey("a"), "flow", CellState.FAILED, "f", {}, {}, facts={"clipped": 3}))
    assert found.cells == 0
    assert found.figures() == said("image", {"shape": [4, 6, 3], "source_size": [6, 4]}).figures() == {}
    assert found.headlines() == found.warnings() == []


def test_a_motion_image_tells_its_lengths_and_what_is_clipped_of_the_valid_pixels() -> None:
    facts = {"shape": [10, 20, 3], "length_px": LENGTHS}
    found = said("flow", facts, facts | {"clipped": 1}, inputs=SUBTRACTED)
    figures = found.figures()
    assert (figures["median_px"], figures["p95_px"], figures["longest_px"]) == (0.2, 1.5, 30.0)
    assert figures["clipped_share"] == 0.005
    assert figures["clipped_pixels"] == 1
    assert "half of the pixels move less than 0.20 px (middle sample)" in found.headlines()
    assert found.warnings() == [
        "vectors are up to 1.3 times as long as the picture: are they in pixels of this size?",
        "1 pixels were clipped to the range of its code",
    ]


@pytest.mark.parametrize(
    ("column", "facts", "warning"),
    [
        (
            "flow",
            {"shape": [480, 640, 3], "length_px": LENGTHS},
            "1 of 1 cells hold optical flow from which",
        ),
        ("flow", {"shape": [10, 20, 3], "length_px": {"valid": 1}, "clipped": 30}, "15.0% of the pixels are clipped"),
        ("depth", {"shape": [10, 20], "valid_share": 0.5, "clipped": 30}, "30.0% of the pixels are clipped"),
        ("depth", {"shape": [10, 20], "valid_share": 0.002}, "only 0.20% of the pixels have a depth"),
        ("hha", {"shape": [10, 20, 3], "valid_share": 0.03}, "only 3.0% of the pixels are valid"),
        ("hha", {"share_without_normal": 0.7}, "70% of the pixels show no surface"),
        ("hha", {"floor_seen": False}, "the floor is seen in 0 of 1 samples"),
        ("ego_flow", {"inlier_share": 0.4}, "only 40% of the pixels agree"),
        ("evi", {"guarded": 0.8}, "80% of the pixels have no value"),
        ("evi", {"out_of_range": 0.4}, "40% of the values lay outside -1 to 1"),
        ("ndvi", {"brightest": {"nir": 0.06, "red": 0.9}}, "the brightest reflectance of a band is 0.060"),
        ("depth_filled", {"filled": 0.96, "measured": 0.04}, "96% of the pixels were filled in"),
        (
            "motion_label",
            {"things": {"moving": 0, "static": 0, "unknown": 9}},
            "of only 0% of the things",
        ),
        ("motion_label", {"background_px": 3.2}, "what cannot move is left with 3.2 px"),
    ],
)
def test_what_degrades_a_column_is_a_warning(column: str, facts: JsonDict, warning: str) -> None:
    assert [text for text in said(column, facts).warnings() if text.startswith(warning)]


def test_ego_flow_that_does_not_fit_is_a_warning_only_where_it_was_subtracted() -> None:
    facts = {"shape": [480, 640, 3], "length_px": LENGTHS | {"median": 8.0}}
    (warning,) = said("flow", facts, inputs=SUBTRACTED).warnings()
    assert "half of the pixels still move by more than 8.0 px" in warning
    (warning,) = said("flow", facts).warnings()
    assert "is not subtracted" in warning
    assert said("raw_flow", facts).warnings() == [], "it was asked for"


def test_given_flow_in_shares_of_the_picture_hardly_moves() -> None:
    lengths = LENGTHS | {"median": 0.0003, "p95": 0.004, "longest": 0.03}
    warnings = said("flow", {"shape": [480, 640, 3], "length_px": lengths}).warnings()
    assert "is given flow in pixels, and not in shares of the picture's size?" in warnings[-1]


def test_good_cells_have_no_warning() -> None:
    good: dict[str, JsonDict] = {
        "ego_flow": {"inlier_share": 0.92, "valid_share": 0.9},
        "hha": {"share_without_normal": 0.01, "floor_seen": True, "valid_share": 0.8},
        "evi": {"guarded": 0.2, "out_of_range": 0.06, "brightest": {"nir": 0.8}, "valid_share": 0.8},
        "depth": {"valid_share": 0.05, "range_m": {"low": 2.0, "median": 9.0, "high": 70.0}},
        "motion_label": {"things": {"moving": 2, "static": 4, "unknown": 25}, "background_px": 0.2},
        "depth_filled": {"filled": 0.2, "measured": 0.8},
    }
    for column, facts in good.items():
        assert said(column, {"shape": [10, 20]} | facts).warnings() == [], column
    assert said("depth", good["depth"]).headlines() == ["nearest 2 m", "farthest 70 m (1st and 99th percentile)"]
