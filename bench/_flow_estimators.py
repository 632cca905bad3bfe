"""The estimators of optical flow: time per pair and errors against a truth; the time of the ego flow beside them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from _flow_drive import RgbdPair
from _measure import in_turn, median_ms, table, timed

from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array
from segprep.flow.camera.ego import ego_flow
from segprep.flow.estimators import ESTIMATORS
from segprep.flow.evaluation import evaluate_pairs
from segprep.flow.field import FlowField
from segprep.flow.flow_files import read_flow
from segprep.flow.metrics import FlowErrors

__all__ = ["ego_report", "estimators_report"]

_Pair = tuple[Array, Array, FlowField]
_Estimate = Callable[[Array, Array], Array]

_CHAIRS = [tuple(f"flyingchairs/000000{i}-{part}" for part in ("img0.ppm", "img1.ppm", "gt.flo")) for i in range(3)]
_WHALE = tuple(f"middlebury_RubberWhale/{name}" for name in ("frame10.png", "frame11.png", "flow10.flo"))
_TARTAN = tuple(f"tartanair/{name}" for name in ("000010_left.png", "000009_left.png", "000010_000009_flow.npy"))
_FILES: Mapping[str, Sequence[tuple[str, ...]]] = {
    "RubberWhale": [_WHALE],
    "FlyingChairs (3 pairs)": _CHAIRS,
    "TartanAir": [_TARTAN],
}


def ego_report(pair: RgbdPair, rounds: int) -> str:
    """Compare ego flow with one estimate of the default estimator, in turn."""
    dis = ESTIMATORS.load("dis")
    arms: dict[str, Callable[[], object]] = {
        "ego flow": lambda: ego_flow(pair.depth, pair.depth_valid, pair.camera, pair.motion),
        "dis medium": lambda: dis.estimate(pair.first, pair.second),
    }
    seconds = in_turn({name: timed(work) for name, work in arms.items()}, rounds)
    ours, theirs = seconds.values()
    ratio = np.median(np.divide(ours, theirs))
    height, width = pair.depth.shape
    return (
        f"{width}x{height}, medians of {rounds}: ego flow {median_ms(ours):.1f} ms, dis medium {median_ms(theirs):.1f} "
        f"ms: {ratio:.2f} of it"
    )


def estimators_report(pair: RgbdPair, data: Path | None, rounds: int) -> str:
    """Time every preset of every estimator on a rendered pair; take errors on the pairs in `data`, or on that one."""
    estimators = {
        f"{name} {preset}": partial(module.estimate, config=config)
        for name in ESTIMATORS.names()
        for module in [ESTIMATORS.load(name)]
        for preset, config in module.PRESETS.items()
    }
    seconds = in_turn(
        {name: timed(partial(each, pair.first, pair.second)) for name, each in estimators.items()}, rounds
    )
    pairs = {"rendered drive": [(pair.first, pair.second, pair.truth)]} if data is None else _real_pairs(data)
    rows = [
        [name, f"{median_ms(seconds[name]):.1f}", *(_errors_text(_errors(estimate, each)) for each in pairs.values())]
        for name, estimate in estimators.items()
    ]
    still = [_errors_text(_errors(lambda a, _: np.zeros((*a.shape[:2], 2), np.float32), p)) for p in pairs.values()]
    rows.append(["no motion at all", "-", *still])
    header = ("estimator", f"ms at {pair.first.shape[1]}x{pair.first.shape[0]}", *pairs)
    return f"EPE mean / median in pixels / Fl-all, all pixels with a truth, no check\n\n{table(header, rows)}"


def _real_pairs(data: Path) -> dict[str, list[_Pair]]:
    """Return the pairs whose files are there."""
    found = {
        name: [files for files in pairs if all((data / file).is_file() for file in files)]
        for name, pairs in _FILES.items()
    }
    return {
        name: [(read_image(data / a), read_image(data / b), read_flow(data / c)) for a, b, c in pairs]
        for name, pairs in found.items()
        if pairs
    }


def _errors(estimate: _Estimate, pairs: Sequence[_Pair]) -> FlowErrors:
    def fields() -> list[tuple[str, FlowField, FlowField]]:
        estimated = [(estimate(first, second), truth) for first, second, truth in pairs]
        return [("", FlowField(uv, np.ones(uv.shape[:2], np.bool_)), truth) for uv, truth in estimated]

    return evaluate_pairs(fields()).pooled


def _errors_text(errors: FlowErrors) -> str:
    return f"{errors.epe_mean:.3f} / {errors.epe_median:.3f} / {100 * errors.fl_all:.1f} %"
