"""What a sample lacks is made as the preparation made it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.imageio import read_image
from segprep.datasets.program.command_line import run_app
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import load_workspace
from segprep.train.cli import app
from segprep.train.predict.prepare import plan_preparation
from support.commands import prepared_drive

_INPUTS = "image,flow,jet,normals"
_SMALL = ("--steps", "1", "--batch-size", "1", "--base-channels", "2", "--precision", "fp32", "--val-every", "9")


def _train(*arguments: object) -> int:
    return run_app(app, "train", [str(a) for a in arguments])


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of a drive with columns that are made, and a network of them."""
    workspace = prepared_drive(
        tmp_path_factory.mktemp("prepare"),
        ("flow", "--ego", "none"),
        ("modality", "jet", "normals"),
        ("shard",),
        splits={"train": 3},
        width=64,
        height=32,
    )
    assert _train("run", "-C", workspace, "--inputs", _INPUTS, *_SMALL) == 0
    return workspace


def test_pictures_and_their_depth_become_what_the_workspace_holds(ready: Path, tmp_path: Path) -> None:
    """Depth is given in the workspace's own steps, with the sky where it is: in no integers that people have."""
    cells = ready / "train"
    names = sorted(path.name for path in (cells / "image_data").iterdir())
    K = np.array(_intrinsics(ready, names[0]))
    camera = ",".join(str(each) for each in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    depth = tmp_path / "depth"
    depth.mkdir()
    for name in names:
        stored = read_image(cells / "depth_data" / name)
        np.save(depth / f"{Path(name).stem}.npy", np.where(stored == 65535, np.inf, stored))
    pictures = cells / "image_data"
    given = ("--columns", f"depth={depth}", "--depth-unit", "1/200", "--camera", camera)
    out = tmp_path / "pictures"
    assert _train("predict", "run-001", pictures, *given, "--prepare", "--out", out, "-C", ready) == 0
    assert _train("predict", "run-001", ready, "--out", tmp_path / "workspace", "-C", ready) == 0
    for name in names[1:]:  # the first frame has none before it, and is not in the workspace's answer
        expected = read_image(tmp_path / "workspace" / "ids" / "train" / name)
        np.testing.assert_array_equal(read_image(out / "ids" / name), expected)
    assert not (tmp_path / "workspace" / "ids" / "train" / names[0]).exists()


def _intrinsics(workspace: Path, name: str) -> list[list[float]]:
    """Return the intrinsics of a sample."""
    data: JsonDict = json.loads((workspace / "train" / "camera_data" / name.replace(".png", ".json")).read_text())
    rows: list[list[float]] = data["K"]
    return rows


def test_what_is_missing_is_told(ready: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pictures, out = ready / "train" / "image_data", ("--out", tmp_path / "out", "-C", ready)
    refusals: dict[tuple[object, ...], str] = {
        (): "the network takes column 'flow', (H, W, 2) float32 motion (u, v) in pixels, optical_flow, which nobody "
        "gives: give it with --columns flow=DIR, or let --prepare make it from depth, camera",
        ("--prepare",): "there is no column 'depth', from which jet is made. Give it with --columns depth=DIR",
        ("--prepare", "--columns", f"depth={pictures}"): "normals is made with the camera: say --camera FX,FY,CX,CY",
        ("--prepare", "--columns", f"depth={pictures}", "--camera", "9,9,9,9"): "say what the numbers in the files of "
        "depth mean: --depth-unit mm",
        ("--depth-unit", "parsecs", "--prepare", "--columns", f"depth={pictures}", "--camera", "9,9,9,9"): "there is "
        "no unit of depth called 'parsecs'",
    }
    for options, words in refusals.items():
        capfd.readouterr()
        assert _train("predict", "run-001", pictures, *options, *out) == 2
        assert words in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_was_recorded_decides_and_what_was_not_is_said(ready: Path) -> None:
    columns = ShardStore.open(load_workspace(ready).store_path("train")).columns
    given = {"image", "previous", "depth", "camera"}
    provenance = ShardStore.open(load_workspace(ready).store_path("train")).provenance
    wanted = [columns[name] for name in ("flow", "jet", "normals")]
    recorded = plan_preparation(wanted, given, provenance)
    assert [step.name for step in recorded.steps] == ["optical flow", "motion image", "jet", "normals"]
    assert recorded.reads == ("image", "previous", "depth", "camera")
    assert recorded.guessed == ()
    described = plan_preparation(wanted, given, {})
    assert [step.parameters for step in described.steps] == [step.parameters for step in recorded.steps]
    assert len(described.guessed) == 3
    assert "how the optical flow was made is not recorded" in described.guessed[0]
    files: JsonDict = {"commands": {"flow": {"estimator": "precomputed"}}}
    with pytest.raises(ConfigurationError, match="came from files of another program"):
        plan_preparation(wanted[:1], given, files)
    with pytest.raises(ConfigurationError, match="no column 'nir', which no step makes"):
        plan_preparation([columns["nir"]], given, provenance)


def test_a_motion_image_without_the_cameras_own_motion_needs_the_workspace(ready: Path) -> None:
    column = ShardStore.open(load_workspace(ready).store_path("train")).columns["flow"]
    other = replace(column, attributes={**column.attributes, "source": "optical_flow - ego_flow"})
    with pytest.raises(ConfigurationError, match="let `prep flow` make it, and predict the workspace"):
        plan_preparation([other], {"image", "previous"}, {})
    moved = replace(column, attributes={**column.attributes, "more": "x"})
    with pytest.raises(ConfigurationError, match="would be made as"):
        plan_preparation([moved], {"image", "previous"}, {})
