"""Forms of annotation tools come in as the tools themselves draw them, from files written as the tools write them."""

import base64
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from segprep.datasets.class_files import read_class_map
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.importers._common.brush import brush_alpha
from segprep.datasets.importers._common.class_list import voc_color
from segprep.datasets.importers._common.miniature import write_json
from segprep.datasets.sample import Array
from support.commands import prep

REAL = Path(__file__).resolve().parents[4] / "shared/data/catalog"
WIDTH, HEIGHT = 40, 24


def _picture(path: Path) -> None:
    write_image(path, np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def _imported(form: str, place: Path, code: int = 0) -> Path:
    assert prep("import", form, place / "source", "--out", place / "out") == code
    return place / "out"


def _label(out: Path, name: str = "a", split: str = "train", part: str = "label") -> Array:
    return read_image(out / split / f"{part}_data" / f"{name}.png")


def _reasons(out: Path) -> str:
    return " | ".join(each["reason"] for each in json.loads((out / "import_report.json").read_text())["problems"])


def test_real_labelme_files_are_drawn_as_expected(tmp_path: Path) -> None:
    if not (REAL / "labelme").is_dir():
        pytest.skip(f"{REAL / 'labelme'} is absent: real annotations are no part of the project")
    assert prep("import", "labelme", REAL / "labelme", "--out", tmp_path / "out") == 0
    expected = sorted((REAL / "labelme/expected").glob("*.png"))
    assert expected
    for path in expected:
        label = _label(tmp_path / "out", path.stem)
        assert np.mean(label == read_image(path)) >= 0.9999


def test_labelme_draws_every_shape_in_its_order(tmp_path: Path) -> None:
    _picture(tmp_path / "source/a.png")
    shapes = [
        ("polygon", "car", [[2.5, 3.2], [20.7, 4.1], [15.2, 18.8]]),
        ("rectangle", "person", [[30, 20], [12, 9]]),
        ("circle", "car", [[30, 8], [33, 10]]),
        ("linestrip", "person", [[1, 22], [10, 20], [20, 23]]),
        ("point", "car", [[36, 20]]),
        ("polygon", "__ignore__", [[0, 0], [5, 0], [5, 5]]),
    ]
    expected = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(expected)
    draw.polygon([(2.5, 3.2), (20.7, 4.1), (15.2, 18.8)], fill=1, outline=1)
    draw.rectangle([12, 9, 30, 20], fill=2, outline=2)
    radius = 13**0.5
    draw.ellipse([30 - radius, 8 - radius, 30 + radius, 8 + radius], fill=1, outline=1)
    draw.line([(1, 22), (10, 20), (20, 23)], fill=2, width=10)
    draw.ellipse([31, 15, 41, 25], fill=1, outline=1)
    draw.polygon([(0, 0), (5, 0), (5, 5)], fill=255, outline=255)
    stamp = io.BytesIO()
    Image.fromarray(np.array([[True, False], [True, True]])).save(stamp, "PNG")
    rows = [{"shape_type": kind, "label": label, "points": points, "group_id": None} for kind, label, points in shapes]
    mask = base64.b64encode(stamp.getvalue()).decode()
    rows.append({"shape_type": "mask", "label": "person", "points": [[20, 1], [21, 2]], "group_id": 4, "mask": mask})
    rows.append({"shape_type": "rectangle", "label": "person", "points": [[25, 1], [26, 2]], "group_id": 4})
    truth = np.array(expected)
    truth[[1, 2, 2], [20, 20, 21]] = 2
    truth[1:3, 25:27] = 2
    write_json(tmp_path / "source/a.json", {"shapes": rows, "imagePath": "..\\source\\a.png", "imageData": None})
    out = _imported("labelme", tmp_path)
    assert np.array_equal(_label(out), truth)
    instance = _label(out, part="instance")
    assert instance[1, 20] == instance[1, 25] > 0  # one group is one object
    assert instance[1, 4] == 0  # what is ignored is no object


def test_labelme_takes_the_picture_inside_the_file_and_lists_what_is_wrong(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    inside = base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
    square = {"shape_type": "polygon", "label": "car", "points": [[1, 1], [9, 1], [9, 9]]}
    write_json(tmp_path / "source/a.json", {"shapes": [square], "imagePath": "gone.png", "imageData": inside})
    write_json(tmp_path / "source/b.json", {"shapes": [square], "imagePath": "b.json", "imageData": None})
    write_json(
        tmp_path / "source/c.json", {"shapes": [{**square, "label": "cow"}], "imagePath": "x", "imageData": inside}
    )
    write_json(tmp_path / "source/d.json", {"shapes": [], "imagePath": "../../a.png", "imageData": None})
    (tmp_path / "source/e.json").write_text('{"shapes": [')
    (tmp_path / "source/labels.txt").write_text("__ignore__\n_background_\ncar\n")
    out = _imported("labelme", tmp_path, 4)
    reasons = _reasons(out)
    for part in ("no picture 'b.json'", "no picture '../../a.png'", "the label 'cow'", "no readable JSON"):
        assert part in reasons
    (kept,) = (out / "train/image_data").iterdir()
    assert kept.read_bytes() == (tmp_path / "a.png").read_bytes()


def test_cvat_xml_draws_layers_and_masks(tmp_path: Path) -> None:
    _picture(tmp_path / "source/images/sub/a.png")
    _picture(tmp_path / "source/images/b.png")
    (tmp_path / "source/annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?><annotations><meta><job><labels>'
        "<label><name>car</name><color>#ff0000</color></label><label><name>person</name></label></labels></job></meta>"
        f'<image id="0" name="sub/a.png" width="{WIDTH}" height="{HEIGHT}">'
        '<mask label="person" rle="1, 2, 3" left="4" top="5" width="3" height="2" z_order="1"/>'
        '<box label="car" xtl="2" ytl="3" xbr="12" ybr="13" z_order="0"/>'
        '<polygon label="car" points="20,2;30,2;30,9;20,9" z_order="0"/></image>'
        f'<image id="1" name="b.png" width="{WIDTH}" height="{HEIGHT}"/></annotations>'
    )
    out = _imported("cvat", tmp_path)
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[3:13, 2:12] = 1
    truth[2:9, 20:30] = 1
    truth[5, 5:7] = 2
    assert np.array_equal(_label(out), truth)
    assert not _label(out, "b").any()
    assert read_class_map(out / "classes.toml").classes[1].color == (255, 0, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "&b;&b;">]><annotations>&b;</annotations>', "declares entities"),
        ("<annotations><image", "no readable XML"),
        ("<other/>", "CVAT's form"),
        ("", "no readable XML"),
    ],
    ids=["cyclic entities", "truncated", "other", "empty"],
)
def test_cvat_xml_that_is_broken_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/annotations.xml").write_text(text)
    _imported("cvat", tmp_path, 3)
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


