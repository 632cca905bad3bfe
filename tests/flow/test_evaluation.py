"""Errors over many fields: all their pixels together, not the mean of means."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import SizeMismatchError
from segprep.flow.evaluation import evaluate_pairs
from segprep.flow.field import FlowField
from segprep.flow.metrics import flow_errors
from support.properties import examples

Pair = tuple[str, FlowField, FlowField]


def pair(name: str, seed: int, shape: tuple[int, int], spread: float, share: float = 0.7) -> Pair:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 20, (*shape, 2))
    estimate = truth + spread * rng.standard_cauchy((*shape, 2)).clip(-1e3, 1e3)
    masks = rng.random((2, *shape)) < share
    return (
        name,
        FlowField(estimate.astype(np.float32), masks[0]),
        FlowField(truth.astype(np.float32), masks[1]),
    )


def side_by_side(pairs: list[Pair]) -> tuple[FlowField, FlowField]:
    """All pixels of all pairs as one field of one row."""
    estimate, truth = (
        FlowField(
            np.concatenate([each[i].uv.reshape(1, -1, 2) for each in pairs], axis=1),  # type: ignore[union-attr]
            np.concatenate([each[i].valid.reshape(1, -1) for each in pairs], axis=1),  # type: ignore[union-attr]
        )
        for i in (1, 2)
    )
    return estimate, truth


@given(
    sizes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=5),
    seed=st.integers(0, 999),
    spread=st.sampled_from([1e-3, 0.1, 3.0]),
)
@examples(50)
def test_the_pooled_figures_are_those_of_all_pixels_in_one_field(
    sizes: list[tuple[int, int]], seed: int, spread: float
) -> None:
    pairs = [pair(str(i), seed + i, shape, spread) for i, shape in enumerate(sizes)]
    expected = flow_errors(*side_by_side(pairs)).to_json()
    evaluation = evaluate_pairs(pairs)
    found = evaluation.pooled.to_json()
    assert found["pixels"] == expected["pixels"]
    assert found["known_pixels"] == expected["known_pixels"]
    for name, value in expected.items():
        if value is None:
            assert found[name] is None
        else:
            loose = name == "epe_median"
            assert found[name] == pytest.approx(value, rel=1e-3 if loose else 1e-9, abs=1e-4 if loose else 1e-12), name
    assert [(name, errors.to_json()) for name, errors in evaluation.fields] == [
        (name, flow_errors(estimate, truth).to_json()) for name, estimate, truth in pairs
    ]


def constant(name: str, error: float, count: int) -> Pair:
    truth = FlowField(np.zeros((1, count, 2), np.float32), np.ones((1, count), np.bool_))
    return name, FlowField(truth.uv + np.array([error, 0], np.float32), truth.valid), truth


def test_a_field_counts_by_its_pixels() -> None:
    pooled = evaluate_pairs([constant("large", 0.5, 300), constant("small", 8.0, 100)]).pooled
    assert pooled.epe_mean == pytest.approx((300 * 0.5 + 100 * 8) / 400)
    assert pooled.epe_median == pytest.approx(0.5, rel=1e-3)
    assert pooled.over_5px == pooled.fl_all == 0.25


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle() -> None:
    assert evaluate_pairs([constant("a", 1.0, 2), constant("b", 3.0, 2)]).pooled.epe_median == pytest.approx(
        2, rel=1e-3
    )
    assert evaluate_pairs([constant("a", 1.0, 2), constant("b", 3.0, 3)]).pooled.epe_median == pytest.approx(
        3, rel=1e-3
    )


@pytest.mark.parametrize("error", [0.0, 1e-6, 2.0**-14, 0.01, 1.0, 1e6, 1e9])
def test_errors_of_any_size_have_a_median(error: float) -> None:
    found = evaluate_pairs([constant("a", error, 5)]).pooled.epe_median
    assert found == pytest.approx(error, rel=1e-3, abs=2.0**-14)


def test_fields_without_a_truth_change_nothing_and_nothing_at_all_has_no_error() -> None:
    known = constant("a", 2.0, 10)
    unknown = ("b", known[1], FlowField(known[2].uv, np.zeros((1, 10), np.bool_)))
    assert evaluate_pairs([known, unknown]).pooled == evaluate_pairs([known]).pooled
    for pairs in ([unknown], []):
        pooled = evaluate_pairs(pairs).pooled
        assert pooled.pixels == 0
        assert math.isnan(pooled.epe_mean)
        assert math.isnan(pooled.epe_median)
        assert math.isnan(pooled.coverage)


def test_the_result_is_plain_json_with_one_entry_per_field() -> None:
    evaluation = evaluate_pairs([constant("a", 2.0, 10), ("b", *constant("b", 1.0, 5)[1:])])
    data = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert [entry["key"] for entry in data["fields"]] == ["a", "b"]
    assert data["fields"][1]["epe_mean"] == 1
    assert data["pooled"]["pixels"] == 15


def test_a_pair_of_different_sizes_is_named() -> None:
    small, large = constant("a", 1.0, 3), constant("a", 1.0, 4)
    with pytest.raises(SizeMismatchError, match="val_000017"):
        evaluate_pairs([("val_000017", small[1], large[2])])
