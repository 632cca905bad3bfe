"""`prep check` finds label files whose numbers mean something else than those of the others."""

import json
from pathlib import Path

import pytest

from support.commands import prep
from support.label_files import grey_png, jpeg, label_folder, palette_png, patches

pytestmark = pytest.mark.usefixtures("ws")

BLACK, RED, GREEN = (0, 0, 0), (128, 0, 0), (0, 128, 0)


def _found(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """Return the message of each warning about labels, with the files that it names."""
    capsys.readouterr()
    prep("check", "--workers", "0", "--json")
    findings = json.loads(capsys.readouterr().out)["findings"]
    return {f["message"]: f["paths"] for f in findings if f["category"] == "label ids" and f["severity"] == "warning"}


def test_palettes_that_came_later_and_contradict_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = palette_png(patches(0, 1, 2), BLACK, RED, GREEN)
    data = label_folder(tmp_path / "data", sound, palette_png(patches(0, 1), BLACK, RED), sound)
    assert prep("init", "folder", data) == 0
    assert not _found(capsys), "a shorter palette with the same colours is sound"
    (data / "label_data/2.png").write_bytes(palette_png(patches(0, 1), BLACK, GREEN))
    ((message, paths),) = _found(capsys).items()
    assert "index 1 is (128, 0, 0) in label_data/0.png and (0, 128, 0) in label_data/2.png" in message
    assert paths == ["label_data/2.png"]


def test_jpeg_and_numbers_of_few_bits_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = label_folder(tmp_path / "data", patches(0, 85), patches(0, 85), patches(0, 85))
    assert prep("init", "folder", data) == 0
    assert not _found(capsys)
    (data / "label_data/1.png").write_bytes(grey_png(patches(0, 1), bits=2))
    (data / "label_data/2.png").write_bytes(jpeg(patches(0, 85)))
    lossy, narrow = _found(capsys).items()
    assert "1 labels are JPEG" in lossy[0]
    assert lossy[1] == ["label_data/2.png"]
    assert "1 of 2 grey labels have fewer than 8 bits" in narrow[0]
    assert narrow[1] == ["label_data/1.png"]
