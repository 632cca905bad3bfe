"""Models of untrained networks, as `segprep.train.load` gives trained ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from segprep.datasets.codes import PlainCode, SmsnetFlowCode
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.learning.config import parse_config
from segprep.train.learning.schedule import Plateau
from segprep.train.learning.state import RunState
from segprep.train.network.segmenter import Segmenter, build_segmenter, input_columns
from segprep.train.predict.model import Model
from support.networks import SMALL
from support.scenes import CLASSES

__all__ = ["FLOW", "IMAGE", "random_sample", "untrained_model"]

SIZE = (52, 38)
IMAGE = ArraySpec.of("image", Kind.IMAGE, (SIZE[1], SIZE[0], 3), PlainCode())
FLOW = ArraySpec.of("flow", Kind.CODED, (SIZE[1], SIZE[0], 3), SmsnetFlowCode())


def untrained_model(
    name: str, columns: Sequence[ArraySpec] = (IMAGE, FLOW), segmenter: Segmenter | None = None, **options: object
) -> Model:
    """Return a model of a registered network, small where it can be, or of another segmenter."""
    table = {
        "model": {"name": name, **SMALL.get(name, {}), **options},
        "data": {"inputs": [each.name for each in columns]},
    }
    config = parse_config(table, "the test")
    if segmenter is None:
        torch.manual_seed(0)
        segmenter = build_segmenter(config.model, input_columns(columns, {}), [len(CLASSES.names)])
    state = RunState(
        step=7,
        steps=7,
        best=None,
        plateau=Plateau(),
        names=("scenes",),
        class_maps=(CLASSES.to_json(),),
        digests=("",),
        scalings=segmenter.scalings,
        scores={},
        provenance=({"title": "Scenes", "licence": "CC0"},),
    )
    return Model(Path("weights.safetensors"), tuple(columns), {"scenes": CLASSES}, config, state, segmenter.eval())


def random_sample(height: int, width: int, seed: int = 0) -> dict[str, Array]:
    """Return an image and a motion in pixels, with some pixels that are invalid or beyond the code."""
    rng = np.random.default_rng(seed)
    flow_HW2 = rng.normal(0, 12, (height, width, 2)).astype(np.float32)
    flow_HW2[0, 0] = np.nan
    return {"image": rng.integers(0, 256, (height, width, 3), np.uint8), "flow": flow_HW2}
