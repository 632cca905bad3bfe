"""What a run begins with: weights decide the options they need, and nothing is swapped or guessed in silence."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.file_records import record_of
from segprep.train.learning.config import parse_config
from segprep.train.models import segnet, smsnet
from segprep.train.models._network import InputScaling
from segprep.train.network.origin import check_backbone_options, check_origin
from segprep.train.network.seal import sealed
from support.networks import make_column

_PUBLISHED = Path(__file__).parents[1] / "network" / "published.zip"
_STEP = ("--steps", "1", "--batch-size", "2", "--precision", "fp32")


@pytest.mark.parametrize("name", ["segnet", "smsnet"])
def test_imagenet_weights_decide_where_the_stride_is(name: str) -> None:
    for model, stride in (
        ({}, False),
        ({"weights": "imagenet"}, True),
        ({"weights": "imagenet", "stride_in_3x3": False}, False),
        ({"stride_in_3x3": True}, True),
    ):
        config = parse_config({"model": {"name": name, "precision": "fp32", **model}}, "the test")
        assert config.model.options["stride_in_3x3"] is stride


def test_an_option_that_contradicts_the_weights_is_refused(
    train: Callable[..., int], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, workspace / "w.pth")
    segnet_ = ("--model", "segnet", "--weights", workspace / "w.pth")
    assert train("run", *_STEP, *segnet_, "--set", "model.stride_in_3x3=false") == 2
    assert "names of resnet50 were trained with stride_in_3x3 = true, not false: leave" in capfd.readouterr().err
    with pytest.raises(ConfigurationError, match="stride_in_3x3"):
        check_backbone_options(smsnet, {"stride_in_3x3": False})


@pytest.mark.parametrize(
    ("trained", "inputs", "centre", "said"),
    [
        ({"decoder_relu": True}, ["image"], 3.0, ["decoder_relu = true (now false)"]),
        ({"decoder_relu": False}, ["nir"], 3.0, ["inputs nir (now image)"]),
        ({"decoder_relu": False}, ["image"], 4.0, ["another scaling of image: its shards have other statistics"]),
        ({"decoder_relu": False}, ["image"], 3.0, []),
    ],
)
def test_what_differs_from_the_run_that_weights_come_from_is_said(
    trained: dict[str, object], inputs: list[str], centre: float, said: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "step-00000004"
    folder.mkdir()
    weights = folder / "weights.safetensors"
    weights.write_bytes(b"weights")
    state: dict[str, Any] = {"config": {"model": trained | {"stride_in_3x3": True}, "data": {"inputs": inputs}}}
    state["scalings"] = {"image": {"centre": [centre], "spread": [1.0]}}
    (folder / "state.json").write_bytes(sealed(state, {weights.name: record_of(b"weights")}))
    found: list[str] = []
    options = {"decoder_relu": False, "stride_in_3x3": True}
    scalings = {"image": InputScaling((3.0,), (1.0,))}
    published = {"image": InputScaling((5.0,), (1.0,))}
    assert check_origin(weights, segnet, options, scalings, published, found.append) == scalings
    assert found == [f"{folder} was trained with {text}" for text in said]
    with pytest.raises(ConfigurationError, match=r"was trained with stride_in_3x3 = true \(now false\): set it alike"):
        check_origin(weights, segnet, options | {"stride_in_3x3": False}, scalings, published, found.append)


def test_weights_of_others_say_nothing_of_their_origin_wherever_they_lie(tmp_path: Path) -> None:
    weights = tmp_path / "step-100" / "model.safetensors"
    weights.parent.mkdir()
    weights.touch()
    (tmp_path / "last").write_text("no pointer of ours")
    check_origin(weights, segnet, {}, {}, {}, pytest.fail)


def test_inputs_stay_scaled_as_published_weights_want_it(tmp_path: Path) -> None:
    folder = tmp_path / "step-00000004"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"weights")
    state = {"config": {"data": {"inputs": ["image"]}}, "scalings": {"image": {"centre": [5.0], "spread": [1.0]}}}
    (folder / "state.json").write_bytes(sealed(state, {"weights.safetensors": record_of(b"weights")}))
    own, published = ({"image": InputScaling((centre,), (1.0,))} for centre in (3.0, 5.0))
    assert check_origin(folder / "weights.safetensors", segnet, {}, own, published, pytest.fail) == published


def test_a_run_begins_with_published_weights(
    train: Callable[..., int], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(_PUBLISHED) as archive:
        archive.extract("weights.pb", workspace)
    frrn_ = ("--base-channels", 1, "--weights", workspace / "weights.pb")
    assert train("run", *_STEP, *frrn_) == 0
    said = capfd.readouterr().err
    assert "weights.pb: 224 tensors loaded\n" in said
    assert "image enters as (value - (128, 128, 128)) / (128, 128, 128), as in PARIS" in said
    (workspace / "weights.pb").write_bytes(b"\x0a\xff")
    for weights, code, text in (
        (workspace / "weights.pb", 3, "weights.pb cannot be read (no whole number ends behind byte 1)"),
        (workspace / "model.ckpt-3", 3, "model.ckpt-3 do not exist"),
    ):
        assert train("run", *_STEP, "--base-channels", 1, "--weights", weights) == code
        assert text in capfd.readouterr().err
    assert [path.name for path in (workspace / "runs").iterdir()] == ["run-001"]


def test_published_weights_bring_their_options() -> None:
    for name, weights, padding in (("adapnet", "model.ckpt-7", "tensorflow"), ("adapnet", "imagenet", "symmetric")):
        model = parse_config({"model": {"name": name, "weights": weights}}, "test").model
        assert model.options["padding"] == padding
    segnet_ = {"name": "segnet", "weights": "x.h5", "padding": "symmetric"}
    assert parse_config({"model": segnet_}, "test").model.options["padding"] == "symmetric"


def test_smsnet_refuses_the_motion_image_in_the_first_place(
    train: Callable[..., int], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *_STEP, "--model", "smsnet", "--inputs", "flow,image") == 2
    message = "network 'smsnet': it takes the image first and then the motion image: give --inputs image,flow"
    assert message in capfd.readouterr().err
    smsnet.check_columns([make_column("image"), make_column("previous")])


@pytest.mark.parametrize("inputs", ["image,,flow", "image,", "image,image", ""])
def test_empty_and_repeated_inputs_are_refused(
    train: Callable[..., int], capfd: pytest.CaptureFixture[str], inputs: str
) -> None:
    assert train("run", *_STEP, "--inputs", inputs) == 2
    assert "none of them twice, empty or with a blank" in capfd.readouterr().err


def test_a_blank_between_inputs_is_taken_off_or_told(
    train: Callable[..., int], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *_STEP, "--inputs", "image, flow", "--print-config") == 0
    assert 'inputs = ["image", "flow"]' in capfd.readouterr().out
    assert train("run", *_STEP, "--inputs", "image,", "flow") == 2
    assert "flow: folders of shards come after --shards; a list, as of --inputs, is written" in capfd.readouterr().err
    file = workspace / "c.toml"
    file.write_text('[data]\ninputs = ["image, flow"]')
    assert train("run", *_STEP, "--config", file) == 2
    assert "empty or with a blank" in capfd.readouterr().err


def test_entries_that_do_nothing_are_told(train: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    idle = {
        "loss.gamma=3": "loss.kind is 'cross_entropy'",
        "optimizer.momentum=0.5": "optimizer.kind is 'adam'",
        "schedule.patience=4": "schedule.kind is 'poly'",
        "data.weights=[2]": "there is one data set",
    }
    settings = [each for setting in idle for each in ("--set", setting)]
    assert train("run", *_STEP, "--base-channels", 2, *settings, "--set", "optimizer.beta1=0.8") == 0
    err = capfd.readouterr().err
    for setting, why in idle.items():
        assert f"{setting.partition('=')[0]} has no effect, because {why}\n" in err
    assert err.count("has no effect") == len(idle)


def test_a_plateau_without_validation_is_refused(
    train: Callable[..., int], shards: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (shards / "val.zarr").rename(shards / "later.zarr")
    assert train("run", *_STEP, "--schedule", "plateau") == 2
    assert "'plateau' follows validations, but there is no val.zarr beside " in capfd.readouterr().err


def test_the_configuration_of_a_run_that_goes_on_is_not_printed_as_another_one(train: Callable[..., int]) -> None:
    assert train("run", "--resume", "--print-config") == 2
