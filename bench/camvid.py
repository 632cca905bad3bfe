"""The whole way on CamVid: `python bench/camvid.py [--data DIR] [--out DIR] [--tiny]`.

Runs init, resize at factor 2, flow on the val sequence, shard, train (a small network, CPU) and eval, and prints the
time of each and the per-class table as Markdown. `--tiny` does the same in seconds on a rendered miniature.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PROGRAMS = {
    "prep": "from segprep.workflows.cli import main; main()",
    "train": "from segprep.train.cli import main; main()",
}
_FULL = ["--base-channels", "16", "--epochs", "45", "--batch-size", "4", "--max-minutes", "20"]
_TINY = ["--base-channels", "4", "--steps", "4", "--batch-size", "2", "--precision", "fp32"]


def run(program: str, *arguments: object, cwd: Path) -> str:
    """Run `prep` or `train`, show its progress, print its time, and return its output."""
    began = time.perf_counter()
    command = [sys.executable, "-c", _PROGRAMS[program], *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True)
    shown = " ".join(str(a) for a in arguments if not Path(str(a)).is_absolute())
    print(f"- `{program} {shown}`: {time.perf_counter() - began:.1f} s", flush=True)
    return done.stdout


def table(metrics: dict[str, Any]) -> str:
    rows = ["| class | IoU | share of pixels |", "| --- | --- | --- |"]
    rows += [f"| {c['name']} | {c['iou']:.3f} | {c['share']:.3f} |" for c in metrics["classes"] if c["iou"] is not None]
    rows.append(f"| **mean of {len(rows) - 2}** | **{metrics['mean_iou']:.3f}** | |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("SEGPREP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds camvid/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "camvid", help="made anew")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args(arguments)
    if not options.tiny and not (options.data / "camvid").is_dir():
        print(f"no {options.data / 'camvid'}: name the folder with --data or SEGPREP_DATA, or use --tiny")
        return
    shutil.rmtree(options.out, ignore_errors=True)
    place = options.out.absolute() / "workspace"
    place.mkdir(parents=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    if options.tiny:
        miniature = options.out.absolute() / "miniature"
        run("prep", "init", "camvid", "--miniature", miniature, "--frames", "8", cwd=place)
    else:
        run("prep", "init", "camvid", options.data.absolute() / "camvid", cwd=place)
    workers = ("--workers", "0") if options.tiny else ()  # which take longer to start than the work takes
    run("prep", "resize", "--factor", "2", *workers, cwd=place)
    run("prep", "flow", "--split", "val", *workers, cwd=place)
    run("prep", "shard", "--columns", "image,label", *workers, cwd=place)
    run("prep", "verify", cwd=place)
    run("train", "run", *(_TINY if options.tiny else _FULL), cwd=place)
    for size in ("network", "source"):
        metrics = json.loads(run("train", "eval", "--at", size, "--json", cwd=place))
        print(f"\nval at {size} size:\n\n{table(metrics)}\n")
    print(f"pictures: {place / 'runs'}")


if __name__ == "__main__":
    main()
