"""`train time`: networks and files side by side, and what cannot be timed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.train.export import timing
from segprep.train.export.arms import Arm
from segprep.train.export.timing import percentiles, timed
from segprep.train.runs.folder import Run

_SMALL = ("--base-channels", "2", "--steps", "2", "--batch-size", "2", "--precision", "fp32")
_FEW = ("--warm-up", "0", "--runs", "3", "--threads", "1", "--device", "cpu")

Train = Callable[..., int]


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Run:
    """A small run of RGB images."""
    return trained_with(*_SMALL)


@pytest.fixture
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process with torch takes seconds."""
    monkeypatch.setattr("segprep.train.command.timing.timed_apart", timed)


def test_a_row_is_measured_in_a_process_of_its_own(run: Run, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert train("time", "--runtimes", "eager", *_FEW, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    (row,) = said["timings"]
    assert "without reading and decoding files" in said["included"]
    assert (row["name"], row["runtime"], row["batch"], row["size"]) == ("run-001", "eager", 1, [28, 20])
    assert said["runs"] == 3
    assert (row["threads"], row["device"], row["precision"]) == (1, "cpu", "fp32")
    assert 0 < row["median_ms"] <= row["p90_ms"] <= row["p99_ms"]
    assert 1000 / row["p99_ms"] <= row["images_per_second"]
    assert 50 < row["memory_mb"] < 5000


@pytest.mark.usefixtures("_one_process")
def test_runtimes_and_files_stand_side_by_side(
    run: Run, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.torchscript"
    assert train("export", "--to", "torchscript", "--out", file) == 0
    sizes = ("--sizes", "28x20,33x21", "--batch-sizes", "1,2")
    capsys.readouterr()
    assert train("time", "run-001", file, "--runtimes", "eager,onnx", *sizes, *_FEW, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["timings"]
    found = {(each["runtime"], each["batch"], *each["size"]) for each in rows}
    ways = ("eager", "onnx", "torchscript")
    assert found == {(way, n, *size) for way in ways for n in (1, 2) for size in ((28, 20), (33, 21))}
    assert all(each["failed"] is None for each in rows)
    assert train("time", file, *_FEW) == 0
    said = capsys.readouterr().out
    for word in ("a.torchscript", "28x20", "median ms", "images/s", "3 batches each, after 0 to warm up", "on cpu;"):
        assert word in said


@pytest.mark.usefixtures("_one_process")
def test_what_cannot_be_compiled_is_said_beside_what_can_be_timed(
    run: Run, train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(network: object) -> object:
        raise RuntimeError("no C++ compiler was found\nand more")

    monkeypatch.setattr("torch.compile", no_compiler)
    capsys.readouterr()
    assert train("time", "--runtimes", "eager,compiled", *_FEW) == 0
    said, told = capsys.readouterr()
    assert "run-001, compiled, could not be timed: no C++ compiler was found\n" in told
    assert "eager" in said
    assert train("time", "--runtimes", "compiled", *_FEW) == 2
    assert "nothing could be timed" in capsys.readouterr().err


@pytest.mark.usefixtures("_one_process")
def test_what_makes_no_sense_is_refused(
    run: Run, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no network")
    for message, *arguments in (
        ("--runtimes has no 'onxx'. Did you mean 'onnx'", "--runtimes", "onxx"),
        ("a size is WIDTHxHEIGHT", "--sizes", "8"),
        ("--batch-sizes holds whole numbers from 1 on, not '0'", "--batch-sizes", "0"),
        ("there is no file", tmp_path / "none.onnx"),
        ("there is no run 'nobody'", "nobody"),
        ("a.onnx cannot be read as ONNX", tmp_path / "a.onnx"),
    ):
        assert train("time", *arguments, *_FEW) == 2, message
        assert message in capsys.readouterr().err


def test_percentiles_are_durations_that_were_measured() -> None:
    assert percentiles([float(each) for each in range(100, 0, -1)]) == (50.5, 91, 100)
    assert percentiles([3.0]) == (3, 3, 3)


def test_a_process_that_is_killed_is_a_row_without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "timed", _killed)
    arm = Arm(
        name="a", path=Path("a.onnx"), runtime="onnx", batch=1, size=None, threads=1, device=None, warm_up=0, runs=1
    )
    assert "was killed" in (timing.timed_apart(arm).failed or "")


def _killed(arm: Arm) -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
