"""What the documents show works: the user's day of the README, and each benchmark at a tiny size."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_PROGRAMS = {
    "prep": "from segprep.workflows.cli import main; main()",
    "train": "from segprep.train.cli import main; main()",
}
_BENCHMARKS = sorted((ROOT / "bench").glob("[!_]*.py"))
# Those that start workers; of a file that is named with a part, the rest runs without.
_WITH_WORKERS = ("augment.py", "camvid.py", "flow.py", "modalities.py", "resize.py workers")


def _users_day() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## A user's day\n+```\n(.*?)```", text, re.DOTALL)
    return [line.split("#")[0].strip() for line in block.splitlines()]


@pytest.mark.cluster
def test_the_users_day_of_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    place = tmp_path / "workspace"
    place.mkdir()
    commands = _users_day()
    assert {"init", "resize", "flow", "shard"} <= {c.split()[1] for c in commands if c.startswith("prep")}
    for command in commands:
        program, *arguments = shlex.split(command)
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAMS[program], *arguments],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
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


def _parts(path: Path) -> list[str]:
    """Return the parts to run a benchmark in: one without a name, unless only a part of it starts workers."""
    if not any(name.startswith(f"{path.name} ") for name in _WITH_WORKERS):
        return [""]
    (parts,) = re.findall(r"^_PARTS = (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return list(ast.literal_eval(parts))


@pytest.mark.parametrize(
    ("path", "part"),
    [
        pytest.param(path, part, id=name, marks=[pytest.mark.cluster] * (name in _WITH_WORKERS))
        for path in _BENCHMARKS
        for part in _parts(path)
        for name in [f"{path.name} {part}".strip()]
    ],
)
def test_every_benchmark_runs_at_a_tiny_size(path: Path, part: str, tmp_path: Path) -> None:
    extra = ["--out", str(tmp_path / "out")] if "--out" in path.read_text(encoding="utf-8") else []
    extra += ["--part", part] if part else []
    done = subprocess.run([sys.executable, str(path), "--tiny", *extra], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert re.search(r"\d", done.stdout)
