"""The whole way on CamVid: `python bench/camvid.py [--data DIR] [--out DIR] [--tiny]`.

Runs init, resize at factor 2, flow on the val sequence, shard, and for each of two networks train (CPU) and eval, and
prints the time of each command and the per-class table as Markdown. `--network` runs one of them. `--tiny` does it in
seconds on a rendered miniature.
"""

import argparse
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _commands import run as run_command
from _measure import load_line, table

_FULL = {
    "frrn": ["--base-channels", "16", "--epochs", "24"],
    "adapnet": ["--epochs", "18", "--lr", "5e-4"],
}
_TINY = {
    "frrn": ["--base-channels", "4", "--steps", "2", "--val-every", "2", "--batch-size", "2", "--precision", "fp32"]
}


def scores(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of classes, a column per evaluation."""
    first = next(iter(metrics.values()))
    rows = [
        [each["name"], *(_shown(m["classes"][number]["iou"]) for m in metrics.values()), f"{each['share']:.3f}"]
        for number, each in enumerate(first["classes"])
    ]
    rows.append(["**mean**", *(f"**{_shown(m['mean_iou'])}**" for m in metrics.values()), ""])
    return table(("class", *metrics, "share of pixels"), rows)


def _shown(value: float | None) -> str:
    return "absent" if value is None else f"{value:.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("SEGPREP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds camvid/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "camvid", help="made anew")
    parser.add_argument("--network", choices=tuple(_FULL), action="append", help="this one only; may be repeated")
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
        miniature = options.out.absolute() / "miniature"
        run("prep", "init", "camvid", "--miniature", miniature, "--frames", "4")
    else:
        run("prep", "init", "camvid", options.data.absolute() / "camvid")
    workers = ("--workers", "0") if options.tiny else ()  # which take longer to start than the work takes
    run("prep", "resize", "--factor", "2", *workers)
    run("prep", "flow", "--split", "val", *workers)
    run("prep", "shard", "--columns", "image,label", *workers)
    run("prep", "verify")
    metrics = {}
    for network, settings in (_TINY if options.tiny else _FULL).items():
        if options.network and network not in options.network:
            continue
        run("train", "run", "--model", network, "--name", network, *settings)
        for size in ("network", "source"):
            found = run("train", "eval", "--name", network, "--at", size, "--json")
            metrics[f"{network}, {size} size"] = json.loads(found)
    print(f"\nIoU on val:\n\n{scores(metrics)}\n")
    print(load_line("at the end"), f"pictures and curves: {place / 'runs'}", sep="\n")


if __name__ == "__main__":
    main()
