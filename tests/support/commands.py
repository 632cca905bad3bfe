"""Small datasets on disk, and the `prep` command in this process or as a real one."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segprep.datasets.imageio import write_image
from segprep.datasets.program.command_line import run_app
from segprep.datasets.synthetic import write_drive
from segprep.workflows.cli import app
from support.gate import Gate

__all__ = ["make_camvid", "prep", "prepared_drive", "start_prep", "tree_bytes"]


def make_camvid(root: Path, *, train: int = 6, val: int = 4, width: int = 48, height: int = 36) -> Path:
    """Write frames of smooth noise with label stripes, in CamVid's layout: val frames are close enough for flow."""
    for split, sequence, count, step in (("train", "0001TP", train, 30), ("val", "0016E5", val, 2)):
        for index in range(count):
            rng = np.random.default_rng([index, len(split)])
            name = f"{sequence}_{7000 + step * index:06d}.png"
            coarse = rng.integers(0, 255, (height // 6, width // 6, 3), np.uint8)
            write_image(root / split / name, np.repeat(np.repeat(coarse, 6, 0), 6, 1))
            stripes = (np.arange(width) // 5 + index) % 12
            write_image(root / f"{split}annot" / name, np.tile(stripes.astype(np.uint8), (height, 1)))
    return root


def tree_bytes(root: Path) -> dict[str, bytes]:
    """Return every file below a workspace but ledger, locks and logs, with its content."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith((".writer", "ledger.sqlite"))
    }


def start_prep(
    *arguments: object, cwd: Path, own_group: bool = False, gate: Gate | None = None
) -> "subprocess.Popen[str]":
    """Start `prep` as a process of its own, which waits at a gate."""
    command = [sys.executable, "-c", "from segprep.workflows.cli import main; main()", *map(str, arguments)]
    pipe = subprocess.PIPE
    environment = None if gate is None else gate.environment
    return subprocess.Popen(
        command, cwd=cwd, stdout=pipe, stderr=pipe, text=True, start_new_session=own_group, env=environment
    )


def prep(*arguments: object) -> int:
    """Run `prep` in this process, return its exit code; without worker processes."""
    given = [str(a) for a in arguments]
    if given and given[0] in ("resize", "flow", "motion-labels", "modality", "shard") and "--workers" not in given:
        given += ["--workers", "0"]
    return run_app(app, "prep", given)


def prepared_drive(place: Path, *commands: Sequence[str], **drive: Any) -> Path:
    """Render a drive below `place`, resize it by 1 in a workspace, run further commands there; return the workspace."""
    write_drive(place / "drive", **drive)
    for command in (("init", "synthetic", str(place / "drive")), ("resize", "--factor", "1"), *commands):
        assert prep(*command, "-C", place / "ready") == 0
    return place / "ready"
