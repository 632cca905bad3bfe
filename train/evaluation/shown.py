"""An evaluation in the terminal: a table of classes, and the totals as text."""

from typing import Final

from rich.table import Table

from segprep.datasets.sample import JsonDict

__all__ = ["shown_table", "shown_totals"]

_COLUMNS: Final = {
    "iou": "IoU",
    "boundary_iou": "boundary IoU",
    "instance_iou": "instance IoU",
    "precision": "precision",
    "recall": "recall",
}
_TOTALS: Final = {
    "mean_class_accuracy": "mean class accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "mean_boundary_iou": "mean boundary IoU",
    "mean_instance_iou": "mean instance IoU",
    "mean_category_iou": "mean category IoU",
    "calibration_error": "calibration error",
}


def shown_table(metrics: JsonDict) -> Table:
    """Return the table of classes of what `metrics.json` holds."""
    on = metrics["split"] if metrics["dataset"] is None else f"{metrics['split']} of {metrics['dataset']}"
    title = f"{metrics['run']}, {metrics['checkpoint']} (step {metrics['step']}) on {on}, at {metrics['at']} size"
    if looks := _looks(metrics["views"]):
        title += f", {looks}"
    if metrics["only_classes"]:
        title += f", only {', '.join(metrics['only_classes'])}"
    table = Table(title=title)
    rows = metrics["classes"]
    columns = {name: caption for name, caption in _COLUMNS.items() if rows and name in rows[0]}
    table.add_column("class")
    for caption in columns.values():
        table.add_column(caption, justify="right")
    table.add_column("share of pixels", justify="right")
    for row in rows:
        table.add_row(row["name"], *(_cell(row[name]) for name in columns), f"{row['share']:.2%}")
    return table


def shown_totals(metrics: JsonDict) -> str:
    """Return the totals of what `metrics.json` holds."""
    ious = {each["name"]: each["iou"] for each in metrics["classes"]}
    accuracy = metrics["pixel_accuracy"]
    judged = sum(iou is not None for iou in ious.values())
    lines = [
        f"{_counted(metrics)} of {metrics['store']}",
        f"mean IoU {_shown(metrics['mean_iou'])} over {judged} classes, pixel accuracy {_shown(accuracy)}",
        ", ".join(f"{caption} {_shown(metrics[name])}" for name, caption in _TOTALS.items() if name in metrics),
    ]
    if metrics["at"] == "source":
        lines.append(f"mean IoU at network size {_shown(metrics['mean_iou_at_network_size'])}")
    if metrics["absent"]:
        present = len(ious) - len(metrics["absent"])
        lines.append(f"mean IoU over the {present} classes in the labels {_shown(metrics['mean_iou_of_present'])}")
    for what, names in {
        "in no label but predicted, 0 in the mean": [n for n in metrics["absent"] if ious[n] is not None],
        "in no label and never predicted, not in the mean": [n for n in metrics["absent"] if ious[n] is None],
    }.items():
        if names:
            lines.append(f"{what}: {', '.join(names)}")
    if "categories" in metrics:
        lines.append("IoU of categories: " + ", ".join(f"{e['name']} {_cell(e['iou'])}" for e in metrics["categories"]))
    if "distance" in metrics:
        bands = [(_band(each), each["mean_iou"]) for each in metrics["distance"]["bands"] if each["pixels"]]
        lines.append("mean IoU by distance: " + ", ".join(f"{band} {_shown(iou)}" for band, iou in bands))
    if "temporal" in metrics:
        temporal = metrics["temporal"]
        lines.append(
            f"temporal consistency over {temporal['pairs']} pairs of frames: mean IoU {_shown(temporal['mean_iou'])}, "
            f"{_shown(temporal['agreement'])} of the pixels agree"
        )
    if metrics["why_not_source"]:
        lines.append(f"evaluated at network size: {metrics['why_not_source']}")
    return "\n".join(lines)


def _looks(views: JsonDict) -> str:
    """Return the views in words; nothing for a single one."""
    words = []
    if views["window"] is not None:
        words.append("windows of {}x{}".format(*views["window"]))
    if views["scales"] != [1.0]:
        words.append(f"scales {', '.join(f'{scale:g}' for scale in views['scales'])}")
    if views["flip"]:
        words.append("flip")
    return ", ".join(words)


def _band(band: JsonDict) -> str:
    return f"from {band['from']:g} m" if band["to"] is None else f"{band['from']:g} to {band['to']:g} m"


def _counted(metrics: JsonDict) -> str:
    """Return how many of the split's samples the numbers stand for."""
    n = metrics["n"]
    if "samples" not in metrics:
        return f"{n} samples"
    left_out = ", ".join(f"{count} {reason}" for reason, count in metrics["left_out"].items())
    return f"{n} of {metrics['samples']} samples" + (f" (left out: {left_out})" if left_out else "")


def _cell(value: float | None) -> str:
    return "absent" if value is None else f"{value:.4f}"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
