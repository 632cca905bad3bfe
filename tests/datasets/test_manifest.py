"""Lists give back what was written, pair what a line says, and name every line that is wrong."""

import builtins
import csv
import json
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import (
    DepthCode,
    DisparityCode,
    IdCode,
    KittiFlowCode,
    LinearCode,
    PlainCode,
    RawLabelCode,
    SmsnetFlowCode,
)
from segprep.datasets.errors import ConfigurationError, UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.manifest import encode_list, find_lists, only_columns, read_lists, write_list
from segprep.datasets.record import Direction, Neighbour, SampleRecord, SourceFile
from segprep.datasets.sample import Camera, Pose, SampleKey, make_key
from segprep.datasets.synthetic import write_drive

FORMATS = (".csv", ".txt", ".jsonl", ".parquet")

# One line each of PARIS's lists for Cityscapes, BDD and Mapillary.
PARIS = """\
leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png, gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png
images/train/0004a4c0-d4dff0ad.jpg, labels/train/0004a4c0-d4dff0ad_train_id.png
training/images/__CRyFzoDOXn6unQ6a3DnQ.jpg, training/instances/__CRyFzoDOXn6unQ6a3DnQ.png
"""


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


# -- the formats of others -----------------------------------------------------------------------------------------


def test_paris_lists_are_read_and_written_to_the_byte(tmp_path: Path) -> None:
    records = _read(tmp_path, "train.csv", PARIS)
    assert _paths(records) == [dict(zip(("image", "label"), x.split(", "), strict=True)) for x in PARIS.splitlines()]
    assert [r.key for r in records] == [
        "ulm_000000_000019_leftImg8bit",
        "0004a4c0-d4dff0ad",
        "__CRyFzoDOXn6unQ6a3DnQ",
    ]
    assert {r.split for r in records} == {"train"}
    assert records[0].sources["image"] == SourceFile(PARIS.split(",")[0], Kind.IMAGE, PlainCode().to_json())
    assert records[0].sources["label"].code == RawLabelCode().to_json()
    assert encode_list(tmp_path / "out.csv", records).decode() == PARIS


def test_ssma_lists_end_in_the_label_and_columns_name_what_lies_between(tmp_path: Path) -> None:
    text = "rgb/1.png hha/1.png seg/1.png\nrgb/2.png hha/2.png seg/2.png\n"
    plain = _read(tmp_path, "val.txt", text)
    assert _paths(plain)[1] == {"image": "rgb/2.png", "modality2": "hha/2.png", "label": "seg/2.png"}
    assert plain[0].sources["modality2"].kind is Kind.CODED
    named = _read(tmp_path, "val.txt", text, ("image", "hha", "label"))
    assert named[0].sources["hha"].kind is Kind.INDEX
    assert encode_list(tmp_path / "o.txt", named, ("label", "image", "hha")).decode() == text, "the label is the last"


def test_a_txt_of_one_entry_per_line_lists_images_without_labels(tmp_path: Path) -> None:
    assert _paths(_read(tmp_path, "test.txt", "a/1.png\na/2.png\n")) == [{"image": "a/1.png"}, {"image": "a/2.png"}]
    assert _paths(_read(tmp_path, "test.csv", "a/1.png\n")) == [{"image": "a/1.png"}]


def test_camvids_own_lists_pair_all_frames_and_their_keys_are_their_names(shared_data: Path) -> None:
    root = shared_data / "camvid"
    records = read_lists([root / "train.txt", root / "val.txt"], root)
    assert [r.split for r in records] == ["train"] * 164 + ["val"] * 101
    assert find_lists(root) == (root / "train.txt", root / "val.txt")
    found = {r.key: r for r in CATALOG.load("camvid").scan(DatasetSource(root), Direction.PREVIOUS)}
    for record in records:
        assert record.sources["image"] == found[record.key].sources["image"]
        assert record.sources["label"] == found[record.key].sources["label"]