def test_voc_keeps_borders_splits_and_objects(tmp_path: Path) -> None:
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[3:9, 4:20], label[9, 4:20], label[12:, 30:] = 15, 255, 7
    palette = [channel for i in range(256) for channel in voc_color(i)]
    for folder in ("SegmentationClass", "SegmentationObject"):
        path = tmp_path / f"source/VOC2012/{folder}/a.png"
        path.parent.mkdir(parents=True)
        picture = Image.frombytes("P", (WIDTH, HEIGHT), label.tobytes())
        picture.putpalette(palette)
        picture.save(path)
    for name in "ab":
        _picture(tmp_path / f"source/VOC2012/JPEGImages/{name}.png")
    lists = tmp_path / "source/VOC2012/ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("a\n")
    (lists / "trainval.txt").write_text("a\nb\n")
    out = _imported("voc", tmp_path)
    assert np.array_equal(_label(out, split="val"), label)
    assert np.array_equal(_label(out, split="val", part="instance"), np.where(label == 255, 0, label))
    assert json.loads((out / "import_report.json").read_text())["not_annotated"] == ["VOC2012/JPEGImages/b.png"]
    classes = read_class_map(out / "classes.toml")
    assert (classes.names[15], classes.classes[15].color) == ("person", (192, 128, 128))


