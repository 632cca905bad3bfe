"""The machine fails: nothing is recorded against a sample, the exit code is 3, and the next run does what is left."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    decode = inputs.decode_source

    def short(*arguments: object) -> object:
        if VICTIM in str(arguments):
            raise MemoryError("Unable to allocate 3 GiB")
        return decode(*arguments)  # type: ignore[arg-type]

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
