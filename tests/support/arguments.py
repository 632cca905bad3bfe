"""A class of arguments with every kind of option, for tests of typed tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Literal

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import Place, option
from segprep.datasets.program.values import above, at_least, finite, parse_size, within

__all__ = ["PREP_TOML", "Arguments", "Inner", "Way"]

PREP_TOML = Place("prep.toml", ("defaults", "flow"))


class Way(StrEnum):
    NEAR = "near"
    FAR = "far"


@dataclass(frozen=True, slots=True)
class Inner:
    lr: float = option(0.1, accept=above(0))
    names: tuple[str, ...] = ("a",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    alternatives: ClassVar = (("factor",), ("size",))
    details: ClassVar[Mapping[str, tuple[str, ...]]] = {"method": ("share", "ids")}

    factor: int | None = option(None, accept=at_least(1), help="Divide by N.", metavar="N")
    size: tuple[int, int] | None = option(None, read=parse_size, metavar="WxH", help="Make it this size.")
    method: Literal["vote", "nearest"] = option("vote", help="Which one.")
    share: float | None = option(None, accept=within(0, 1), unsaid="0 with vote", help="Of the pixel.")
    ids: tuple[int, ...] = ()
    scale: float = option(6.4, accept=above(0), help="Grey levels.", metavar="S")
    kept: int | float | None = None
    check: bool = option(True, help="Both ways.")
    way: Way = option(Way.NEAR, help="Where | to.")
    bits: Literal[8, 16] = 8
    gravity: Literal["estimate"] | tuple[float, float, float] = option("estimate", accept=None)
    span: tuple[float, float] | None = option(None, accept=finite("two finite numbers"))
    experts: Mapping[str, str] = option({})
    column: str = option("depth", values="column")
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.column == "sky":
            raise ConfigurationError("the sky has no depth")
