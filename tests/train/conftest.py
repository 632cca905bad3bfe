"""Folders of small real stores for the trainer's tests."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap
from segprep.datasets.imageio import write_image
from segprep.datasets.record import Direction
from segprep.datasets.workspace import WorkspaceConfig, write_config
from support.scenes import CLASSES, make_scenes, write_store


@pytest.fixture
def real_curves() -> None:
    """Let runs and evaluations draw charts, which most tests have no use for and which takes half of their time."""


@pytest.fixture(autouse=True)
def _no_curves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_curves" not in request.fixturenames:
        monkeypatch.setattr("segprep.train.runs.monitor.write_curves", lambda log, picture: None)
        blank = np.zeros((2, 2, 3), np.uint8)
        monkeypatch.setattr("segprep.train.evaluation.report.draw_confusion", lambda matrix, names, title: blank)


@pytest.fixture(scope="session")
def classes() -> ClassMap:
    """The classes of the scenes."""
    return CLASSES


@pytest.fixture(scope="session")
def _kept_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the two fixtures below copy: writing it takes many times longer."""
    kept = tmp_path_factory.mktemp("workspace")
    train, val = make_scenes(range(5)), make_scenes(range(5, 7))
    for columns in (train, val):
        columns["flow"] = np.repeat(columns["label"][..., None], 3, axis=-1) // 2 + np.uint8(60)
    write_store(kept / "shards" / "train.zarr", train)
    write_store(kept / "shards" / "val.zarr", val, source_scale=2)
    for i, label_HW in enumerate(val["label"]):
        raw_HW = CLASSES.to_raw_ids(label_HW).repeat(2, axis=0).repeat(2, axis=1)
        write_image(kept / "dataset" / "labels" / f"s{i:03d}.png", raw_HW)
    return kept


@pytest.fixture
def shards(tmp_path: Path, _kept_workspace: Path) -> Path:
    """A folder with train.zarr (5 samples, with flow) and val.zarr (2)."""
    return shutil.copytree(_kept_workspace / "shards", tmp_path / "shards")


@pytest.fixture
def workspace(tmp_path: Path, shards: Path, _kept_workspace: Path) -> Path:
    """A workspace with these shards, whose dataset has the labels of `val` at twice the size."""
    dataset = shutil.copytree(_kept_workspace / "dataset", tmp_path / "dataset")
    write_config(tmp_path, WorkspaceConfig("folder", dataset, Direction.PREVIOUS, CLASSES, {}))
    return tmp_path
