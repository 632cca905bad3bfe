"""What tests of lists share: lists are written as texts, and records are told by their paths."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from segprep.datasets.codes import PlainCode, RawLabelCode
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.files import read_lists
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import SampleKey

MakeList = Callable[[Path, str, str | bytes], Path]
ReadText = Callable[..., list[SampleRecord]]
PathsOf = Callable[[Sequence[SampleRecord]], list[dict[str, str]]]
MakePair = Callable[..., SampleRecord]
Refusal = Callable[..., list[str]]


def _list(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _read(folder: Path, name: str, text: str | bytes, columns: Sequence[str] | None = None) -> list[SampleRecord]:
    return read_lists([_list(folder, name, text)], folder, columns)


def _paths(records: Sequence[SampleRecord]) -> list[dict[str, str]]:
    return [{name: source.path for name, source in record.sources.items()} for record in records]


def _pair(image: str, label: str, key: str = "k", split: str = "train") -> SampleRecord:
    return SampleRecord(
        SampleKey(key),
        split,
        {
            "image": SourceFile(image, Kind.IMAGE, PlainCode().to_json()),
            "label": SourceFile(label, Kind.LABEL, RawLabelCode().to_json()),
        },
    )


def _refusal(folder: Path, *lists: tuple[str, str | bytes], columns: Sequence[str] | None = None) -> list[str]:
    """Return the lines of the error, with paths relative to the folder."""
    paths = [_list(folder, name, text) for name, text in lists]
    with pytest.raises(UnreadableFileError) as caught:
        read_lists(paths, folder, columns)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


@pytest.fixture(scope="session")
def make_list() -> MakeList:
    """Write a list, text or bytes: `make_list(folder, "train.csv", text)`."""
    return _list


@pytest.fixture(scope="session")
def read_text() -> ReadText:
    """Write a list and read it: `read_text(folder, "train.csv", text, columns)`."""
    return _read


@pytest.fixture(scope="session")
def paths_of() -> PathsOf:
    """Return the paths of records by column."""
    return _paths


@pytest.fixture(scope="session")
def make_pair() -> MakePair:
    """Make the record of an image and a label: `make_pair(image, label, key, split)`."""
    return _pair


@pytest.fixture(scope="session")
def refusal() -> Refusal:
    """Return the lines of the error with which lists are refused, with paths relative to the folder."""
    return _refusal
