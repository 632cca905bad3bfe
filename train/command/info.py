"""What `train info` says of a trained network."""

from segprep.datasets.json_values import as_json, json_of
from segprep.datasets.sample import JsonDict
from segprep.train.models import MODELS
from segprep.train.predict.columns import takes
from segprep.train.predict.model import Model

__all__ = ["info_json", "info_text"]


def info_json(model: Model) -> JsonDict:
    """Return what a network is, takes and knows, as JSON values."""
    state, config = model.state, model.config.model
    width, height = model.size
    return {
        "weights": str(model.path),
        "network": config.name,
        "options": as_json(config.options),
        "parameters": model.parameters,
        "precision": config.precision,
        "size": [width, height],
        "inputs": [
            {
                "name": column.name,
                "kind": str(column.kind),
                "takes": takes(column),
                "code": column.code,
                "attributes": column.attributes,
                "centre": list(state.scalings[column.name].centre),
                "spread": list(state.scalings[column.name].spread),
                "blank": column.name in model.config.data.blank,
            }
            for column in model.columns
        ],
        "target": model.config.data.target,
        "datasets": [
            {"name": name, "classes": list(classes.names), "digest": digest, "provenance": provenance}
            for (name, classes), digest, provenance in zip(
                model.class_maps.items(), state.digests, state.provenance or ({},) * len(state.names), strict=True
            )
        ],
        "step": state.step,
        "steps": state.steps,
        "scores": dict(state.scores),
    }


def info_text(info: JsonDict) -> str:
    """Return what `info_json` says as lines for the terminal; of the options those that are not as usual."""
    usual = json_of(MODELS.load(info["network"]).Config())
    options = [f"{name} = {value}" for name, value in info["options"].items() if value != usual.get(name)]
    score = info["scores"].get("val_mean_iou")
    width, height = info["size"]
    lines = [
        ", ".join([info["network"], *options, f"{info['parameters']:,} parameters", info["precision"]]),
        f"trained on {width}x{height} pixels, step {info['step']} of {info['steps']}"
        + ("" if score is None else f", validation mean IoU {score:.4f}"),
    ]
    for each in info["inputs"]:
        scaling = f"(stored - {_numbers(each['centre'])}) / {_numbers(each['spread'])}"
        seen = "zeros in its place" if each["blank"] else f"stored as {each['code']['name']}, {scaling}"
        lines.append(f"takes {each['name']}: {each['takes']}; {seen}")
    for each in info["datasets"]:
        made, classes = each["provenance"], each["classes"]
        origin = f", learned from {made['title']} ({made['licence']})" if {"title", "licence"} <= made.keys() else ""
        lines.append(f"knows {len(classes)} classes of {info['target']}{origin}: {', '.join(classes)}")
    return "\n".join([*lines, f"weights: {info['weights']}"])


def _numbers(values: list[float]) -> str:
    texts = [f"{value:.4g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else f"({', '.join(texts)})"
