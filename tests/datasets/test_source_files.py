"""Files that others made: what is no regular file is refused at once, and what is larger than a bound."""

import os
import socket
from pathlib import Path

import pytest

from segprep.datasets.source_files import open_file, read_file, size_text


def test_a_file_and_a_link_to_it_give_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_file(tmp_path / "a", 3) == read_file(tmp_path / "link") == b"abc"


@pytest.mark.parametrize("read", [open_file, read_file])
def test_a_pipe_does_not_make_anyone_wait(tmp_path: Path, read: object) -> None:
    os.mkfifo(tmp_path / "a")
    assert callable(read)
    with pytest.raises(OSError, match="a pipe"):
        read(tmp_path / "a")


def test_devices_sockets_and_folders_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="a device"):
        read_file(tmp_path / "endless")
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind("socket")
        with pytest.raises(OSError, match="socket"):
            read_file(Path("socket"))


def test_a_name_that_no_file_can_have_is_no_bug() -> None:
    with pytest.raises(OSError, match="no file can have this name"):
        read_file(Path("a\0b"))


def test_the_bound_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**40)  # a hole, which takes no room on the disk
    with pytest.raises(OSError, match="it has 1024 GB, and no more than 1 GB"):
        read_file(tmp_path / "a")


def test_sizes_as_texts() -> None:
    assert [size_text(size) for size in (5, 1536, 2**20, 3 * 2**30)] == ["5 bytes", "1.5 kB", "1 MB", "3 GB"]
