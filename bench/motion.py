"""What motion brings: `python bench/motion.py [--out DIR] [--tiny]`.

Renders a drive, computes optical flow minus ego flow as SMSnet's motion image, labels what moves from the world's
exact truth, and trains SMSnet twice alike, once with the motion image and once with zeros in its place. Prints the IoU
of what stands and what moves in the validation drive. The flow is that of the drive's own images, twice the size, with
four times SMSnet's scale: in such small images most motion is of a pixel or two.
"""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from _commands import run as run_command
from _measure import load_line, table

from segprep.datasets.synthetic import write_drive

_ARMS = {"motion image": (), "zeros in its place": ("--set", 'data.blank=["flow"]')}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "motion", help="made anew")
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--tiny", action="store_true", help="in seconds: does it run at all?")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    place = options.out.absolute() / "workspace"
    place.mkdir(parents=True)
    print(load_line("at the start"))
    run = partial(run_command, cwd=place, here=options.tiny)
    splits, workers = ({"train": 6, "val": 3}, ("--workers", "0")) if options.tiny else ({"train": 240, "val": 80}, ())
    write_drive(options.out / "drive", splits=splits, truth=True)
    run("prep", "init", "synthetic", "../drive")
    run("prep", "resize", "--factor", "2", *workers)
    run("prep", "flow", "--ego", "pose", "--at", "source", "--scale", "25.6", *workers)
    truth = ("--annotations", "{sequence}/truth/moving/{stem}.png", "--annotation-map", "static=0,moving=255")
    run("prep", "motion-labels", *truth, *workers)
    run("prep", "shard", "--columns", "image,flow,label,motion_label", *workers)
    # The tiny run is of another network: SMSnet's 42 million weights take long to save.
    network = ("frrn", "--base-channels", "2", "--precision", "fp32") if options.tiny else ("smsnet",)
    common: tuple[object, ...] = (
        *("--model", *network, "--inputs", "image,flow", "--set", "data.target=motion_label", "--batch-size", "4"),
        *("--lr", "1e-3", "--steps", 2 if options.tiny else options.steps),
        *("--val-every", 2 if options.tiny else options.steps // 5),
    )
    if not options.tiny:
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
    print(table(("SMSnet gets", "IoU static", "IoU moving", "mean IoU"), rows))
    print(load_line("at the end"), f"pictures: {place / 'runs'}", sep="\n")


if __name__ == "__main__":
    main()
