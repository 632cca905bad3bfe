"""Sixteen bits and compilation change how fast a network is, and nothing else that users see."""

import functools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from segprep.datasets.shards import ShardStore
from segprep.train.command import run as commands
from segprep.train.command.place import TrainingPlace
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import build_segmenter, input_columns
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Reader
from segprep.train.runs.folder import Run
from support.runs import checkpoint_of


def _start(shards: Path, name: str, max_minutes: float | None = None, **model: Any) -> Run:
    flags = {"steps": 2, "val_every": 2, "data": {"batch_size": 2}, "model": {"base_channels": 2, **model}}
    (trained,) = commands.start_run(_place(shards), name, None, flags, max_minutes)
    return trained.run


def _place(shards: Path) -> TrainingPlace:
    return TrainingPlace((shards,), True, shards.parent / "runs")


def _losses(run: Run) -> list[float]:
    return [json.loads(line)["loss"] for line in run.log_path.read_text().splitlines()]


def _weights(run: Run) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(checkpoint_of(run.root) / "weights.safetensors")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_sixteen_bits_learn_nearly_the_same_and_resume_to_the_same_bits(shards: Path, precision: str) -> None:
    exact = _start(shards, "exact", precision="fp32")
    whole = _start(shards, "whole", precision=precision)
    assert _losses(whole) == pytest.approx(_losses(exact), rel=0.05)
    assert _losses(whole) != _losses(exact)
    assert {tensor.dtype for tensor in _weights(whole).values()} == {torch.float32, torch.int64}
    parted = _start(shards, "parted", max_minutes=0, precision=precision)
    assert len(_losses(parted)) == 1
    commands.resume_run(_place(shards), "parted", None, None)
    assert _losses(parted) == _losses(whole)
    found = _weights(parted)
    for name, tensor in _weights(whole).items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.skipif(sys.version_info[:3] == (3, 13, 0), reason="PyTorch compiles for Python 3.13 from 3.13.1 on")
def test_a_compiled_network_computes_the_same_and_its_weights_keep_their_names(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The code that inductor would make needs a C++ compiler and minutes; what it is given is the same.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    reader = Reader(ShardStore.open(shards / "train.zarr"), ["image"])
    columns = input_columns(reader.columns, reader.store.statistics)
    options = {"base_channels": 2}
    plain = build_segmenter(NetworkConfig(name="frrn", options=options, precision="fp32"), columns, [3])
    compiled = build_segmenter(
        NetworkConfig(name="frrn", options=options, precision="fp32", compile=True), columns, [3]
    )
    compiled.network.load_state_dict(plain.network.state_dict())
    batch = reader.read([Row(0), Row(1)])
    (expected,), (found,) = plain.train()(batch.inputs_NHWC), compiled.train()(batch.inputs_NHWC)
    torch.testing.assert_close(found.main, expected.main)
    found.main.sum().backward()
    assert all(p.grad is not None for p in compiled.network.parameters())
