"""`prep modality` measured: `python bench/modalities.py [--out DIR] [--part PART] [--tiny]`.

Columns jet and hha of a rendered drive of 768x384:
workers     two workers over one, against two plain processes of the same loop over one
memory      of the command and its workers over 504 samples

`--tiny` does the same in seconds on small frames.
"""

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _flow_drive import Drive, render_drive
from _measure import load_line
from _memory_over_time import memory_report
from _prep_tasks import make_tasks
from _worker_arms import arms_report


@dataclass(frozen=True, slots=True)
class _Scale:
    """How much is measured."""

    size: tuple[int, int]
    frames: int
    copies: int
    memory_copies: int
    per_batch: int
    rounds: int


_STAGES = {"modality jet": dict[str, object](), "modality hha": dict[str, object]()}
_REAL = _Scale((768, 384), 8, 21, 63, 7, 3)
_TINY = _Scale((192, 96), 3, 2, 3, 2, 1)


def workers(drive: Drive, scale: _Scale, out: Path) -> str:
    workspace = drive.workspace(out / "workers", scale.copies)
    return arms_report(workspace, make_tasks(workspace, _STAGES, scale.per_batch), scale.rounds)


def memory(drive: Drive, scale: _Scale, out: Path) -> str:
    workspace = drive.workspace(out / "memory", scale.memory_copies)
    samples = drive.frames * scale.memory_copies
    return memory_report(workspace.root, samples, "modality", "jet", "hha", "--workers", "2")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    results = Path(__file__).parent / "results" / "modalities"
    parser.add_argument("--out", type=Path, default=results, help="for what it writes")
    parser.add_argument("--tiny", action="store_true", help="small frames, in seconds: does it run at all?")
    parser.add_argument("--part", choices=("workers", "memory"), action="append", help="only this; can be repeated")
    options = parser.parse_args(arguments)
    scale = _TINY if options.tiny else _REAL
    out = options.out.absolute() / "work"
    shutil.rmtree(out, ignore_errors=True)
    drive = render_drive(out / "drive", scale.size, scale.frames)
    parts: dict[str, Callable[[Drive, _Scale, Path], str]] = {"workers": workers, "memory": memory}
    for part in options.part or parts:
        print(f"## {part}: {load_line('at the start')}\n", flush=True)
        print(f"{parts[part](drive, scale, out)}\n\n{load_line('at the end')}\n", flush=True)


if __name__ == "__main__":
    main()