# -- lines, headers, encodings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["train.csv", "train.txt", "train.jsonl"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_byte_order_marks_line_ends_comments_and_blank_lines_do_not_matter(
    tmp_path: Path, name: str, mark: bytes, end: bytes
) -> None:
    rows = {
        "train.csv": ["ä/1.png, l/1.png", "ä/2.png,l/2.png"],
        "train.txt": ["ä/1.png l/1.png", " ä/2.png\tl/2.png "],
        "train.jsonl": ['{"image": "ä/1.png", "label": "l/1.png"}', '{"image":"ä/2.png","label":"l/2.png"}'],
    }[name]
    lines = ["# made by hand", rows[0], "", "   ", "  # another", rows[1]]
    for last in (b"", end):
        text = mark + end.join(line.encode() for line in lines) + last
        assert _paths(_read(tmp_path, name, text)) == [
            {"image": "ä/1.png", "label": "l/1.png"},
            {"image": "ä/2.png", "label": "l/2.png"},
        ]


def test_a_header_names_the_columns_keys_and_splits_and_empty_fields_are_not_offered(tmp_path: Path) -> None:
    text = "Key, image, label, depth, jet, split\none,a.png,l.png,d.png,,val\n2,b.png,,e.png,j.png,\n"
    records = _read(tmp_path, "train.csv", text)
    assert [(r.key, r.split) for r in records] == [("one", "val"), ("2", "train")]
    assert [set(r.sources) for r in records] == [{"image", "label", "depth"}, {"image", "depth", "jet"}]
    assert records[0].sources["depth"].code == DepthCode(scale_m=0.001, far_code=False).to_json()
    assert records[1].sources["jet"].code == PlainCode(masked=True, keep_invalid=True).to_json()


def test_without_a_header_a_csv_has_image_and_label_or_the_columns_that_are_named(tmp_path: Path) -> None:
    text = "a.png, d.png, l.png\n"
    assert _refusal(tmp_path, ("x.csv", text))[1:] == [
        "  x.csv line 1: it has 3 entries: name the columns in a first line such as image,label,depth"
    ]
    (record,) = _read(tmp_path, "x.csv", text, ("image", "depth", "label"))
    assert _paths([record]) == [{"image": "a.png", "depth": "d.png", "label": "l.png"}]


@pytest.mark.parametrize(
    ("column", "kind", "code"),
    [
        ("previous", Kind.IMAGE, PlainCode()),
        ("next", Kind.IMAGE, PlainCode()),
        ("instance", Kind.INSTANCE, IdCode(bits=16)),
        ("depth", Kind.DEPTH, DepthCode(scale_m=0.001, far_code=False)),
        ("disparity", Kind.DISPARITY, DisparityCode()),
        ("nir", Kind.NIR, PlainCode(channels=())),
        ("thermal", Kind.THERMAL, PlainCode(channels=())),
        ("flow", Kind.CODED, SmsnetFlowCode()),
        ("optical_flow", Kind.FLOW, KittiFlowCode()),
        ("hha", Kind.INDEX, PlainCode(channels=("disparity", "height", "angle"), masked=True)),
        ("evi2", Kind.CODED, PlainCode(masked=True, keep_invalid=True)),
    ],
)
def test_a_columns_name_says_what_a_plain_path_holds(tmp_path: Path, column: str, kind: Kind, code: Any) -> None:
    (record,) = _read(tmp_path, "x.jsonl", json.dumps({"image": "a.png", column: "b.png"}))
    assert record.sources[column] == SourceFile("b.png", kind, code.to_json())


def test_quotes_hold_separators_and_quotes_in_both_text_formats(tmp_path: Path) -> None:
    assert _paths(_read(tmp_path, "a.csv", '"a, b/1.png", "say ""x"".png"\n#c, d\n c d.png ,e\tf.png \n')) == [
        {"image": "a, b/1.png", "label": 'say "x".png'},
        {"image": "c d.png", "label": "e\tf.png"},
    ]
    assert _paths(_read(tmp_path, "a.txt", '"a b/1.png" it\'s"1".png\n')) == [
        {"image": "a b/1.png", "label": 'it\'s"1".png'}
    ]


def test_the_split_is_the_entrys_own_or_the_lists_name(tmp_path: Path) -> None:
    assert [r.split for r in _read(tmp_path, "val_small.csv", "a.png, b.png")] == ["val_small"]
    text = '{"image": "a.png", "split": "test"}\n{"image": "b.png"}\n'
    assert [r.split for r in _read(tmp_path, "train.jsonl", text)] == ["test", "train"]


