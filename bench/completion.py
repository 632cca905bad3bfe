"""Holes in depth filled, measured: `python bench/completion.py [--data DIR] [--tiny]`.

A fifth of the valid depth is hidden, as pixels and as blocks of 24x24, and each method fills it again: the table has
the errors over what was hidden and the time per image, one thread, the methods in turn. On a rendered street of 768x384
and, where DIR has them, on two frames of NYU (hha/) and a frame of KITTI's laser scanner (kitti/). NYU's office has no
colour image: `guided` gets an even one there.

`--tiny` does the same in a second on rendered depth alone.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from _completion_scenes import HIDDEN, Scene, find_scenes, render_scenes
from _measure import in_turn, load_line, median_ms, table, timed

from segprep.datasets.sample import Array, Mask
from segprep.prep.depth.completion import Fill, complete_depth
from segprep.workflows.running.process import settle_process

_HEADER = ("scene", "hidden", "method", "RMSE, m", "MAE, m", "median, m", "within 5 %", "finite or not", "ms")


def report(scenes: Sequence[Scene], rounds: int) -> str:
    about = [
        f"{scene.name}: {scene.depth.shape[1]}x{scene.depth.shape[0]}, {100 * scene.valid.mean():.1f} % valid"
        for scene in scenes
    ]
    rows = [row for scene in scenes for hidden in HIDDEN for row in _rows(scene, hidden, rounds)]
    return f"{'; '.join(about)}. Medians of {rounds} rounds\n\n{table(_HEADER, rows)}"


def _rows(scene: Scene, hidden: str, rounds: int) -> Iterator[list[str]]:
    hidden_HW = HIDDEN[hidden](scene.valid)
    seen_HW = scene.valid & ~hidden_HW
    rgb = np.full((*scene.depth.shape, 3), 128, np.uint8) if scene.rgb is None else scene.rgb
    arms = {fill: partial(complete_depth, scene.depth, seen_HW, fill, rgb) for fill in Fill}
    seconds = in_turn({fill.value: timed(arm) for fill, arm in arms.items()}, rounds)
    for fill, arm in arms.items():
        name = f"{fill}, no image" if scene.rgb is None and fill is Fill.GUIDED else fill.value
        yield [scene.name, hidden, name, *_errors(scene.depth, hidden_HW, arm()[0]), f"{median_ms(seconds[fill]):.1f}"]


def _errors(true_HW: Array, hidden_HW: Mask, found_HW: Array) -> list[str]:
    """Return the errors where both depths are finite, and the share in which both or neither are."""
    true, found = true_HW[hidden_HW].astype(np.float64), found_HW[hidden_HW].astype(np.float64)
    both = np.isfinite(true) & np.isfinite(found)
    error = np.abs(found[both] - true[both])
    metres = (np.sqrt(np.mean(error**2)), error.mean(), np.median(error))
    shares = (np.mean(error < 0.05 * true[both]), np.mean(np.isfinite(true) == np.isfinite(found)))
    return [*(f"{value:.4f}" for value in metres), *(f"{100 * share:.1f} %" for share in shares)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("SEGPREP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds hha/ and kitti/")
    parser.add_argument("--tiny", action="store_true", help="small rendered depth, in a second: does it run at all?")
    options = parser.parse_args(arguments)
    scenes = render_scenes((192, 96) if options.tiny else (768, 384))
    if not options.tiny:
        real = list(find_scenes(options.data))
        if not real:
            print(f"no {options.data}: name the folder that holds hha/ and kitti/ with --data or SEGPREP_DATA\n")
        scenes += real
    settle_process()
    print(f"{load_line('at the start')}\n", flush=True)
    print(report(scenes, 2 if options.tiny else 15))
    print(f"\n{load_line('at the end')}")


if __name__ == "__main__":
    main()
