"""Memory of saving and going on: `python bench/saving.py [--network fcn8s] [--out DIR] [--tiny]`.

Greatest resident memory of processes of their own: a plain loop of steps by PyTorch alone, a run that trains as many
steps and saves, and the same run going on from its checkpoint. Images of 256x128 in batches of 2, Adam.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from _measure import load_line, table
from _read_data import Scale, make_arrays, write_store

from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import resume_run, start_run
from segprep.train.learning.config import parse_config
from segprep.train.learning.losses import Loss
from segprep.train.learning.optimizers import build_optimizer
from segprep.train.network.segmenter import build_segmenter, input_columns
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Reader
from segprep.train.reading.sources import open_sources

_FULL = {"scale": ((256, 128), 8, 8, 8), "steps": 3}
_TINY = {"scale": ((32, 16), 1, 4, 4), "steps": 3}
_BATCH = 2
_ARMS = ("plain loop", "train run", "train run --resume")


def configuration(network: str, steps: int) -> dict[str, Any]:
    return {
        "steps": steps,
        "data": {"inputs": ["image"], "batch_size": _BATCH},
        "augmentation": {"preset": "none"},
        "model": {"name": network},
    }


def plain_loop(shards: Path, network: str, steps: int) -> None:
    config = parse_config(configuration(network, steps), "the benchmark")
    (source,) = open_sources([shards], config.data.inputs)
    reader = Reader(source.train, config.data.inputs)
    batch = reader.read([Row(index) for index in range(_BATCH)])
    columns = input_columns(reader.columns, source.train.statistics)
    segmenter = build_segmenter(config.model, columns, [len(source.classes)]).train()
    optimizer = build_optimizer(config.optimizer, segmenter.network, config.schedule.lr)
    loss = Loss(config.loss)
    for _ in range(steps):
        (output,) = segmenter(batch.inputs_NHWC)
        assert output is not None
        optimizer.zero_grad()
        loss.total(output.main, batch.labels_NHW).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def child(arm: str, shards: Path, network: str, steps: int) -> None:
    place = TrainingPlace((shards,), True, shards.parent / "runs")
    match arm:
        case "plain loop":
            plain_loop(shards, network, steps)
        case "train run":
            shutil.rmtree(place.runs, ignore_errors=True)
            start_run(place, "bench", None, {**configuration(network, 2 * steps), "val_every": steps}, 0.0001)
        case _:
            resume_run(place, "bench", None, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "saving", help="for data")
    parser.add_argument("--network", default="fcn8s")
    parser.add_argument("--tiny", action="store_true", help="in seconds: does it run at all?")
    parser.add_argument("--child", choices=_ARMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    options: dict[str, Any] = _TINY if given.tiny else _FULL
    shards = given.out / ("tiny" if given.tiny else "full")
    if given.child:
        child(given.child, shards, given.network, options["steps"])
        print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
        return
    write_store(shards / "train.zarr", make_arrays(shards / "arrays", Scale(*options["scale"])), "lz4", 4)
    print(load_line("at the start"))
    rows = []
    for arm in _ARMS:
        command = [sys.executable, __file__, "--out", str(given.out), "--network", given.network, "--child", arm]
        done = subprocess.run([*command, *(["--tiny"] if given.tiny else [])], stdout=subprocess.PIPE, check=True)
        rows.append([arm, f"{json.loads(done.stdout.splitlines()[-1]) / 1024:.0f}"])
    print(table(("arm", "greatest resident memory, MiB"), rows))
    print(load_line("at the end"))


if __name__ == "__main__":
    main()