# -- keys ----------------------------------------------------------------------------------------------------------


def test_keys_are_names_where_these_are_unique_over_all_lists_and_paths_elsewhere(tmp_path: Path) -> None:
    lists = [
        _list(tmp_path, "train.csv", "x/1.png, l1.png\nx/2.png, l2.png\nx/a b.jpg, l3.png\n"),
        _list(tmp_path, "val.csv", "y/1.png, l4.png\nX2/A B.png, l5.png\ny/ä.png, l6.png\n"),
    ]
    keys = [r.key for r in read_lists(lists, tmp_path)]
    assert keys == ["x%2F1", "2", "x%2Fa%20b", "y%2F1", "X2%2FA%20B", "%C3%A4"]


def test_an_own_key_counts_as_it_is_and_names_give_way_to_it(tmp_path: Path) -> None:
    text = "key,image\na%20b,x/1.png\nstreet 1,x/2.png\n4,x/3.png\n,x/4.png\n"
    assert [r.key for r in _read(tmp_path, "t.csv", text)] == ["a%20b", "street%201", "4", "x%2F4"]


def test_accents_are_the_same_key_however_a_disk_writes_them(tmp_path: Path) -> None:
    composed, apart = unicodedata.normalize("NFC", "Größe"), unicodedata.normalize("NFD", "Größe")
    assert composed != apart
    first = _read(tmp_path, "t.csv", f"{composed}.png, l.png")[0]
    second = _read(tmp_path, "t.csv", f"{apart}.png, l.png")[0]
    assert first.key == second.key == make_key(composed)
    (tmp_path / f"{apart}.png").touch()
    assert _paths(_read(tmp_path, "t.csv", f"{composed}.png, l.png"))[0]["image"] == f"{apart}.png", "as on the disk"


def test_all_repeated_images_and_keys_are_listed_in_one_error(tmp_path: Path) -> None:
    lines = _refusal(
        tmp_path,
        ("train.csv", "# list\na.png, l1.png\nb.png, l2.png\n./a.png, l3.png\n"),
        ("val.csv", "x/b.png, l4.png\nb.png, l5.png\n"),
        ("test.jsonl", '{"image": "c.png", "key": "K"}\n{"image": "d.png", "key": "k"}\n{"image": "e.png"}\n'),
        ("more.jsonl", '{"image": "q/f.png"}\n{"image": "q/f.jpg"}\n'),
    )
    assert lines[1:-2] == [
        "  train.csv line 2, train.csv line 4: a.png is listed more than once",
        "  train.csv line 3, val.csv line 2: b.png is listed more than once",
        "  test.jsonl line 1, test.jsonl line 2: key K is not unique (case does not count)",
        "  more.jsonl line 1, more.jsonl line 2: key q%2Ff is not unique (case does not count)",
    ]
    assert lines[-2:] == ["An image stands in the lists once, in one split", "Give each sample a key of its own"]


# -- paths ---------------------------------------------------------------------------------------------------------


