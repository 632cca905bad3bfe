"""Kills at random moments: `python bench/kills.py [--kills N] [--seed S] [--only ARM] [--out DIR] [--tiny]`.

Runs each command of a user's day once without interruption. Then it starts the same command in a copy of the state
before, kills it with SIGKILL after a random time, up to three times, lets it end, and compares every file with the
uninterrupted one. Prints the counts. Fails if a byte differs, a file is left over, or a command cannot go on.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _kill_arms import Arm, arms, command_line, digests, prepared
from _measure import load_line, table

_MOST_KILLS = 3  # of one run, before it may end
_LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Sound:
    """An arm that was not disturbed.

    Attributes:
        before: The workspace that it met.
        seconds: How long it took.
        files: What it left.
    """

    before: Path
    seconds: float
    files: Mapping[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "kills", help="made anew")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[arm.name for arm in arms()], help="this arm alone")
    parser.add_argument("--tiny", action="store_true", help="in seconds: one kill of the first arms")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    out = options.out.absolute()
    out.mkdir(parents=True)
    print(load_line("at the start"))
    chosen = arms()[:2] if options.tiny else arms()
    sound = _undisturbed(out, chosen)
    tried = [arm for arm in chosen if options.only in (None, arm.name)]
    counts = {arm.name: Counter[str]() for arm in tried}
    wrong: list[str] = []
    wanted, number = 2 if options.tiny else options.kills, 0
    while sum(each["kills"] for each in counts.values()) < wanted:
        arm = tried[number % len(tried)]
        rng = np.random.default_rng([options.seed, number])
        number += 1
        kills, problem = _trial(arm, sound[arm.name], out / "trial" / "workspace", rng)
        counts[arm.name].update({"runs": 1, "kills": kills, "wrong": int(problem is not None)})
        if problem is not None:
            wrong.append(problem)
            print(f"{arm.name}, trial {number - 1}: {problem}", flush=True)
    rows = [[name, *(str(each[key]) for key in ("runs", "kills", "wrong"))] for name, each in counts.items()]
    rows.append(["all", *(str(sum(each[key] for each in counts.values())) for key in ("runs", "kills", "wrong"))])
    print(table(("command", "runs", "kills", "runs that ended otherwise"), rows), load_line("at the end"), sep="\n")
    if wrong:
        sys.exit(f"{len(wrong)} runs ended otherwise than without a kill")


def _undisturbed(out: Path, chosen: tuple[Arm, ...]) -> dict[str, Sound]:
    workspace = prepared(out)
    found = {}
    for number, arm in enumerate(chosen):
        arm.before(workspace)
        before = out / f"before-{number}" / "workspace"
        shutil.copytree(workspace, before, symlinks=True)
        shutil.copytree(out / "drive", before.parent / "drive")
        began = time.perf_counter()
        process = _start(arm, workspace)
        said, _ = process.communicate(timeout=_LONGEST)
        if process.returncode not in (0, 6):
            raise SystemExit(f"{arm.name} exits with {process.returncode} without any kill:\n{said}")
        found[arm.name] = Sound(before, time.perf_counter() - began, digests(workspace))
        print(f"- {arm.name}: {found[arm.name].seconds:.1f} s without a kill", flush=True)
    return found


def _trial(arm: Arm, sound: Sound, workspace: Path, rng: np.random.Generator) -> tuple[int, str | None]:
    """Return how often the command was killed, and what is wrong in the end."""
    shutil.rmtree(workspace.parent, ignore_errors=True)
    shutil.copytree(sound.before.parent, workspace.parent, symlinks=True)
    kills = 0
    for _ in range(int(rng.integers(1, _MOST_KILLS + 1))):
        process = _start(arm, workspace)
        try:
            process.communicate(timeout=float(rng.uniform(0.1, 1.0)) * sound.seconds)
            break
        except subprocess.TimeoutExpired:
            _kill(process, whole_group=arm.processes > 1)
            kills += 1
    process = _start(arm, workspace)
    try:
        said, _ = process.communicate(timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        _kill(process, whole_group=True)
        return kills, "it hangs after a kill"
    if process.returncode not in (0, 6):
        return kills, f"it exits with {process.returncode} after a kill: {said.strip()[-400:]}"
    return kills, _difference(sound.files, digests(workspace))


def _start(arm: Arm, workspace: Path) -> "subprocess.Popen[str]":
    command = command_line(arm, arm.next_words(workspace))
    pipe = subprocess.PIPE
    # A session of its own: what a kill leaves behind can be found, and nothing of ours gets the signal.
    return subprocess.Popen(
        command, cwd=workspace, stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def _kill(process: "subprocess.Popen[str]", *, whole_group: bool) -> None:
    """Kill the process that the user started, or all that it started: a machine that loses its power."""
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    lost, left = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    other = sorted(name for name in expected.keys() & found.keys() if expected[name] != found[name])
    kinds = {"lost": lost, "left over": left, "other bytes": other}
    return "; ".join(f"{what}: {', '.join(names[:4])}" for what, names in kinds.items() if names) or None


if __name__ == "__main__":
    main()
