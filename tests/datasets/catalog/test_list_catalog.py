"""The dataset `list`: lists named or found, classes from the labels that they name."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog import list as member
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.errors import ConfigurationError, DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.record import Direction
from segprep.datasets.sample import Array


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _label(path: Path, ids: list[int] | Array) -> None:
    write_image(path, np.array([ids], np.uint8) if isinstance(ids, list) else ids)


def _keys(source: DatasetSource) -> list[tuple[str, str]]:
    return [(r.split, r.key) for r in member.scan(source, Direction.PREVIOUS)]


def test_it_has_the_name_that_users_type() -> None:
    assert CATALOG.load("list") is member


def test_lists_that_are_named_count_and_without_names_all_that_lie_in_the_root(tmp_path: Path) -> None:
    root = tmp_path / "data"
    first = _text(root / "train.csv", "a.png, a_l.png\n")
    _text(root / "val.txt", "b.png b_l.png\n")
    _text(root / "notes.txt", "These frames are ours.\n")
    _text(root / "more/test.csv", "c.png, c_l.png\n")
    elsewhere = _text(tmp_path / "night.jsonl", '{"image": "d.png"}\n')
    assert _keys(DatasetSource(root)) == [("train", "a"), ("val", "b")]
    assert _keys(DatasetSource(root, (elsewhere, first))) == [("night", "d"), ("train", "a")]


def test_the_classes_are_the_ids_of_all_labels_that_the_lists_name(tmp_path: Path) -> None:
    _label(tmp_path / "l/1.png", [0, 7, 255])
    _label(tmp_path / "l/2.png", [3, 7, 7])
    _label(tmp_path / "l/unlisted.png", [9, 9, 9])
    _text(tmp_path / "train.csv", "1.png, l/1.png\n2.png, l/2.png\n3.png, l/gone.png\n")
    found = member.class_map(DatasetSource(tmp_path))
    assert [(c.name, c.raw_ids) for c in found.classes] == [("class_0", (0,)), ("class_3", (3,)), ("class_7", (7,))]
    assert found.ignored_raw_ids == (255,)


def test_colours_become_classes_too(tmp_path: Path) -> None:
    _label(tmp_path / "l.png", np.array([[[0, 0, 0], [128, 64, 128], [0, 0, 142]]], np.uint8))
    _text(tmp_path / "train.csv", "1.png, l.png\n")
    found = member.class_map(DatasetSource(tmp_path))
    assert [c.color for c in found.classes] == [(0, 0, 0), (0, 0, 142), (128, 64, 128)]
    assert found.to_train_ids(read_image(tmp_path / "l.png")).tolist() == [[0, 2, 1]]


def test_images_alone_have_a_class_that_nothing_uses(tmp_path: Path) -> None:
    _text(tmp_path / "test.txt", "1.png\n2.png\n")
    found = member.class_map(DatasetSource(tmp_path))
    assert len(found.classes) == 1
    assert all(set(r.sources) == {"image"} for r in member.scan(DatasetSource(tmp_path), Direction.NEXT))


def test_labels_of_which_none_can_be_read_are_no_dataset(tmp_path: Path) -> None:
    _text(tmp_path / "train.csv", "1.png, l/1.png\n2.png, l/2.png\n")
    with pytest.raises(DatasetNotFoundError, match=r"none of the 2 labels.*l/1\.png.*--classes FILE"):
        member.class_map(DatasetSource(tmp_path))


def test_a_list_with_exactly_one_missing_file_keeps_its_sample_and_the_promise(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        write_image(tmp_path / f"{name}.png", np.zeros((2, 3, 3), np.uint8))
        if name != "2":
            _label(tmp_path / f"{name}_l.png", [0, 1, 2])
    path = _text(tmp_path / "train.csv", "1.png, 1_l.png\n2.png, 2_l.png\n3.png, 3_l.png\n")
    records = list(member.scan(DatasetSource(tmp_path, (path,)), Direction.PREVIOUS))
    promised = [s.path for r in records for s in r.sources.values()]
    assert [p for p in promised if not (tmp_path / p).is_file()] == ["2_l.png"]
    assert [r.sources["label"].path for r in records] == ["1_l.png", "2_l.png", "3_l.png"]


def test_pairs_are_what_a_line_says_even_with_other_labels_beside(tmp_path: Path) -> None:
    """gtCoarse sorts before gtFine: whoever pairs by position takes the wrong labels."""
    lines = []
    for number in range(3):
        stem = f"ulm_{number:06d}_000019"
        lines.append(f"leftImg8bit/ulm/{stem}_leftImg8bit.png, gtFine/ulm/{stem}_gtFine_labelIds.png")
        _label(tmp_path / f"gtFine/ulm/{stem}_gtFine_labelIds.png", [number])
        _label(tmp_path / f"gtCoarse/ulm/{stem}_gtCoarse_labelIds.png", [99])
    _text(tmp_path / "train.csv", "\n".join(reversed(lines)))
    records = list(member.scan(DatasetSource(tmp_path), Direction.PREVIOUS))
    assert [int(r.key.split("_")[1]) for r in records] == [2, 1, 0], "in the list's order"
    for record in records:
        label = read_image(tmp_path / record.sources["label"].path)
        assert label.tolist() == [[int(record.key.split("_")[1])]]


def test_what_is_wrong_with_lists_is_said_for_classes_and_samples_alike(tmp_path: Path) -> None:
    path = _text(tmp_path / "train.csv", "a.png, b.png\na.png, ../c.png\n")
    for source in (DatasetSource(tmp_path), DatasetSource(tmp_path, (path,))):
        for call in (lambda s: member.class_map(s), lambda s: list(member.scan(s, Direction.PREVIOUS))):
            with pytest.raises(UnreadableFileError, match=r"line 2: \.\./c\.png lies outside"):
                call(source)
    with pytest.raises(ConfigurationError, match="lists end in"):
        member.class_map(DatasetSource(tmp_path, (tmp_path / "train.xlsx",)))


def test_neighbours_are_those_of_the_list(tmp_path: Path) -> None:
    near = {"direction": "next", "frame": 6, "time_difference": 0.1}
    entry = {"image": "5.png", "next": "6.png", "sequence": "s", "frame": 5, "time": 0.5, "neighbour": near}
    plain = {"image": "6.png", "previous": "5.png"}
    _text(tmp_path / "t.jsonl", f"{json.dumps(entry)}\n{json.dumps(plain)}\n")
    first, second = member.scan(DatasetSource(tmp_path), Direction.PREVIOUS)
    assert first.neighbour is not None
    assert (first.neighbour.direction, first.neighbour.frame, first.neighbour.time_difference) == (
        Direction.NEXT,
        6,
        0.1,
    )
    assert second.neighbour is None
    assert second.sources["previous"].path == "5.png"


def test_the_miniature_is_read_as_paris_would_write_it(tmp_path: Path) -> None:
    member.write_miniature(tmp_path, 5)
    assert (tmp_path / "val.csv").read_text() == "images/val_000.png, labels/val_000.png\n"
    records = list(member.scan(DatasetSource(tmp_path), Direction.PREVIOUS))
    assert [r.split for r in records] == ["train"] * 4 + ["val"]
    classes = member.class_map(DatasetSource(tmp_path))
    for record in records:
        classes.to_train_ids(read_image(tmp_path / record.sources["label"].path))
