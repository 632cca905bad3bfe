"""What every registered modality fulfils, and that the checks find one that does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest

from segprep.datasets.codes import PlainCode
from segprep.datasets.errors import UnknownNameError, UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.program.values import at_least
from segprep.datasets.sample import Array, JsonDict, Mask, Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.conformance import MODALITY_CHECKS, ModalityCase, check_modality
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import ModalityMember, Scene
from segprep.prep.step import Input, Origin, Step

NAMES = MODALITIES.names()


@cache
def case_of(name: str) -> ModalityCase:
    return ModalityCase(name, MODALITIES.load(name))


def test_the_modalities_that_networks_are_trained_on_are_there() -> None:
    assert {"depth_filled", "hha", "jet", "normals", "evi", "evi2", "ndvi"} <= set(NAMES)
    with pytest.raises(UnknownNameError, match=r"modality called 'jets'.*hha, jet"):
        MODALITIES.load("jets")


@pytest.mark.parametrize("check", MODALITY_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_members_keep_what_they_promise(name: str, check: Callable[[ModalityCase], None]) -> None:
    check(case_of(name))


def test_the_checks_of_bad_input_find_members_to_check() -> None:
    assert {"depth", "camera", "nir"} <= {column for name in NAMES for column in case_of(name).reads}


# -- what the checks find ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Brightness:
    """A step of one grey column, to be spoiled."""

    spoiled: str = ""
    level: int = 0

    name: ClassVar[str] = "brightness"
    version: ClassVar[int] = 1

    @property
    def inputs(self) -> tuple[Input, ...]:
        return Input("image", Origin.COLUMN), Input("depth", Origin.COLUMN)

    @property
    def outputs(self) -> tuple[Column, ...]:
        name = "image" if self.spoiled == "name" else "brightness"
        return (Column(name, Kind.NIR, PlainCode(())),)

    @property
    def parameters(self) -> JsonDict:
        return {"level": np.inf if self.spoiled == "parameters" else self.level}

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        depth, valid = sample.arrays["depth"], sample.valid["depth"]
        if self.spoiled != "bad depth":
            _refuse(depth, valid)
        image = sample.arrays["image"]
        if self.spoiled == "changes":
            image[0, 0] ^= 1
        grey = image.mean(axis=2).astype(np.uint8)
        if self.spoiled == "still":
            grey[:] = 7
        if self.spoiled == "left":
            grey[:, 0] = 255
        if self.spoiled == "invalid":
            grey[0, 0] = 9 * np.isfinite(depth[~valid]).all()
        if self.spoiled == "grid":
            grey = grey[::2, ::2]
        if self.spoiled == "large":
            return {"brightness": Cell(grey * 100.0)}
        return {self.outputs[0].name: Cell(grey)}


def _refuse(depth: Array, valid: Mask) -> None:
    if not valid.any():
        raise UnreadableFileError("no pixel has a depth")
    if np.isnan(depth[valid]).any():
        raise UnreadableFileError("a pixel has a depth that is no number")
    if depth[valid].min() < 0:
        raise UnreadableFileError("a pixel has a depth below zero")


@dataclass(frozen=True)
class BrightnessArguments:
    level: int = option(0, accept=at_least(0), help="Added to each value.")


@dataclass(frozen=True)
class LooseArguments:
    level: Any = option(0, help="Anything.")


class Member(ModalityMember):
    """Grey values that need depth for nothing."""

    def __init__(self, spoiled: str = "") -> None:
        self._spoiled = spoiled
        self.Arguments = LooseArguments if spoiled == "options" else BrightnessArguments

    def build(self, arguments: BrightnessArguments | LooseArguments, scene: Scene) -> Step:
        return Brightness(self._spoiled, arguments.level if isinstance(arguments.level, int) else 0)


def test_a_good_modality_passes() -> None:
    check_modality(ModalityCase("brightness", Member()))


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        ("name", "there is no column brightness"),
        ("parameters", "the parameters are no JSON"),
        ("options", r"level = \{'a': 1\} must raise ConfigurationError, and was accepted"),
        ("grid", "the sample 128x256"),
        ("still", "brightness is the same everywhere"),
        ("large", "beyond its code's range|half a step"),
        ("changes", "was changed"),
        ("invalid", "where depth is invalid gives other files of brightness"),
        ("left", "of the mirrored street"),
        ("bad depth", "depth that is valid nowhere must raise SegprepError, and was accepted"),
    ],
)
def test_what_is_wrong_with_a_modality_is_said(spoiled: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_modality(ModalityCase("brightness", Member(spoiled)))
