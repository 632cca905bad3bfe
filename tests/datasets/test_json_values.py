"""Dataclasses as JSON and back."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segprep.datasets.json_values import as_json, is_number, json_of, of_json
from segprep.datasets.sample import Matrix


class _Side(StrEnum):
    LEFT = "left"


@dataclass(frozen=True)
class _Wheel:
    side: _Side
    spokes: int | None = None


@dataclass(frozen=True)
class _Spelt:
    """Has a JSON form of its own."""

    letters: str

    def to_json(self) -> list[str]:
        return list(self.letters)

    @classmethod
    def from_json(cls, letters: list[str]) -> "_Spelt":
        return cls("".join(letters))


@dataclass(frozen=True, eq=False)
class _Cart:
    name: _Spelt
    wheels: tuple[_Wheel, ...]
    spare: _Wheel | None = None
    by_place: Mapping[str, _Wheel] = field(default_factory=dict)
    loads: Mapping[str, float] = field(default_factory=dict)
    turned: Matrix | None = None
    rest: dict[str, Any] = field(default_factory=dict)


_CART = _Cart(
    _Spelt("ab"),
    (_Wheel(_Side.LEFT, 3), _Wheel(_Side.LEFT)),
    by_place={"back": _Wheel(_Side.LEFT, 1)},
    loads={"hay": 0.1},
    turned=np.array([[0.1, -1.0]]),
    rest={"a": [1, {"b": None}]},
)
_JSON = {
    "name": ["a", "b"],
    "wheels": [{"side": "left", "spokes": 3}, {"side": "left", "spokes": None}],
    "spare": None,
    "by_place": {"back": {"side": "left", "spokes": 1}},
    "loads": {"hay": 0.1},
    "turned": [[0.1, -1.0]],
    "rest": {"a": [1, {"b": None}]},
}


def test_a_dataclass_becomes_an_object_with_its_fields_in_their_order() -> None:
    assert json.dumps(json_of(_CART)) == json.dumps(_JSON)


def test_it_comes_back_as_it_was() -> None:
    again = of_json(_Cart, json.loads(json.dumps(json_of(_CART))))
    assert (again.name, again.wheels, again.spare) == (_CART.name, _CART.wheels, None)
    assert (again.by_place, again.loads, again.rest) == (_CART.by_place, _CART.loads, _CART.rest)
    assert isinstance(again.wheels[0].side, _Side)
    assert again.turned is not None
    assert again.turned.dtype == np.float64
    np.testing.assert_array_equal(again.turned, [[0.1, -1.0]])


def test_further_keys_are_let_pass_and_missing_ones_named() -> None:
    assert of_json(_Wheel, {"side": "left", "spokes": 2, "tyre": 1}) == _Wheel(_Side.LEFT, 2)
    with pytest.raises(KeyError, match="spokes"):
        of_json(_Wheel, {"side": "left"})


@pytest.mark.parametrize(
    "wrong", [{"by_place": [1]}, {"wheels": 3}, {"spare": 4}, {"spare": {"side": "up", "spokes": 1}}]
)
def test_values_of_another_shape_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        of_json(_Cart, _JSON | wrong)


def test_values_that_json_has_not_become_some_that_it_has() -> None:
    assert as_json(Path("a/b")) == "a/b"
    assert as_json({"a": (1, _Side.LEFT)}) == {"a": [1, "left"]}
    assert type(as_json(Counter("aa"))) is dict
    assert as_json(_Wheel(_Side.LEFT)) == {"side": "left", "spokes": None}
    assert as_json(_Spelt("ab")) == ["a", "b"]


def test_numbers_are_finite_and_no_booleans() -> None:
    assert [is_number(v) for v in (1, 1.5, -2)] == [True] * 3
    assert [is_number(v) for v in (True, math.nan, math.inf, 10**400, "1", None)] == [False] * 6