def test_paths_that_stay_inside_the_root_become_relative_however_they_are_written(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    text = f"./a//b/../1.png, {root}/l/1.png\n../data/2.png, x/./../l/2.png\n"
    assert _paths(read_lists([_list(tmp_path, "t.csv", text)], root)) == [
        {"image": "a/1.png", "label": "l/1.png"},
        {"image": "2.png", "label": "l/2.png"},
    ]


def test_every_path_outside_the_root_is_named_with_the_way_out(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    text = "1.png, ../1.png\n2.png, l/2.png\n/etc/3.png, /data/../../3.png\nC:\\d\\4.png, ../data2/4.png\n., a/..\n"
    with pytest.raises(UnreadableFileError) as caught:
        read_lists([_list(tmp_path, "t.csv", text)], root)
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert lines[1:-1] == [
        "  t.csv line 1: ../1.png lies outside data",
        "  t.csv line 3: /etc/3.png lies outside data",
        "  t.csv line 3: /data/../../3.png lies outside data",
        "  t.csv line 4: C:/d/4.png lies outside data",
        "  t.csv line 4: ../data2/4.png lies outside data",
        "  t.csv line 5: . lies outside data",
        "  t.csv line 5: a/.. lies outside data",
    ]
    assert lines[-1] == "Name a --root that holds all files of the lists"


def test_links_are_followed_wherever_they_lead(tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk2" / "frames"
    elsewhere.mkdir(parents=True)
    (elsewhere / "1.png").touch()
    root = tmp_path / "data"
    root.mkdir()
    (root / "images").symlink_to(elsewhere)
    (root / "1_label.png").symlink_to(elsewhere / "1.png")
    (tmp_path / "alias").symlink_to(root)
    text = f"images/1.png, {root}/1_label.png\n"
    expected = [{"image": "images/1.png", "label": "1_label.png"}]
    assert _paths(read_lists([_list(tmp_path, "t.csv", text)], root)) == expected
    assert _paths(read_lists([tmp_path / "t.csv"], tmp_path / "alias")) == expected, "the real name of the root counts"


def test_going_up_from_a_link_is_refused_because_it_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "disk2/frames").mkdir(parents=True)
    root = tmp_path / "data"
    root.mkdir()
    (root / "images").symlink_to(tmp_path / "disk2/frames")
    with pytest.raises(UnreadableFileError, match=r"images/\.\./1\.png goes up from a link"):
        read_lists([_list(tmp_path, "t.csv", "images/../1.png, l.png")], root)


def test_backslashes_are_separators_unless_a_file_has_them_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "odd\\1.png").touch()
    text = "odd\\1.png, labels\\1.png\nimages\\a\\2.png, labels\\..\\2.png\n"
    assert _paths(_read(tmp_path, "t.csv", text)) == [
        {"image": "odd\\1.png", "label": "labels/1.png"},
        {"image": "images/a/2.png", "label": "2.png"},
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "[gtFine,gtCoarse]/1.png, l/1.png"),
        ("t.csv", "a/1.png, [gtFine,gtCoarse]/1.png"),
        ("t.csv", '"x/[a,b]/1.png", l.png'),
        ("t.txt", "a/1.png [gtFine,gtCoarse]/1.png"),
        ("t.jsonl", '{"image": "[a,b,c]/1.png"}'),
    ],
)
def test_alternatives_in_brackets_are_refused_by_what_they_are(tmp_path: Path, name: str, text: str) -> None:
    (line,) = _refusal(tmp_path, (name, text))[1:]
    assert line.startswith(f"  {name} line 1: ")
    assert "alternatives such as [a,b]" in line
    assert "are not expanded" in line


def test_brackets_in_names_are_no_alternatives(tmp_path: Path) -> None:
    (tmp_path / "[a,b]").mkdir()
    (tmp_path / "[a,b]/1.png").touch()
    assert _paths(_read(tmp_path, "t.csv", '"[a,b]/1.png", "x[1,2].png"')) == [
        {"image": "[a,b]/1.png", "label": "x[1,2].png"}
    ]


def test_files_that_do_not_exist_stay_promised(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "1l.png"):
        (tmp_path / name).touch()
    assert _paths(_read(tmp_path, "t.csv", "1.png, 1l.png\n2.png, 2l.png\n")) == [
        {"image": "1.png", "label": "1l.png"},
        {"image": "2.png", "label": "2l.png"},
    ]


# -- what is wrong is said, all of it ------------------------------------------------------------------------------


