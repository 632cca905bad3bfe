"""A run that stopped anywhere goes on to the same bits, whatever draws numbers or remembers something."""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.datasets.program.interrupt import StopRequest
from segprep.train.command import run as commands
from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import TrainedRun
from segprep.train.models import MODELS
from segprep.train.models._network import Features, InputColumn, Logits, Network, eight_bit_scaling
from segprep.train.runs.folder import Run
from support.runs import checkpoint_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    width: int = 6


class _Trunk(nn.Module):
    """Everything that has a memory: batch norm, dropout, weights."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width)

    def forward(self, x_NCHW: Tensor) -> Features:
        return (F.dropout(F.relu(self.norm(self.conv(x_NCHW))), 0.3, self.training),)


class _Head(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, classes, 1)

    def forward(self, features: Features, _size: tuple[int, int]) -> Logits:
        logits_NCHW = self.conv(features[0])
        return Logits(logits_NCHW, ((0.5, logits_NCHW * 2),) if self.training else ())


def _build(config: _Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    return Network(_Trunk(sum(c.channels for c in columns), config.width), [_Head(config.width, n) for n in classes])


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(Config=_Config, build=_build, input_scaling=eight_bit_scaling)
    monkeypatch.setitem(MODELS._loaded, "drops", module)


_FLAGS: dict[str, Any] = {
    "steps": 20,
    "val_every": 4,
    "data": {"batch_size": 2, "inputs": ["image", "flow"]},
    "augmentation": {"preset": "ssma"},
    "model": {"name": "drops", "precision": "fp32"},
    "loss": {"kind": "bootstrapped", "class_weights": "enet"},
    "optimizer": {"kind": "adamw", "weight_decay": 0.01, "clip_norm": 1.0},
    "schedule": {"kind": "plateau", "lr": 0.01, "warmup_steps": 5, "fruitless_halvings": 50},
    "checkpoint": {"average": 0.9, "keep": 1, "metric": "pixel_accuracy"},
}


def _place(shards: Path) -> TrainingPlace:
    return TrainingPlace((shards,), True, shards.parent / "runs")


def _start(shards: Path, name: str, **flags: Any) -> TrainedRun:
    (trained,) = commands.start_run(_place(shards), name, None, {**_FLAGS, **flags}, None)
    return trained


def _resume(shards: Path, name: str) -> TrainedRun:
    (trained,) = commands.resume_run(_place(shards), name, None, None)
    return trained


def _assert_equal(first: Run, second: Run) -> None:
    for pointer in ("last", "best"):
        one, two = (
            safetensors.torch.load_file(checkpoint_of(r.root, pointer) / "weights.safetensors") for r in (first, second)
        )
        assert one.keys() == two.keys()
        assert [name for name in one if not torch.equal(one[name], two[name])] == []
        states = [json.loads((checkpoint_of(r.root, pointer) / "state.json").read_text()) for r in (first, second)]
        for state in states:
            # torch writes equal optimizers in several ways, so their digests may differ.
            del state["sha256"], state["files"]["optimizer.pt"]
        assert states[0] == states[1]
    kept = [torch.load(checkpoint_of(r.root) / "optimizer.pt", weights_only=True) for r in (first, second)]
    assert str(kept[0]) == str(kept[1])
    logs = [[json.loads(line) for line in r.log_path.read_text().splitlines()] for r in (first, second)]
    for log in logs:
        for entry in log:
            del entry["images_per_second"]
    assert logs[0] == logs[1]


class _StopsAt(StopRequest):
    """Acts as if a signal had come while a step was computed."""

    stops: ClassVar[set[int]] = set()
    asked = 0

    @property
    def why(self) -> Any:
        _StopsAt.asked += 1
        return "interrupted" if _StopsAt.asked in self.stops else None


def test_twenty_steps_are_ten_and_ten(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _start(shards, "whole")
    assert whole.outcome.step == 20
    with monkeypatch.context() as patch:
        # The loop asks twice per step: for an interruption, and for the time. Step 10 lies between two validations.
        patch.setattr("segprep.train.learning.loop.StopRequest", _StopsAt)
        _StopsAt.asked, _StopsAt.stops = 0, {2 * 9 + 1}
        halves = _start(shards, "halves")
    assert (halves.outcome.why, halves.outcome.step) == ("interrupted", 10)
    torch.manual_seed(999)  # what another program did meanwhile
    assert _resume(shards, "halves").outcome.step == 20
    _assert_equal(whole.run, halves.run)


def test_a_plateau_ends_the_run_and_going_on_changes_nothing(shards: Path) -> None:
    schedule = {"kind": "plateau", "lr": 1e-12, "patience": 1, "fruitless_halvings": 2}
    trained = _start(shards, "flat", schedule=schedule, val_every=2, augmentation={"preset": "none"})
    assert trained.outcome.why == "plateau"
    assert trained.outcome.step < 20
    again = _resume(shards, "flat")
    assert again.outcome == trained.outcome


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_caught_between_the_bytes_of_no_file(
    shards: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Run.log

    def signalled(self: Run, entry: dict[str, Any]) -> None:
        log(self, entry)
        if entry["step"] == 9:
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "log", signalled)
        trained = _start(shards, "signalled")
    assert (trained.outcome.why, trained.outcome.step) == ("interrupted", 10)
    state = json.loads((checkpoint_of(trained.run.root) / "state.json").read_text())
    assert state["step"] == 10
    assert _resume(shards, "signalled").outcome.step == 20
    _assert_equal(_start(shards, "whole").run, trained.run)
