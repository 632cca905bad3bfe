"""The choice of a label method: what makes sense, what is refused, what of it makes a column stale."""

import json
from dataclasses import FrozenInstanceError
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError
from segprep.prep.labels.method import LabelMethod, least_weight


def test_the_default_is_the_plain_vote() -> None:
    method = LabelMethod()
    assert (method.name, method.threshold) == ("vote", 0)
    with pytest.raises(FrozenInstanceError):
        method.threshold = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "majority"}, r"no label method 'majority'.*vote, nearest, paris, priority"),
        ({"threshold": 1.01}, "threshold of label method vote is 1.01"),
        ({"threshold": -0.1}, "from 0 to 1"),
        ({"threshold": float("nan")}, "from 0 to 1"),
        ({"name": "priority", "priority": (1,), "share": 1.5}, "share of label method priority is 1.5"),
        ({"name": "nearest", "threshold": 0.5}, "nearest has no threshold"),
        ({"name": "priority", "priority": (1,), "share": 0.5, "threshold": 0.5}, "priority has no threshold"),
        ({"name": "priority"}, "needs ids and the share"),
        ({"name": "priority", "priority": (3,)}, "needs ids and the share"),
        ({"name": "priority", "share": 0.5}, "needs ids and the share"),
        ({"name": "priority", "priority": (3, 4, 3), "share": 0.5}, "name one twice"),
        ({"name": "vote", "priority": (3,)}, "vote knows no priority ids"),
        ({"name": "paris", "share": 0.5}, "paris knows no priority ids or share"),
        ({"void": 65536}, "names id 65536"),
        ({"name": "priority", "priority": (-1,), "share": 0.5}, "names id -1"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LabelMethod(**values)


def test_only_what_changes_the_result_stands_in_the_parameters() -> None:
    assert LabelMethod().to_json() == LabelMethod(void=0).to_json() == {"name": "vote"}
    assert LabelMethod("nearest", void=7).to_json() == {"name": "nearest"}
    assert LabelMethod(threshold=0.5).to_json() == {"name": "vote", "threshold": 0.5, "void": 255}
    # Even without a threshold PARIS's void does not compete.
    assert LabelMethod("paris", void=0).to_json() == {"name": "paris", "threshold": 0.0, "void": 0}
    thin = LabelMethod("priority", priority=(17, 5), share=0.2)
    assert json.loads(json.dumps(thin.to_json())) == {"name": "priority", "priority": [17, 5], "share": 0.2}


@given(tenths=st.integers(0, 1000), total=st.integers(1, 2**40))
def test_the_least_weight_takes_the_share_as_it_is_written(tenths: int, total: int) -> None:
    least = least_weight(tenths / 1000, total)
    assert least >= Fraction(tenths, 1000) * total > least - 1


def test_a_tenth_of_ten_is_one_although_the_float_is_more() -> None:
    assert Fraction(0.1) > Fraction(1, 10)
    assert least_weight(0.1, 10) == 1
    assert least_weight(1e-7, 10**7) == 1
