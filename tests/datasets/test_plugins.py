"""Members are found by their file's name, and other packages add theirs through entry points."""

import importlib
import sys
from pathlib import Path

import pytest

from segprep.datasets.errors import UnknownNameError
from segprep.datasets.plugins import PluginGroup


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginGroup:
    """A package with two members and a helper, and an installed distribution that adds two."""
    package = tmp_path / "garden_of_tests"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rose.py").write_text("COLOR = 'red'\n")
    (package / "tulip.py").write_text("raise RuntimeError('imported before it was used')\n")
    (package / "_soil.py").write_text("")
    (tmp_path / "visitors_of_tests.py").write_text("COLOR = 'blue'\nclass Oak:\n    COLOR = 'green'\n")
    info = tmp_path / "visitors-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: visitors\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[tests.garden]\niris = visitors_of_tests\noak = visitors_of_tests:Oak\n"
        "[tests.other]\nbee = visitors_of_tests\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.startswith(("garden_of_tests", "visitors_of_tests"))]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    return PluginGroup("garden_of_tests", "tests.garden", "plant")


def test_names_are_those_of_files_and_entry_points_but_not_of_helpers(group: PluginGroup) -> None:
    assert group.names() == ["iris", "oak", "rose", "tulip"]
    assert "garden_of_tests.rose" not in sys.modules, "nothing is imported before it is used"


def test_members_are_loaded_from_files_and_entry_points(group: PluginGroup) -> None:
    assert [group.load(name).COLOR for name in ("rose", "iris", "oak")] == ["red", "blue", "green"]


@pytest.mark.parametrize("name", ["lily", "_soil", "bee", "", "rose.x", "__init__"])
def test_an_unknown_name_lists_those_that_exist(group: PluginGroup, name: str) -> None:
    with pytest.raises(UnknownNameError, match="iris, oak, rose, tulip") as caught:
        group.load(name)
    assert f"there is no plant called {name!r}" in str(caught.value)


def test_an_error_inside_a_member_is_not_mistaken_for_an_unknown_name(group: PluginGroup) -> None:
    with pytest.raises(RuntimeError, match="imported before it was used"):
        group.load("tulip")
