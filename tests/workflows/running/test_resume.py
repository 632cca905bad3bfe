"""Killed at any moment, a rerun finishes the work with the same bytes; Ctrl-C keeps what was finished."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from segprep.datasets.program.command_line import run_app
from segprep.workflows.cli import app
from support.commands import make_camvid, start_prep, tree_bytes
from support.gate import Gate

FRAMES = 20
SHARD = ("shard", "--split", "train", "--samples-per-shard", "4", "--workers")


def _run(*arguments: object) -> None:
    assert run_app(app, "prep", [str(a) for a in arguments]) == 0


def _kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kill")


@pytest.fixture(scope="module")
def uninterrupted(world: Path) -> dict[str, bytes]:
    """A dataset below `world / "camvid"` and the bytes of its workspace, made in one go."""
    make_camvid(world / "camvid", train=FRAMES - 4, val=4)
    place = world / "whole"
    _run("init", "camvid", world / "camvid", "-C", place)
    _run("resize", "--factor", "2", "-C", place, "--workers", "0")
    _run(*SHARD, "0", "-C", place)
    return tree_bytes(place)


@pytest.mark.parametrize(
    ("workers", "again"),
    [(0, 0), pytest.param(1, 0, marks=pytest.mark.cluster), pytest.param(2, 2, marks=pytest.mark.cluster)],
)
def test_sigkill_and_rerun_give_the_same_bytes(
    world: Path, uninterrupted: dict[str, bytes], workers: int, again: int
) -> None:
    place = world / f"killed{workers}"
    _run("init", "camvid", world / "camvid", "-C", place)
    resize = ("resize", "--factor", "2", "--workers")
    gate = Gate(world / f"gate{workers}", "*/train/image_data/*.png", 2)
    process = start_prep(*resize, workers, cwd=place, gate=gate)
    gate.wait_until_reached(process)
    _kill(process)
    assert len(list(place.glob("*/label_data/*.png"))) < FRAMES
    _run(*resize, again, "-C", place)

    gate = Gate(world / f"shard-gate{workers}", "*/shards/train.zarr.partial/image/c.*", 2)
    process = start_prep(*SHARD, workers, cwd=place, gate=gate)
    gate.wait_until_reached(process)
    _kill(process)
    assert not (place / "shards/train.zarr").exists()
    _run(*SHARD, again, "-C", place)
    assert _difference(tree_bytes(place), uninterrupted) == []


def _difference(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    return sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.cluster)])
def test_ctrl_c_commits_what_was_finished_and_says_how_to_go_on(
    world: Path, uninterrupted: dict[str, bytes], workers: int
) -> None:
    place = world / f"interrupted{workers}"
    _run("init", "camvid", world / "camvid", "-C", place)
    gate = Gate(world / f"interrupt-gate{workers}", "*/train/image_data/*.png", 1)
    process = start_prep("resize", "--factor", "2", "--workers", workers, cwd=place, own_group=True, gate=gate)
    gate.wait_until_reached(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    gate.open()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "`prep resize` goes on from here" in err
    assert not list(place.rglob("*.partial"))
    kept = {p: p.stat().st_mtime_ns for p in place.glob("*/image_data/*.png")}
    assert 1 <= len(kept) < FRAMES
    _run("resize", "-C", place, "--workers", "0")
    assert all(p.stat().st_mtime_ns == t for p, t in kept.items()), "finished cells are not made twice"
    _run(*SHARD, "0", "-C", place)
    assert _difference(tree_bytes(place), uninterrupted) == []


def test_a_second_writer_is_refused_and_told_who_the_first_is(
    world: Path, uninterrupted: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    place = world / "locked"
    _run("init", "camvid", world / "camvid", "-C", place)
    gate = Gate(world / "lock-gate", "*/train/image_data/*.png", 1)
    first = start_prep("resize", "--factor", "2", "--workers", 0, cwd=place, gate=gate)
    gate.wait_until_reached(first)
    assert run_app(app, "prep", ["resize", "--factor", "2", "-C", str(place), "--workers", "0"]) == 5
    assert f"process {first.pid} on " in capsys.readouterr().err
    _kill(first)
    _run("resize", "--factor", "2", "-C", place, "--workers", "0", "--limit", "1")  # death released the lock
