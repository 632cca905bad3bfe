"""A trained network, and one that takes depth too, each served on loopback."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

import segprep.train
from segprep.datasets.codes import DepthCode
from segprep.datasets.program.command_line import run_app
from segprep.train import Model
from segprep.train.cli import app
from segprep.train.serve.limits import Limits
from support.scenes import make_scenes, write_store
from support.serving import served

_SMALL = ["--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32", "--val-every", "2"]


def _trained(place: Path, *options: str) -> Path:
    command = ["run", "--shards", str(place / "shards"), "-C", str(place), *_SMALL, *options]
    with pytest.MonkeyPatch.context() as patch:  # drawing curves takes longer than such a run
        patch.setattr("segprep.train.runs.monitor.write_curves", lambda log, picture: None)
        assert run_app(app, "train", command) == 0
    return place / "runs" / "run-001"


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that takes images, and that nothing changes."""
    place = tmp_path_factory.mktemp("served")
    for split, numbers in (("train", range(5)), ("val", range(5, 7))):
        write_store(place / "shards" / f"{split}.zarr", make_scenes(numbers))
    return _trained(place)


@pytest.fixture(scope="session")
def model(kept_run: Path) -> Model:
    """What is served."""
    return segprep.train.load(kept_run, device="cpu")


@pytest.fixture(scope="session")
def depth_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A network that takes images and depth."""
    place = tmp_path_factory.mktemp("served-depth")
    for split, numbers in (("train", range(5)), ("val", range(5, 7))):
        columns = make_scenes(numbers)
        metres = np.random.default_rng(0).uniform(1, 90, columns["label"].shape).astype(np.float32)
        columns["depth"] = np.stack([DepthCode(scale_m=0.01).encode(each, None).stored for each in metres])
        write_store(place / "shards" / f"{split}.zarr", columns)
    run = _trained(place, "--inputs", "image,depth")
    shutil.rmtree(place / "shards")
    return segprep.train.load(run, device="cpu")


@pytest.fixture(scope="session")
def address(model: Model) -> Iterator[str]:
    """Host and port of a server of the network with the usual limits."""
    with served(model, Limits(max_bytes=2**20)) as place:
        yield place


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=f"http://{address}", timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture(scope="session")
def depth_client(depth_model: Model) -> Iterator[httpx.Client]:
    """A client of a server of the network that takes depth too."""
    with (
        served(depth_model, name="rooms") as place,
        httpx.Client(base_url=f"http://{place}", timeout=60, trust_env=False) as http,
    ):
        yield http
