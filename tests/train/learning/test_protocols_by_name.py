"""The protocols that come with the package: found by name, read, and trained in their order."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from segprep.train.learning.protocols import configuration_file, protocol_names
from segprep.train.models import MODELS
from segprep.train.models._network import Features, Logits, Network, eight_bit_scaling
from segprep.train.runs.folder import Run
from support.runs import checkpoint_of
from support.scenes import make_scenes, write_store

_EXPECTED: dict[str, list[tuple[str, str, str, int | None, float, int, float, str]]] = {
    # stage, network, target, steps, passes, batch, rate, schedule
    "adapnet": [("", "adapnet", "label", 150_000, 0, 8, 1e-3, "poly")],
    "fcn8s": [("", "fcn8s", "label", None, 300, 1, 1e-4, "plateau")],
    "paris": [("", "frrn", "label", 70_000, 0, 5, 1e-3, "exponential")],
    "segnet": [("", "segnet", "label", None, 60, 2, 1e-3, "constant")],
    "smsnet": [
        ("-segmentation", "smsnet", "label", 30_000, 0, 8, 1e-3, "poly"),
        ("-motion", "smsnet", "motion_label", 30_000, 0, 8, 1e-3, "poly"),
    ],
    "ssma": [
        ("-image", "adapnet", "label", 150_000, 0, 8, 1e-3, "poly"),
        ("-hha", "adapnet", "label", 150_000, 0, 8, 1e-3, "poly"),
        ("-fusion", "ssma", "label", 100_000, 0, 7, 1e-3, "poly"),
        ("-final", "ssma", "label", 50_000, 0, 12, 1e-5, "poly"),
    ],
}


def _train(*arguments: object) -> int:
    return run_app(app, "train", [str(each) for each in arguments])


def test_every_reference_has_a_protocol() -> None:
    assert protocol_names() == tuple(sorted(_EXPECTED))


def test_the_help_names_them(capfd: pytest.CaptureFixture[str]) -> None:
    from segprep.train.command.run_command import run_command

    text = run_command.__annotations__["config"].__metadata__[0].help
    assert all(name in text for name in protocol_names())


@pytest.mark.parametrize("name", _EXPECTED)
def test_a_protocol_prints_what_its_system_says(name: str, workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _train("run", "-C", workspace, "--config", name, "--print-config") == 0
    printed = ["seed = " + each for each in f"\n{capfd.readouterr().out}".split("\nseed = ")[1:]]
    found = []
    for text in printed:
        table: dict[str, Any] = tomllib.loads(text)
        data, schedule = table["data"], table["schedule"]
        found.append(
            (table["model"]["name"], data["target"], table.get("steps"), table.get("epochs", 0), data["batch_size"],
             schedule["lr"], schedule["kind"])
        )  # fmt: skip
    assert found == [expected[1:] for expected in _EXPECTED[name]]


def test_flags_win_over_a_protocol(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    changes = ("--target", "motion_label", "--steps", 7, "--base-channels", 8)
    assert _train("run", "-C", workspace, "--config", "paris", *changes, "--print-config") == 0
    printed = tomllib.loads(capfd.readouterr().out)
    assert printed["data"]["target"] == "motion_label"
    assert (printed["steps"], printed["model"]["base_channels"], printed["loss"]["kind"]) == (7, 8, "bootstrapped")


def test_a_file_of_the_name_wins_and_this_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    assert configuration_file(Path("paris"), said.append).name == "paris.toml"
    assert said == []
    Path("paris").write_text("seed = 3")
    assert configuration_file(Path("paris"), said.append) == Path("paris")
    assert said == ["the file paris is read, not the protocol of this name that comes with the package"]


def test_a_name_that_nobody_knows_is_answered_with_the_protocols(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train("run", "-C", workspace, "--config", "parys") == 2
    names = "adapnet, fcn8s, paris, segnet, smsnet, ssma"
    assert f"no configuration parys: name a TOML file, or one of the protocols {names}" in capfd.readouterr().err
    with pytest.raises(ConfigurationError):
        configuration_file(Path("paris/paris"), pytest.fail)


def test_paris_protocol_trains(workspace: Path) -> None:
    small = ("--steps", 2, "--val-every", 2, "--base-channels", 2, "--augment", "none", "--precision", "fp32")
    assert _train("run", "-C", workspace, "--config", "paris", *small, "--batch-size", 2, "--name", "p") == 0
    assert Run(workspace / "runs" / "p").config_path.is_file()


# -- SMSnet's order, on a network of two layers ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    frozen_image: bool = False
    stride_in_3x3: bool = False


class _Trunk(nn.Module):
    def __init__(self, config: _Config) -> None:
        super().__init__()
        self.image, self.motion = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.image.requires_grad_(not config.frozen_image)

    def forward(self, x_NCHW: Tensor) -> Features:
        return (torch.cat([self.image(x_NCHW[:, :3]), self.motion(x_NCHW[:, 3:])], dim=1),)


class _Head(nn.Conv2d):
    def forward(self, features: Features, _size: tuple[int, int]) -> Logits:  # type: ignore[override]
        return Logits(super().forward(features[0]))


def test_smsnet_learns_what_things_are_and_then_what_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split, numbers in (("train", range(4)), ("val", range(4, 6))):
        columns = make_scenes(numbers)
        columns["motion_label"] = np.where(columns["label"] == 2, 0, columns["label"]).astype(np.uint8)
        columns["flow"] = np.repeat(128 + 60 * (columns["motion_label"][..., None] == 1), 3, -1).astype(np.uint8)
        write_store(tmp_path / "shards" / f"{split}.zarr", columns)
    module = SimpleNamespace(
        Config=_Config,
        input_scaling=eight_bit_scaling,
        build=lambda config, _, classes: Network(_Trunk(config), [_Head(8, count, 1) for count in classes]),
    )
    monkeypatch.setitem(MODELS._loaded, "smsnet", module)
    monkeypatch.chdir(tmp_path)
    small = ("--steps", 3, "--val-every", 3, "--batch-size", 2, "--augment", "none", "--precision", "fp32")
    first = ("--weights", "", "--set", "model.stride_in_3x3=true", "--name", "s")
    assert _train("run", "--shards", "shards", "--config", "smsnet", *small, *first) == 0
    states = [
        safetensors.torch.load_file(checkpoint_of(tmp_path / "runs" / name, "last") / "weights.safetensors")
        for name in ("s-segmentation", "s-motion")
    ]
    assert [len(state["heads.0.bias"]) for state in states] == [3, 2]
    assert torch.equal(states[0]["trunk.image.weight"], states[1]["trunk.image.weight"])
    assert not torch.equal(states[0]["trunk.motion.weight"], states[1]["trunk.motion.weight"])
