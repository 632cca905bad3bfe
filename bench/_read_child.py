"""A process that reads samples when it is told to: `python _read_child.py MODULE`. Needs numpy only.

`read.py` starts one for each group of arms, with the Python that has their libraries, and drives them in turn: a line
of JSON comes in on standard input, a line of JSON goes out on standard output.

MODULE has a function `open_arm(name, folder) -> Arm`.
"""

import hashlib
import importlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

__all__ = ["Arm", "Batches", "Sample", "Server", "digest"]

Sample = Sequence[Any]
"""Arrays of image, flow and label."""

Batches = Iterator[Sequence[Any]]
"""Without end: tensors of image, flow and label, (N, H, W[, C])."""


class Arm(Protocol):
    """A way of reading."""

    def samples(self, rows: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        """Yield each sample with its row. Readers of streams yield as many as asked for, in an order of their own."""

    def batches(self, size: int, workers: int) -> Batches:
        """Yield shuffled batches as a trainer takes them."""


def _single(arm: Arm, command: dict[str, Any]) -> float:
    began = time.perf_counter()
    for _ in arm.samples(command["rows"]):
        pass
    return time.perf_counter() - began


def _digests(arm: Arm, command: dict[str, Any]) -> dict[int, str]:
    return {row: digest(sample) for row, sample in arm.samples(command["rows"])}


def digest(sample: Sample) -> str:
    """Return what tells samples apart."""
    digest = hashlib.sha1(usedforsecurity=False)
    for values in sample:
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


class Server:
    """What answers the commands of a process, or of the program itself in a tiny run.

    Args:
        module: Of the arms.
    """

    def __init__(self, module: Any) -> None:  # noqa: ANN401  (a module of arms)
        self._module = module
        self._arms: dict[str, Arm] = {}
        self._batches: dict[tuple[str, int], Batches] = {}

    def reply(self, line: str) -> str:
        """Return the answer to a line of JSON as another: what was asked for, or why it failed."""
        try:
            answer = {"ok": self._answer(json.loads(line))}
        except Exception as error:  # noqa: BLE001  (whatever a library raises is reported and the arm left out)
            answer = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
        return json.dumps(answer)

    def _answer(self, command: dict[str, Any]) -> Any:  # noqa: ANN401  (any JSON value)
        name = command["arm"]
        if name not in self._arms:
            self._arms[name] = self._module.open_arm(name, Path(command["folder"]))
        arm = self._arms[name]
        match command["do"]:
            case "open":
                return None
            case "digests":
                return _digests(arm, command)
            case "single":
                return _single(arm, command)
            case "batches":
                return self._pull(name, **command["how"])
        return getattr(arm, command["do"])(command)

    def _pull(self, name: str, size: int, workers: int, ahead: int, count: int) -> float:
        batches = self._batches.get((name, workers))
        if batches is None:
            batches = self._batches[name, workers] = self._arms[name].batches(size, workers)
        for _ in range(ahead):  # made while others had their turn
            next(batches)
        began = time.perf_counter()
        for _ in range(count):
            batch = next(batches)
            if len(batch[0]) != size:
                raise ValueError(f"{name} made a batch of {len(batch[0])} samples instead of {size}")
            del batch
        return time.perf_counter() - began


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr  # libraries print
    server = Server(importlib.import_module(sys.argv[1]))
    for line in sys.stdin:
        answers.write(server.reply(line) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
