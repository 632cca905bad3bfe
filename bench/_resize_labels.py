"""Label methods against PARIS's as published: time, and peak memory in processes of their own.

Run as a program, `python _resize_labels.py LABEL CLASSES WIDTH HEIGHT ARM` prints by how many bytes a call grows it.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from _measure import in_turn, median_ms, peak_growth, peak_growth_of, table, timed
from _methods import PARIS, thin_ids
from _published import planes_method, volume_method

from segprep.datasets.classes import ClassMap
from segprep.datasets.sample import Array
from segprep.prep.labels.resampling import LabelMethod, resize_labels
from segprep.workflows.running.process import settle_process

__all__ = ["labels_report"]

_Arm = Callable[[Array, tuple[int, int]], Array]

_VOLUME = "published: one float64 volume"
_PLANES = "the same, plane by plane"
_PLANES_32 = "the same, plane by plane in float32"
_MAPPING = "raw ids to train ids alone"
_VOTE = "**vote**"


def _arms(classes: ClassMap) -> dict[str, _Arm]:
    """Return what is measured; all take raw ids and, but for the last two, return raw ids."""

    def method(chosen: LabelMethod) -> _Arm:
        return lambda ids_HW, size: resize_labels(ids_HW, size, chosen)

    thin = tuple(classes.classes[i].raw_ids[0] for i in thin_ids(classes))
    return {
        _VOLUME: volume_method,
        _PLANES: planes_method,
        _PLANES_32: lambda ids_HW, size: planes_method(ids_HW, size, np.float32),
        _VOTE: method(LabelMethod("vote")),
        "vote, threshold 0.5": method(LabelMethod("vote", threshold=0.5)),
        "nearest": method(LabelMethod("nearest")),
        "priority": method(LabelMethod("priority", priority=thin, share=0.25)),
        "paris": method(PARIS),
        _MAPPING: lambda ids_HW, _: classes.to_train_ids(ids_HW),
        "raw ids to train ids, then vote": lambda ids_HW, size: resize_labels(
            classes.to_train_ids(ids_HW), size, LabelMethod("vote")
        ),
    }


def labels_report(
    labels: Mapping[str, Sequence[Array]], classes: ClassMap, factor: int, rounds: int, out: Path, *, tiny: bool
) -> str:
    """Measure every arm on every label, in turn and on one thread.

    Args:
        labels: Heading to (H, W) raw ids.
        classes: The map from raw ids to train ids.
        factor: How much smaller the results are.
        rounds: Calls per arm and label.
        out: For the arrays that the processes read whose memory is measured.
        tiny: Measure the memory of two arms alone: most of it is the start of a process.
    """
    return "\n\n".join(
        _section(heading, each, classes, factor, rounds, out, tiny=tiny) for heading, each in labels.items()
    )


def _section(
    heading: str, labels: Sequence[Array], classes: ClassMap, factor: int, rounds: int, out: Path, *, tiny: bool
) -> str:
    arms = _arms(classes)
    for raw_HW in labels:
        _check(arms, raw_HW, _size(raw_HW, factor))
    limits = settle_process()
    times = [_times(arms, raw_HW, _size(raw_HW, factor), rounds) for raw_HW in labels]
    limits.restore_original_limits()
    # Memory hangs on the size of the picture and the number of labels: the label with most of them stands for all.
    fullest = max(labels, key=lambda raw_HW: np.unique(raw_HW).size)
    weighed = (_VOLUME, _VOTE) if tiny else tuple(arms)
    growth = {name: _growth(fullest, classes, name, factor, out) for name in weighed}
    rows = []
    for name in arms:
        compared = [_ratios(times, base, name) for base in (_VOLUME, _PLANES)] if name != _MAPPING else ["-", "-"]
        rows.append([name, f"{_middle(times, name):.2f}", *compared, _megabytes(growth.get(name))])
    vote, volume = growth[_VOTE], growth[_VOLUME]
    share = "" if vote is None or volume is None else f"; memory of vote: 1/{volume / max(vote, 1):.0f} of published"
    header = ("method", "ms", "x faster than published", "x faster than plane by plane", "peak growth, MB")
    return f"{heading}{share}\n\n{table(header, rows)}"


def _check(arms: Mapping[str, _Arm], raw_HW: Array, size: tuple[int, int]) -> None:
    """Stop unless the arms that promise the published result give it."""
    expected_hw = volume_method(raw_HW, size)
    for name in (_PLANES, _PLANES_32, "paris"):
        if not np.array_equal(arms[name](raw_HW, size), expected_hw):
            raise SystemExit(f"{name} and {_VOLUME} give different labels")


def _times(arms: Mapping[str, _Arm], raw_HW: Array, size: tuple[int, int], rounds: int) -> dict[str, float]:
    calls = {name: timed(partial(arm, raw_HW, size)) for name, arm in arms.items()}
    in_turn(calls, 1)
    return {name: median_ms(seconds) for name, seconds in in_turn(calls, rounds).items()}


def _middle(times: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.median([each[name] for each in times]))


def _ratios(times: Sequence[Mapping[str, float]], base: str, name: str) -> str:
    """Return the ratio of the medians, label by label: its median, and its range if there are several."""
    ratios = [each[base] / each[name] for each in times]
    spread = f" ({_short(min(ratios))}..{_short(max(ratios))})" if name != base and len(ratios) > 1 else ""
    return f"{_short(float(np.median(ratios)))}{spread}"


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 100 or ratio == 1 else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def _size(raw_HW: Array, factor: int) -> tuple[int, int]:
    return raw_HW.shape[1] // factor, raw_HW.shape[0] // factor


def _growth(raw_HW: Array, classes: ClassMap, name: str, factor: int, out: Path) -> int | None:
    label, class_map = out / "label.npy", out / "classes.json"
    np.save(label, raw_HW)
    class_map.write_text(json.dumps(classes.to_json()), encoding="utf-8")
    return peak_growth_of(__file__, str(label), str(class_map), *map(str, _size(raw_HW, factor)), name)


def _megabytes(growth: int | None) -> str:
    if growth is None:
        return "not measured here"
    return f"{growth / 1e6:.1f}" if growth >= 1e5 else "< 0.1"


def _main(label: str, class_map: str, width: str, height: str, name: str) -> None:
    settle_process()
    classes = ClassMap.from_json(json.loads(Path(class_map).read_text(encoding="utf-8")))
    arm, raw_HW, size = _arms(classes)[name], np.load(label), (int(width), int(height))
    arm(raw_HW[:64, :64].copy(), (16, 16))  # what libraries load at the first call is nobody's
    print(peak_growth(lambda: arm(raw_HW, size)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
