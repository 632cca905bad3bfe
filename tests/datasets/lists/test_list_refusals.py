"""What is wrong with lists is said, all of it, with file and line."""

import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from segprep.datasets.errors import ConfigurationError, UnreadableFileError
from segprep.datasets.lists.files import find_lists, passed_over, read_lists
from support.lists import make_list, read_text, refusal


def test_rows_of_other_lengths_open_quotes_and_missing_images_are_all_listed(tmp_path: Path) -> None:
    lines = refusal(
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


def _camera(width: str, height: str) -> str:
    K = "[[5, 0, 3], [0, 5, 2], [0, 0, 1]]"
    return f'{{"image": "a.png", "camera": {{"K": {K}, "width": {width}, "height": {height}}}}}'


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
        (
            '{"image": "a.png", "camera": {"K": [[5, 0, 3], [0, 5, 2], [0, 0, 1]], "width": 1e400, "height": 4}}',
            "1e400 is larger than any number",
        ),
        (
            '{"image": "a.png", "camera": {"K": [[5, 0, 3], [0, 5, 2], [0, 0, 1]], "width": 6.5, "height": 4}}',
            "the width of a camera must be a whole",
        ),
        (
            '{"image": "a.png", "camera": {"K": [[5, 0, 3], [0, 5, 2], [0, 0, 1]], "width": "6", "height": 4}}',
            "the width of a camera must be a whole",
        ),
        (
            '{"image": "a.png", "camera": {"K": [[5, 0, 3], [0, 5, 2], [0, 0, 1]], "width": 6, "height": -4}}',
            "the height of a camera must be a whole",
        ),
        ('{"image": "a.png", "frame": 18446744073709551616}', "; it may have 18 digits"),
        ('{"image": {"path": "a.png", "code": {"name": []}}}', "there is no code called []"),
        ('{"image": "a\\u0000.png"}', "holds the character NUL"),
        ('{"image": "\\ud800.png"}', "half of a surrogate pair"),
        ('{"image": "' + "x" * 210 + '.png"}', "no sample key"),
    ],
)
def test_objects_that_make_no_sense_are_named_with_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    problems = refusal(tmp_path, ("t.jsonl", f'{{"image": "good.png"}}\n{line}\n'))[1:]
    assert problems[0].startswith("  t.jsonl line 2: ")
    assert message in problems[0]
    assert len(problems) == 1


def test_lists_that_are_empty_missing_or_of_another_encoding_are_named_together(tmp_path: Path) -> None:
    make_list(tmp_path, "gone.csv", "").unlink()
    lists = [
        make_list(tmp_path, "empty.csv", ""),
        make_list(tmp_path, "only.txt", "# nothing\n\n"),
        make_list(tmp_path, "head.csv", "image,label\n"),
        make_list(tmp_path, "old.csv", "Stra\xdfe.png, l.png\n".encode("latin-1")),
        make_list(tmp_path, "no.parquet", b"PAR1 and then nothing"),
        tmp_path / "gone.csv",
        make_list(tmp_path, "good.csv", "a.png, b.png"),
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
        read_text(tmp_path, "t.tsv", "a\tb")
    assert refusal(tmp_path, ("t.csv", "image,label,label\na,b,c\n"))[1:] == [
        "  t.csv line 1: column label stands twice"
    ]
    assert "camera is no file" in refusal(tmp_path, ("t.csv", "image,camera\na.png,b.json\n"))[1]
    assert "'..' cannot be a split" in refusal(tmp_path, ("t.csv", "image,split\na.png,..\n"))[1]
    assert "there is no column image" in refusal(tmp_path, ("t.txt", "a b\n"), columns=("rgb", "label"))[1]


def test_tables_that_unpack_to_gigabytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segprep.datasets.lists.objects.MAX_BYTES", 10**6)
    pyarrow.parquet.write_table(
        pyarrow.table({"image": ["a" * 1000] * 5000}), tmp_path / "train.parquet"
    )  # one text, 5000 times
    assert (tmp_path / "train.parquet").stat().st_size < 10**4
    with pytest.raises(UnreadableFileError, match="its texts are more than"):
        read_lists([tmp_path / "train.parquet"], tmp_path)


def test_lists_that_are_pipes_do_not_make_anyone_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.csv")
    with pytest.raises(UnreadableFileError, match=r"train\.csv: it cannot be read \(it is a pipe"):
        read_lists([tmp_path / "train.csv"], tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("train.csv", "a.png;b.png\n", r"train\.csv: line 1 is separated by semicolons, not by commas"),
        ("train.csv", "image;label\na.png;b.png\n", "separated by semicolons"),
        ("train.csv", "# what\na.png\tb.png\n", "line 2 is separated by tabs"),
        ("train.csv", "rgb,gt\na.png,b.png\n", "line 1 is no path of an image, and no header .* instead of rgb,gt"),
        ("train.txt", "a.png;b.png\n", "separated by semicolons, not by blanks"),
        ("train.txt", "a.png, b.png\n", "separated by commas, not by blanks"),
        ("train.txt", "image label\na.png b.png\n", "line 1: it is no path of an image: lists in .txt have no header"),
    ],
)
def test_other_separators_and_headers_are_named_as_such(tmp_path: Path, name: str, content: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(UnreadableFileError, match=says):
        read_lists([path], tmp_path)


@pytest.mark.parametrize("content", ['"a.png;b.png",c.png\n', "a;b.png,c.png\n", "a,b\nc,d\n", "a.png\n"])
def test_names_with_separators_in_them_are_names(tmp_path: Path, content: str) -> None:
    (tmp_path / "train.csv").write_text(content)
    assert read_lists([tmp_path / "train.csv"], tmp_path)


def test_files_that_are_passed_over_say_why(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("what I did\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "train.csv").write_text("a.bmp,b.png\n")
    (tmp_path / "val.csv").write_text("a.png;b.png\n")
    assert [path.name for path in find_lists(tmp_path)] == ["train.csv", "val.csv"]
    assert passed_over(tmp_path) == (
        f"{tmp_path}/empty.csv: it has no entries",
        f"{tmp_path}/notes.txt: its first entry, 'what', names no picture",
    )
