"""What motion brings, and what it tells: `python bench/motion.py [--out DIR] [--part PART] [--tiny]`.

learning    renders a drive, computes optical flow minus ego flow as SMSnet's motion image, labels what moves from the
            world's exact truth, and trains SMSnet twice alike, once with the motion image and once with zeros in its
            place; the IoU of what stands and what moves in the validation drive. The flow is that of the drive's own
            images, twice the size, with four times SMSnet's scale: in small images most motion is of a pixel or two
labels      how many things `prep motion-labels` calls static and moving, and how many of them are, by distance
camera      errors of the camera's estimated motion in usual and in dense traffic, with and without the labels
"""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from _camera_motion import camera_report
from _commands import run as run_command
from _measure import table
from _motion_labels import labels_report
from _parts import parser_of, show

from segprep.datasets.synthetic import write_drive

_ARMS = {"motion image": (), "zeros in its place": ("--set", 'data.blank=["flow"]')}
_PARTS = ("learning", "labels", "camera")


def learning(out: Path, steps: int, *, tiny: bool) -> str:
    place = out / "workspace"
    place.mkdir(parents=True)
    run = partial(run_command, cwd=place, here=tiny)
    splits, workers = ({"train": 3, "val": 2}, ("--workers", "0")) if tiny else ({"train": 240, "val": 80}, ())
    size = (64, 32) if tiny else (512, 256)
    write_drive(out / "drive", splits=splits, width=size[0], height=size[1], truth=True)
    run("prep", "init", "synthetic", "../drive")
    run("prep", "resize", "--factor", "2", *workers)
    run("prep", "flow", "--ego", "pose", "--at", "source", "--scale", "25.6", *workers)
    truth = ("--annotations", "{sequence}/truth/moving/{stem}.png", "--annotation-map", "static=0,moving=255")
    run("prep", "motion-labels", *truth, *workers)
    run("prep", "shard", "--columns", "image,flow,label,motion_label", *workers)
    # The tiny run is of another network: SMSnet's 42 million weights take long to save.
    network = ("frrn", "--base-channels", "2", "--precision", "fp32") if tiny else ("smsnet",)
    common: tuple[object, ...] = (
        *(
            "--model",
            *network,
            "--inputs",
            "image,flow",
            "--set",
            "data.target=motion_label",
            "--batch-size",
            2 if tiny else 4,
        ),
        *("--lr", "1e-3", "--steps", 1 if tiny else steps),
        *("--val-every", 1 if tiny else steps // 5),
    )
    if not tiny:
        # SMSnet's scores come out of a batch norm, whose offset must first find out how rarely something moves.
        common += ("--set", 'optimizer.groups=["heads.*.scores.1.*=30"]')
    rows = []
    for number, (name, arguments) in enumerate(_ARMS.items()):
        run("train", "run", *common, *arguments, "--name", f"arm-{number}")
        metrics: dict[str, Any] = json.loads(
            run("train", "eval", "--name", f"arm-{number}", "--checkpoint", "last", "--at", "network", "--json")
        )
        iou = [each["iou"] for each in metrics["classes"]]
        rows.append([name, *(("absent" if v is None else f"{v:.3f}") for v in iou), f"{metrics['mean_iou'] or 0:.3f}"])
    return f"{table(('SMSnet gets', 'IoU static', 'IoU moving', 'mean IoU'), rows)}\n\npictures: {place / 'runs'}"


def labels(out: Path, *, tiny: bool) -> str:
    size, pairs, presets = ((96, 48), 1, ("medium",)) if tiny else ((768, 384), 48, ("medium", "fine"))
    return labels_report(out, size, pairs, presets, tiny=tiny)


def camera(*, tiny: bool) -> str:
    return camera_report((64, 32), (5,), "medium") if tiny else camera_report((768, 384), range(5, 40, 5), "medium")


def main() -> None:
    parser = parser_of(__doc__, "motion", _PARTS)
    parser.add_argument("--steps", type=int, default=240, help="of learning")
    options = parser.parse_args()
    out: Path = options.out.absolute()
    shutil.rmtree(out, ignore_errors=True)
    parts: dict[str, Callable[[], str]] = {
        "learning": lambda: learning(out / "learning", options.steps, tiny=options.tiny),
        "labels": lambda: labels(out / "labels", tiny=options.tiny),
        "camera": lambda: camera(tiny=options.tiny),
    }
    show(parts, options.part)


if __name__ == "__main__":
    main()
