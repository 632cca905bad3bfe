"""Memory of saving a checkpoint and going on: `python bench/saving.py [--network fcn8s] [--out DIR] [--tiny]`.

Greatest resident memory of processes of their own, each with a network and the state of Adam: without more, saving a
checkpoint, and going on from it. There is no batch, so that nothing but weights, gradients and states takes memory.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from _measure import load_line, table

from segprep.train.conformance import unmeasured_column
from segprep.train.network.checkpoint import Checkpoint, load_checkpoint, load_into, save_checkpoint
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import build_segmenter

_CLASSES = 20
_ARMS = ("after a step", "and saved", "gone on")


def child(arm: str, folder: Path, network: str, options: dict[str, Any]) -> None:
    config = NetworkConfig(name=network, options=options, precision="fp32")
    module = build_segmenter(config, [unmeasured_column("image")], [_CLASSES]).network
    optimizer = torch.optim.Adam(module.parameters())
    if arm == "gone on":
        checkpoint = load_checkpoint(folder, "last")
        assert checkpoint is not None
        load_into(module, checkpoint)
        optimizer.load_state_dict(dict(checkpoint.optimizer))
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    if arm == "and saved":
        kept = Checkpoint(module.state_dict(), optimizer.state_dict(), torch.get_rng_state()[None], {"step": 1})
        save_checkpoint(folder, kept, best=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "saving", help="for data")
    parser.add_argument("--network", default="fcn8s")
    parser.add_argument("--tiny", action="store_true", help="in seconds: does it run at all?")
    parser.add_argument("--child", choices=_ARMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.out, given.network, {})
        print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
        return
    if given.tiny:
        for arm in _ARMS:  # in this process: what it takes says nothing then
            child(arm, given.out, "frrn", {"base_channels": 4})
        print(load_line("at the end"))
        return
    print(load_line("at the start"))
    rows = []
    for arm in _ARMS:
        command = [sys.executable, __file__, "--out", str(given.out), "--network", given.network, "--child", arm]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        rows.append([arm, f"{json.loads(done.stdout.splitlines()[-1]) / 1024:.0f}"])
    print(table(("arm", "greatest resident memory, MiB"), rows))
    print(load_line("at the end"))


if __name__ == "__main__":
    main()
