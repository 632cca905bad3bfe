"""What `train compare` does, between the command line and the parts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.table import Table

from segprep.datasets.sample import JsonDict
from segprep.train.command.place import runs_of
from segprep.train.evaluation.comparing import Evaluation, read_evaluation
from segprep.train.evaluation.subject import METRICS_FILE
from segprep.train.runs.folder import find_run

__all__ = ["comparison_table", "found_evaluations", "intervals"]

_TOTALS: Final = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_class_accuracy": "mean class accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "mean_boundary_iou": "mean boundary IoU",
    "calibration_error": "calibration error",
}

_FEW_IMAGES: Final = 20


def found_evaluations(workspace: Path, named: Sequence[str], split: str) -> list[Evaluation]:
    """Read the evaluations that people name: by their folder, or by the run whose `eval-<split>` is meant.

    Raises:
        ConfigurationError: If there is no such run.
        MissingInputError, UnreadableFileError: If it was not evaluated, or a file is damaged.
    """
    runs = runs_of(workspace)
    folders = [
        Path(name) if (Path(name) / METRICS_FILE).exists() else find_run(runs, name).root / f"eval-{split}"
        for name in named
    ]
    return [read_evaluation(folder) for folder in folders]


def comparison_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return a column per evaluation: the totals, and the IoU of each class."""
    table = Table(title=_title(evaluations[0].metrics))
    table.add_column("")
    for name in _names(evaluations):
        table.add_column(name, justify="right")
    for key, caption in _TOTALS.items():
        table.add_row(caption, *(_shown(each.metrics.get(key)) for each in evaluations))
    table.add_section()
    for number, row in enumerate(evaluations[0].metrics["classes"]):
        table.add_row(f"IoU {row['name']}", *(_shown(each.metrics["classes"][number]["iou"]) for each in evaluations))
    return table


def intervals(evaluations: Sequence[Evaluation], rows: Sequence[JsonDict]) -> str:
    """Return a sentence for each evaluation but the first."""
    first, *others = _names(evaluations)
    lines = []
    for name, row in zip(others, rows[1:], strict=True):
        low, high = row["interval"]
        if row["difference"] is None or low is None or high is None:
            lines.append(f"{name} against {first}: the mean IoU is not defined")
            continue
        verdict = "more than chance" if low > 0 or high < 0 else "no more than chance may give"
        if row["images"] < _FEW_IMAGES:
            verdict = "of so few images it says little"
        lines.append(
            f"{name} against {first}: mean IoU {row['difference']:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}: "
            f"{verdict} ({row['images']} images, {row['draws']} draws, seed {row['seed']})"
        )
    return "\n".join(lines)


def _names(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return the runs' names, with the folder where one run stands there several times."""
    names = [str(each.metrics["run"]) for each in evaluations]
    if len(set(names)) == len(names):
        return names
    return [f"{name}/{each.folder.name}" for name, each in zip(names, evaluations, strict=True)]


def _title(metrics: JsonDict) -> str:
    return f"{metrics['n']} samples of {metrics['split']}, at {metrics['at']} size"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
