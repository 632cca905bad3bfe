"""Numbers of an evaluation beside other programs': `python bench/metrics.py [--out DIR] [--tiny] [--golden DIR]`.

Label maps, instances and predictions in Cityscapes' files are scored by segprep and, in an environment of their own
below --out, by cityscapesScripts, scikit-learn and torchmetrics. Prints the largest difference of each number. `--tiny`
scores small maps by segprep alone. `--golden` writes small maps and what the peers say of them, for the tests.
"""

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from _measure import table
from _metrics_maps import write_maps
from _read_environments import Peer, environment

from segprep.datasets.catalog._cityscapes.classes import INSTANCE_PIXELS, SMALLEST_INSTANCE, scheme_classes
from segprep.datasets.codes import IdCode
from segprep.datasets.imageio import read_image
from segprep.train.evaluation.calibration import Calibration
from segprep.train.evaluation.instances import InstanceCounts
from segprep.train.evaluation.known import Known
from segprep.train.evaluation.metrics import ConfusionMatrix, defined_mean

_SEED = 0
_FULL, _TINY = (20, (1024, 512)), (2, (96, 48))
_PEER = "peers"
_PEERS = {
    _PEER: Peer(
        "cityscapesScripts",
        [
            "appdirs",
            "lightning-utilities",
            "matplotlib",
            "numpy<2.4",  # cityscapesScripts uses np.in1d
            "pillow",
            "pyquaternion",
            "requests",
            "scikit-learn",
            "torchmetrics",
            "tqdm",
        ],
    )
}

Numbers = dict[str, Any]


def own_numbers(folder: Path) -> Numbers:
    """Score the files of `_metrics_maps.py`."""
    classes = scheme_classes("19")
    names = classes.names
    known = Known(_categories(), INSTANCE_PIXELS, SMALLEST_INSTANCE)
    categories, groups = known.grouped(names)
    assert groups is not None
    matrix, calibration, instances = ConfusionMatrix(19), Calibration(), InstanceCounts(19, groups)
    code = IdCode(16, SMALLEST_INSTANCE)
    for path in sorted(folder.glob("*_pred.png")):
        label_HW, prediction_HW, instance_HW, sure_HW = (
            read_image(path.with_name(path.name.replace("_pred", f"_{what}")))
            for what in ("gtFine_labelIds", "pred", "gtFine_instanceIds", "sure")
        )
        label_HW, prediction_HW = classes.to_train_ids(label_HW), classes.to_train_ids(prediction_HW)
        matrix.update(prediction_HW, label_HW)
        calibration.update(prediction_HW, label_HW, ((sure_HW + 0.5) / 256).astype(np.float32))
        instances.update(prediction_HW, label_HW, code.from_file(instance_HW)[0])
    sizes = instances.sizes(names, known.instance_pixels)
    instance_iou = np.where(np.isnan(sizes), np.nan, instances.iou(matrix, sizes))
    grouped = matrix.grouped(groups)

    def by_name(values: Sequence[float], of: Sequence[str] = names) -> dict[str, float]:
        return dict(zip(of, map(float, values), strict=True))

    return {
        "iou": by_name(matrix.iou().tolist()),
        "precision": by_name(matrix.precision().tolist()),
        "recall": by_name(matrix.recall().tolist()),
        "instance_iou": by_name(instance_iou.tolist()),
        "category_iou": by_name(grouped.iou().tolist(), categories),
        "category_instance_iou": by_name(instances.group_iou(matrix, sizes).tolist(), categories),
        "mean_iou": matrix.mean_iou(),
        "mean_instance_iou": defined_mean(instance_iou),
        "pixel_accuracy": matrix.pixel_accuracy(),
        "mean_class_accuracy": matrix.mean_class_accuracy(),
        "frequency_weighted_iou": matrix.frequency_weighted_iou(),
        "calibration_error": calibration.error(),
    }


def _categories() -> Mapping[str, str]:
    from segprep.datasets.catalog.cityscapes import SPEC

    return SPEC.categories


def largest_difference(own: Any, other: Any) -> float:  # noqa: ANN401  (a number, none, or numbers by class)
    """Return the largest difference of two numbers, or of numbers by class; infinite where one only is defined.

    What only one of them knows, such as classes that are ignored, does not count.
    """
    if isinstance(own, Mapping):
        return max(largest_difference(value, other[name]) for name, value in own.items() if name in other)
    defined = [value is not None and not np.isnan(value) for value in (own, other)]
    if not any(defined):
        return 0.0
    return abs(own - other) if all(defined) else float("inf")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "metrics")
    parser.add_argument("--golden", type=Path, help="write small maps and the peers' numbers into this folder")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args(arguments)
    small = options.tiny or options.golden is not None
    maps = options.golden or options.out / "maps"
    write_maps(maps, *(_TINY if small else _FULL), _SEED)
    own = own_numbers(maps)
    if options.tiny:
        print(f"mean IoU {own['mean_iou']:.4f}, mean instance IoU {own['mean_instance_iou']:.4f}")
        return
    try:
        python, _ = environment(_PEER, options.out / "environment", _PEERS)
    except (RuntimeError, OSError) as error:
        print(f"not compared: the other programs do not install: {error}")
        return
    script = Path(__file__).with_name("_metrics_peers.py")
    done = subprocess.run([str(python), str(script), str(maps)], stdout=subprocess.PIPE, text=True, check=True)
    peers = json.loads(done.stdout)
    if options.golden is not None:
        (options.golden / "numbers.json").write_text(done.stdout)
    rows = [
        [what, peer, f"{largest_difference(own[what], value):.1e}"]
        for peer in peers["versions"]
        for what, value in peers[peer].items()
    ]
    print(f"\nsegprep {version('segprep')} against {', '.join(f'{n} {v}' for n, v in peers['versions'].items())}:\n")
    print(table(("number", "other program", "largest difference"), rows))


if __name__ == "__main__":
    main()
