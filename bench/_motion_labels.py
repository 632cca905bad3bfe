"""How often motion labels are right, by distance, against what the renderer knows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from _commands import run as run_command
from _measure import table

from segprep.datasets.imageio import read_image
from segprep.datasets.synthetic import DEPTH_CODE, write_drive

__all__ = ["labels_report"]

_BANDS_M = (0, 10, 20, 30, 40, 60, 80, np.inf)
_LABELS = ("static", "moving", "unknown")
_PAIRS_PER_SEQUENCE = 3  # of neighbouring frames, so that many stretches of road are seen


@dataclass(frozen=True, slots=True)
class _Thing:
    """One car or person of one frame: how far it is, whether it moves, its label and how many pixels it has."""

    distance_m: float
    moves: bool
    label: int
    pixels: int


def labels_report(out: Path, size: tuple[int, int], pairs: int, presets: Sequence[str], *, tiny: bool) -> str:
    """Label a rendered drive by its poses and by flow of `dis`, and count the things that got the right label."""
    run, frames = partial(run_command, cwd=out / "workspace", here=tiny), pairs + -(-pairs // _PAIRS_PER_SEQUENCE)
    workers = ("--workers", "0") if tiny else ()
    write_drive(
        out / "drive",
        splits={"train": frames},
        width=size[0],
        height=size[1],
        sequence_length=_PAIRS_PER_SEQUENCE + 1,
        truth=True,
    )
    (out / "workspace").mkdir(parents=True)
    run("prep", "init", "synthetic", "../drive")
    run("prep", "resize", "--factor", "1", *workers)
    shown = []
    for preset in presets:
        run("prep", "flow", "--ego", "pose", "--preset", preset, *workers)
        run("prep", "motion-labels", *workers)
        shown.append(f"dis {preset}, {size[0]}x{size[1]}:\n\n{_by_distance(list(_things(out)))}")
    return "\n\n".join(shown)


def _things(out: Path) -> Iterator[_Thing]:
    for path in sorted((out / "workspace/train/motion_label_data").glob("*.png")):
        _, sequence, stem = path.stem.split("_")
        parts = out / "drive/train" / sequence
        instance_HW, depth_HW, moving_HW = (
            read_image(parts / part / f"{stem}.png") for part in ("instance", "depth", "truth/moving")
        )
        label_HW = read_image(path)
        for instance in np.unique(instance_HW[instance_HW > 0]):
            shown = instance_HW == instance
            label = {0: 0, 1: 1, 255: 2}[int(np.median(label_HW[shown]))]
            distance_m = float(np.median(depth_HW[shown])) * DEPTH_CODE.scale_m
            yield _Thing(distance_m, bool(moving_HW[shown].mean() > 127), label, int(shown.sum()))


def _by_distance(things: Sequence[_Thing]) -> str:
    counted = [f"{which}: {', '.join(_LABELS)}" for which in ("stand", "move")]
    header = ("metres", *counted, "static is right", "moving is right", "right pixels: static", "moving")
    rows = [
        _row(f"{low:g} to {high:g}", [each for each in things if low <= each.distance_m < high])
        for low, high in pairwise(_BANDS_M)
    ]
    return table(header, [*rows, _row("all", things)])


def _row(name: str, things: Sequence[_Thing]) -> list[str]:
    counts_23, pixels_23 = np.zeros((2, 3), np.int64), np.zeros((2, 3), np.int64)
    for each in things:
        counts_23[int(each.moves), each.label] += 1
        pixels_23[int(each.moves), each.label] += each.pixels
    shares = [_share(of_23[k, k], of_23[:, k].sum()) for of_23 in (counts_23, pixels_23) for k in (0, 1)]
    return [name, *(", ".join(map(str, row)) for row in counts_23.tolist()), *shares]


def _share(right: int, labelled: int) -> str:
    return f"{right / labelled:.3f}" if labelled else "-"
