"""The sky in a depth column: it moves no constant of the input's normalisation, and reaches the network as a number."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segprep.datasets.shards import ShardStore
from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import TrainedRun, resume_run, start_run
from segprep.train.models._network import InputScaling
from segprep.train.reading.sources import identity
from support.networks import make_segmenter
from support.runs import checkpoint_of
from support.scenes import make_scenes, write_store
from support.stores import forget_far

_FLAGS: dict[str, Any] = {
    "steps": 2,
    "val_every": 10,
    "data": {"batch_size": 2, "inputs": ["depth"]},
    "model": {"name": "frrn", "precision": "fp32", "base_channels": 8},
}


@pytest.fixture
def place(tmp_path: Path) -> TrainingPlace:
    """Depths of 1 to 60 m with holes, and sky in the upper third."""
    columns = make_scenes(range(4))
    codes = np.random.default_rng(0).integers(100, 6001, columns["label"].shape).astype(np.uint16)
    codes[:, -3:] = 0
    codes[:, : codes.shape[1] // 3] = 65535
    columns["depth"] = codes
    write_store(tmp_path / "shards" / "train.zarr", columns)
    return TrainingPlace((tmp_path / "shards",), True, tmp_path / "runs")


def _scaling(trained: TrainedRun) -> InputScaling:
    state = json.loads((checkpoint_of(trained.run.root) / "state.json").read_text())
    (scaling,) = state["scalings"].values()
    return InputScaling(tuple(scaling["centre"]), tuple(scaling["spread"]))


@pytest.mark.parametrize("earlier", [False, True], ids=["now", "a store of an earlier version"])
def test_inputs_are_normalised_by_finite_depths(place: TrainingPlace, earlier: bool) -> None:
    path = place.shards[0] / "train.zarr"
    if earlier:
        forget_far(path)
    store = ShardStore.open(path)
    codes = np.stack([store.read("depth", row) for row in range(len(store))])
    finite = codes[(codes != 65535) & (codes != 0)].astype(float)
    (trained,) = start_run(place, "run", None, _FLAGS, None)
    scaling = _scaling(trained)
    assert scaling.centre == pytest.approx((finite.mean(),))
    assert scaling.spread == pytest.approx((finite.std(),))


def test_a_run_goes_on_with_the_constants_that_it_began_with(place: TrainingPlace) -> None:
    (trained,) = start_run(place, "run", None, _FLAGS, None)
    state_path = checkpoint_of(trained.run.root) / "state.json"
    state = json.loads(state_path.read_text())
    for name in ("sha256", "files", "config"):  # as earlier versions wrote it, whose constants were these
        del state[name]
    state["scalings"]["depth"] = {"centre": [17408.0], "spread": [27648.0]}
    state_path.write_text(json.dumps(state))
    config = trained.run.config_path
    config.write_text(config.read_text().replace("steps = 2\n", "steps = 4\n"))
    (again,) = resume_run(place, "run", None, None)
    assert again.outcome.step == 4
    assert _scaling(again) == InputScaling((17408.0,), (27648.0,))


def test_samples_are_the_same_ones_whoever_counted_the_sky(place: TrainingPlace) -> None:
    path = place.shards[0] / "train.zarr"
    now = identity(ShardStore.open(path))
    forget_far(path)
    assert identity(ShardStore.open(path)) == now


def test_other_constants_change_what_the_network_sees() -> None:
    segmenter = make_segmenter("frrn")
    inputs = torch.randint(0, 256, (1, 16, 16, 6), dtype=torch.uint8)
    segmenter.eval()
    with torch.no_grad():
        before = segmenter.logits(inputs)
        old = dict(segmenter.scalings)
        segmenter.scale_by({name: InputScaling((3.0,) * 3, (9.0,) * 3) for name in old})
        assert not torch.equal(segmenter.logits(inputs), before)
        segmenter.scale_by(old)
        assert torch.equal(segmenter.logits(inputs), before)