def test_rows_of_other_lengths_open_quotes_and_missing_images_are_all_listed(tmp_path: Path) -> None:
    lines = _refusal(
        tmp_path,
        ("a.csv", 'a.png, b.png\nc.png\n"d.png, e.png\n, f.png\ng.png, h.png, i.png\n'),
        ("b.txt", 'a2.png b.png\n"c.png"d e.png\nf.png g.png h.png\n'),
    )
    assert lines[1:] == [
        '  a.csv line 3: a quote (") is not closed, or stands beside other text',
        "  a.csv line 2: it has 1 entries, not 2 (image, label)",
        "  a.csv line 4: it has no image",
        "  a.csv line 5: it has 3 entries, not 2 (image, label)",
        '  b.txt line 2: a quote (") is not closed, or stands beside other text',
        "  b.txt line 3: it has 3 entries, not 2 (image, label)",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"image": "a.png"', "Expecting"),
        ("[1]", "it holds list, not an object"),
        ("{}", "there is no column image, only none"),
        ('{"label": "a.png"}', "there is no column image, only label"),
        ('{"image": 3}', "image must be a path"),
        ('{"image": ""}', "image must be a path"),
        ('{"image": {"kind": "image"}}', "image must be a path"),
        ('{"image": {"path": "a.png", "scale": 2}}', "image has unknown entries scale"),
        ('{"image": {"path": "a.png", "kind": "picture"}}', "'picture' is not a valid Kind"),
        ('{"image": {"path": "a.png", "code": "plain"}}', "the code of image must be an object"),
        ('{"image": {"path": "a.png", "code": {"name": "jpg"}}}', "there is no code called 'jpg'"),
        ('{"image": {"path": "a.png", "code": {"name": "plain", "bits": 9}}}', "8 or 16 bits, not 9"),
        ('{"image": "a.png", "../x": "b.png"}', "'../x' is no name of a column"),
        ('{"image": "a.png", "codes": {}}', "codes is no file"),
        ('{"image": "a.png", "key": 5}', "key must be a text, not 5"),
        ('{"image": "a.png", "split": ""}', "split must be a text, not ''"),
        ('{"image": "a.png", "split": "../x"}', "'../x' cannot be a split"),
        ('{"image": "a.png", "split": "shards"}', "'shards' cannot be a split"),
        ('{"image": "a.png", "frame": 1.5}', "frame must be a whole number, not 1.5"),
        ('{"image": "a.png", "time": NaN}', "NaN is no number"),
        ('{"image": "a.png", "time": "now"}', "time must be a number of seconds"),
        ('{"image": "a.png", "pose": [[1]]}', "a pose must be a finite 4x4 matrix"),
        ('{"image": "a.png", "camera": {"K": [[1]]}}', "camera, pose or neighbour is not readable"),
        ('{"image": "a.png", "camera": "c.json"}', "camera, pose or neighbour is not readable"),
        ('{"image": "a.png", "neighbour": {"direction": "previous"}}', "neighbour needs direction, a whole frame"),
        (
            '{"image": "a.png", "neighbour": {"direction": "left", "frame": 1, "time_difference": 1}}',
            "'left' is not a valid Direction",
        ),
        (
            '{"image": "a.png", "neighbour": {"direction": "next", "frame": 1, "time_difference": 1, "motion": 3}}',
            "a pose must be a finite 4x4 matrix",
        ),
        ('{"image": "a\\u0000.png"}', "is no path in UTF-8"),
        ('{"image": "\\ud800.png"}', "is no path in UTF-8"),
        ('{"image": "' + "x" * 210 + '.png"}', "no sample key"),
    ],
)
def test_objects_that_make_no_sense_are_named_with_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    problems = _refusal(tmp_path, ("t.jsonl", f'{{"image": "good.png"}}\n{line}\n'))[1:]
    assert problems[0].startswith("  t.jsonl line 2: ")
    assert message in problems[0]
    assert len(problems) == 1


def test_lists_that_are_empty_missing_or_of_another_encoding_are_named_together(tmp_path: Path) -> None:
    _list(tmp_path, "gone.csv", "").unlink()
    lists = [
        _list(tmp_path, "empty.csv", ""),
        _list(tmp_path, "only.txt", "# nothing\n\n"),
        _list(tmp_path, "head.csv", "image,label\n"),
        _list(tmp_path, "old.csv", "Stra\xdfe.png, l.png\n".encode("latin-1")),
        _list(tmp_path, "no.parquet", b"PAR1 and then nothing"),
        tmp_path / "gone.csv",
        _list(tmp_path, "good.csv", "a.png, b.png"),
    ]
    with pytest.raises(UnreadableFileError) as caught:
        read_lists(lists, tmp_path)
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()[1:]
    assert lines[:4] == [
        "  empty.csv: it has no entries",
        "  only.txt: it has no entries",
        "  head.csv: it has no entries",
        "  old.csv: it is not UTF-8 (byte 4): save it as UTF-8",
    ]
    assert lines[4].startswith("  no.parquet: it is no readable Parquet file")
    assert lines[5:] == ["  gone.csv: it cannot be read (No such file or directory)"]


