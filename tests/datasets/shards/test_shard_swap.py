from pathlib import Path

import pytest

from segprep.datasets.shards.swap import exchange


def test_two_folders_change_places_or_nothing_happens(tmp_path: Path) -> None:
    first, second = tmp_path / "first \u00e9", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "name").write_text(folder.name)
    exchanged = exchange(first, second)
    found = [(folder / "name").read_text() for folder in (first, second)]
    assert found == ([second.name, first.name] if exchanged else [first.name, second.name])
    if exchanged:
        with pytest.raises(FileNotFoundError) as caught:
            exchange(first, tmp_path / "none")
        assert (caught.value.filename, caught.value.filename2) == (str(first), str(tmp_path / "none"))
        assert (first / "name").exists()
