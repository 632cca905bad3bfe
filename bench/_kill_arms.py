"""What is killed: each command of a user's day, in the state of the workspace that it meets."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from segprep.datasets.synthetic import write_drive

__all__ = ["Arm", "arms", "command_line", "prepared"]

_PROGRAMS = {"prep": "segprep.workflows.cli", "train": "segprep.train.cli"}
_ALONE = ("--workers", "0")
_NETWORK = ("--model", "frrn", "--base-channels", "2", "--precision", "fp32", "--batch-size", "2")
_TRAIN = ("run", "--name", "killed", *_NETWORK, "--steps", "6", "--val-every", "2")
_RESUME = ("run", "--resume", "--name", "killed")
_FOUND_DAMAGE = 6


@dataclass(frozen=True, slots=True)
class Arm:
    """A command that is killed, and started again until it ends.

    Attributes:
        name: Of the arm.
        program: `prep` or `train`.
        words: Of the command.
        again: Words once `begun` says so; None for the same words.
        begun: Whether the same words would be refused, because what they make is there.
        processes: How many processes train together; 1 starts the program itself.
        workers: Whether it has other processes work for it.
        slow: Whether it is tried less often.
        before: What happens to the workspace first.
        codes: Exit codes of a good end.
    """

    name: str
    program: str
    words: tuple[str, ...]
    again: tuple[str, ...] | None = None
    begun: Callable[[Path], bool] = field(default=lambda workspace: _has_run(workspace))
    processes: int = 1
    workers: bool = False
    slow: bool = False
    before: Callable[[Path], None] = field(default=lambda _: None)
    codes: tuple[int, ...] = (0,)

    def next_words(self, workspace: Path) -> tuple[str, ...]:
        """Return the words with which a user would start it now."""
        return self.again if self.again is not None and self.begun(workspace) else self.words


def arms(frames: int = 4) -> tuple[Arm, ...]:
    """Return the commands in the order of a day; each works on what those before it left.

    Args:
        frames: Of the miniature.
    """
    miniature = ("init", "camvid", "--miniature", "../miniature", "--frames", str(frames))
    return (
        Arm("init --miniature", "prep", miniature, ("init", "camvid", "../miniature"), _has_miniature),
        Arm("init", "prep", ("init", "synthetic", "../drive"), before=_emptied),
        Arm("resize", "prep", ("resize", "--factor", "2", *_ALONE)),
        Arm("resize, 2 workers", "prep", ("resize", "--factor", "1", "--workers", "2"), workers=True, slow=True),
        Arm("flow", "prep", ("flow", "--ego", "pose", *_ALONE)),
        Arm("modality", "prep", ("modality", "hha", "jet", *_ALONE)),
        Arm("shard", "prep", ("shard", "--samples-per-shard", "2", *_ALONE)),
        Arm("append", "prep", ("shard", "--samples-per-shard", "2", *_ALONE), before=_more_samples),
        Arm("repair", "prep", ("verify", "--repair"), before=_damaged, codes=(0, _FOUND_DAMAGE)),
        Arm("train", "train", _TRAIN, _RESUME, slow=True),
        Arm("eval", "train", ("eval",)),
        Arm("train, 2 processes", "train", _TRAIN, _RESUME, processes=2, workers=True, slow=True, before=_no_runs),
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


def _has_run(workspace: Path) -> bool:
    return (workspace / "runs" / "killed" / "config.toml").exists()


def _has_miniature(workspace: Path) -> bool:
    folder = workspace.parent / "miniature"
    return folder.is_dir() and any(folder.iterdir()) and not any(folder.glob(".*"))


def _emptied(workspace: Path) -> None:
    shutil.rmtree(workspace)
    shutil.rmtree(workspace.parent / "miniature")
    workspace.mkdir()


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
