"""What a run begins with: weights decide the options they need, and nothing is swapped or guessed in silence."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from segprep.train.learning.config import parse_config
from segprep.train.models import segnet, smsnet
from segprep.train.network.origin import check_backbone_options, check_origin
from segprep.train.network.seal import sealed
from support.networks import make_column

_STEP = ("--steps", "1", "--batch-size", "2", "--precision", "fp32")


@pytest.fixture
def train(workspace: Path) -> Callable[..., int]:
    return lambda *arguments: run_app(app, "train", [*map(str, arguments), "-C", str(workspace)])


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
    ("trained", "inputs", "said"),
    [
        ({"decoder_relu": True}, ["image"], ["decoder_relu = true (now false)"]),
        ({"decoder_relu": False}, ["nir"], ["inputs nir (now image)"]),
        ({"decoder_relu": False}, ["image"], []),
    ],
)
def test_what_differs_from_the_run_that_weights_come_from_is_said(
    trained: dict[str, object], inputs: list[str], said: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "step-00000004"
    folder.mkdir()
    weights = folder / "weights.safetensors"
    weights.write_bytes(b"weights")
    state = {"config": {"model": trained | {"stride_in_3x3": True}, "data": {"inputs": inputs}}}
    (folder / "state.json").write_bytes(sealed(state, {weights.name: b"weights"}))
    found: list[str] = []
    options = {"decoder_relu": False, "stride_in_3x3": True}
    check_origin(weights, segnet, options, ["image"], found.append)
    assert found == [f"{folder} was trained with {text}" for text in said]
    with pytest.raises(ConfigurationError, match=r"was trained with stride_in_3x3 = true \(now false\): set it alike"):
        check_origin(weights, segnet, options | {"stride_in_3x3": False}, ["image"], found.append)


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
