"""Writing lists, and finding those that lie in a folder."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.files import encode_list, find_lists, only_columns, read_lists, write_list
from segprep.datasets.record import Direction, Neighbour, SourceFile
from segprep.datasets.sample import Camera, Pose, SampleKey
from support.lists import make_list, make_pair, paths_of

FORMATS = (".csv", ".txt", ".jsonl", ".parquet")


def test_a_csv_of_other_columns_has_a_header_that_is_read_back(tmp_path: Path) -> None:
    record = make_pair("a.png", "l.png", "own", "val")
    full = replace(record, sources={**record.sources, "jet": SourceFile("j,1.png", Kind.CODED, {})})
    text = encode_list(
        tmp_path / "t.csv", [full, replace(record, key=SampleKey("2"))], ("split", "image", "jet", "key")
    )
    assert text.decode() == 'split,image,jet,key\nval,a.png,"j,1.png",own\nval,a.png,,2\n'
    write_list(tmp_path / "one.csv", [record], ("image",))
    assert (tmp_path / "one.csv").read_text() == "image\na.png\n"
    assert paths_of(read_lists([tmp_path / "one.csv"], tmp_path)) == [{"image": "a.png"}]


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("t.txt", ("image", "depth"), "last entry of a .txt list is the label"),
        ("t.txt", ("image", "label", "key"), "neither keys nor splits"),
        ("t.txt", ("image", "nir", "label"), "1 names lack a column"),
        ("t.csv", ("label",), "no column image"),
        ("t.csv", ("image", "camera"), "camera is no file"),
        ("t.csv", ("image", "image"), "column image stands twice"),
        ("t.jsonl", ("label", "camera"), "no column image"),
        ("t.xml", None, "lists end in"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(name: str, columns: tuple[str, ...] | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        encode_list(Path(name), [make_pair("a.png", "b.png")], columns)


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_is_no_list(suffix: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no sample to list"):
        encode_list(Path(f"t{suffix}"), [])


def test_line_breaks_in_names_need_another_format(tmp_path: Path) -> None:
    record = make_pair("a\nb.png", "l.png", "k")
    with pytest.raises(ConfigurationError, match=r"1 names hold line breaks; write .jsonl or .parquet:\n  a\nb.png"):
        encode_list(tmp_path / "t.csv", [record])
    write_list(tmp_path / "t.jsonl", [record])
    assert paths_of(read_lists([tmp_path / "t.jsonl"], tmp_path))[0]["image"] == "a\nb.png"


def test_only_some_columns_of_a_record_leave_no_half_of_camera_or_neighbour() -> None:
    camera = Camera(np.eye(3), 4, 4)
    near = Neighbour(Direction.PREVIOUS, 1, -0.1)
    pair = make_pair("a.png", "b.png")
    full = replace(pair, sources={**pair.sources, "previous": pair.sources["image"]}, camera=camera, neighbour=near)
    full = replace(full, pose=Pose(np.eye(4)))
    assert only_columns(full, None) is full
    bare = only_columns(full, ("image", "label"))
    assert (set(bare.sources), bare.camera, bare.pose, bare.neighbour) == ({"image", "label"}, None, None, None)
    kept = only_columns(full, ("image", "camera", "previous"))
    assert (set(kept.sources), kept.camera, kept.neighbour) == ({"image", "previous"}, camera, near)
    assert kept.pose is full.pose


def test_lists_are_found_by_what_they_say_and_other_texts_are_not(tmp_path: Path) -> None:
    make_list(tmp_path, "README.txt", "Frames of a drive.\n")
    make_list(tmp_path, "weights.csv", "0.1,0.2,0.3\n")
    make_list(tmp_path, "log.jsonl", '{"step": 1}\n')
    make_list(tmp_path, "empty.txt", "")
    make_list(tmp_path, ".train.csv", "a.png, b.png")
    make_list(tmp_path, "sub/train.csv", "a.png, b.png")
    assert find_lists(tmp_path) == ()
    assert find_lists(tmp_path / "nowhere") == ()
    broken = make_list(tmp_path, "old.csv", b"\xff\xfe")
    good = [
        make_list(tmp_path, "a.csv", "image,label\nx.JPG,b.png\n"),
        make_list(tmp_path, "b.txt", "x\\y.png z.png extra\n"),
    ]
    write_list(tmp_path / "c.parquet", [make_pair("p.png", "q.png")])
    assert find_lists(tmp_path) == (*good, tmp_path / "c.parquet", broken)


def test_lists_may_lie_anywhere(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "im").mkdir(parents=True)
    path = make_list(tmp_path, "lists/train.csv", "im/1.png, l/1.png")
    assert paths_of(read_lists([path], root)) == [{"image": "im/1.png", "label": "l/1.png"}]
    shutil.rmtree(root)
    assert len(read_lists([path], root)) == 1, "nothing of the dataset is read"
