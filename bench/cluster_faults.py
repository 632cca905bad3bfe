"""Workers that are not what they seem: `python bench/cluster_faults.py [--tiny]`.

A real scheduler and real workers. Beside a good one there are workers that see another disk in place of the workspace,
a folder of the same name with a copy of the files, or another dataset; one with a byte of the code changed, and one
without segprep. None of their work may count, each must be refused by name, and what the good worker makes must be the
bytes that are made without a cluster. In each round commands run without a good worker, with one that joins after the
command has begun, and with all.

`--tiny` is one round of few samples.
"""

import argparse
import tempfile
from pathlib import Path

from _cluster_rounds import Counts, one_round, prepared
from _cluster_workers import KINDS, UsersCluster


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="one round of few samples: does it hold at all?")
    rounds, frames = (1, 4) if parser.parse_args().tiny else (5, 60)
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        world = prepared(Path(folder), frames)
        for number in range(rounds):
            with UsersCluster(world.place / f"round{number}") as cluster:
                one_round(world, cluster, number, counts)
    print(f"{rounds} rounds of {frames} frames, misfits: {', '.join(kind.name for kind in KINDS)}")
    print(counts.report())
    if counts.faults:
        raise SystemExit(f"{len(counts.faults)} faults:\n" + "\n".join(counts.faults))


if __name__ == "__main__":
    main()
