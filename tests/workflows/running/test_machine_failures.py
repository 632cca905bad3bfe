"""The machine fails: nothing is recorded against a sample, the exit code is 3, and the next run does what is left."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from segprep.datasets import source_files
from segprep.datasets.workspace.cells import decode_source
from segprep.workflows.running import inputs
from support.commands import make_camvid, prep

Captured = pytest.CaptureFixture[str]

SAMPLES = 5
VICTIM = "0001TP_007030"


@pytest.fixture
def listed(ws: Path, tmp_path: Path) -> Path:
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=4, val=1)) == 0
    return ws


@pytest.mark.parametrize("allowed", ["0%", "100%"])
def test_memory_that_runs_out_fails_no_sample(
    listed: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:

    def short(*arguments: Any) -> object:
        if VICTIM in str(arguments):
            raise MemoryError("Unable to allocate 3 GiB")
        return decode_source(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(inputs, "decode_source", short)
        assert prep("resize", "--factor", "2", "--max-bad", allowed) == 3
    out, err = capsys.readouterr()
    assert f"{VICTIM} image: out of memory (Unable to allocate 3 GiB)" in out
    assert f"1 of {SAMPLES} samples were not done, because of the machine" in err
    assert "failed" not in out
    assert prep("resize", "--json") == 0, "without --retry-failed"
    said = json.loads(capsys.readouterr().out)
    assert (said["made"], said["failed"], said["not_made"]) == (1, [], [])
    assert said["columns"]["image"] == {"done": SAMPLES}


_LITTLE_MEMORY = """
import resource, sys
import segprep.workflows.cli as cli
import segprep.workflows.running.inputs as inputs
import numpy as np
decode = inputs.decode_source
victim = sys.argv[1]
sys.argv[:2] = ["prep"]
def needs_much(source, data, path):
    if victim in path.name:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))
        try:
            np.ones(1 << 28, np.uint8)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return decode(source, data, path)
inputs.decode_source = needs_much
cli.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep to this limit")
def test_a_process_with_little_memory_does_the_others(listed: Path, capsys: Captured) -> None:
    command = [sys.executable, "-c", _LITTLE_MEMORY, VICTIM, "resize", "--factor", "2", "--workers", "0"]
    done = subprocess.run(command, cwd=listed, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "1 of 5 samples were not done, because of the machine" in done.stderr
    assert prep("resize", "--json") == 0
    assert json.loads(capsys.readouterr().out)["made"] == 1


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Let the system refuse to read the files whose paths contain a text."""
    opened, read_bytes, opener = Path.open, Path.read_bytes, source_files._opened

    def refuse(text: str, number: int) -> None:
        def broken(path: Path, read: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
            if text and text in str(path):
                raise OSError(number, os.strerror(number))
            return read(path, *arguments, **named)

        monkeypatch.setattr(Path, "read_bytes", lambda path: broken(path, read_bytes))
        monkeypatch.setattr(Path, "open", lambda path, *a, **named: broken(path, opened, *a, **named))
        monkeypatch.setattr(source_files, "_opened", lambda path, flags: broken(path, opener, flags))

    return refuse


def test_cells_that_cannot_be_read_are_not_damaged(
    listed: Path, capsys: Captured, refuse: Callable[[str, int], None]
) -> None:
    cell = f"train/label_data/{VICTIM}.png"
    assert prep("resize", "--factor", "2", "--split", "train") == 0
    capsys.readouterr()
    refuse(cell, errno.EMFILE)
    os.utime(cell, ns=(1, 1))  # then it is read, to see whether it is another one
    assert prep("status") == 0
    assert "train label: 1 unsure: a file cannot be read: Too many open files" in capsys.readouterr().out
    assert prep("verify") == 3
    assert f"{cell} cannot be read: Too many open files. This process may open no more" in capsys.readouterr().err
    assert prep("shard") == 3
    assert f"{cell} cannot be read: Too many open files. This process may open no more" in capsys.readouterr().err
    refuse("", 0)
    assert prep("verify") == 0
    assert prep("resize", "--split", "train") == 0
    assert Path(cell).stat().st_mtime_ns == 1, "it is not made again"
    assert prep("shard") == 0


def test_a_check_says_what_it_could_not_look_at_and_lists_nothing(
    listed: Path, tmp_path: Path, capsys: Captured, refuse: Callable[[str, int], None]
) -> None:
    refuse(f"camvid/train/{VICTIM}.png", errno.EACCES)
    good = tmp_path / "good.csv"
    assert prep("check", "--workers", "0", "--split", "train", "--write-list", good) == 3
    out, err = capsys.readouterr()
    assert f"error: image train/{VICTIM}.png: Permission denied. No permission: change who may read it" in out
    assert "unreadable" not in out
    assert "1 files were not checked, because of the machine and not of the files" in err
    assert not good.exists()
    refuse("", 0)
    assert prep("check", "--workers", "0", "--split", "train", "--write-list", good) == 0
    assert good.exists()


def test_an_error_of_the_machine_is_no_bug(listed: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("segprep.workflows.views.status.read_status", short)
    assert prep("status") == 3
    assert capsys.readouterr().err.strip() == (
        "prep: out of memory. Memory is short: end other programs, or run again with fewer --workers"
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB; needs the right to mount."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=256k", "none", str(place)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_ends_the_run_and_fails_no_sample(
    small_disk: Path, ws: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=4, val=1)) == 0
    (ws / "train").symlink_to(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize))
    capsys.readouterr()
    assert prep("resize", "--factor", "1", "--split", "train") == 3
    error = capsys.readouterr().err
    assert f"train/image_data/{VICTIM[:6]}" in error
    assert os.strerror(errno.ENOSPC) in error
    ballast.unlink()
    assert prep("resize", "--split", "train", "--json") == 0
    assert json.loads(capsys.readouterr().out)["made"] == 4
