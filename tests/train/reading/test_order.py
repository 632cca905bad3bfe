"""Which samples a run sees, and when."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError
from segprep.train.reading.order import Order, Row
from support.properties import examples


@examples(30)
@given(samples=st.integers(1, 40), batch=st.integers(1, 7), seed=st.integers(0, 2**63 - 1))
def test_every_epoch_shows_every_sample_once_whatever_the_batch(samples: int, batch: int, seed: int) -> None:
    order = Order([samples], None, seed)
    drawn = [row for start in range(0, 3 * samples, batch) for row in order.rows(start, batch)]
    for epoch in range(3):
        part = drawn[epoch * samples : (epoch + 1) * samples]
        assert sorted(row.index for row in part) == list(range(samples))
        assert {(row.dataset, row.epoch) for row in part} == {(0, epoch)}


def test_the_order_changes_with_the_epoch_and_the_seed() -> None:
    orders = {
        tuple(r.index for r in Order([50], None, seed).rows(epoch * 50, 50)) for seed in (0, 1) for epoch in (0, 1)
    }
    assert len(orders) == 4


@examples(20)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    start=st.integers(0, 400),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_position_holds_the_same_row_wherever_one_begins(sizes: list[int], start: int, seed: int) -> None:
    walked = Order(sizes, None, seed).rows(0, start + 7)[start:]
    assert Order(sizes, None, seed).rows(start, 7) == walked


def test_each_data_set_is_gone_through_pass_by_pass_however_often_it_is_drawn() -> None:
    sizes = [5, 40, 11]
    own: dict[int, list[Row]] = collections.defaultdict(list)
    for row in Order(sizes, [3.0, 1.0, 2.0], 7).rows(0, 2000):
        own[row.dataset].append(row)
    for dataset, size in enumerate(sizes):
        for number in range(len(own[dataset]) // size):
            part = own[dataset][number * size : (number + 1) * size]
            assert sorted(row.index for row in part) == list(range(size))
            assert {row.epoch for row in part} == {number}


def test_data_sets_are_drawn_by_their_weights_else_by_their_sizes() -> None:
    def shares(weights: list[float] | None) -> list[float]:
        rows = Order([10, 30], weights, 3).rows(0, 4000)
        return [sum(row.dataset == d for row in rows) / len(rows) for d in (0, 1)]

    assert shares(None) == pytest.approx([0.25, 0.75], abs=0.03)
    assert shares([2.0, 1.0]) == pytest.approx([2 / 3, 1 / 3], abs=0.03)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -2.0], [1.0, 1.0, 1.0]])
def test_weights_that_make_no_sense_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="weights must be as many numbers above 0 as there are data sets, 2"):
        Order([3, 4], weights, 0)
