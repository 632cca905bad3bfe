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
from segprep.datasets.sample import Array
from segprep.datasets.synthetic import World, render
from segprep.datasets.workspace.cells import decode_source
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
        assert json.loads(capsys.readouterr().out)["turned_otherwise"] == {"label": FRAMES}
    for command in (("resize", "--factor", "2"), ("status",)):
        assert prep(*command) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "3 images and their label carry different EXIF orientations" in said
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
