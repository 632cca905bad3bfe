"""What tests of lists share: lists are written as texts, and records are told by their paths."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from segprep.datasets.codes import PlainCode, RawLabelCode
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.files import read_lists
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import SampleKey

__all__ = ["make_list", "make_pair", "paths_of", "read_text", "refusal"]


def make_list(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_text(folder: Path, name: str, text: str | bytes, columns: Sequence[str] | None = None) -> list[SampleRecord]:
    return read_lists([make_list(folder, name, text)], folder, columns)


def paths_of(records: Sequence[SampleRecord]) -> list[dict[str, str]]:
    return [{name: source.path for name, source in record.sources.items()} for record in records]


def make_pair(image: str, label: str, key: str = "k", split: str = "train") -> SampleRecord:
    return SampleRecord(
        SampleKey(key),
        split,
        {
            "image": SourceFile(image, Kind.IMAGE, PlainCode().to_json()),
            "label": SourceFile(label, Kind.LABEL, RawLabelCode().to_json()),
        },
    )


def refusal(folder: Path, *lists: tuple[str, str | bytes], columns: Sequence[str] | None = None) -> list[str]:
    """Return the lines of the error, with paths relative to the folder."""
    paths = [make_list(folder, name, text) for name, text in lists]
    with pytest.raises(UnreadableFileError) as caught:
        read_lists(paths, folder, columns)
    return str(caught.value).replace(f"{folder}/", "").splitlines()
