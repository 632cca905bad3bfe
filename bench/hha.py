"""HHA against the published method: `python bench/hha.py [--data DIR] [--out DIR] [--tiny]`.

One thread each, depth in metres to 8-bit codes, on NYU's 640x480 scene of `DIR/hha`. The published method is written
from its description (`_hha_reference.py`) and runs in a process of its own: once with SciPy's `convolve2d`, as the
Python port does, in an environment that is made for it below --out, and once with sums of shifted arrays. All arms in
turn. `--tiny` does the same in seconds on a rendered street, without SciPy.
"""

import argparse
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import numpy as np
from _hha_ours import calls, growth, load_camera
from _measure import in_turn, load_line, median_ms, table, timed

from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array, Mask
from segprep.datasets.synthetic import World, make_camera, render
from segprep.workflows.running.process import settle_process

_ROUNDS = 11
_SCALE = 10000  # NYU's files of the Python port: metres = value / 10000
_FARTHEST_M = 100.0
_SCIPY = "published, SciPy's convolve2d"
_SHIFTS = "published, sums of shifted arrays"


def _open_nyu(folder: Path) -> tuple[Array, Mask, Array] | None:
    """Return depth in metres, where it was measured, and the intrinsics for pixels that are counted from 1."""
    if not (folder / "K_color.txt").is_file():
        print(f"{folder} is not here: name the folder that holds hha/ with --data or SEGPREP_DATA, or use --tiny")
        return None
    depth_HW = read_image(folder / "0.png") / _SCALE
    return depth_HW, read_image(folder / "0_raw.png") > 0, np.loadtxt(folder / "K_color.txt")


def _rendered(width: int, height: int) -> tuple[Array, Mask, Array]:
    depth_HW = render(World(), 0, width, height).depth_HW
    K = make_camera(width, height).K.copy()
    K[:2, 2] += 1
    return np.minimum(depth_HW, _FARTHEST_M), depth_HW < _FARTHEST_M, K


def _environment(folder: Path) -> Path | None:
    """Make an environment with SciPy and this program's NumPy and return its Python; None, after saying so, if not."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
    packages = [f"numpy=={version('numpy')}", "scipy"]
    command = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *packages]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        print(f"SciPy is not installed: {(done.stdout.strip().splitlines() or ['?'])[-1]}")
        return None
    return python


def _reference(
    stack: ExitStack, python: Path, convolution: str, files: tuple[Path, Path], out: Path
) -> Callable[[], float]:
    """Start the published method and return the function that asks it for the seconds of one more call."""
    command = [str(python), str(Path(__file__).with_name("_hha_reference.py")), *map(str, files), convolution, str(out)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    process = stack.enter_context(
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **one_thread}
        )
    )
    if process.stdin is None or process.stdout is None or process.stdout.readline() != "ready\n":
        raise SystemExit(f"{' '.join(command)} does not run")
    asked, answers = process.stdin, process.stdout
    stack.callback(asked.close)  # which ends it

    def ask() -> float:
        asked.write("again\n")
        asked.flush()
        return float(answers.readline())

    return ask


def _agreement(name: str, ours_HW3: Array, theirs: Array) -> str:
    same = (ours_HW3 == theirs).mean(axis=(0, 1))
    furthest = int(np.abs(ours_HW3.astype(int) - theirs).max())
    shares = ", ".join(f"{100 * each:.3f}" for each in same)
    return f"% of pixels equal to {name} in disparity, height, angle: {shares}; never more than {furthest} apart"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("SEGPREP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds hha/")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "hha", help="for what it writes"
    )
    parser.add_argument("--tiny", action="store_true", help="a rendered street, in seconds: does it run at all?")
    options = parser.parse_args(arguments)
    out: Path = options.out.absolute()
    nyu: Path = options.data / "hha" / "nyu_python_demo"
    scene = _rendered(128, 64) if options.tiny else _open_nyu(nyu)
    if scene is None:
        return
    depth_HW, measured_HW, K = scene
    out.mkdir(parents=True, exist_ok=True)
    files = out / "depth.npy", out / "K.txt"
    np.save(files[0], depth_HW)
    np.savetxt(files[1], K)
    ours = calls(depth_HW, measured_HW, load_camera(files[1], depth_HW))
    pythons = {_SCIPY: None if options.tiny else _environment(out / "environment"), _SHIFTS: Path(sys.executable)}
    with ExitStack() as stack:
        limits = settle_process()
        arms: dict[str, Callable[[], float]] = {}
        for name, convolution in ((_SCIPY, "scipy"), (_SHIFTS, "shifts")):
            python = pythons[name]
            if python is not None:
                arms[name] = _reference(stack, python, convolution, files, out / f"{convolution}.npy")
        references = list(arms)
        arms |= {name: timed(call) for name, call in ours.items()}
        in_turn(arms, 1)
        print(load_line("at the start"))
        times = {name: median_ms(each) for name, each in in_turn(arms, 2 if options.tiny else _ROUNDS).items()}
        print(load_line("at the end"))
        limits.restore_original_limits()
    rows = [
        [name, f"{each:.1f}", *(f"{times[base] / each:.1f}" if base != name else "1" for base in references)]
        for name, each in times.items()
    ]
    header = ("method", "ms", *(f"x faster than {name}" for name in references))
    print(f"\n{depth_HW.shape[1]}x{depth_HW.shape[0]}, one thread:\n\n{table(header, rows)}\n")
    grown = growth(*files)
    print("memory of hha: " + ("not measured here" if grown is None else f"{grown / 1e6:.0f} MB"))
    codes_HW3 = ours["**hha**"]().stored
    for name, stem in ((_SCIPY, "scipy"), (_SHIFTS, "shifts")):
        if name in times:
            print(_agreement(name, codes_HW3, np.load(out / f"{stem}.npy")))
    if not options.tiny:
        print(_agreement("the Matlab program's file", codes_HW3, read_image(nyu / "matlab_hha.png")))


if __name__ == "__main__":
    main()
