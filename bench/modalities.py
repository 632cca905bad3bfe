"""`prep modality` measured: `python bench/modalities.py [--out DIR] [--part PART] [--tiny]`.

Columns jet and hha of a rendered drive of 768x384:
workers     two workers over one, against two plain processes of the same loop over one
memory      of the command and its workers over 504 samples

`--tiny` does the same in seconds on small frames.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _flow_drive import Drive, render_drive
from _memory_over_time import memory_report
from _parts import parser_of, show
from _prep_tasks import make_tasks
from _worker_arms import arms_report


@dataclass(frozen=True, slots=True)
class _Scale:
    """How much is measured."""

    size: tuple[int, int]
    frames: int
    copies: int
    memory_copies: int
    memory_workers: int
    per_batch: int
    rounds: int


_PARTS = ("workers", "memory")
_STAGES = {"modality jet": dict[str, object](), "modality hha": dict[str, object]()}
_REAL = _Scale((768, 384), 8, 21, 63, 2, 7, 3)
_TINY = _Scale((96, 48), 2, 2, 1, 0, 2, 0)


def workers(drive: Drive, scale: _Scale, out: Path) -> str:
    workspace = drive.workspace(out / "workers", scale.copies)
    return arms_report(workspace, make_tasks(workspace, _STAGES, scale.per_batch), scale.rounds)


def memory(drive: Drive, scale: _Scale, out: Path) -> str:
    workspace = drive.workspace(out / "memory", scale.memory_copies)
    samples = drive.frames * scale.memory_copies
    workers = str(scale.memory_workers)
    return memory_report(workspace.root, samples, "modality", "jet", "hha", "--workers", workers)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser_of(__doc__, "modalities", _PARTS).parse_args(arguments)
    scale = _TINY if options.tiny else _REAL
    out = options.out.absolute() / "work"
    shutil.rmtree(out, ignore_errors=True)
    drive = render_drive(out / "drive", scale.size, scale.frames)
    show({"workers": lambda: workers(drive, scale, out), "memory": lambda: memory(drive, scale, out)}, options.part)


if __name__ == "__main__":
    main()