def test_other_suffixes_and_headers_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"lists end in \.csv, \.txt, \.jsonl, \.parquet"):
        _read(tmp_path, "t.tsv", "a\tb")
    assert _refusal(tmp_path, ("t.csv", "image,label,label\na,b,c\n"))[1:] == [
        "  t.csv line 1: column label stands twice"
    ]
    assert "camera is no file" in _refusal(tmp_path, ("t.csv", "image,camera\na.png,b.json\n"))[1]
    assert "'..' cannot be a split" in _refusal(tmp_path, ("t.csv", "image,split\na.png,..\n"))[1]
    assert "there is no column image" in _refusal(tmp_path, ("t.txt", "a b\n"), columns=("rgb", "label"))[1]


# -- round trips ---------------------------------------------------------------------------------------------------

# Backslashes and decomposed letters mean other spellings of files that do not exist; they have tests of their own.
_letters = st.characters(codec="utf-8", exclude_characters="/\\\0", exclude_categories=["Cc", "Cs"])
_awkward = st.sampled_from([" ", ",", '"', "'", "#", "[", "]", "ä", "ß", "道", "%", ";", "\ufeff", "\u2028", "\u00a0"])
_names = st.text(_letters | _awkward, min_size=1, max_size=12).map(lambda name: unicodedata.normalize("NFC", name))
_pairs = st.lists(st.tuples(_names, st.booleans()), min_size=1, max_size=6, unique_by=lambda x: make_key(x[0]).lower())


@settings(max_examples=80, deadline=None)
@given(pairs=_pairs, suffix=st.sampled_from([".csv", ".jsonl", ".parquet"]), header=st.booleans())
def test_names_of_any_characters_come_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, bool]], suffix: str, header: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    records = [
        _pair(f"{'im/' if deep else ''}{name}.png", f"l l/{name}.png", make_key(f"{name}"), "train")
        for name, deep in pairs
    ]
    columns = ("key", "label", "image", "split") if header and suffix == ".csv" else None
    path = folder / f"train{suffix}"
    path.write_bytes(encode_list(path, records, columns))
    read = read_lists([path], folder)
    assert [r.to_json() for r in read] == [r.to_json() for r in records]


@settings(max_examples=60, deadline=None)
@given(_pairs)
def test_a_txt_holds_names_without_blanks_and_refuses_all_others_by_name(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, bool]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    records = [_pair(f"{'im/' if d else ''}{n}.png", f"l/{n}.png", make_key(n)) for n, d in pairs]
    path = folder / "train.txt"
    awkward = [n for n, d in pairs if any(c.isspace() for c in n) or (not d and n[0] in '"#\ufeff')]
    if not awkward:
        write_list(path, records)
        assert [r.to_json() for r in read_lists([path], folder)] == [r.to_json() for r in records]
        return
    with pytest.raises(ConfigurationError, match=r"csv or \.jsonl") as caught:
        write_list(path, records)
    assert all(f"{name}.png" in str(caught.value) for name in awkward)


@settings(max_examples=50, deadline=None)
@given(_pairs)
def test_the_standard_library_reads_the_csv_alike(pairs: list[tuple[str, bool]]) -> None:
    assume(not any("\u2028" in name for name, _ in pairs))
    records = [_pair(f"{name}.png", f"l/{name}.png") for name, _ in pairs]
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


@settings(max_examples=40, deadline=None)
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
    record = replace(_pair("ä/1.png", "l/1.png", "one"), frame=7, time=0.5)
    write_list(tmp_path / "t.parquet", [record, _pair("ä/2.png", "l/2.png", "two")])
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
    write_list(tmp_path / "t.parquet", [_pair("a.png", "b.png")])
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"pip install 'segprep\[parquet\]'"):
        read_lists([tmp_path / "t.parquet"], tmp_path)
    with pytest.raises(ConfigurationError, match=r"pip install 'segprep\[parquet\]'"):
        encode_list(tmp_path / "t.parquet", [_pair("a.png", "b.png")])


