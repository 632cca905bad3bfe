"""What exporting costs and keeps: `python bench/export.py [--out DIR] [--part PART] [--tiny]`.

On a rendered drive, by the commands that users type:

- `formats`: every network in every format: seconds, size of the file, and how far its answers are those of the network.
- `int8`: a small trained network in 32 and in 8 bits: mean IoU and size.
- `time`: the same network by `train time`: eager, compiled, ONNX in 32 and in 8 bits.

`--tiny` does `formats` for one network and one format, in seconds.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from _commands import run as run_command
from _measure import load_line, table

from segprep.train.models import MODELS

_PARTS = ("formats", "int8", "time")
_FORMATS = ("onnx", "torchscript", "pt2")
_TWO_COLUMNS = ("smsnet", "ssma")
_TRAINED = ("--base-channels", "8", "--epochs", "4", "--precision", "fp32", "--class-weights", "enet")

Run = Callable[..., str]


def formats(run: Run, networks: Sequence[str], to: Sequence[str], options: Sequence[str]) -> str:
    """Return a table of files, one for each network and format."""
    rows = []
    for name in networks:
        inputs = ("--inputs", "image,flow") if name in _TWO_COLUMNS else ()
        run("train", "run", "--model", name, "--name", name, "--steps", "1", "--precision", "fp32", *inputs, *options)
        for each in to:
            began = time.perf_counter()
            said = json.loads(run("train", "export", name, "--to", each, "--json"))
            taken, parity = time.perf_counter() - began, said["parity"]
            size = "any" if said["fixed_size"] is None else "fixed"
            rows.append(
                [name, each, f"{taken:.1f}", f"{said['bytes'] / 1e6:.1f}", f"{parity['agreement']:.3%}",
                 f"{parity['max_difference']:.1e}", size if said["smallest"] == 1 else f"from {said['smallest']}"]
            )  # fmt: skip
    return table(("network", "format", "seconds", "MB", "same class", "largest difference", "sizes"), rows)


def trained(run: Run, place: Path) -> None:
    """Train the network that is brought to 8 bits, once."""
    if not (place / "runs" / "small").is_dir():
        run("train", "run", "--name", "small", *_TRAINED)


def int8(run: Run, place: Path) -> str:
    """Return the table of `train export --int8`."""
    trained(run, place)
    said = json.loads(run("train", "export", "small", "--int8", "--calibration", "50", "--force", "--json"))
    compared = said["int8"]
    rows = [
        [bits, f"{each['mean_iou']:.4f}", f"{each['pixel_accuracy']:.4f}", f"{each['size_bytes'] / 1e6:.2f}"]
        for bits, each in (("32", compared["before"]), ("8", compared["after"]))
    ]
    about = f"{compared['samples']} samples of val; ranges from {compared['calibration']} of train"
    return f"{table(('bits', 'mean IoU', 'pixel accuracy', 'MB'), rows)}\n\n{about}"


def times(run: Run, place: Path) -> str:
    """Return what `train time` says."""
    trained(run, place)
    file = place / "runs" / "small" / "small.int8.onnx"
    if not file.is_file():
        int8(run, place)
    return run("train", "time", "small", file, "--batch-sizes", "1,4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "export", help="made anew")
    parser.add_argument("--part", choices=_PARTS, action="append", help="this one only; may be repeated")
    parser.add_argument("--tiny", action="store_true", help="in seconds: does it run at all?")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    place = given.out.absolute() / "workspace"
    place.mkdir(parents=True)
    run = partial(run_command, cwd=place, here=given.tiny)
    print(load_line("at the start"))
    workers = ("--workers", "0") if given.tiny else ()
    drive = given.out.absolute() / "drive"
    run("prep", "init", "synthetic", "--miniature", drive, "--frames", "6" if given.tiny else "120")
    run("prep", "resize", "--factor", "8" if given.tiny else "2", *workers)
    if not given.tiny:
        run("prep", "flow", "--scale", "6.4")
    run("prep", "shard", *workers)
    if given.tiny:
        print(formats(run, ("frrn",), ("onnx",), ("--base-channels", "2", "--batch-size", "1")))
        return
    for part in given.part or _PARTS:
        match part:
            case "formats":
                print(f"\n{formats(run, MODELS.names(), _FORMATS, ('--batch-size', '1'))}\n")
            case "int8":
                print(f"\n{int8(run, place)}\n")
            case "time":
                print(f"\n{times(run, place)}\n")
    print(load_line("at the end"))


if __name__ == "__main__":
    main()
