"""Lists give back what was written, to the last bit."""

import csv
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import DepthCode, IdCode, KittiFlowCode, LinearCode, PlainCode, RawLabelCode
from segprep.datasets.errors import ConfigurationError, UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.files import encode_list, read_lists, write_list
from segprep.datasets.record import Direction, Neighbour, SampleRecord, SourceFile
from segprep.datasets.sample import Camera, Pose, SampleKey, make_key
from segprep.datasets.synthetic import write_drive
from support.lists import make_pair
from support.properties import examples

# Backslashes and decomposed letters mean other spellings of files that do not exist; they have tests of their own.
_letters = st.characters(codec="utf-8", exclude_characters="/\\\0", exclude_categories=["Cc", "Cs"])
_awkward = st.sampled_from([" ", ",", '"', "'", "#", "[", "]", "ä", "ß", "道", "%", ";", "\ufeff", "\u2028", "\u00a0"])
_names = st.text(_letters | _awkward, min_size=1, max_size=12).map(lambda name: unicodedata.normalize("NFC", name))
_pairs = st.lists(st.tuples(_names, st.booleans()), min_size=1, max_size=6, unique_by=lambda x: make_key(x[0]).lower())


@examples(80)
@given(pairs=_pairs, suffix=st.sampled_from([".csv", ".jsonl", ".parquet"]), header=st.booleans())
def test_names_of_any_characters_come_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, bool]], suffix: str, header: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    records = [
        make_pair(f"{'im/' if deep else ''}{name}.png", f"l l/{name}.png", make_key(f"{name}"), "train")
        for name, deep in pairs
    ]
    columns = ("key", "label", "image", "split") if header and suffix == ".csv" else None
    path = folder / f"train{suffix}"
    path.write_bytes(encode_list(path, records, columns))
    read = read_lists([path], folder)
    assert [r.to_json() for r in read] == [r.to_json() for r in records]


@examples(60)
@given(_pairs)
def test_a_txt_holds_names_without_blanks_and_refuses_all_others_by_name(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, bool]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    records = [make_pair(f"{'im/' if d else ''}{n}.png", f"l/{n}.png", make_key(n)) for n, d in pairs]
    path = folder / "train.txt"
    awkward = [n for n, d in pairs if any(c.isspace() for c in n) or (not d and n[0] in '"#\ufeff')]
    if not awkward:
        write_list(path, records)
        assert [r.to_json() for r in read_lists([path], folder)] == [r.to_json() for r in records]
        return
    with pytest.raises(ConfigurationError, match=r"csv or \.jsonl") as caught:
        write_list(path, records)
    assert all(f"{name}.png" in str(caught.value) for name in awkward)


@examples(50)
@given(_pairs)
def test_the_standard_library_reads_the_csv_alike(pairs: list[tuple[str, bool]]) -> None:
    assume(not any("\u2028" in name for name, _ in pairs))
    records = [make_pair(f"{name}.png", f"l/{name}.png") for name, _ in pairs]
    text = encode_list(Path("t.csv"), records).decode()
    rows = list(csv.reader(text.split("\n")[:-1], skipinitialspace=True))
    assert rows == [[s.path for s in record.sources.values()] for record in records]


_numbers = st.floats(-1e6, 1e6, allow_nan=False)
_matrices = st.lists(st.lists(_numbers, min_size=4, max_size=4), min_size=4, max_size=4).map(np.array)
_cameras = st.builds(
    lambda f, c, b, m: Camera(np.array([[f, 0, c], [0, f, c], [0, 0, 1]]), 2048, 1024, b, m),
    _numbers,
    _numbers,
    st.none() | _numbers,
    st.none() | _matrices,
)
_sources: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"image": st.just((Kind.IMAGE, PlainCode()))},
    optional={
        "label": st.sampled_from([(Kind.LABEL, RawLabelCode()), (Kind.LABEL, IdCode(8))]),
        "depth": st.sampled_from([(Kind.DEPTH, DepthCode(1 / 256)), (Kind.DEPTH, DepthCode(0.005, far_code=False))]),
        "ndvi": st.just((Kind.INDEX, LinearCode(1 / 127, -128 / 127))),
        "previous": st.just((Kind.IMAGE, PlainCode(lossy=True))),
        "optical_flow": st.just((Kind.FLOW, KittiFlowCode())),
    },
)


