"""`prep flow` measured: `python bench/flow.py [--data DIR] [--out DIR] [--part PART] [--tiny]`.

On a rendered drive of 768x384 and, where DIR has them, on real pairs and recordings; one thread each:
step        the whole step per frame against its floor: decode the inputs, the same calls of OpenCV, encode and sync
workers     two workers over one, against two plain processes of the same loop over one
ego         ego flow against one estimate of the optical flow
estimators  every preset of every estimator: time, and errors on the pairs in DIR/flow
static      what ego flow leaves of the optical flow in the static recordings in DIR/rgbd_pose

`--tiny` does the same in seconds on rendered frames alone.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _flow_drive import Drive, render_drive
from _flow_estimators import ego_report, estimators_report
from _flow_static import find_scenes, render_scenes, static_report
from _flow_step import step_report
from _parts import parser_of, show
from _prep_tasks import make_tasks
from _worker_arms import arms_report

from segprep.workflows.running.process import settle_process


@dataclass(frozen=True, slots=True)
class _Scale:
    """How much is measured: frames and links of the drive, rounds of each part."""

    size: tuple[int, int]
    frames: int
    copies: int
    per_batch: int
    step_rounds: int
    worker_rounds: int
    rounds: int


_PARTS = ("step", "workers", "ego", "estimators", "static")
_REAL = _Scale((768, 384), 8, 6, 7, 20, 5, 15)
_TINY = _Scale((96, 48), 2, 2, 1, 2, 0, 1)


def workers(drive: Drive, scale: _Scale, out: Path) -> str:
    workspace = drive.workspace(out / "workers", scale.copies)
    # Batches of about a second, as the runner makes them.
    return arms_report(workspace, make_tasks(workspace, {"flow": {}}, scale.per_batch), scale.worker_rounds)


def estimators(drive: Drive, data: Path | None, rounds: int) -> str:
    if data is not None and not data.is_dir():
        print(f"no {data}: name the folder that holds flow/ with --data or SEGPREP_DATA\n")
        data = None
    return estimators_report(drive.pair(), data, rounds)


def static(data: Path | None, out: Path) -> str:
    scenes = render_scenes(out / "scenes") if data is None else find_scenes(data)
    if not scenes:
        return f"no recordings in {data}: name the folder that holds rgbd_pose/ with --data or SEGPREP_DATA"
    return static_report(scenes)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "flow", _PARTS)
    default = os.environ.get("SEGPREP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds flow/ and rgbd_pose/")
    options = parser.parse_args(arguments)
    scale, data = (_TINY, None) if options.tiny else (_REAL, options.data)
    out = options.out.absolute() / "work"
    shutil.rmtree(out, ignore_errors=True)
    drive = render_drive(out / "drive", scale.size, scale.frames)
    settle_process()
    parts: dict[str, Callable[[], str]] = {
        "step": lambda: step_report(drive, scale.step_rounds, out),
        "workers": lambda: workers(drive, scale, out),
        "ego": lambda: ego_report(drive.pair(), scale.rounds),
        "estimators": lambda: estimators(drive, data and data / "flow", scale.rounds),
        "static": lambda: static(data and data / "rgbd_pose", out),
    }
    show(parts, options.part)


if __name__ == "__main__":
    main()
