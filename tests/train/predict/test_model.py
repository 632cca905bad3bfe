"""A trained network is used where nothing but its weights is at hand."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import segprep.train
from segprep.datasets.codes import DepthCode, SmsnetFlowCode
from segprep.datasets.errors import (
    CodeRangeError,
    ConfigurationError,
    DamagedStoreError,
    MissingInputError,
    SizeMismatchError,
)
from segprep.datasets.file_records import record_of
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.program.command_line import run_app
from segprep.datasets.sample import Sample, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.train.cli import app
from segprep.train.predict.views import scored
from support.runs import checkpoint_of
from support.scenes import HEIGHT, WIDTH, make_scenes, write_store

_SMALL = ["--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32", "--val-every", "2"]


def _train(*arguments: object) -> int:
    return run_app(app, "train", [str(a) for a in arguments])


@pytest.fixture
def run(workspace: Path) -> Path:
    assert _train("run", "-C", workspace, *_SMALL) == 0
    assert _train("eval", "-C", workspace, "--at", "network") == 0
    return workspace / "runs" / "run-001"


@pytest.fixture
def alone(run: Path, tmp_path: Path) -> Path:
    """The file of weights, with nothing beside it."""
    path = tmp_path / "elsewhere" / "streets.safetensors"
    path.parent.mkdir()
    shutil.copy(checkpoint_of(run, "best") / "weights.safetensors", path)
    return path


def test_a_file_alone_predicts_what_the_evaluation_found(alone: Path, run: Path, workspace: Path) -> None:
    store = ShardStore.open(workspace / "shards" / "val.zarr")
    pictures = {key: store.read("image", row) for row, key in enumerate(store.keys)}
    expected = {key: read_image(run / "eval-val-network" / "ids" / f"{key}.png") for key in pictures}
    shutil.rmtree(workspace / "shards")
    shutil.rmtree(run)
    model = segprep.train.load(alone)
    for key, picture in pictures.items():
        found = model.predict({"image": picture})
        np.testing.assert_array_equal(model.classes.to_raw_ids(found.ids_HW), expected[key])
        np.testing.assert_allclose(found.probabilities_CHW.sum(0), 1, atol=1e-5)
    assert model.size == (pictures[store.keys[0]].shape[1], pictures[store.keys[0]].shape[0])


def test_a_run_is_named_as_everywhere(run: Path, workspace: Path) -> None:
    names: list[tuple[Any, ...]] = [("run-001",), (run,), (checkpoint_of(run),), ("run-001", "last"), (run, "step-2")]
    for named, *checkpoint in names:
        model = segprep.train.load(named, *checkpoint, runs=workspace / "runs")
        assert model.path == checkpoint_of(run) / "weights.safetensors"
    with pytest.raises(ConfigurationError, match="no checkpoint step-00000007"):
        segprep.train.load("run-001", "step-7", runs=workspace / "runs")
    with pytest.raises(ConfigurationError, match="there is no run 'nobody'"):
        segprep.train.load("nobody", runs=workspace / "runs")


def test_columns_are_coded_as_the_shards_did(workspace: Path, tmp_path: Path) -> None:
    """Of a network of three columns: pixels of motion and metres give the codes that a store would hold."""
    rng = np.random.default_rng(0)
    scenes = make_scenes(range(4))
    count, height, width = scenes["label"].shape
    flow_NHW2 = rng.normal(0, 5, (count, height, width, 2)).astype(np.float32)
    depth_NHW = rng.uniform(1, 90, (count, height, width)).astype(np.float32)
    flow_code, depth_code = SmsnetFlowCode(5.12), DepthCode(scale_m=0.01)  # those of `write_store`
    scenes["flow"] = np.stack([flow_code.encode(each, None).stored for each in flow_NHW2])
    scenes["depth"] = np.stack([depth_code.encode(each, None).stored for each in depth_NHW])
    for split in ("train", "val"):
        shutil.rmtree(workspace / "shards" / f"{split}.zarr")
        write_store(workspace / "shards" / f"{split}.zarr", scenes)
    assert _train("run", "-C", workspace, "--inputs", "image,flow,depth", *_SMALL) == 0
    assert _train("eval", "-C", workspace, "--at", "network") == 0
    model = segprep.train.load("run-001", runs=workspace / "runs")
    store = ShardStore.open(workspace / "shards" / "val.zarr")
    for row, key in enumerate(store.keys):
        arrays = {"image": scenes["image"][row], "flow": flow_NHW2[row], "depth": depth_NHW[row], "more": np.zeros(3)}
        expected = read_image(workspace / "runs/run-001/eval-val-network/ids" / f"{key}.png")
        np.testing.assert_array_equal(model.classes.to_raw_ids(model.predict(arrays).ids_HW), expected)
        kinds = dict.fromkeys(arrays, Kind.IMAGE)
        again = model.predict(Sample(SampleKey("a"), arrays, kinds))
        np.testing.assert_array_equal(again.ids_HW, model.predict(arrays).ids_HW)


def test_what_a_sample_lacks_is_said_with_its_unit(alone: Path) -> None:
    model = segprep.train.load(alone)
    with pytest.raises(MissingInputError, match=r"no column 'image', \(H, W, 3\) uint8 RGB image"):
        model.predict({"rgb": np.zeros((8, 8, 3), np.uint8)})
    with pytest.raises(CodeRangeError, match="column 'image'"):
        model.predict({"image": np.zeros((8, 8), np.uint8)})
    with pytest.raises(ConfigurationError, match="no data set 'nobody'"):
        model.predict({"image": np.zeros((8, 8, 3), np.uint8)}, dataset="nobody")


def test_columns_of_different_sizes_are_refused(workspace: Path) -> None:
    assert _train("run", "-C", workspace, "--inputs", "image,flow", *_SMALL) == 0
    model = segprep.train.load("run-001", runs=workspace / "runs")
    with pytest.raises(SizeMismatchError, match="image 8x8, flow 9x8"):
        model.predict({"image": np.zeros((8, 8, 3), np.uint8), "flow": np.zeros((8, 9, 2), np.float32)})


def test_a_checkpoint_is_chosen_of_a_run_only(alone: Path, run: Path) -> None:
    for no_run in (alone, checkpoint_of(run)):
        with pytest.raises(ConfigurationError, match="is no run: leave it out"):
            segprep.train.load(no_run, "last")


def test_damage_is_noticed_in_a_file_alone(alone: Path) -> None:
    content = bytearray(alone.read_bytes())
    content[-5] ^= 1
    alone.write_bytes(content)
    with pytest.raises(DamagedStoreError, match="their digest differs"):
        segprep.train.load(alone)


def test_weights_of_somebody_else_are_refused(tmp_path: Path) -> None:
    import safetensors.torch

    safetensors.torch.save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ConfigurationError, match="does not say what its weights are of"):
        segprep.train.load(tmp_path / "other.safetensors")


def test_a_checkpoint_of_an_earlier_version_needs_its_store(run: Path, workspace: Path) -> None:
    import safetensors.torch

    from segprep.train.network.seal import sealed

    folder = checkpoint_of(run)
    state = json.loads((folder / "state.json").read_text())
    for name in ("columns", "provenance", "files", "sha256"):
        del state[name]
    weights = safetensors.torch.save(safetensors.torch.load_file(folder / "weights.safetensors"))
    (folder / "weights.safetensors").write_bytes(weights)
    optimizer = (folder / "optimizer.pt").read_bytes()
    records = {"weights.safetensors": record_of(weights), "optimizer.pt": record_of(optimizer)}
    (folder / "state.json").write_bytes(sealed(state, records))
    assert segprep.train.load(run).size == (WIDTH, HEIGHT)
    shutil.rmtree(workspace / "shards")
    with pytest.raises(ConfigurationError, match="saved by an earlier version"):
        segprep.train.load(run)


def test_info_says_what_goes_in_and_what_comes_out(
    alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert _train("info", alone, "-C", tmp_path / "elsewhere", "--json") == 0
    info = json.loads(capsys.readouterr().out)
    assert info["network"] == "frrn"
    assert [each["takes"] for each in info["inputs"]] == ["(H, W, 3) uint8 RGB image"]
    assert info["datasets"][0]["classes"] == list(segprep.train.load(alone).classes.names)
    assert info["step"] == info["steps"] == 2
    assert _train("info", alone, "-C", tmp_path / "elsewhere") == 0
    said = capsys.readouterr().out
    for word in ("frrn", "base_channels = 2", "(H, W, 3) uint8 RGB image", *info["datasets"][0]["classes"]):
        assert word in said


def test_a_larger_picture_is_seen_by_windows_of_the_size_in_training(workspace: Path) -> None:
    """The views go to the shared scorer, masks with them."""
    assert _train("run", "-C", workspace, "--steps", "1", "--batch-size", "2", "--base-channels", "2") == 0
    model = segprep.train.load("run-001", runs=workspace / "runs")
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (HEIGHT + 9, WIDTH + 14, 3)).astype(np.uint8)
    views = segprep.train.Views(window=model.size, scales=(0.5, 1.0), flip=True)
    found = model.predict({"image": picture}, views=views, batch_size=3)
    inputs = torch.from_numpy(picture[None])
    expected = scored(model.segmenter, model.columns, inputs, views)[0].numpy()
    np.testing.assert_allclose(found.probabilities_CHW, expected, atol=1e-5)
    np.testing.assert_allclose(found.probabilities_CHW.sum(0), 1, atol=1e-5)
    assert found.ids_HW.shape == picture.shape[:2]
