"""COCO's JSON comes in pixel by pixel as pycocotools reads it; what is broken is refused by its own message."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as reference

from segprep.datasets.class_files import read_class_map
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.sample import Array
from support.commands import prep

REAL = Path(__file__).resolve().parents[4] / "shared/data/catalog/coco_panoptic"
WIDTH, HEIGHT = 37, 29
IMAGE = {"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
CATEGORIES = [{"id": 3, "name": "car"}, {"id": 90, "name": "brush"}]


def _decoded(rle: Any) -> Array:
    with warnings.catch_warnings():  # it calls NumPy in a way that is going away
        warnings.simplefilter("ignore", DeprecationWarning)
        mask: Array = reference.decode(rle)
    return mask.astype(bool)


def _coco(place: Path, annotations: list[dict[str, Any]], **document: Any) -> Path:
    write_image(place / "images/a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    rows = [{"id": i, "image_id": 7, "category_id": 3, "iscrowd": 0, **row} for i, row in enumerate(annotations)]
    everything = {"images": [IMAGE], "categories": CATEGORIES, "annotations": rows, **document}
    (place / "instances.json").write_text(json.dumps(everything))
    return place


def _imported(source: Path, *options: object, form: str = "coco") -> Path:
    out = source.parent / "out"
    assert prep("import", form, source, "--out", out, *options) == 0
    return out


def test_polygons_and_run_lengths_are_as_pycocotools_decodes_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    polygon = [float(v) for v in rng.uniform(-3, 40, 14)]
    second = [2.5, 3.25, 9.75, 4.0, 5.5, 11.0]
    mask = np.asfortranarray(rng.random((HEIGHT, WIDTH)) < 0.4, np.uint8)
    runs = reference.encode(mask)
    text = {"size": [HEIGHT, WIDTH], "counts": runs["counts"].decode()}
    source = _coco(
        tmp_path / "source",
        [{"segmentation": text, "category_id": 90}, {"segmentation": [polygon, second]}],
    )
    out = _imported(source)
    filled = _decoded(reference.merge(reference.frPyObjects([polygon, second], HEIGHT, WIDTH)))
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    shapes = [(mask.astype(bool), 90), (filled, 3)]
    for shape, raw_id in sorted(shapes, key=lambda pair: -int(pair[0].sum())):
        expected[shape] = raw_id
    assert np.array_equal(read_image(out / "train/label_data/a.png"), expected)
    instance = read_image(out / "train/instance_data/a.png")
    assert instance.dtype == np.uint16
    assert np.array_equal(instance > 0, expected > 0)
    classes = read_class_map(out / "classes.toml")
    assert classes.names == ("background", "car", "brush")
    assert [c.raw_ids for c in classes.classes] == [(0,), (3,), (90,)]
    assert classes.ignored_raw_ids == (255,)


def test_plain_counts_crowds_and_pictures_without_annotation(tmp_path: Path) -> None:
    source = _coco(
        tmp_path / "source",
        [{"segmentation": {"size": [HEIGHT, WIDTH], "counts": [5, 6, HEIGHT * WIDTH - 11]}, "iscrowd": 1}],
        images=[IMAGE, {**IMAGE, "id": 8, "file_name": "b.png"}],
    )
    write_image(source / "images/b.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    out = _imported(source)
    label = read_image(out / "train/label_data/a.png")
    assert np.array_equal(np.flatnonzero(label.T), np.arange(5, 11))
    assert not read_image(out / "train/instance_data/a.png").any()  # a crowd is no object
    assert not read_image(out / "train/label_data/b.png").any()  # COCO lists it: it was looked at


def test_init_takes_the_folder_in_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    square = [[1, 1, 12, 1, 12, 12, 1, 12]]
    out = _imported(_coco(tmp_path / "source", [{"segmentation": square}]))
    assert (out / "train/image_data/a.png").samefile(tmp_path / "source/images/a.png")
    capsys.readouterr()
    assert prep("init", "folder", out, "-C", tmp_path / "space", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["classes"] == ["background", "car", "brush"]
    assert listed["splits"] == {"train": {"samples": 1, "image": 1, "label": 1, "instance": 1}}
    assert prep("resize", "--factor", 1, "-C", tmp_path / "space") == 0
    assert read_image(tmp_path / "space/train/label_data/a.png").max() == 1  # train ids
    assert read_image(tmp_path / "space/train/instance_data/a.png").max() == 1


def test_stuff_leaves_what_nobody_labelled_out(tmp_path: Path) -> None:
    categories = [{"id": 92, "name": "banner"}, {"id": 183, "name": "other"}]
    rows = [{"segmentation": [[1, 1, 12, 1, 12, 12, 1, 12]], "category_id": 92}]
    out = _imported(_coco(tmp_path / "source", rows, categories=categories))
    classes = read_class_map(out / "classes.toml")
    assert classes.names == ("banner", "other")
    train = classes.to_train_ids(read_image(out / "train/label_data/a.png"))
    assert set(np.unique(train)) == {0, 255}
    assert not (out / "train/instance_data").exists()


def test_real_panoptic_annotations(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent: real annotations are no part of the project")
    document = json.loads((REAL / "annotations/panoptic_train2017.json").read_text())
    categories = json.loads((REAL / "coco_panoptic_categories.json").read_text())
    file = REAL / "annotations/panoptic_train2017/000000000009.png"
    rgb = read_image(file).astype(np.int64)
    write_image(tmp_path / "pictures/000000000009.jpg", np.zeros((*rgb.shape[:2], 3), np.uint8))
    out = tmp_path / "out"
    assert prep("import", "coco", REAL, "--pictures", tmp_path / "pictures", "--out", out) == 0
    label, instance = (read_image(out / f"train/{part}_data/000000000009.png") for part in ("label", "instance"))
    segments = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    is_thing = {row["id"]: row["isthing"] for row in categories}
    for row in document["annotations"][0]["segments_info"]:
        inside = segments == row["id"]
        assert int(inside.sum()) == row["area"]
        assert set(label[inside].tolist()) == {row["category_id"]}
        assert bool(instance[inside].any()) == bool(is_thing[row["category_id"]])
        assert len(set(instance[inside].tolist())) == 1
    classes = read_class_map(out / "classes.toml")
    assert classes.to_train_ids(label)[segments == 0].tolist() == [255] * int((segments == 0).sum())
    assert classes.classes[0].color == tuple(categories[0]["color"])


HOSTILE = {
    "no polygon": ([], "box only"),
    "two points": ([[1, 1, 2, 2]], "at least three points"),
    "outside": ([[-30, 1, -20, 1, -20, 9]], "outside of the picture"),
    "far away": ([[1, 1, 1e9, 1, 1, 1e9]], "far outside"),
    "no number": ([[1, 1, "x", 4, 5, 6]], "a number is needed"),
    "box": (None, "boxes alone"),
    "too long": ({"size": [HEIGHT, WIDTH], "counts": [0, 10**12]}, "run lengths say"),
    "negative": ({"size": [HEIGHT, WIDTH], "counts": [-5, HEIGHT * WIDTH + 5]}, "run lengths say"),
    "other size": ({"size": [WIDTH, HEIGHT], "counts": [0, 1]}, "run lengths are of the size"),
    "endless": ({"size": [HEIGHT, WIDTH], "counts": "o" * 50}, "too large"),
    "cut": ({"size": [HEIGHT, WIDTH], "counts": "P"}, "truncated"),
    "stranger": ({"size": [HEIGHT, WIDTH], "counts": "é"}, "hold 'é'"),
}


def test_hostile_shapes_are_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    images = [{**IMAGE, "id": i, "file_name": f"{i}.png"} for i in range(len(HOSTILE) + 1)]
    rows = [{"image_id": i, "segmentation": shape} for i, (shape, _) in enumerate(HOSTILE.values())]
    source = _coco(tmp_path / "source", rows, images=images)
    for image in images:
        write_image(source / "images" / str(image["file_name"]), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert prep("import", "coco", source, "--out", tmp_path / "out") == 4
    assert [p.name for p in (tmp_path / "out/train/image_data").iterdir()] == [f"{len(HOSTILE)}.png"]
    report = json.loads((tmp_path / "out/import_report.json").read_text())
    told = {Path(each["file"]).stem: each["reason"] for each in report["problems"]}
    for place, (_, reason) in enumerate(HOSTILE.values()):
        assert reason in told[str(place)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no readable JSON"),
        ('{"images": [', "no readable JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "expected is"),
        ('{"images": [], "annotations": [], "categories": [{"id": "x"}]}', "id must be a whole number"),
        ('{"images": 3, "annotations": [], "categories": [{"id": 1, "name": "a"}]}', "images must be a list"),
    ],
    ids=["empty", "truncated", "deep", "no object", "no id", "no images"],
)
def test_a_broken_file_is_refused_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (tmp_path / "source").mkdir()
    write_image(tmp_path / "source/a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (tmp_path / "source/instances.json").write_text(content)
    assert prep("import", "coco", tmp_path / "source", "--out", tmp_path / "out") == 3
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


def test_an_unknown_category_a_wrong_size_and_an_unlisted_image(tmp_path: Path) -> None:
    square = [[1, 1, 12, 1, 12, 12, 1, 12]]
    images = [IMAGE, {**IMAGE, "id": 8, "file_name": "b.png"}, {**IMAGE, "id": 9, "file_name": "c.png", "width": 5}]
    rows: list[dict[str, Any]] = [{"segmentation": square}, {"segmentation": square, "image_id": 8, "category_id": 5}]
    source = _coco(tmp_path / "source", [*rows, {"segmentation": square, "image_id": 99}], images=images)
    for name in "bc":
        write_image(source / f"images/{name}.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert prep("import", "coco", source, "--out", tmp_path / "out") == 4
    report = json.loads((tmp_path / "out/import_report.json").read_text())
    reasons = " ".join(each["reason"] for each in report["problems"])
    for part in ("1 annotations are of images", "the category 5", "a picture of 5x29, and it has 37x29"):
        assert part in reasons


def test_many_annotations(tmp_path: Path) -> None:
    write_image(tmp_path / "source/a.png", np.zeros((8, 8, 3), np.uint8))
    runs = {"size": [8, 8], "counts": [60, 4]}
    rows = [{"id": i, "image_id": 7, "category_id": 3, "iscrowd": 1, "segmentation": runs} for i in range(20_000)]
    document = {"images": [{"id": 7, "file_name": "a.png"}], "categories": CATEGORIES, "annotations": rows}
    (tmp_path / "source/many.json").write_text(json.dumps(document))
    out = _imported(tmp_path / "source")
    assert int((read_image(out / "train/label_data/a.png") == 3).sum()) == 4
