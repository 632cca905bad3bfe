"""What the ledger holds of arguments: names, order and values of its JSON, by which older workspaces are read."""

import json

import pytest

from segprep.datasets.program.tables import default_table
from segprep.prep.modalities import MODALITIES
from segprep.workflows.stages.arguments import FlowArguments, MotionLabelArguments, ResizeArguments

DEFAULTS = {
    "resize": '{"factor": null, "size": null, "format": "png", "labels": "vote", "threshold": null, "void_id": null, '
    '"priority": null, "share": null, "label_ids": "train"}',
    "flow": '{"scale": 6.4, "estimator": "dis", "preset": null, "check": true, "at": "workspace", "pattern": null, '
    '"flow_format": "auto", "flow_direction": null, "flow_size": null, "ego": null, "raw_image": false}',
    "motion-labels": '{"movable": null, "max_range": null, "min_speed": null, "annotations": null, '
    '"annotation_map": null, "label_ids": "train"}',
    "depth_filled": '{"depth": "depth", "fill": "ip-basic"}',
    "evi": '{"bands": "nir=nir,red=image.red,blue=image.blue", "bits": 8}',
    "evi2": '{"bands": "nir=nir,red=image.red,blue=image.blue", "bits": 8}',
    "hha": '{"depth": "depth", "preset": null, "gravity": "estimate", "floor_percentile": null}',
    "jet": '{"depth": "depth", "near": null, "far": null, "percentiles": null, "quantity": "depth"}',
    "ndvi": '{"bands": "nir=nir,red=image.red,blue=image.blue", "bits": 8}',
    "normals": '{"depth": "depth", "radius": 3}',
}
STAGES = {"resize": ResizeArguments, "flow": FlowArguments, "motion-labels": MotionLabelArguments}


@pytest.mark.parametrize("name", DEFAULTS)
def test_arguments_are_written_as_ever(name: str) -> None:
    arguments = STAGES[name] if name in STAGES else MODALITIES.load(name).Arguments
    assert json.dumps(default_table(arguments)) == DEFAULTS[name]
