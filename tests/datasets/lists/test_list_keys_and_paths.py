"""Keys and paths of lists: unique, inside the root, as the disk writes them."""

import unicodedata
from pathlib import Path

import pytest

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.lists.files import read_lists
from segprep.datasets.sample import make_key
from support.lists import make_list, paths_of, read_text, refusal

# -- keys ----------------------------------------------------------------------------------------------------------


def test_keys_are_names_where_these_are_unique_over_all_lists_and_paths_elsewhere(tmp_path: Path) -> None:
    lists = [
        make_list(tmp_path, "train.csv", "x/1.png, l1.png\nx/2.png, l2.png\nx/a b.jpg, l3.png\n"),
        make_list(tmp_path, "val.csv", "y/1.png, l4.png\nX2/A B.png, l5.png\ny/ä.png, l6.png\n"),
    ]
    keys = [r.key for r in read_lists(lists, tmp_path)]
    assert keys == ["x%2F1", "2", "x%2Fa%20b", "y%2F1", "X2%2FA%20B", "%C3%A4"]


def test_an_own_key_counts_as_it_is_and_names_give_way_to_it(tmp_path: Path) -> None:
    text = "key,image\na%20b,x/1.png\nstreet 1,x/2.png\n4,x/3.png\n,x/4.png\n"
    assert [r.key for r in read_text(tmp_path, "t.csv", text)] == ["a%20b", "street%201", "4", "x%2F4"]


def test_accents_are_the_same_key_however_a_disk_writes_them(tmp_path: Path) -> None:
    composed, apart = unicodedata.normalize("NFC", "Größe"), unicodedata.normalize("NFD", "Größe")
    assert composed != apart
    first = read_text(tmp_path, "t.csv", f"{composed}.png, l.png")[0]
    second = read_text(tmp_path, "t.csv", f"{apart}.png, l.png")[0]
    assert first.key == second.key == make_key(composed)
    (tmp_path / f"{apart}.png").touch()
    assert paths_of(read_text(tmp_path, "t.csv", f"{composed}.png, l.png"))[0]["image"] == f"{apart}.png", (
        "as on the disk"
    )


def test_all_repeated_images_and_keys_are_listed_in_one_error(tmp_path: Path) -> None:
    lines = refusal(
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
    assert paths_of(read_lists([make_list(tmp_path, "t.csv", text)], root)) == [
        {"image": "a/1.png", "label": "l/1.png"},
        {"image": "2.png", "label": "l/2.png"},
    ]


def test_every_path_outside_the_root_is_named_with_the_way_out(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    text = "1.png, ../1.png\n2.png, l/2.png\n/etc/3.png, /data/../../3.png\nC:\\d\\4.png, ../data2/4.png\n., a/..\n"
    with pytest.raises(UnreadableFileError) as caught:
        read_lists([make_list(tmp_path, "t.csv", text)], root)
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
    assert paths_of(read_lists([make_list(tmp_path, "t.csv", text)], root)) == expected
    assert paths_of(read_lists([tmp_path / "t.csv"], tmp_path / "alias")) == expected, (
        "the real name of the root counts"
    )


def test_going_up_from_a_link_is_refused_because_it_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "disk2/frames").mkdir(parents=True)
    root = tmp_path / "data"
    root.mkdir()
    (root / "images").symlink_to(tmp_path / "disk2/frames")
    with pytest.raises(UnreadableFileError, match=r"images/\.\./1\.png goes up from a link"):
        read_lists([make_list(tmp_path, "t.csv", "images/../1.png, l.png")], root)


def test_backslashes_are_separators_unless_a_file_has_them_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "odd\\1.png").touch()
    text = "odd\\1.png, labels\\1.png\nimages\\a\\2.png, labels\\..\\2.png\n"
    assert paths_of(read_text(tmp_path, "t.csv", text)) == [
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
    (line,) = refusal(tmp_path, (name, text))[1:]
    assert line.startswith(f"  {name} line 1: ")
    assert "alternatives such as [a,b]" in line
    assert "are not expanded" in line


def test_brackets_in_names_are_no_alternatives(tmp_path: Path) -> None:
    (tmp_path / "[a,b]").mkdir()
    (tmp_path / "[a,b]/1.png").touch()
    assert paths_of(read_text(tmp_path, "t.csv", '"[a,b]/1.png", "x[1,2].png"')) == [
        {"image": "[a,b]/1.png", "label": "x[1,2].png"}
    ]


def test_files_that_do_not_exist_stay_promised(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "1l.png"):
        (tmp_path / name).touch()
    assert paths_of(read_text(tmp_path, "t.csv", "1.png, 1l.png\n2.png, 2l.png\n")) == [
        {"image": "1.png", "label": "1l.png"},
        {"image": "2.png", "label": "2l.png"},
    ]
