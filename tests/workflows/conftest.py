"""Where commands run, and a small dataset on disk."""

from pathlib import Path

import pytest

from support.commands import make_camvid


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that a test stands in, so that commands need no `-C`."""
    place = tmp_path / "ws"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """A small dataset in CamVid's layout."""
    return make_camvid(tmp_path / "camvid")
