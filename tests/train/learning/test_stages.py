"""Protocols of several stages, and what a network begins with."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import read_configuration
from segprep.train.learning.protocols import configuration_file, merged_tables, stages_of
from segprep.train.models import MODELS
from segprep.train.models._network import Features, InputColumn, Logits, Network, eight_bit_scaling
from segprep.train.runs.folder import Run
from support.runs import checkpoint_of

_SSMA = configuration_file(Path("ssma"), lambda _: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    frozen: bool = False


class _Expert(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)

    def forward(self, x_NCHW: Tensor) -> Features:
        return (self.conv(x_NCHW),)


class _Joined(nn.Module):
    def __init__(self, columns: Sequence[InputColumn], *, frozen: bool) -> None:
        super().__init__()
        self.experts = nn.ModuleDict({c.name: _Expert(c.channels).requires_grad_(not frozen) for c in columns})
        self.channels = [c.channels for c in columns]

    def forward(self, x_NCHW: Tensor) -> Features:
        parts = zip(self.experts.values(), torch.split(x_NCHW, self.channels, 1), strict=True)
        return (torch.stack([expert(part)[0] for expert, part in parts]).sum(0),)


class _Head(nn.Conv2d):
    def forward(self, features: Features, _size: tuple[int, int]) -> Logits:  # type: ignore[override]
        return Logits(super().forward(features[0]))


def _alone(_config: _Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    return Network(_Expert(columns[0].channels), [_Head(4, count, 1) for count in classes])


def _together(config: _Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    return Network(_Joined(columns, frozen=config.frozen), [_Head(4, count, 1) for count in classes])


def _from_expert(column: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"trunk.experts.{column}.{n.removeprefix('trunk.')}": t for n, t in state.items() if n.startswith("trunk.")}


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    common = {"Config": _Config, "input_scaling": eight_bit_scaling}
    monkeypatch.setitem(MODELS._loaded, "alone", SimpleNamespace(**common, build=_alone))
    monkeypatch.setitem(
        MODELS._loaded, "together", SimpleNamespace(**common, build=_together, from_expert=_from_expert)
    )


_PROTOCOL = """
val_every = 2
[data]
batch_size = 2
[model]
precision = "fp32"
[[stage]]
name = "colour"
steps = 4
model = { name = "alone" }
[[stage]]
name = "motion"
steps = 4
data = { inputs = ["flow"] }
model = { name = "alone" }
[[stage]]
name = "both"
steps = 2
data = { inputs = ["image", "flow"] }
model = { name = "together", frozen = true, experts = { image = "colour", flow = "motion" } }
[[stage]]
name = "again"
steps = 2
data = { inputs = ["image", "flow"] }
model = { name = "together", start = "both" }
schedule = { lr = 1e-12 }
"""


def _train(*arguments: object) -> int:
    return run_app(app, "train", [str(a) for a in arguments])


def _weights(workspace: Path, run: str, pointer: str = "best") -> dict[str, Tensor]:
    return safetensors.torch.load_file(checkpoint_of(workspace / "runs" / run, pointer) / "weights.safetensors")


@pytest.fixture
def protocol(workspace: Path) -> Path:
    path = workspace / "p.toml"
    path.write_text(_PROTOCOL)
    return path


def test_a_protocol_trains_experts_joins_them_and_goes_on(
    workspace: Path, protocol: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train("run", "-C", workspace, "--config", protocol, "--name", "p") == 0
    out, err = capfd.readouterr()
    assert [line.rsplit("/", 1)[1].split(":")[0] for line in out.splitlines()] == [
        "p-colour",
        "p-motion",
        "p-both",
        "p-again",
    ]
    assert "2 tensors loaded" in err
    both = _weights(workspace, "p-both", "last")
    for column, run in (("image", "p-colour"), ("flow", "p-motion")):
        expert = _weights(workspace, run)
        assert torch.equal(both[f"trunk.experts.{column}.conv.weight"], expert["trunk.conv.weight"])
    best, again = _weights(workspace, "p-both"), _weights(workspace, "p-again", "last")
    for name, tensor in again.items():
        torch.testing.assert_close(tensor, best[name], rtol=0, atol=1e-9)


def test_an_interrupted_protocol_goes_on_where_it_stopped(
    workspace: Path, protocol: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train("run", "-C", workspace, "--config", protocol, "--name", "whole") == 0
    assert _train("run", "-C", workspace, "--config", protocol, "--name", "p", "--max-minutes", 0) == 0
    assert not Run(workspace / "runs" / "p-motion").root.exists()
    capfd.readouterr()
    assert _train("run", "-C", workspace, "--config", protocol, "--name", "p", "--resume") == 0
    assert capfd.readouterr().out.count("step ") == 4
    for stage in ("colour", "motion", "both", "again"):
        first, second = _weights(workspace, f"whole-{stage}", "last"), _weights(workspace, f"p-{stage}", "last")
        assert all(torch.equal(first[name], second[name]) for name in first)
    protocol.write_text(_PROTOCOL.replace("steps = 2", "steps = 3"))
    assert _train("run", "-C", workspace, "--config", protocol, "--name", "p", "--resume") == 5
    assert "p-both was begun by another configuration" in capfd.readouterr().err


def test_one_run_may_begin_with_another_by_name_by_folder_and_by_file(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small = ["-C", workspace, "--steps", 1, "--batch-size", 2, "--precision", "fp32", "--model", "alone"]
    assert _train("run", *small, "--name", "first") == 0
    folder = workspace / "runs" / "first"
    file = checkpoint_of(folder) / "weights.safetensors"
    for number, start in enumerate(("first", folder, file)):
        assert _train("run", *small, "--name", f"n{number}", "--start", start, "--lr", 1e-12) == 0
        torch.testing.assert_close(_weights(workspace, f"n{number}", "last"), _weights(workspace, "first", "last"))
    capfd.readouterr()
    assert _train("run", *small, "--start", "absent") == 2
    assert "there is no run 'absent' with a checkpoint" in capfd.readouterr().err
    assert _train("run", *small, "--expert", "image=first") == 2
    assert "network 'alone' has no experts" in capfd.readouterr().err
    assert _train("run", *small, "--weights", "imagenet") == 2
    assert "no encoder that ImageNet weights fit" in capfd.readouterr().err
    assert _train("run", *small, "--model", "frrn", "--base-channels", 2, "--start", "first") == 2
    assert "cannot be loaded into this network" in capfd.readouterr().err


def test_an_average_begins_with_the_weights_that_a_run_begins_with(workspace: Path) -> None:
    small = ["-C", workspace, "--batch-size", 2, "--precision", "fp32", "--model", "alone", "--val-every", 1]
    assert _train("run", *small, "--steps", 4, "--lr", 0.1, "--name", "first") == 0
    held = [*small, "--steps", 1, "--start", "first", "--lr", 1e-12]
    assert _train("run", *held, "--name", "plain") == 0
    assert _train("run", *held, "--name", "averaged", "--set", "checkpoint.average=0.999") == 0
    for run in ("plain", "averaged"):
        for name, tensor in _weights(workspace, run).items():
            torch.testing.assert_close(tensor, _weights(workspace, "first")[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--set", "model.frozen=true", "--expert", "image=first"], r"train: trunk\.experts\.flow \(2\) of"),
        (["--set", 'optimizer.frozen=["trunk.*"]'], r"trunk\.experts\.image \(2\), trunk\.experts\.flow"),
    ],
)
def test_what_shall_not_learn_must_have_been_filled(
    workspace: Path, capfd: pytest.CaptureFixture[str], options: list[str], part: str
) -> None:
    small = ["-C", workspace, "--steps", 1, "--batch-size", 2, "--precision", "fp32"]
    assert _train("run", *small, "--model", "alone", "--name", "first") == 0
    capfd.readouterr()
    assert _train("run", *small, "--model", "together", "--inputs", "image,flow", *options) == 2
    err = capfd.readouterr().err
    assert re.search(part, err)
    assert "shall not learn, but no file gave its weights" in err
    assert "give --expert COLUMN=RUN or --start RUN" in err
    assert not (workspace / "runs" / "run-001").exists()


def test_print_config_shows_every_value_and_trains_nothing(
    workspace: Path, protocol: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--print-config", "--set", "optimizer.clip_norm=1", "--set", "loss.kind=focal", "--augment", "ssma"]
    assert _train("run", "-C", workspace, *arguments) == 0
    printed = capfd.readouterr().out
    for line in ("clip_norm = 1.0", 'kind = "focal"', "rotation = {range = [-13.0, 13.0], probability = 0.5}"):
        assert line in printed or line.split(" =")[0] in printed
    assert not (workspace / "runs").exists()
    file = workspace / "again.toml"
    file.write_text(printed)
    assert _train("run", "-C", workspace, "--config", file, "--print-config") == 0
    assert capfd.readouterr().out == printed
    assert _train("run", "-C", workspace, "--config", protocol, "--print-config") == 0
    assert capfd.readouterr().out.count("[optimizer]") == 4


def test_the_protocol_of_ssma_is_as_published(workspace: Path) -> None:
    runs = dict(read_configuration(TrainingPlace((), False, workspace / "runs"), "s", _SSMA, {}))
    assert list(runs) == ["s-image", "s-hha", "s-fusion", "s-final"]
    assert [c.steps for c in runs.values()] == [150_000, 150_000, 100_000, 50_000]
    assert [c.data.batch_size for c in runs.values()] == [8, 8, 7, 12]
    assert [c.schedule.lr for c in runs.values()] == [1e-3, 1e-3, 1e-3, 1e-5]
    assert runs["s-fusion"].optimizer.groups == ("trunk.experts.*=0.1",)
    assert runs["s-fusion"].model.experts == {"image": "s-image", "hha": "s-hha"}
    assert runs["s-final"].model.start == "s-fusion"
    assert runs["s-final"].model.options["frozen_experts"] is True


def test_an_unknown_key_on_the_command_line_names_the_nearest(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train("run", "-C", workspace, "--set", "optimiser.kind=sgd") == 2
    assert "has no key 'optimiser'. Did you mean 'optimizer'?" in capfd.readouterr().err
    assert _train("run", "-C", workspace, "--set", "loss") == 2
    assert "for example --set optimizer.clip_norm=1" in capfd.readouterr().err


@pytest.mark.parametrize("stages", [[{"steps": 1}], [{"name": "a"}, {"name": "a"}], [3], "a", [{"name": 4}]], ids=str)
def test_stages_without_names_of_their_own_are_refused(stages: Any) -> None:
    with pytest.raises(ConfigurationError, match="stage"):
        stages_of({"stage": stages}, "run")


def test_the_length_of_a_stage_wins_whichever_way_it_is_given() -> None:
    merged = merged_tables({"epochs": 3, "data": {"a": 1, "b": 2}}, {"steps": 5, "data": {"b": 3}})
    assert merged == {"steps": 5, "data": {"a": 1, "b": 3}}
    assert json.loads(json.dumps(merged_tables(merged, {"epochs": 1}))) == {"data": {"a": 1, "b": 3}, "epochs": 1}
