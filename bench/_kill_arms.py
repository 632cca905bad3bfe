"""What is killed: each command of a user's day, in the state of the workspace that it meets."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.numpy

from segprep.datasets.synthetic import write_drive

__all__ = ["Arm", "arms", "command_line", "digests", "prepared"]

_PROGRAMS = {"prep": "segprep.workflows.cli", "train": "segprep.train.cli"}
_NOT_COMPARED = (".writer", "ledger.sqlite", "log.jsonl", "curves.png", "events.out", "state.json")  # these tell times
_ALONE = ("--workers", "0")
_NETWORK = ("--model", "frrn", "--base-channels", "2", "--precision", "fp32", "--batch-size", "2")
_TRAIN = ("run", "--name", "killed", *_NETWORK, "--steps", "6", "--val-every", "2")


@dataclass(frozen=True, slots=True)
class Arm:
    """A command that is killed, and started again until it ends.

    Attributes:
        name: Of the arm.
        program: `prep` or `train`.
        words: Of the command.
        again: Words once a run of it exists; None for the same words.
        processes: How many processes train together; 1 starts the program itself.
        before: What happens to the workspace first.
    """

    name: str
    program: str
    words: tuple[str, ...]
    again: tuple[str, ...] | None = None
    processes: int = 1
    before: Callable[[Path], None] = field(default=lambda _: None)

    def next_words(self, workspace: Path) -> tuple[str, ...]:
        """Return the words with which a user would start it now."""
        begun = self.again is not None and (workspace / "runs" / "killed" / "config.toml").exists()
        return self.again if begun and self.again is not None else self.words


def arms() -> tuple[Arm, ...]:
    """Return the commands in the order of a day; each works on what those before it left."""
    return (
        Arm("init", "prep", ("init", "synthetic", "../drive")),
        Arm("resize", "prep", ("resize", "--factor", "2", *_ALONE)),
        Arm("resize, 2 workers", "prep", ("resize", "--factor", "1", "--workers", "2")),
        Arm("flow", "prep", ("flow", "--ego", "pose", *_ALONE)),
        Arm("modality", "prep", ("modality", "hha", "jet", *_ALONE)),
        Arm("shard", "prep", ("shard", "--samples-per-shard", "2", *_ALONE)),
        Arm("append", "prep", ("shard", "--samples-per-shard", "2", *_ALONE), before=_more_samples),
        Arm("repair", "prep", ("verify", "--repair"), before=_damaged),
        Arm("train", "train", _TRAIN, ("run", "--resume", "--name", "killed")),
        Arm("train, 2 processes", "train", _TRAIN, ("run", "--resume", "--name", "killed"), 2, before=_no_runs),
    )


def prepared(place: Path) -> Path:
    """Render the drive; return the empty workspace."""
    write_drive(place / "drive", splits={"train": 6, "val": 3}, width=64, height=32)
    (place / "workspace").mkdir()
    return place / "workspace"


def command_line(arm: Arm, words: tuple[str, ...]) -> list[str]:
    """Return what starts the command as a process of its own."""
    module = _PROGRAMS[arm.program]
    if arm.processes == 1:
        return [sys.executable, "-c", f"from {module} import main; main()", *words]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={arm.processes}"]
    return [*launcher, "--no-python", sys.executable, "-c", f"from {module} import main; main()", *words]


def digests(workspace: Path) -> Mapping[str, str]:
    """Return every file of a workspace that does not tell times, with a hash of its content.

    Of checkpoints only those count that `last` and `best` mean: which others stay depends on when a run stopped.
    """
    found = {}
    for path in sorted(workspace.rglob("*")):
        name = path.relative_to(workspace).as_posix()
        if path.is_dir() or path.name.startswith(_NOT_COMPARED) or "/checkpoints/" in name:
            continue
        content = path.read_bytes().replace(os.fsencode(workspace.parent), b"")  # prep.toml says where the drive is
        found[name] = hashlib.sha256(content).hexdigest()
    for pointer in (workspace / "runs" / "killed" / "checkpoints").glob("[lb]*st"):
        checkpoint = pointer.with_name(pointer.read_text(encoding="utf-8").strip())
        if checkpoint.exists():
            values = safetensors.numpy.load_file(checkpoint / "weights.safetensors")
            found[f"weights of {pointer.name}"] = _hash({name: values[name].tobytes().hex() for name in sorted(values)})
    log = workspace / "runs" / "killed" / "log.jsonl"
    if log.exists():
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        found["losses"] = _hash([[line.get("step"), line.get("loss")] for line in lines])
    return found


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _more_samples(workspace: Path) -> None:
    """Let the data set grow, and prepare what is new."""
    write_drive(workspace.parent / "drive", splits={"train": 9, "val": 3}, width=64, height=32)
    for words in (
        ("init", "synthetic", "../drive"),
        ("resize", *_ALONE),
        ("flow", *_ALONE),
        ("modality", "hha", "jet", *_ALONE),
    ):
        command = [sys.executable, "-c", f"from {_PROGRAMS['prep']} import main; main()", *words]
        subprocess.run(command, cwd=workspace, check=True, capture_output=True)


def _damaged(workspace: Path) -> None:
    for shard in sorted((workspace / "shards").glob("*.zarr/*/c.0*"))[::3]:
        os.truncate(shard, shard.stat().st_size // 2)


def _no_runs(workspace: Path) -> None:
    shutil.rmtree(workspace / "runs")