@st.composite
def _records(draw: st.DrawFn) -> list[SampleRecord]:
    records = []
    for number in range(draw(st.integers(1, 4))):
        files = {n: SourceFile(f"{n}/ä {number}.png", k, c.to_json()) for n, (k, c) in draw(_sources).items()}
        near = Neighbour(Direction.PREVIOUS, number - 1, draw(_numbers), draw(st.none() | _matrices))
        records.append(
            SampleRecord(
                SampleKey(f"{draw(st.sampled_from(['a%20b', 'A', 'x.y']))}_{number}"),
                draw(st.sampled_from(["train", "val 2", "töst"])),
                files,
                draw(st.none() | st.just("aachen/0")),
                draw(st.none() | st.integers(0, 10**12)),
                draw(st.none() | _numbers),
                draw(st.none() | _cameras),
                draw(st.none() | _matrices.map(Pose)),
                near if "previous" in files else None,
            )
        )
    return records


@examples(40)
@given(records=_records(), suffix=st.sampled_from([".jsonl", ".parquet"]))
def test_whole_records_come_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, records: list[SampleRecord], suffix: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / f"everything{suffix}"
    path.write_bytes(encode_list(path, records))
    assert [r.to_json() for r in read_lists([path], folder)] == [r.to_json() for r in records]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_rendered_drive_goes_through_a_list_unchanged(tmp_path: Path, suffix: str) -> None:
    write_drive(tmp_path / "drive", splits={"train": 2, "val": 1}, width=32, height=16)
    records = list(CATALOG.load("synthetic").scan(DatasetSource(tmp_path / "drive"), Direction.NEXT))
    assert any(r.camera and r.pose and r.neighbour and r.neighbour.motion is not None for r in records)
    write_list(tmp_path / f"all{suffix}", records)
    read = read_lists([tmp_path / f"all{suffix}"], tmp_path / "drive")
    assert [r.to_json() for r in read] == [r.to_json() for r in records]


def test_a_parquet_has_plain_paths_and_reads_what_other_tools_wrote(tmp_path: Path) -> None:
    record = replace(make_pair("ä/1.png", "l/1.png", "one"), frame=7, time=0.5)
    write_list(tmp_path / "t.parquet", [record, make_pair("ä/2.png", "l/2.png", "two")])
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pydict()
    assert table["image"] == ["ä/1.png", "ä/2.png"]
    assert (table["key"], table["split"]) == (["one", "two"], ["train", "train"])
    assert (table["frame"], table["time"]) == ([7, None], [0.5, None])
    foreign = {
        "image": ["a.png", "b.png"],
        "depth": ["d.png", None],
        "frame": [3.0, float("nan")],
        "codes": [None, "{}"],
    }
    pyarrow.parquet.write_table(pyarrow.table(foreign), tmp_path / "val.parquet")
    first, second = read_lists([tmp_path / "val.parquet"], tmp_path)
    assert (first.key, first.split, first.frame, set(first.sources)) == ("a", "val", 3, {"image", "depth"})
    assert (second.frame, set(second.sources)) == (None, {"image"})
    pyarrow.parquet.write_table(
        pyarrow.table({"image": ["a.png", "b.png"], "pose": ["[[1", "3"]}), tmp_path / "x.parquet"
    )
    with pytest.raises(UnreadableFileError, match=r"x.parquet row 1: Expecting(.|\n)*x.parquet row 2: camera, pose"):
        read_lists([tmp_path / "x.parquet"], tmp_path)


def test_without_pyarrow_the_command_that_brings_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_list(tmp_path / "t.parquet", [make_pair("a.png", "b.png")])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'segprep\[parquet\]'"):
        read_lists([tmp_path / "t.parquet"], tmp_path)
    with pytest.raises(ConfigurationError, match=r"pip install 'segprep\[parquet\]'"):
        encode_list(tmp_path / "t.parquet", [make_pair("a.png", "b.png")])
