"""What the documents show works: the user's day of the README, and each benchmark at a tiny size."""

import ast
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from segprep.datasets.program.command_line import run_app
from support.users_day import users_day

ROOT = Path(__file__).resolve().parents[1]
_PROGRAMS = {
    "prep": "from segprep.workflows.cli import main; main()",
    "train": "from segprep.train.cli import main; main()",
}
_BENCHMARKS = sorted((ROOT / "bench").glob("[!_]*.py"))
# The parts of benchmarks that start workers even at a tiny size; the others of the same file run apart from them.
_WITH_WORKERS = {"write.py": ("workers",)}
_NOTHING_BUT_WORKERS = ("cluster_faults.py",)


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.cluster
def test_the_users_day_of_the_readme_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from segprep.train.cli import app as train
    from segprep.workflows.cli import app as prep

    place = tmp_path / "workspace"
    place.mkdir()
    monkeypatch.chdir(place)
    commands = users_day()
    assert {"init", "resize", "flow", "shard"} <= {c.split()[1] for c in commands if c.startswith("prep")}
    for command in commands:
        program, *arguments = shlex.split(command)
        code = run_app({"prep": prep, "train": train}[program], program, arguments)
        assert code == 0, f"{command}\n{capsys.readouterr()}"
    assert list(place.glob("show/*.png"))
    assert list(place.glob("runs/*/eval-val/panel.png"))


def test_every_command_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for program in _PROGRAMS:
        named = set(re.findall(rf"(?:^|`){program} ([a-z]+)", text, re.MULTILINE))
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAMS[program], "--help"], capture_output=True, text=True, check=True
        )
        assert named, program
        assert {n for n in named if f" {n} " not in done.stdout} == set()


def _runs() -> Iterator[Any]:
    """Yield every benchmark, or twice if only some of its parts start workers: once those, once the others."""
    for path in _BENCHMARKS:
        workers = _WITH_WORKERS.get(path.name, ())
        found = re.findall(r"^_PARTS = (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE) if workers else ()
        parts: tuple[str, ...] = ast.literal_eval(found[0]) if found else ()
        others = tuple(part for part in parts if part not in workers)
        if others or not workers:
            marks = (pytest.mark.cluster,) if path.name in _NOTHING_BUT_WORKERS else ()
            yield pytest.param(path, others, id=path.name, marks=marks)
        if workers:
            yield pytest.param(path, workers, id=f"{path.name} {' '.join(workers)}", marks=pytest.mark.cluster)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For what a benchmark sets."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


@pytest.mark.usefixtures("quick_workers", "one_thread")
@pytest.mark.parametrize(("path", "parts"), list(_runs()))
def test_every_benchmark_runs_at_a_tiny_size(
    path: Path,
    parts: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--tiny"] + (["--out", str(tmp_path / "out")] if "--out" in path.read_text(encoding="utf-8") else [])
    for part in parts:
        arguments += ["--part", part]
    if parts and parts == _WITH_WORKERS.get(path.name):  # their workers import the main module
        done = subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        said = done.stdout
    else:  # in this process, which has what they import
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        monkeypatch.syspath_prepend(str(path.parent))
        # Drawing curves takes as long as a small run, and has tests of its own.
        monkeypatch.setattr("segprep.train.runs.monitor.write_curves", lambda log, picture: None)
        code: str | int | None = None
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr().out
        assert not code, f"{code}\n{said}"
    assert re.search(r"\d", said)
