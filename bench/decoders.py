"""How fast libraries decode a dataset's PNGs: `python bench/decoders.py [--data DIR] [--out DIR] [--tiny]`.

OpenCV, Pillow, imagecodecs and libvips are installed into an environment of their own (kept below --out) and decode the
same bytes in one process, in turn, on one thread; those that do not install are named and left out. `--tiny` decodes
rendered pairs with what is installed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _measure import load_line, table
from _pairs import add_data_options, open_cityscapes

_ROUNDS = 15
_BINARY = "numpy,opencv-python-headless,pillow,imagecodecs,pyvips-binary"  # nothing of these is compiled here


def environment(folder: Path) -> Path:
    """Make an environment with the decoders, or complete the one that is there, and return its Python.

    OpenCV, Pillow and numpy get the versions that run this program.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
    same = [f"{name}=={version(name)}" for name in ("numpy", "opencv-python-headless", "pillow")]
    for packages in (same, ["imagecodecs"], ["pyvips[binary]"]):
        command = [str(python), "-m", "pip", "install", "--quiet", "--upgrade", "--only-binary", _BINARY, *packages]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            print(f"not installed: {' '.join(packages)}: {(done.stdout.strip().splitlines() or ['?'])[-1]}")
    return python


def decode(python: str, rounds: int, files: Sequence[Path]) -> dict[str, Any]:
    """Run the measurement with this Python."""
    command = [python, str(Path(__file__).with_name("_decode.py")), str(rounds), *map(str, files)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def show(measured: dict[str, Any], pairs: int) -> str:
    """Return the table; the first half of the files are images, the other labels."""
    times = {name: (_middle(each[:pairs]), _middle(each[pairs:])) for name, each in measured["milliseconds"].items()}
    base = sum(times["OpenCV"])
    rows = [
        [
            name,
            measured["about"][name][0],
            f"{image:.1f}",
            f"{label:.1f}",
            f"{base / (image + label):.2f}",
            f"{measured['about'][name][1] / 1e6:.0f}",
        ]
        for name, (image, label) in times.items()
    ]
    return table(("library", "version", "RGB, ms", "label, ms", "x OpenCV's speed, both", "MB on disk"), rows)


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser, "decoders")
    options = parser.parse_args(arguments)
    dataset = open_cityscapes(options)
    if dataset is None:
        return
    pairs = dataset.pairs
    python = sys.executable if options.tiny else str(environment(options.out.absolute() / "environment"))
    print(load_line("at the start"))
    measured = decode(python, 3 if options.tiny else _ROUNDS, [p.image for p in pairs] + [p.label for p in pairs])
    for library, why in measured["failed"].items():
        print(f"not measured: {library}: {why}")
    print(f"\n{len(pairs)} pair(s), one thread:\n\n{show(measured, len(pairs))}\n")
    print(load_line("at the end"))


if __name__ == "__main__":
    main()
