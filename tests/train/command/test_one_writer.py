"""One process at a time trains a run; who only reads does not wait."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_HOLDS = (
    "import sys, pathlib\nfrom segprep.datasets.program.writer_lock import writer_lock\n"
    "with writer_lock(pathlib.Path.cwd()):\n print('held', flush=True)\n sys.stdin.read()"
)
_SMALL = ("--steps", "2", "--val-every", "1", "--batch-size", "2", "--precision", "fp32", "--base-channels", "2")


def test_a_second_process_is_refused_until_the_first_is_dead(
    workspace: Path, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *_SMALL, "--max-minutes", 0) == 0
    run = workspace / "runs" / "run-001"
    log = (run / "log.jsonl").read_bytes()
    pipe = subprocess.PIPE
    holder = subprocess.Popen([sys.executable, "-c", _HOLDS], cwd=run, stdin=pipe, stdout=pipe, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        capfd.readouterr()
        assert train("run", "--resume") == 5
        assert f"run-001 is being written by process {holder.pid} on {socket.gethostname()}" in capfd.readouterr().err
        assert (run / "log.jsonl").read_bytes() == log
        assert train("eval") == 0
    finally:
        holder.kill()
        holder.communicate()
    assert train("run", "--resume") == 0
