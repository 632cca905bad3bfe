"""The checks for authors of plug-ins find what is wrong with a dataset or a code, and say it."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from segprep.datasets.catalog import camvid
from segprep.datasets.catalog._member import DatasetMember, DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import Code, DepthCode, Encoded, IdCode, LinearCode
from segprep.datasets.conformance import CODE_CHECKS, FRAMES, check_code, check_dataset, refusal
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array, JsonDict, Mask, SampleKey

GOOD = LinearCode(1 / 127, -1.0)


class Member(DatasetMember):
    """CamVid, to be spoiled.

    Args:
        rendered: Its miniature, which takes a second to render.
    """

    SPEC: DatasetSpec = camvid.SPEC

    def __init__(self, rendered: Path) -> None:
        self.rendered = rendered

    def class_map(self, source: DatasetSource) -> ClassMap:
        return camvid.class_map(source)

    def scan(self, source: DatasetSource, direction: Direction) -> Iterable[SampleRecord]:
        return camvid.scan(source, direction)

    def write_miniature(self, root: Path, frames: int) -> None:
        shutil.copytree(self.rendered, root)


class Untitled(Member):
    SPEC = replace(camvid.SPEC, title="")


class Unpromised(Member):
    SPEC = replace(camvid.SPEC, columns=("image", "previous", "next"))


class OneKey(Member):
    def scan(self, source: DatasetSource, direction: Direction) -> Iterable[SampleRecord]:
        return [replace(record, key=SampleKey("frame")) for record in camvid.scan(source, direction)]


class UnsafeKeys(Member):
    def scan(self, source: DatasetSource, direction: Direction) -> Iterable[SampleRecord]:
        return [replace(r, key=SampleKey(f"a:{r.key}")) for r in camvid.scan(source, direction)]


class OneSplit(Member):
    def scan(self, source: DatasetSource, direction: Direction) -> Iterable[SampleRecord]:
        return [replace(record, split="train") for record in camvid.scan(source, direction)]


class OtherWay(Member):
    def scan(self, source: DatasetSource, direction: Direction) -> Iterable[SampleRecord]:
        return camvid.scan(source, Direction.NEXT)


class TooFar(Member):
    SPEC = replace(camvid.SPEC, max_gap=0.001)


class OneFrameLess(Member):
    def write_miniature(self, root: Path, frames: int) -> None:
        super().write_miniature(root, frames)
        image = next((root / "train").iterdir())
        image.unlink()
        (root / "trainannot" / image.name).unlink()


class TakesEverything(Member):
    def class_map(self, source: DatasetSource) -> ClassMap:
        if (source.root / "train").is_dir():
            return camvid.class_map(source)
        return ClassMap((SemanticClass("any", (0, 0, 0), (0,)),), ())


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kits") / "camvid"
    camvid.write_miniature(root, FRAMES)
    return root


def test_a_good_dataset_passes(rendered: Path, tmp_path: Path) -> None:
    check_dataset(Member(rendered), tmp_path / "root")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (Untitled, "SPEC.title is empty"),
        (Unpromised, "SPEC.columns does not promise this column"),
        (OneKey, "two samples have one key"),
        (UnsafeKeys, "not every system takes these keys"),
        (OneSplit, "no second split"),
        (OtherWay, "asked for previous, got next|neighbour"),
        (TooFar, "s away"),
        (OneFrameLess, "5 samples in place of 6"),
        (TakesEverything, "class_map of a folder of something else must raise DatasetNotFoundError, and was accepted"),
    ],
)
def test_what_is_wrong_with_a_dataset_is_said(
    member: type[Member], message: str, rendered: Path, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_dataset(member(rendered), tmp_path / "root")


@dataclass(frozen=True)
class Spoiled:
    """A code whose parts can be spoiled one by one."""

    spoiled: str

    name = GOOD.name
    extension = GOOD.extension
    channels = GOOD.channels
    dtype = GOOD.dtype
    scale = GOOD.scale
    mask = GOOD.mask

    @property
    def offset(self) -> tuple[float, ...]:
        return (5.0,) if self.spoiled == "scale" else GOOD.offset

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        if self.spoiled == "numbers":
            values = np.nan_to_num(values)
        if self.spoiled == "shapes" and values.ndim == 3:
            values = values[..., 0]
        encoded = GOOD.encode(values, valid)
        return replace(encoded, stored=encoded.stored ^ 1) if self.spoiled == "round trip" else encoded

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        return GOOD.decode(stored, valid)

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        return GOOD.to_file(stored // 2 if self.spoiled == "files" else stored, valid)

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        return GOOD.from_file(picture)

    def to_json(self) -> JsonDict:
        return GOOD.to_json()


@pytest.mark.parametrize("code", [IdCode(), DepthCode(), GOOD], ids=repr)
def test_a_good_code_passes(code: Code) -> None:
    check_code(code)


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        ("json", "comes back from JSON as another code"),
        ("round trip", "encoded as something else|encoding again"),
        ("files", "the file holds other integers"),
        ("scale", r"not stored \* scale \+ offset"),
        ("shapes", "array of five channels must raise CodeRangeError"),
        ("numbers", "a valid pixel that is NaN must raise CodeRangeError, and was accepted"),
    ],
)
def test_what_is_wrong_with_a_code_is_said(spoiled: str, message: str) -> None:
    code = cast(Code, Spoiled(spoiled))
    (check,) = (each for each in CODE_CHECKS if each.__name__ == f"check_{spoiled.replace(' ', '_')}")
    with pytest.raises(AssertionError, match=message):
        check(code, (5, 6), 0)


def test_the_message_of_a_refusal_is_returned_and_other_errors_pass_through() -> None:
    def fail() -> None:
        raise ConfigurationError("seven is too many")

    assert refusal(ConfigurationError, fail) == "seven is too many"
    with pytest.raises(ConfigurationError):
        refusal(KeyError, fail)
    with pytest.raises(AssertionError, match="nothing must raise KeyError or ValueError, and was accepted"):
        refusal((KeyError, ValueError), lambda: None, "nothing")
