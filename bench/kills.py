"""Kills at random moments: `python bench/kills.py [--kills N] [--minutes M] [--seed S] [--only ARM] [--tiny]`.

Runs each command of a user's day once without interruption. Then it starts the same command in a copy of the state
before, kills it with SIGKILL at a random moment, up to six times, lets it end, and compares every file, the ledger and
what `prep status` says with the uninterrupted one. A quarter of the moments are drawn from the whole run, the others
from what follows its first change of a file, in seconds of a processor. Of commands with several processes one or all
are killed. Prints the counts. Fails if anything differs, a file is left over, or a command cannot go on. Needs Linux.
"""

import argparse
import itertools
import math
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _kill_arms import Arm, arms, prepared
from _kill_processes import Command, Victim
from _kill_results import difference, results
from _measure import load_line, table

_MOST_KILLS = 6  # of one run, before it may end
_FROM_FIRST_CHANGE = 0.75
_LONGEST = 600.0
_COUNTED = ("runs", "kills", "after its first change", "of all its processes", "of another process", "wrong")


@dataclass(frozen=True, slots=True)
class Sound:
    """An arm that was not disturbed.

    Attributes:
        before: The place that it met.
        seconds: How long a processor worked on it: unlike a clock the same beside other work.
        first_change: How many of these seconds had passed when it first changed a file.
        files: What it left.
    """

    before: Path
    seconds: float
    first_change: float
    files: Mapping[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "kills", help="made anew")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=math.inf, help="no further trial begins after them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[arm.name for arm in arms()], help="this arm alone")
    parser.add_argument("--tiny", action="store_true", help="in seconds: one kill of the first arm")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    shutil.rmtree(options.out, ignore_errors=True)
    out = options.out.absolute()
    out.mkdir(parents=True)
    print(load_line("at the start"))
    if options.tiny and options.only is not None:
        parser.error("--tiny has its own arm: leave out --only")
    chosen = arms(frames=2)[:1] if options.tiny else arms()
    tried = [arm for arm in chosen if options.only in (None, arm.name)]
    sound = _undisturbed(out, chosen[: chosen.index(tried[-1]) + 1])
    counts = {arm.name: Counter[str]() for arm in tried}
    wrong: list[str] = []
    wanted, most_of_a_run = (1, 1) if options.tiny else (options.kills, _MOST_KILLS)
    for number, arm in enumerate(_in_turn(tried)):
        if sum(each["kills"] for each in counts.values()) >= wanted or time.monotonic() > end:
            break
        rng = np.random.default_rng([options.seed, number])
        shutil.rmtree(out / "place")
        shutil.copytree(sound[arm.name].before, out / "place", symlinks=True)
        problem = _trial(arm, sound[arm.name], out / "place" / "workspace", most_of_a_run, rng, counts[arm.name])
        counts[arm.name].update({"runs": 1, "wrong": int(problem is not None)})
        if problem is not None:
            wrong.append(problem)
            shutil.copytree(out / "place", out / f"wrong-{number}", symlinks=True)
            print(f"{arm.name}, trial {number}: {problem}", flush=True)
    rows = [[name, *(str(each[key]) for key in _COUNTED)] for name, each in counts.items()]
    rows.append(["all", *(str(sum(each[key] for each in counts.values())) for key in _COUNTED)])
    header = ("command", *_COUNTED[:-1], "runs that ended otherwise")
    print(table(header, rows), load_line("at the end"), sep="\n")
    if wrong:
        sys.exit(f"{len(wrong)} runs ended otherwise than without a kill")


def _in_turn(tried: Sequence[Arm]) -> Iterator[Arm]:
    """Yield them again and again; the slow ones only every third time."""
    for turn in itertools.count():
        yield from (arm for arm in tried if turn % (3 if arm.slow else 1) == 0)


def _undisturbed(out: Path, chosen: tuple[Arm, ...]) -> dict[str, Sound]:
    (out / "place").mkdir()
    workspace = prepared(out / "place")
    found = {}
    for number, arm in enumerate(chosen):
        arm.before(workspace)
        before = out / f"before-{number}"
        shutil.copytree(out / "place", before, symlinks=True)
        began, before_it = time.perf_counter(), _processor_seconds()
        command = Command(arm, workspace, out / "said.txt")
        first_change = command.wait_for_change() or 0.0
        code = command.end(_LONGEST)
        seconds = _processor_seconds() - before_it
        if code not in arm.codes:
            raise SystemExit(f"{arm.name} exits with {code} without any kill:\n{command.said}")
        found[arm.name] = Sound(before, seconds, first_change, results(out / "place"))
        took = f"{time.perf_counter() - began:.1f} s, {seconds:.1f} s of a processor"
        print(f"- {arm.name}: {took}, its first change after {first_change:.1f} s of them", flush=True)
    return found


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _trial(
    arm: Arm, sound: Sound, workspace: Path, most: int, rng: np.random.Generator, counts: Counter[str]
) -> str | None:
    """Kill a command up to so many times and let it end; count the kills, return what is wrong in the end."""
    killed: list[Command] = []
    for _ in range(int(rng.integers(1, most + 1))):
        command = Command(arm, workspace, workspace.parents[1] / "said.txt")
        from_change, share = bool(rng.random() < _FROM_FIRST_CHANGE), float(rng.random())
        victim: Victim = ("itself", "all", "another")[int(rng.integers(3))] if arm.workers else "itself"
        begun = command.wait_for_change() if from_change else 0.0
        if begun is None:
            break
        seconds = begun + share * (sound.seconds - (sound.first_change if from_change else 0.0))
        if not command.wait_until_worked(seconds) or not command.kill(victim, rng):
            break
        killed.append(command)
        counts.update({"kills": 1, "after its first change": int(command.changed_anything)})
        counts.update({"of all its processes": int(victim == "all"), "of another process": int(victim == "another")})
        if victim == "another":
            if command.end(_LONGEST) is None:
                return "it hangs after one of its processes was killed"
            if not arm.again:  # it goes on without that one
                break
        # Those that train go on without their launcher, and the run is theirs meanwhile.
        if arm.processes > 1 and not command.alone(_LONGEST):
            return "processes that it started do not end"
    else:
        command = Command(arm, workspace, workspace.parents[1] / "said.txt")
    code = command.end(_LONGEST)
    if code is None:
        command.kill("all", rng)
        return "it hangs"
    if code not in arm.codes:
        return f"it exits with {code}: {command.said}"
    if not all(each.alone(_LONGEST) for each in killed):
        return "processes that it started do not end"
    return difference(sound.files, results(workspace.parent))


if __name__ == "__main__":
    main()
