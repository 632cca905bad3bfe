"""What `train run` costs beyond computing: `python bench/train.py [--out DIR] [--network NAME] [--tiny]`.

Steps of `train run` (reading shards, verification, augmentation, log, events) against a bare loop of the same network,
precision and optimizer over one batch that is already there as tensors. Arms run in processes of their own and take
turns; each process leaves its first steps out. Images of 256x128 with flow, in batches of 4. On a GPU, where torch sees
one, both arms run there.

Arms: `flip` (the default) and `ssma` draw augmentations; `none` does not.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from _measure import in_turn, load_line, table
from _read_data import Scale, make_arrays, write_store

from segprep.train.learning.beginning import fresh_segmenter
from segprep.train.learning.config import parse_config
from segprep.train.learning.loop import Training
from segprep.train.learning.losses import Loss
from segprep.train.learning.optimizers import build_optimizer
from segprep.train.learning.step import BatchPart, StepResult, TrainingStep
from segprep.train.network.segmenter import build_segmenter, default_device, input_columns
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Reader
from segprep.train.reading.sources import open_sources
from segprep.train.runs.folder import create_run
from segprep.train.runs.processes import Processes

_FULL = {"scale": ((256, 128), 8, 64, 32), "steps": 16, "skipped": 4, "rounds": 5, "base_channels": 16}
_TINY = {"scale": ((32, 16), 1, 4, 4), "steps": 3, "skipped": 1, "rounds": 1, "base_channels": 2}
_BATCH = 4
_ARMS = ("none", "flip", "ssma")


def configuration(network: str, augmentation: str, options: dict[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {
        "steps": options["steps"],
        "val_every": options["steps"],
        "data": {"inputs": ["image", "flow"], "batch_size": _BATCH},
        "augmentation": {"preset": augmentation},
        "model": {"name": network},
    }
    if network == "frrn":
        table["model"]["base_channels"] = options["base_channels"]
    return table


def per_step(begins: Sequence[float], skipped: int) -> float:
    return (begins[-1] - begins[skipped]) / (len(begins) - 1 - skipped)


def trained(shards: Path, network: str, augmentation: str, options: dict[str, Any]) -> float:
    """Return the seconds per step of `train run`: from the beginning of one update to that of the next."""
    config = parse_config(configuration(network, augmentation, options), "the benchmark")
    begins = []
    update = TrainingStep.__call__

    def timed(self: TrainingStep, parts: Sequence[BatchPart]) -> StepResult:
        begins.append(time.perf_counter())
        return update(self, parts)

    runs = shards.parent / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    TrainingStep.__call__ = timed  # type: ignore[method-assign]
    try:
        sources = open_sources([shards], config.data.inputs)
        training = Training(config, sources, fresh_segmenter(config, sources, Processes()))
        training.train(create_run(runs, "bench", ""))
    finally:
        TrainingStep.__call__ = update  # type: ignore[method-assign]
    return per_step(begins, options["skipped"])


def bare(shards: Path, network: str, options: dict[str, Any]) -> float:
    """Return the seconds per step of a loop that only computes."""
    config = parse_config(configuration(network, "none", options), "the benchmark")
    device = default_device()
    (source,) = open_sources([shards], config.data.inputs)
    reader = Reader(source.train, config.data.inputs)
    batch = reader.read([Row(index) for index in range(_BATCH)]).to(device)
    inputs_NHWC, labels_NHW = batch.inputs_NHWC, batch.labels_NHW
    columns = input_columns(reader.columns, source.train.statistics)
    segmenter = build_segmenter(config.model, columns, [len(source.classes)]).to(device).train()
    optimizer = build_optimizer(config.optimizer, segmenter.network, config.schedule.lr)
    loss = Loss(config.loss)
    begins = []
    for _ in range(options["steps"]):
        begins.append(time.perf_counter())
        (output,) = segmenter(inputs_NHWC)
        assert output is not None
        total = loss.total(output.main, labels_NHW)
        for weight, logits_NCHW in output.auxiliary:
            total = total + weight * loss.total(logits_NCHW, labels_NHW)
        value = total / loss.count(labels_NHW).float()
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        value.item()
    return per_step(begins, options["skipped"])


def measured(arm: str, shards: Path, network: str, options: dict[str, Any]) -> float:
    return bare(shards, network, options) if arm == "bare" else trained(shards, network, arm, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "train", help="for data")
    parser.add_argument("--network", default="frrn")
    parser.add_argument("--tiny", action="store_true", help="in seconds: does it run at all?")
    parser.add_argument("--child", choices=("bare", *_ARMS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    options: dict[str, Any] = _TINY if given.tiny else _FULL
    shards = given.out / ("tiny" if given.tiny else "full")
    if given.child:
        print(json.dumps(measured(given.child, shards, given.network, options)))
        return
    arrays = make_arrays(shards / "arrays", Scale(*options["scale"]))
    write_store(shards / "train.zarr", arrays, "lz4", options["scale"][3])
    print(load_line("at the start"), torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU", sep=", ")

    def child(arm: str) -> float:
        command = [sys.executable, __file__, "--out", str(given.out), "--network", given.network, "--child", arm]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        return float(json.loads(done.stdout))

    def run(arm: str) -> Callable[[], float]:
        return (lambda: measured(arm, shards, given.network, options)) if given.tiny else (lambda: child(arm))

    taken = in_turn({arm: run(arm) for arm in ("bare", *_ARMS)}, options["rounds"])
    rows = []
    for arm, values in taken.items():
        ratios = [base / value for base, value in zip(taken["bare"], values, strict=True)]
        rows.append(
            [arm, f"{1 / statistics.median(values):.3f}", f"{_BATCH / statistics.median(values):.1f}",
             f"{statistics.median(ratios):.3f} [{min(ratios):.2f}, {max(ratios):.2f}]"]
        )  # fmt: skip
    print(table(("arm", "steps/s", "images/s", "steps/s by those of the bare loop"), rows))
    print(load_line("at the end"))


if __name__ == "__main__":
    main()
