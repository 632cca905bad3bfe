"""`prep shard --augment` measured: `python bench/augment.py [--out DIR] [--part PART] [--tiny]`.

Shards of 8 variants of each sample of a rendered drive of 768x384: image, label, flow, depth and HHA, preset ssma.
step        whole shards of 8 variants of 203 samples against their floor: a plain loop of the same OpenCV warps and
            encodings, to the same files; per variant, one process each
workers     two workers over one, against two plain processes of the same loop over one

`--tiny` does the same in seconds on small frames.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from _augment_step import step_report
from _augment_tasks import arms_of, make_shards, make_workspace
from _flow_drive import render_drive
from _parts import parser_of, show
from _worker_arms import measured

from segprep.workflows.running.process import settle_process


@dataclass(frozen=True, slots=True)
class _Scale:
    """How much is measured: frames, shards of each part, and rounds over the shards."""

    size: tuple[int, int]
    frames: int
    step_shards: int
    step_rounds: int
    worker_shards: int
    worker_rounds: int


_PARTS = ("step", "workers")
_REAL = _Scale((768, 384), 8, 29, 1, 4, 3)
_TINY = _Scale((192, 96), 3, 2, 1, 2, 0)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser_of(__doc__, "augment", _PARTS).parse_args(arguments)
    scale = _TINY if options.tiny else _REAL
    out = options.out.absolute() / "work"
    shutil.rmtree(out, ignore_errors=True)
    workspace = make_workspace(render_drive(out / "drive", scale.size, scale.frames), out / "workspace")
    settle_process()
    show(
        {
            "step": lambda: step_report(make_shards(workspace, scale.step_shards), scale.step_rounds),
            "workers": lambda: measured(arms_of(make_shards(workspace, scale.worker_shards)), scale.worker_rounds),
        },
        options.part,
    )


if __name__ == "__main__":
    main()
