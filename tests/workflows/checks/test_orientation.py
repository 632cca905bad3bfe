"""Images and labels of which EXIF data turn only one: said by `resize` and `status`, judged by `check`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.codes import PlainCode
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio.exif import as_stored, oriented
from segprep.datasets.kinds import Kind
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.synthetic import World, render
from segprep.datasets.workspace.cells import decode_source
from segprep.prep.inspection.facts import PictureFacts
from segprep.workflows.checks.facts import FileFacts
from segprep.workflows.checks.findings import Calibration, CheckedSample, Severity
from segprep.workflows.checks.orientation import Fit, turned_cameras, turned_otherwise
from support.commands import prep
from support.pictures import pillow_bytes

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]
Write = Callable[..., Path]

FRAMES = 3
UPRIGHT = 1


def _with_orientation(picture: Array, kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    if orientation != UPRIGHT:
        exif[0x0112] = orientation
    return pillow_bytes(Image.fromarray(picture), kind, exif=exif)


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Array, Array]]:
    frames = [render(World(seed=seed), 0, width=160, height=96) for seed in range(FRAMES)]
    return [(frame.rgb_HWC, frame.label_HW) for frame in frames]


@pytest.fixture
def write(tmp_path: Path, scenes: list[tuple[Array, Array]]) -> Write:
    """Write a folder of images and labels: `write(image=3)` turns the images by a tag, not by their pixels."""

    def folder(
        image: int = UPRIGHT, label: int = UPRIGHT, *, drawn_upright: bool = False, side: int | None = None
    ) -> Path:
        for index, (rgb_HWC, label_HW) in enumerate(scenes):
            stored_rgb, stored_label = rgb_HWC[:side, :side], label_HW[:side, :side]
            if drawn_upright:
                stored_rgb, stored_label = as_stored(stored_rgb, image), as_stored(stored_label, label)
            for name, kind, stored, orientation in (
                ("image", "jpg", stored_rgb, image),
                ("label", "png", stored_label, label),
            ):
                path = tmp_path / f"data/train/{name}_data/{index}.{kind}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_with_orientation(stored, kind.replace("jpg", "jpeg"), orientation))
        assert prep("init", "folder", tmp_path / "data") == 0
        return tmp_path / "data"

    return folder


def _checked(capsys: Captured, code: int) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert prep("check", "--workers", "0", "--json") == code
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return [each for each in found if "orientation" in each["message"].lower()]


@pytest.mark.parametrize(("orientation", "side"), [(2, None), (3, None), (4, None), (5, 96), (6, 96), (7, 96), (8, 96)])
def test_a_label_that_was_drawn_on_the_stored_pixels_is_found(
    write: Write, capsys: Captured, orientation: int, side: int | None
) -> None:
    write(image=orientation, side=side)
    (found,) = _checked(capsys, 4)
    assert (found["severity"], found["category"], len(found["keys"])) == ("error", "orientation", FRAMES)
    assert f"3 images carry an EXIF orientation ({orientation}) and their label none" in found["message"]
    assert (
        "in 3 of 3 that were compared the edges fit as if label was drawn on the stored pixels"
        in found["message"].lower()
    )
    assert "exiftool" in found["message"]


def test_a_list_of_good_samples_leaves_them_out(write: Write, tmp_path: Path) -> None:
    write(image=3)
    assert prep("check", "--workers", "0", "--write-list", tmp_path / "good.csv") == 4
    assert not (tmp_path / "good.csv").exists()


def test_a_label_that_was_drawn_on_the_upright_picture_is_a_note(write: Write, capsys: Captured) -> None:
    write(image=3, drawn_upright=True)
    (found,) = _checked(capsys, 0)
    assert found["severity"] == "note"
    assert "as they are read: all is well" in found["message"]


def test_a_label_that_carries_an_orientation_which_its_image_lacks_is_found(write: Write, capsys: Captured) -> None:
    write(label=3)
    (found,) = _checked(capsys, 4)
    assert "3 files of label carry an EXIF orientation (3) and their images none" in found["message"]
    assert "take the orientation out of label" in found["message"]


def test_edges_that_say_nothing_are_a_warning(tmp_path: Path, capsys: Captured) -> None:
    for name, kind in (("image", "jpeg"), ("label", "png")):
        path = tmp_path / f"data/train/{name}_data/a.{kind}"
        path.parent.mkdir(parents=True)
        grey = np.full((24, 32), 1, np.uint8) if name == "label" else np.full((24, 32, 3), 90, np.uint8)
        path.write_bytes(_with_orientation(grey, kind, 3 if name == "image" else UPRIGHT))
    assert prep("init", "folder", tmp_path / "data") == 0
    (found,) = _checked(capsys, 0)
    assert found["severity"] == "warning"
    assert "prep show a" in found["message"]


def test_two_that_are_turned_alike_need_no_word(write: Write, capsys: Captured) -> None:
    write(image=6, label=6)
    assert _checked(capsys, 0) == []
    assert prep("resize", "--factor", "1") == 0
    assert "EXIF" not in capsys.readouterr().out


def test_a_picture_turned_by_90_degrees_is_named_where_the_sizes_differ(write: Write, capsys: Captured) -> None:
    write(image=6)
    found = _checked(capsys, 4)
    assert [each["category"] for each in found] == ["size"] * FRAMES
    assert "turns only one of the two by 90 degrees (label 1, image 6)" in found[0]["message"]
    assert prep("resize", "--factor", "1", "--json") == 4
    reasons = {each["reason"] for each in json.loads(capsys.readouterr().out)["failed"]}
    assert len(reasons) == 1
    assert "Their EXIF orientations differ (label 1, image 6)" in reasons.pop()


def test_resize_and_status_say_it_also_when_labels_alone_are_made_again(write: Write, capsys: Captured) -> None:
    write(image=3)
    for arguments in ((), ("--labels", "nearest")):  # the second leaves the images as they are
        capsys.readouterr()
        assert prep("resize", "--factor", "2", "--json", *arguments) == 0
        assert json.loads(capsys.readouterr().out)["figures"]["label"]["turned_otherwise"] == FRAMES
    for command in (("resize", "--factor", "2"), ("status",)):
        assert prep(*command) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "label: 3 of 3 files carry another EXIF orientation than their images" in said
        assert "`prep check` says which reading fits" in said


@pytest.mark.parametrize("kind", [Kind.FLOW, Kind.NORMALS, Kind.DISPARITY])
def test_numbers_with_directions_are_refused_where_their_pixels_would_be_turned(kind: Kind) -> None:
    picture = _with_orientation(np.ones((4, 6, 3), np.uint8), "png", 3)
    source = SourceFile("motion/a.png", kind, PlainCode().to_json())
    with pytest.raises(UnreadableFileError, match=f"not the directions that numbers of {kind} mean: take it out"):
        decode_source(source, picture, Path("motion/a.png"))
    upright = _with_orientation(np.ones((4, 6, 3), np.uint8), "png", UPRIGHT)
    assert decode_source(source, upright, Path("motion/a.png")).facts == {}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_back_undoes_turning(orientation: int) -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(as_stored(oriented(picture, orientation), orientation), picture)


def _facts(path: str, kind: Kind, orientation: int) -> FileFacts:
    return FileFacts(path, kind, picture=PictureFacts(8, 6, 1, "uint8"), orientation=orientation)


def _sample(number: int, camera: Calibration | None = None, **orientations: int) -> CheckedSample:
    kinds = {"image": Kind.IMAGE, "label": Kind.LABEL, "depth": Kind.DEPTH, "previous": Kind.IMAGE}
    files = {name: _facts(f"{name}/{number}.png", kinds[name], value) for name, value in orientations.items()}
    return CheckedSample(SampleKey(f"k{number:03d}"), "train", files, camera)


def test_every_column_and_every_pair_of_orientations_is_judged_by_itself_and_by_a_few_samples() -> None:
    samples = [_sample(n, image=3, label=1, depth=3, previous=3) for n in range(100)]
    samples += [_sample(100 + n, image=6, label=1, depth=6, previous=8) for n in range(5)]
    asked: list[tuple[str, str]] = []

    def fit(image: FileFacts, other: FileFacts) -> Fit:
        asked.append((image.path, other.path))
        return Fit.AS_READ if image.orientation == 6 else Fit.AS_STORED

    found = list(turned_otherwise(samples, fit))
    assert [(f.severity, len(f.keys), f.paths[0]) for f in found] == [
        (Severity.ERROR, 100, "label/0.png"),
        (Severity.NOTE, 5, "label/100.png"),
        (Severity.NOTE, 5, "previous/100.png"),
    ]
    assert [len(f.unfit) for f in found] == [100, 0, 0]
    assert "5 images carry the EXIF orientation 6, their previous 8: they are turned differently" in found[2].message
    assert len(asked) <= 12 + 5 + 5


@pytest.mark.parametrize(
    ("fits", "severity"),
    [
        ((Fit.AS_STORED,) * 3 + (Fit.AS_READ,), Severity.ERROR),
        ((Fit.AS_STORED,) + (Fit.UNCLEAR,) * 3, Severity.ERROR),
        ((Fit.AS_READ,) * 3 + (Fit.AS_STORED,), Severity.NOTE),
        ((Fit.AS_READ, Fit.AS_STORED) * 2, Severity.WARNING),
        ((Fit.UNCLEAR,) * 4, Severity.WARNING),
    ],
)
def test_the_clear_ones_decide_if_they_agree(fits: tuple[Fit, ...], severity: Severity) -> None:
    answers = iter(fits)
    samples = [_sample(number, image=3, label=1) for number in range(len(fits))]
    (found,) = turned_otherwise(samples, lambda image, other: next(answers))
    assert found.severity is severity


def test_the_calibration_of_turned_images_is_mentioned() -> None:
    camera = Calibration((8, 6), 5.0, None)
    (note,) = turned_cameras([_sample(0, camera, image=3), _sample(1, camera, image=1), _sample(2, None, image=3)])
    assert (note.severity, note.keys) == (Severity.NOTE, ("k000",))
    assert "calibration must be that of the upright picture" in note.message
