"""What windows, scales and flips bring on CamVid: `python bench/views.py [--data DIR] [--out DIR] [--tiny]`.

Trains a small network on frames at factor 4 (120x90), evaluates it by single views, flips, scales and windows at the
size of the original labels, and prints IoU, the paired interval against the single view, and seconds per picture.
`--tiny` does it in seconds on a rendered miniature.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from _commands import run as run_command
from _measure import load_line, table

_VIEWS = {
    "single": (),
    "flip": ("--flip",),
    "scales 0.75, 1, 1.25": ("--scales", "0.75,1,1.25"),
    "scales and flip": ("--scales", "0.75,1,1.25", "--flip"),
    "windows 80x60": ("--window", "80x60"),
    "windows 80x60, scales and flip": ("--window", "80x60", "--scales", "0.75,1,1.25", "--flip"),
}
_FULL = ["--base-channels", "6", "--epochs", "3", "--lr", "3e-3"]
_TINY = ["--base-channels", "4", "--steps", "2", "--val-every", "2", "--batch-size", "2", "--precision", "fp32"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("SEGPREP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds camvid/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "views", help="made anew")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args(arguments)
    if not options.tiny and not (options.data / "camvid").is_dir():
        print(f"no {options.data / 'camvid'}: name the folder with --data or SEGPREP_DATA, or use --tiny")
        return
    shutil.rmtree(options.out, ignore_errors=True)
    place = options.out.absolute() / "workspace"
    place.mkdir(parents=True)
    run = partial(run_command, cwd=place, here=options.tiny)
    print(load_line("at the start"))
    if options.tiny:
        run("prep", "init", "camvid", "--miniature", options.out.absolute() / "miniature", "--frames", "4")
    else:
        run("prep", "init", "camvid", options.data.absolute() / "camvid")
    workers = ("--workers", "0") if options.tiny else ()
    run("prep", "resize", "--factor", "4", *workers)
    run("prep", "flow", "--split", "val", *workers)
    run("prep", "shard", "--split", "train", "--columns", "image,label", *workers)
    run("prep", "shard", "--split", "val", "--columns", "image,label,optical_flow", *workers)
    run("train", "run", "--name", "views", *(_TINY if options.tiny else _FULL))
    rows, first = [], None
    for name, words in list(_VIEWS.items())[: 2 if options.tiny else None]:
        began = time.perf_counter()
        metrics = json.loads(run("train", "eval", "--json", *words))
        seconds = (time.perf_counter() - began) / metrics["n"]
        folder = next(each.parent for each in place.glob("runs/views/eval-*/metrics.json") if _is(each, metrics))
        first = first or folder
        interval = "" if folder == first else _interval(run("train", "compare", first, folder, "--json"))
        numbers = [metrics[each] for each in ("mean_iou", "mean_boundary_iou", "calibration_error")]
        numbers.append(metrics["temporal"]["mean_iou"] if "temporal" in metrics else None)
        shown = ("none" if each is None else f"{each:.4f}" for each in numbers)
        rows.append([name, *shown, interval, f"{seconds:.2f}"])
    head = ("views", "mean IoU", "boundary IoU", "calibration error", "temporal IoU", "mean IoU more", "s/picture")
    print(f"\n{table(head, rows)}\n\n{load_line('at the end')}")


def _is(path: Path, metrics: dict[str, object]) -> bool:
    return bool(json.loads(path.read_text())["views"] == metrics["views"])


def _interval(said: str) -> str:
    row = json.loads(said)[1]
    low, high = row["interval"]
    return f"{row['difference']:+.4f} ({low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    main()
