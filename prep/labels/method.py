"""How ids are resampled: the choice and its parameters."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import JsonDict

__all__ = ["LabelMethod", "LabelMethodName", "least_weight"]

LabelMethodName = Literal["vote", "nearest", "paris", "priority"]

_MAX_ID = 2**16 - 1


@dataclass(frozen=True, slots=True)
class LabelMethod:
    """How ids, which cannot be averaged, get to another size.

    Attributes:
        name: "vote" takes the id that covers most of each target pixel, "nearest" the one at its exact centre,
            "priority" lets listed ids win from a given share on and votes elsewhere, "paris" gives what PARIS's
            `soft_resize_labels` gives.
        threshold: For "vote" and "paris": the share in 0..1 below which a winner gives way to `void`. PARIS's is 0.75.
        void: The id that a pixel gets below the threshold; with "paris" also the id that is no competitor.
        priority: For "priority": the ids that win from `share` on, strongest first.
        share: For "priority": the share in 0..1 of a target pixel that such an id must cover.

    Raises:
        ConfigurationError: If a value is out of range, is missing or has no meaning for the method.
    """

    name: LabelMethodName = "vote"
    threshold: float = 0.0
    void: int = 255
    priority: tuple[int, ...] = ()
    share: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(LabelMethodName):
            known = ", ".join(get_args(LabelMethodName))
            raise ConfigurationError(f"there is no label method {self.name!r}: choose one of {known}")
        for what, value in (("threshold", self.threshold), ("share", self.share)):
            if not 0 <= value <= 1:
                raise ConfigurationError(f"the {what} of label method {self.name} is {value}: give a share from 0 to 1")
        for id_ in (self.void, *self.priority):
            if not 0 <= id_ <= _MAX_ID:
                raise ConfigurationError(f"label method {self.name} names id {id_}: ids are 0 to {_MAX_ID}")
        if self.threshold and self.name not in ("vote", "paris"):
            raise ConfigurationError(f"label method {self.name} has no threshold: omit it, or use vote or paris")
        if self.name == "priority":
            if not self.priority or not self.share:
                raise ConfigurationError("label method priority needs ids and the share, above 0, from which they win")
            if len(set(self.priority)) < len(self.priority):
                raise ConfigurationError(f"the priority ids {list(self.priority)} name one twice: each has one rank")
        elif self.priority or self.share:
            raise ConfigurationError(f"label method {self.name} knows no priority ids or share: use method priority")

    def to_json(self) -> JsonDict:
        """Return the name and those parameters that change its result."""
        values: JsonDict = {"name": self.name}
        if self.name == "priority":
            values |= {"priority": list(self.priority), "share": self.share}
        if self.name == "paris" or self.threshold:
            values |= {"threshold": self.threshold, "void": self.void}
        return values


def least_weight(share: float, total: int) -> int:
    """Return the smallest whole weight that is at least this share of the total, the share taken as it is written.

    0.7 of 10 is 7. The float nearest to 0.1 is a little more than a tenth; of 10 this still gives 1.
    """
    exact = Fraction(str(float(share))) * total
    return -(-exact.numerator // exact.denominator)
