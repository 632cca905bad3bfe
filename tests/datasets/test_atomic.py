"""Writing whole files or none."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segprep.datasets.atomic import (
    PARTIAL_SUFFIX,
    atomic_write_bytes,
    commit,
    discard,
    remove_partials,
    remove_partials_of,
    stage,
)
from segprep.datasets.errors import WriteFailedError


def test_a_file_is_written_into_folders_that_do_not_exist_yet(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.bin"
    atomic_write_bytes(path, b"content")
    assert path.read_bytes() == b"content"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_an_existing_file_is_replaced_and_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.bin"
    atomic_write_bytes(path, b"old", durable=False)

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", broken)
        with pytest.raises(WriteFailedError, match="check the disk") as caught:
            atomic_write_bytes(path, b"new")
    assert caught.value.errno == errno.EIO
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    atomic_write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_an_interrupt_while_writing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic_write_bytes(tmp_path / "file.bin", b"data")
    assert list(tmp_path.iterdir()) == []


def test_staged_files_get_their_names_only_when_committed(tmp_path: Path) -> None:
    staged = [stage(tmp_path / name, name.encode()) for name in ("a", "b")]
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{n}.{os.getpid()}{PARTIAL_SUFFIX}" for n in ("a", "b")]
    commit(staged)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"a", "b": b"b"}


def test_each_folder_of_a_batch_is_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = [stage(tmp_path / folder / str(i), b"x") for folder in ("one", "two") for i in range(3)]
    synced: list[str] = []
    real = os.fsync

    def counted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        real(descriptor)

    monkeypatch.setattr("os.fsync", counted)
    commit(staged)
    assert sorted(synced) == ["one", "two"]


def test_discarding_removes_what_was_not_committed(tmp_path: Path) -> None:
    first, second = stage(tmp_path / "a", b"a"), stage(tmp_path / "b", b"b")
    commit([first])
    discard([first, second])
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "name" / "child").mkdir(parents=True)
    with pytest.raises(WriteFailedError, match=r"name cannot be written .*move it away"):
        atomic_write_bytes(tmp_path / "name", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["name"]


def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteFailedError, match=r"x cannot be written"):
        atomic_write_bytes(tmp_path / "file" / "x", b"x")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
    ],
)
def test_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(WriteFailedError, match=remedy) as caught:
        atomic_write_bytes(tmp_path / "file.bin", b"")
    assert str(tmp_path / "file.bin") in str(caught.value)


def test_only_partial_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    stage(tmp_path / "a.png", b"")
    for name in ("b.png.4711.partial", "notes.partial", "c.png"):
        (tmp_path / name).write_bytes(b"")
    assert remove_partials(tmp_path) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.png", "notes.partial"]
    assert remove_partials(tmp_path / "absent") == 0


def test_what_a_killed_command_left_beside_a_users_file_goes(tmp_path: Path) -> None:
    stage(tmp_path / "list.csv", b"")  # of this process, which lives
    living = f"list.csv.{os.getpid()}.partial"
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    for name in (f"list.csv.{int(dead.stdout)}.partial", "list.csv.old.partial", "other.csv.4711.partial"):
        (tmp_path / name).write_bytes(b"")
    remove_partials_of(tmp_path / "list.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == [living, "list.csv.old.partial", "other.csv.4711.partial"]
    remove_partials_of(tmp_path / "absent" / "list.csv")
