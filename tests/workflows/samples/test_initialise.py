"""`prep init` on folders whose files cannot become samples: bad input with the file's name, and no bug."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import write_image
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


def _folder(root: Path, *names: str) -> Path:
    for name in names:
        write_image(root / "image_data" / name, np.zeros((8, 8, 3), np.uint8))
        write_image(root / "label_data" / Path(name).with_suffix(".png").name, np.zeros((8, 8), np.uint8))
    return root


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a.png", "a.jpg"), "has both a.jpg and a.png: keep one of them"),
        (("道路" * 12 + ".png",), "can be made from the name '道路"),
        (("x" * 210 + ".png",), "rename it"),
    ],
    ids=["two files of one name", "long name of many bytes", "long name"],
)
def test_files_that_cannot_become_samples_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], message: str
) -> None:
    assert prep("init", "folder", _folder(tmp_path / "data", *names)) == 3
    error = capsys.readouterr().err
    assert message in error
    assert "bug" not in error
    assert not Path("prep.toml").exists()


def test_a_camera_file_that_is_no_json_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prep("init", "synthetic", "--miniature", tmp_path / "drive", "--frames", "2", "-C", tmp_path / "first") == 0
    camera = next((tmp_path / "drive").rglob("camera/*.json"))
    good = camera.read_text()
    camera.write_text(good[:50])
    assert prep("init", "synthetic", tmp_path / "drive") == 3
    camera.write_text(json.dumps(json.loads(good) | {"K": [[1, 2], [3, 4]]}))
    assert prep("init", "synthetic", tmp_path / "drive") == 3
    assert "K must be a finite 3x3 matrix" in capsys.readouterr().err


def test_names_with_any_characters_become_keys_and_keep_their_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _folder(tmp_path / "data", "Straße 1%.png", ".hidden.png", "a b.png", "道.png")
    assert prep("init", "folder", data) == 0
    capsys.readouterr()
    assert prep("resize", "--factor", "2") == 0
    made = {path.name for path in Path("train/image_data").iterdir()}
    assert made == {"Stra%C3%9Fe%201%25.png", "a%20b.png", "%E9%81%93.png"}, "hidden files are no samples"
