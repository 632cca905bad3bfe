"""Single faults, and who finds them: `python bench/damage.py [--faults N] [--seed S] [--out DIR] [--tiny]`.

Builds a small workspace with stores and a run, and damages one file at a time, its size and time unchanged where that
can be: bits, blocks of zeros, lost ends, digits, exchanged files. Then it runs the commands that read the file, and
`prep verify` and `prep status` on a copy. Prints how each kind ended. Fails if any result changed without a word, or if
a command called a damaged file a bug of its own.
"""

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _damage_faults import PARTS, Fault, drawn_fault, exchange_stores, older_store
from _damage_trials import Outcome, Trial, copied, judged, sound_results, sufferers
from _damage_world import World, build
from _measure import table

_SWAPS = "whole stores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "damage", help="made anew")
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PARTS, help="faults in this part alone")
    parser.add_argument("--tiny", action="store_true", help="in seconds: one fault of each part")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    out = options.out.absolute()
    world = build(out, tiny=options.tiny)
    place = out / "trial"
    truth = sound_results(world, place)
    counts: dict[str, Counter[str]] = {}
    wrong: list[Trial] = []
    wanted = len(PARTS) if options.tiny else options.faults
    for part, fault in _faults(world, place, wanted, options.seed, options.only):
        trial = judged(world, place, fault, sufferers("store" if part == _SWAPS else part), truth)
        counted = counts.setdefault(part, Counter())
        counted["faults"] += 1
        counted[trial.outcome] += 1
        counted["verified"] += trial.verified
        counted["bug"] += trial.bug
        if trial.outcome is Outcome.SILENT or trial.bug:
            wrong.append(trial)
            print(f"{trial.outcome}{', called a bug' if trial.bug else ''}: {fault}: {trial.text}", flush=True)
        elif trial.outcome is Outcome.VERIFIED:
            print(f"{trial.outcome}: {fault}: {trial.text}", flush=True)
    columns = ("faults", *Outcome, "verified", "bug")
    every = sum(counts.values(), Counter[str]())
    rows = [[part, *(str(each[column]) for column in columns)] for part, each in {**counts, "all": every}.items()]
    header = ("part", "faults", *Outcome, "found by `prep verify` or `prep status`", "called a bug")
    print(table(header, rows))
    if wrong:
        sys.exit(f"{len(wrong)} of {every['faults']} faults were not told as they should")


def _faults(world: World, place: Path, wanted: int, seed: int, only: str | None) -> Iterator[tuple[str, Fault]]:
    """Yield part and fault; each stands in a copy of its own."""
    if only is None:
        copied(world.workspace, place)
        yield _SWAPS, exchange_stores(place / "shards")
        for split in ("train", "val"):
            copied(world.workspace, place)
            yield _SWAPS, older_store(place / "shards", world.older, split)
    parts = list(PARTS) if only is None else [only]
    number = done = 0
    while done < wanted:
        part, rng = parts[done % len(parts)], np.random.default_rng([seed, number])
        number += 1
        copied(world.workspace, place)
        fault = drawn_fault(place, part, rng)
        if fault is not None:
            done += 1
            yield part, fault


if __name__ == "__main__":
    main()
