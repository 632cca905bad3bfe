"""`prep flow-eval`: errors of flow against its truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.synthetic import write_drive
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]

TRUTH = "{sequence}/truth/flow_previous/{stem}.npy"


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("flow_eval") / "drive"
    write_drive(root, splits={"train": 3, "val": 2}, width=192, height=96, truth=True)
    return root


def test_a_column_is_compared_with_files_of_truth(drive: Path, capsys: Captured) -> None:
    prep("init", "synthetic", drive)
    prep("resize", "--factor", "2")
    prep("flow")
    capsys.readouterr()
    assert prep("flow-eval", TRUTH, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [f["key"] for f in found["fields"]] == [
        "train_drive00_000001",
        "train_drive00_000002",
        "val_drive00_000001",
    ]
    assert 0 < found["pooled"]["epe_median"] < 1
    assert found["pooled"]["pixels"] == sum(f["pixels"] for f in found["fields"])
    assert (found["without_flow"], found["without_truth"]) == (2, 0)
    assert prep("flow-eval", TRUTH, "--column", "ego_flow", "--split", "val", "--json") == 0
    ego = json.loads(capsys.readouterr().out)
    assert len(ego["fields"]) == 1
    assert prep("flow-eval", TRUTH) == 0
    out = capsys.readouterr().out
    assert "median" in out
    assert "all" in out


def test_an_exact_column_has_no_errors(drive: Path, capsys: Captured) -> None:
    prep("init", "synthetic", drive)
    prep("resize", "--factor", "1")
    prep("flow", "--estimator", "precomputed", "--pattern", TRUTH, "--flow-direction", "previous", "--ego", "none")
    capsys.readouterr()
    assert prep("flow-eval", TRUTH, "--json") == 0
    assert json.loads(capsys.readouterr().out)["pooled"]["epe_mean"] < 1 / 64


def test_one_sample_is_compared_with_one_file(drive: Path, capsys: Captured) -> None:
    prep("init", "synthetic", drive)
    prep("resize", "--factor", "2")
    prep("flow")
    capsys.readouterr()
    (truth,) = drive.rglob("truth/flow_previous/000002.npy")
    for file in (str(truth), truth.relative_to(drive).as_posix()):
        assert prep("flow-eval", file, "--only", "train_drive00_000002", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert [f["key"] for f in found["fields"]] == ["train_drive00_000002"]
    assert prep("flow-eval", str(truth)) == 2
    assert "one file for many samples" in capsys.readouterr().err


def test_two_files_are_compared_without_a_workspace(drive: Path, tmp_path: Path, capsys: Captured) -> None:
    truth = drive / "train/drive00/truth/flow_previous/000001.npy"
    shifted = tmp_path / "shifted.flo"
    write_image(shifted, (read_image(truth) + np.array([3, 4])).astype(np.float32))
    assert prep("flow-eval", truth, "--flow", shifted, "--json") == 0
    pooled = json.loads(capsys.readouterr().out)["pooled"]
    assert pooled["epe_mean"] == pytest.approx(5, abs=1e-4)
    assert pooled["over_3px"] == 1


def test_what_cannot_be_compared_is_said(drive: Path, capsys: Captured) -> None:
    prep("init", "synthetic", drive)
    prep("resize", "--factor", "2")
    assert prep("flow-eval", TRUTH) == 2
    assert "no column 'optical_flow' of vectors. There are: none yet" in capsys.readouterr().err
    prep("flow")
    assert prep("flow-eval", TRUTH, "--column", "image") == 2
    assert prep("flow-eval", "nowhere/{stem}.flo") == 5
    assert "3 have no file" in capsys.readouterr().err
    assert prep("flow-eval", "same.flo") == 2
    assert prep("flow-eval", drive / "none.flo", "--flow", drive / "none.flo") == 3


def test_real_truth_of_rubber_whale(shared_data: Path, capsys: Captured) -> None:
    truth = shared_data / "flow/middlebury_RubberWhale/flow10.flo"
    assert prep("flow-eval", truth, "--flow", truth, "--json") == 0
    pooled = json.loads(capsys.readouterr().out)["pooled"]
    assert pooled["epe_mean"] == 0
    assert pooled["pixels"] == pytest.approx(584 * 388 * 0.984, rel=0.002)
