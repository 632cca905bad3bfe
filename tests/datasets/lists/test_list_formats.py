"""Lists of all formats: what a line, a header or an object says is read, whatever its encoding."""

import json
from pathlib import Path
from typing import Any

import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import (
    DepthFileCode,
    DisparityCode,
    IdCode,
    KittiFlowCode,
    PlainCode,
    RawLabelCode,
    SmsnetFlowCode,
)
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.files import encode_list, find_lists, read_lists
from segprep.datasets.record import Direction, SourceFile
from support.lists import paths_of, read_text, refusal

# One line each of PARIS's lists for Cityscapes, BDD and Mapillary.
PARIS = """\
leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png, gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png
images/train/0004a4c0-d4dff0ad.jpg, labels/train/0004a4c0-d4dff0ad_train_id.png
training/images/__CRyFzoDOXn6unQ6a3DnQ.jpg, training/instances/__CRyFzoDOXn6unQ6a3DnQ.png
"""

# -- the formats of others -----------------------------------------------------------------------------------------


def test_paris_lists_are_read_and_written_to_the_byte(tmp_path: Path) -> None:
    records = read_text(tmp_path, "train.csv", PARIS)
    assert paths_of(records) == [dict(zip(("image", "label"), x.split(", "), strict=True)) for x in PARIS.splitlines()]
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
    plain = read_text(tmp_path, "val.txt", text)
    assert paths_of(plain)[1] == {"image": "rgb/2.png", "modality2": "hha/2.png", "label": "seg/2.png"}
    assert plain[0].sources["modality2"].kind is Kind.CODED
    named = read_text(tmp_path, "val.txt", text, ("image", "hha", "label"))
    assert named[0].sources["hha"].kind is Kind.INDEX
    assert encode_list(tmp_path / "o.txt", named, ("label", "image", "hha")).decode() == text, "the label is the last"


def test_a_txt_of_one_entry_per_line_lists_images_without_labels(tmp_path: Path) -> None:
    assert paths_of(read_text(tmp_path, "test.txt", "a/1.png\na/2.png\n")) == [
        {"image": "a/1.png"},
        {"image": "a/2.png"},
    ]
    assert paths_of(read_text(tmp_path, "test.csv", "a/1.png\n")) == [{"image": "a/1.png"}]


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
        assert paths_of(read_text(tmp_path, name, text)) == [
            {"image": "ä/1.png", "label": "l/1.png"},
            {"image": "ä/2.png", "label": "l/2.png"},
        ]


def test_a_header_names_the_columns_keys_and_splits_and_empty_fields_are_not_offered(tmp_path: Path) -> None:
    text = "Key, image, label, depth, jet, split\none,a.png,l.png,d.png,,val\n2,b.png,,e.png,j.png,\n"
    records = read_text(tmp_path, "train.csv", text)
    assert [(r.key, r.split) for r in records] == [("one", "val"), ("2", "train")]
    assert [set(r.sources) for r in records] == [{"image", "label", "depth"}, {"image", "depth", "jet"}]
    assert records[0].sources["depth"].code == DepthFileCode(0.001).to_json()
    assert records[1].sources["jet"].code == PlainCode(masked=True, keep_invalid=True).to_json()


def test_without_a_header_a_csv_has_image_and_label_or_the_columns_that_are_named(tmp_path: Path) -> None:
    text = "a.png, d.png, l.png\n"
    assert refusal(tmp_path, ("x.csv", text))[1:] == [
        "  x.csv line 1: it has 3 entries: name the columns in a first line such as image,label,depth"
    ]
    (record,) = read_text(tmp_path, "x.csv", text, ("image", "depth", "label"))
    assert paths_of([record]) == [{"image": "a.png", "depth": "d.png", "label": "l.png"}]


@pytest.mark.parametrize(
    ("column", "kind", "code"),
    [
        ("previous", Kind.IMAGE, PlainCode()),
        ("next", Kind.IMAGE, PlainCode()),
        ("instance", Kind.INSTANCE, IdCode(bits=16)),
        ("depth", Kind.DEPTH, DepthFileCode(0.001)),
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
    (record,) = read_text(tmp_path, "x.jsonl", json.dumps({"image": "a.png", column: "b.png"}))
    assert record.sources[column] == SourceFile("b.png", kind, code.to_json())


def test_quotes_hold_separators_and_quotes_in_both_text_formats(tmp_path: Path) -> None:
    assert paths_of(read_text(tmp_path, "a.csv", '"a, b/1.png", "say ""x"".png"\n#c, d\n c d.png ,e\tf.png \n')) == [
        {"image": "a, b/1.png", "label": 'say "x".png'},
        {"image": "c d.png", "label": "e\tf.png"},
    ]
    assert paths_of(read_text(tmp_path, "a.txt", '"a b/1.png" it\'s"1".png\n')) == [
        {"image": "a b/1.png", "label": 'it\'s"1".png'}
    ]


def test_the_split_is_the_entrys_own_or_the_lists_name(tmp_path: Path) -> None:
    assert [r.split for r in read_text(tmp_path, "val_small.csv", "a.png, b.png")] == ["val_small"]
    text = '{"image": "a.png", "split": "test"}\n{"image": "b.png"}\n'
    assert [r.split for r in read_text(tmp_path, "train.jsonl", text)] == ["test", "train"]
