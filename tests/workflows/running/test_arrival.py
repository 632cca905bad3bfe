"""Files that a worker says to have written are looked at."""

from pathlib import Path

import pytest

from segprep.workflows.running import arrival
from segprep.workflows.running.arrival import require_arrived
from segprep.workflows.running.outcomes import NotArrived


def test_files_that_are_here_have_arrived(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    require_arrived([(tmp_path / "a", 3)])


@pytest.mark.parametrize(("size", "how"), [(None, "is not here"), (2, "has 2 bytes here instead of 3")])
def test_a_file_that_never_comes_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int | None, how: str
) -> None:
    monkeypatch.setattr(arrival, "_PATIENCE_SECONDS", 0.0)
    path = tmp_path / "a"
    if size is not None:
        path.write_bytes(bytes(size))
    with pytest.raises(NotArrived, match=how):
        require_arrived([(path, 3)])


def test_a_file_that_a_network_disk_shows_late_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    monkeypatch.setattr(arrival, "_look_again", lambda _: path.write_bytes(b"abc"))
    require_arrived([(path, 3)])