# -- writing -------------------------------------------------------------------------------------------------------


def test_a_csv_of_other_columns_has_a_header_that_is_read_back(tmp_path: Path) -> None:
    record = _pair("a.png", "l.png", "own", "val")
    full = replace(record, sources={**record.sources, "jet": SourceFile("j,1.png", Kind.CODED, {})})
    text = encode_list(
        tmp_path / "t.csv", [full, replace(record, key=SampleKey("2"))], ("split", "image", "jet", "key")
    )
    assert text.decode() == 'split,image,jet,key\nval,a.png,"j,1.png",own\nval,a.png,,2\n'
    write_list(tmp_path / "one.csv", [record], ("image",))
    assert (tmp_path / "one.csv").read_text() == "image\na.png\n"
    assert _paths(read_lists([tmp_path / "one.csv"], tmp_path)) == [{"image": "a.png"}]


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
        encode_list(Path(name), [_pair("a.png", "b.png")], columns)


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_is_no_list(suffix: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no sample to list"):
        encode_list(Path(f"t{suffix}"), [])


def test_line_breaks_in_names_need_another_format(tmp_path: Path) -> None:
    record = _pair("a\nb.png", "l.png", "k")
    with pytest.raises(ConfigurationError, match=r"1 names hold line breaks; write .jsonl or .parquet:\n  a\nb.png"):
        encode_list(tmp_path / "t.csv", [record])
    write_list(tmp_path / "t.jsonl", [record])
    assert _paths(read_lists([tmp_path / "t.jsonl"], tmp_path))[0]["image"] == "a\nb.png"


def test_only_some_columns_of_a_record_leave_no_half_of_camera_or_neighbour() -> None:
    camera = Camera(np.eye(3), 4, 4)
    near = Neighbour(Direction.PREVIOUS, 1, -0.1)
    pair = _pair("a.png", "b.png")
    full = replace(pair, sources={**pair.sources, "previous": pair.sources["image"]}, camera=camera, neighbour=near)
    full = replace(full, pose=Pose(np.eye(4)))
    assert only_columns(full, None) is full
    bare = only_columns(full, ("image", "label"))
    assert (set(bare.sources), bare.camera, bare.pose, bare.neighbour) == ({"image", "label"}, None, None, None)
    kept = only_columns(full, ("image", "camera", "previous"))
    assert (set(kept.sources), kept.camera, kept.neighbour) == ({"image", "previous"}, camera, near)
    assert kept.pose is full.pose


def test_lists_are_found_by_what_they_say_and_other_texts_are_not(tmp_path: Path) -> None:
    _list(tmp_path, "README.txt", "Frames of a drive.\n")
    _list(tmp_path, "weights.csv", "0.1,0.2,0.3\n")
    _list(tmp_path, "log.jsonl", '{"step": 1}\n')
    _list(tmp_path, "empty.txt", "")
    _list(tmp_path, ".train.csv", "a.png, b.png")
    _list(tmp_path, "sub/train.csv", "a.png, b.png")
    assert find_lists(tmp_path) == ()
    assert find_lists(tmp_path / "nowhere") == ()
    broken = _list(tmp_path, "old.csv", b"\xff\xfe")
    good = [_list(tmp_path, "a.csv", "image,label\nx.JPG,b.png\n"), _list(tmp_path, "b.txt", "x\\y.png z.png extra\n")]
    write_list(tmp_path / "c.parquet", [_pair("p.png", "q.png")])
    assert find_lists(tmp_path) == (*good, tmp_path / "c.parquet", broken)


def test_lists_may_lie_anywhere(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "im").mkdir(parents=True)
    path = _list(tmp_path, "lists/train.csv", "im/1.png, l/1.png")
    assert _paths(read_lists([path], root)) == [{"image": "im/1.png", "label": "l/1.png"}]
    shutil.rmtree(root)
    assert len(read_lists([path], root)) == 1, "nothing of the dataset is read"