def test_voc_and_cvat_refuse_what_no_class_means(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:9,9,9::\n")
    for name, color in (("a", (9, 9, 9)), ("b", (8, 8, 8))):
        _picture(tmp_path / f"source/JPEGImages/{name}.png")
        write_image(tmp_path / f"source/SegmentationClass/{name}.png", np.full((HEIGHT, WIDTH, 3), color, np.uint8))
    write_image(tmp_path / "source/SegmentationClass/c.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    out = _imported("cvat", tmp_path, 4)
    assert "#080808" in _reasons(out)
    assert "no picture 'JPEGImages/c'" in _reasons(out)
    assert (_label(out) == 1).all()


def _brush(mask: Array) -> list[int]:
    """Write the bytes of a brush: each run of equal values of red, green, blue, alpha as a block."""
    values = np.repeat(np.where(mask, 255, 0).ravel(), 4).tolist()
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    place = 0
    while place < len(values):
        end = place
        while end < len(values) and values[end] == values[place] and end - place < 65536:
            end += 1
        if end - place == 4:  # written out, in place of repeated
            bits += f"0{0:02b}{3:03b}" + f"{values[place]:08b}" * 4
        else:
            bits += f"1{3:02b}{end - place - 1:016b}{values[place]:08b}"
        place = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def test_label_studio_brushes_and_polygons(tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[4:9, 6:20], mask[15, 3] = True, True
    assert np.array_equal(brush_alpha(_brush(mask), WIDTH, HEIGHT) > 0, mask)
    _picture(tmp_path / "source/a.png")
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    brush = {"format": "rle", "rle": _brush(mask), "brushlabels": ["car"]}
    corners = [[50.0, 50.0], [75.0, 50.0], [75.0, 100.0], [50.0, 100.0]]
    polygon = {"points": corners, "closed": True, "polygonlabels": ["person"]}
    result = [
        {"type": "brushlabels", "value": brush, **size},
        {"type": "polygonlabels", "value": polygon, **size},
        {"type": "choices", "value": {"choices": ["day"]}},
    ]
    short = {"type": "brushlabels", "value": {**brush, "rle": brush["rle"][:9]}, **size}
    tasks = [
        {"id": 1, "data": {"image": "/data/upload/2/12ab34cd-a.png"}, "annotations": [{"result": result}]},
        {"id": 2, "data": {"image": "b.png"}, "annotations": [{"result": [short]}]},
        {"id": 3, "data": {"image": "c.png"}, "annotations": []},
    ]
    _picture(tmp_path / "source/b.png")
    write_json(tmp_path / "source/export.json", tasks)
    out = _imported("label-studio", tmp_path, 4)
    truth = np.where(mask, 1, 0)
    truth[12:24, 20:30] = 2
    assert np.array_equal(_label(out), truth)
    report = json.loads((out / "import_report.json").read_text())
    assert report["not_annotated"] == ["task 3"]
    assert "truncated" in _reasons(out)


def test_supervisely_polygons_have_holes(tmp_path: Path) -> None:
    write_json(tmp_path / "source/meta.json", {"classes": [{"title": "car", "shape": "polygon", "color": "#0102ff"}]})
    exterior, hole = [[2, 2], [30, 2], [30, 20], [2, 20]], [[8, 8], [20, 8], [20, 15], [8, 15]]
    points = {"exterior": exterior, "interior": [hole]}
    good = {"classTitle": "car", "geometryType": "polygon", "points": points}
    bad = {"classTitle": "car", "geometryType": "bitmap", "bitmap": {"data": "eJw=", "origin": [1, 1]}}
    for name, each in (("a", good), ("b", bad), ("c", {**good, "classTitle": "cow"})):
        _picture(tmp_path / f"source/ds/img/{name}.png")
        size = {"width": WIDTH, "height": HEIGHT}
        write_json(tmp_path / f"source/ds/ann/{name}.png.json", {"size": size, "objects": [each]})
    out = _imported("supervisely", tmp_path, 4)
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(truth, [np.array(exterior, np.int32), np.array(hole, np.int32)], 1)
    assert truth[10, 12] == 0
    assert np.array_equal(_label(out), truth)
    assert "truncated" in _reasons(out)
    assert "'cow'" in _reasons(out)


def test_yolo_masks_and_broken_rows(tmp_path: Path) -> None:
    source = tmp_path / "source"
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, :9], mask[:, 9:12], mask[:, 30:] = 7, 8, 255
    _picture(source / "images/val/a.png")
    write_image(source / "masks/val/a.png", mask)
    (source / "data.yaml").write_text("names: [road, car]\nmasks_dir: masks\nlabel_mapping: {0: 0, 7: 1, 8: 255}\n")
    out = _imported("yolo", tmp_path)
    classes = read_class_map(out / "classes.toml")
    train = classes.to_train_ids(_label(out, split="val"))
    assert [train[0, x] for x in (0, 10, 20, 35)] == [1, 255, 0, 255]


def test_yolo_rows_that_are_wrong_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    (source / "labels").mkdir(parents=True)
    rows = {"a": "", "b": "0 .1 .1 .5 .5", "c": "5 0 0 1 0 1 1", "d": "0 0 0 1 0 9 9", "e": "0 0 0 1 nan 1 1"}
    for name, row in rows.items():
        _picture(source / f"images/{name}.png")
        (source / f"labels/{name}.txt").write_text(row)
    (source / "data.yaml").write_text("names: {0: car}\n")
    out = _imported("yolo", tmp_path, 4)
    for part in ("it is a box", "the class 5", "lie in 0..1", "a number is needed"):
        assert part in _reasons(out)
    assert (_label(out) == 1).all()  # nothing is in it: the background, which has the number after the classes
    (source / "data.yaml").write_text("a: &a [*a]\nnames: *a\n")
    assert prep("import", "yolo", source, "--out", tmp_path / "other") == 3
    assert "refers to its own parts" in capsys.readouterr().err


def test_roboflow_and_datumaro_refuse_values_without_a_class(tmp_path: Path) -> None:
    for split, value in (("train", 1), ("valid", 9)):
        folder = tmp_path / "source" / split
        _picture(folder / "a.png")
        write_image(folder / "a_mask.png", np.full((HEIGHT, WIDTH), value, np.uint8))
        (folder / "_classes.csv").write_text("Pixel Value, Class\n0,background\n1, car\n")
    out = _imported("roboflow", tmp_path, 4)
    assert (_label(out) == 1).all()
    assert "960 pixels have the value 9, which _classes.csv does not know" in _reasons(out)


@pytest.mark.parametrize("name", ["../evil.json", "/evil.json"])
def test_a_zip_that_names_files_outside_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as packed:
        packed.writestr(name, "{}")
    assert prep("import", "coco", tmp_path / "source.zip", "--out", tmp_path / "out") == 3
    assert "outside of it" in capsys.readouterr().err


def test_a_zip_that_grows_beyond_measure_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "source.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.json", b" " * 2**25)
    assert prep("import", "coco", tmp_path / "source.zip", "--out", tmp_path / "out") == 3
    assert "no zip of pictures" in capsys.readouterr().err


def test_what_exists_and_what_nobody_knows_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    assert prep("import", "coco", tmp_path, "--out", tmp_path / "out") == 5
    assert prep("import", "coco", tmp_path / "gone", "--out", tmp_path / "new") == 3
    assert prep("import", "coco", tmp_path / "broken.zip", "--out", tmp_path / "new") == 3
    assert prep("import", "word", tmp_path, "--out", tmp_path / "new") == 2
    said = capsys.readouterr().err
    for part in ("out exists", "gone does not exist", "no readable zip", "no importer called 'word'"):
        assert part in said


def test_masks_follow_a_picture_that_its_exif_data_turns(tmp_path: Path) -> None:
    (tmp_path / "source/JPEGImages").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "source/JPEGImages/a.jpg", exif=exif)
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[:5, :9] = 1  # of the picture as it is stored
    write_image(tmp_path / "source/SegmentationClass/a.png", label)
    out = _imported("voc", tmp_path)
    assert np.array_equal(_label(out), np.rot90(label, -1))
    assert (out / "train/image_data/a.jpg").read_bytes() == (tmp_path / "source/JPEGImages/a.jpg").read_bytes()


def test_pictures_of_other_formats_become_png(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    (tmp_path / "source/JPEGImages").mkdir(parents=True)
    Image.fromarray(rgb).save(tmp_path / "source/JPEGImages/a.bmp")
    write_image(tmp_path / "source/SegmentationClass/a.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    out = _imported("voc", tmp_path)
    assert np.array_equal(read_image(out / "train/image_data/a.png"), rgb)
