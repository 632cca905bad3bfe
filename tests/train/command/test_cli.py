import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from segprep.train.runs.folder import Run
from support.runs import checkpoint_of

_SMALL = ["--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32"]


def _train(*arguments: object) -> int:
    return run_app(app, "train", [str(a) for a in arguments])


@pytest.fixture
def trained(workspace: Path, trained_with: Callable[..., Run]) -> Path:
    trained_with(*_SMALL)
    return workspace


def test_a_workspace_needs_no_options(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (workspace / "shards" / "deeper").mkdir()
    monkeypatch.chdir(workspace / "shards" / "deeper")
    assert _train("run", *_SMALL) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"{workspace / 'runs' / 'run-001'}: step 2 of 2, best validation mean_iou ")
    assert "step 2/2: loss" in err
    assert "shards" not in (workspace / "runs" / "run-001" / "config.toml").read_text()
    assert _train("run", *_SMALL) == 0
    assert checkpoint_of(workspace / "runs" / "run-002").is_dir()


def test_eval_reads_the_original_labels(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert _train("eval", "-C", trained) == 0
    out, _ = capfd.readouterr()
    for word in ("road", "car", "sky", "at source size", "mean IoU", "at network size", "eval-val"):
        assert word in out
    folder = trained / "runs" / "run-001" / "eval-val"
    made = {p.name for p in folder.iterdir() if not p.name.startswith(".writer.")}
    assert made == {
        "metrics.json",
        "confusion.csv",
        "confusion.png",
        "images.csv",
        "panel.png",
        "predictions",
        "ids",
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["run"], metrics["split"], metrics["at"]) == ("run-001", "val", "source")
    assert metrics["pixels"] == 2 * (20 * 28 - 6) * 4


def test_an_evaluation_without_enough_memory_says_what_needs_less(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("segprep.train.network.segmenter.Segmenter.logits", fail)
    assert _train("eval", "-C", trained) == 2
    assert "the memory of this machine does not suffice" in (said := capfd.readouterr().err)
    assert "--at network" in said


def test_eval_says_that_the_dataset_is_gone_and_uses_the_network_size(
    trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (trained / "dataset").rename(trained / "elsewhere")
    capfd.readouterr()
    assert _train("eval", "-C", trained, "--json") == 0
    metrics = json.loads(capfd.readouterr().out)
    assert metrics["at"] == "network"
    assert "labels/s000.png does not exist" in metrics["why_not_source"]
    assert metrics["pixels"] == 2 * (20 * 28 - 6)
    assert _train("eval", "-C", trained) == 0
    assert "evaluated at network size: " in capfd.readouterr().out
    assert _train("eval", "-C", trained, "--at", "source") == 2
    assert "the original labels cannot be read" in capfd.readouterr().err
    assert _train("eval", "-C", trained, "--root", trained / "elsewhere", "--json") == 0
    assert json.loads(capfd.readouterr().out)["at"] == "source"


def test_eval_at_network_size_can_be_asked_for(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert _train("eval", "-C", trained, "--at", "network", "--split", "train", "--checkpoint", "last", "--json") == 0
    metrics = json.loads(capfd.readouterr().out)
    assert (metrics["at"], metrics["split"], metrics["checkpoint"]) == ("network", "train", "last")
    assert metrics["why_not_source"] is None
    assert metrics["mean_iou"] == metrics["mean_iou_at_network_size"]


def test_eval_takes_a_checkpoint_by_its_step(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert _train("eval", "-C", trained, "--checkpoint", "step-2", "--json") == 0
    assert json.loads(capfd.readouterr().out)["step"] == 2
    assert _train("eval", "-C", trained, "--checkpoint", "step-9") == 2
    assert "has no checkpoint step-00000009 yet" in capfd.readouterr().err


def test_shards_without_a_workspace_keep_their_runs_in_the_folder(
    shards: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    assert _train("run", "-C", here, "--shards", shards, "--name", "mine", *_SMALL, "--json") == 0
    result = json.loads(capfd.readouterr().out)
    assert result["run"] == str(here / "runs" / "mine")
    assert (result["step"], result["why"]) == (2, "finished")
    assert _train("run", "-C", here, "--resume") == 0
    assert _train("eval", "-C", here) == 0
    assert "no workspace knows the dataset's root: name it with --root" in capfd.readouterr().out
    assert _train("run", "-C", here, *_SMALL) == 2
    assert "name the folder of the shards with --shards" in capfd.readouterr().err


def test_flags_win_over_the_file(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        'epochs = 3\nseed = 5\n[data]\nbatch_size = 1\n[augmentation]\npreset = "fcn"\nflip = 0.25\n'
        "[model]\nbase_channels = 2\n"
    )
    assert _train("run", "-C", workspace, "--config", file, "--steps", "2", "--lr", "0.01", "--batch-size", "2") == 0
    saved = (workspace / "runs" / "run-001" / "config.toml").read_text()
    for line in ("steps = 2", "seed = 5", "batch_size = 2", "flip = 0.25", "lr = 0.01", "base_channels = 2"):
        assert line in saved
    assert "epochs" not in saved


def test_a_run_stopped_by_the_clock_says_how_to_go_on(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _train("run", "-C", workspace, *_SMALL, "--max-minutes", "0") == 0
    out, err = capfd.readouterr()
    assert "step 1 of 2" in out
    assert "stopped after 0 minutes; the learning rate has not come to its end" in err
    assert f"train run --resume --name run-001 -C {workspace}" in err
    assert _train("run", "-C", workspace, "--resume", "--name", "run-001") == 0
    assert "step 2 of 2" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--inputs", "image,hha"], 2, "no column 'hha'. Its columns: flow, image, label"),
        (["run", "--inputs", "label"], 2, "is no input"),
        (["run", "--batch-size", "9"], 2, "a batch of 9 is larger than"),
        (["run", "--model", "fcn"], 2, "no network called 'fcn'"),
        (["run", "--config", "absent.toml"], 2, "there is no configuration absent.toml"),
        (["run", "--steps", "1", "--epochs", "1"], 2, "epochs or steps, not both"),
        (["run", "--resume"], 2, "there is no run yet"),
        (["run", "--resume", "--lr", "1"], 2, "leave out every option but --name"),
        (["eval"], 2, "there is no run yet"),
        (["run", "--shards", "absent"], 3, "there is no shard store"),
    ],
)
def test_errors_are_one_message_and_the_promised_exit_code(
    workspace: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert _train(*arguments, "-C", workspace) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("train: ")
    assert message in err
    assert "Traceback" not in err
    assert not (workspace / "runs").exists()


def test_a_run_that_exists_is_a_conflict(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _train("run", "-C", trained, "--name", "run-001", *_SMALL) == 5
    assert "continue it with --resume --name run-001" in capfd.readouterr().err


def test_debug_shows_where_an_error_comes_from(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _train("run", "-C", workspace, "--inputs", "hha", "--debug") == 2
    assert "Traceback" in capfd.readouterr().err


def test_an_unfinished_store_is_a_damaged_one(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    next((workspace / "shards" / "train.zarr" / "image").glob("c.*")).unlink()
    assert _train("run", "-C", workspace, *_SMALL) == 6
    assert "image/c.0.0.0.0 is damaged" in capfd.readouterr().err


def test_without_a_workspace_and_shards_the_message_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train("run", "-C", tmp_path) == 2
    assert "no workspace here" in capfd.readouterr().err


def test_a_run_without_a_checkpoint_cannot_be_evaluated(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(trained / "runs" / "run-001")
    for pointer in ("last", "best"):
        (run.checkpoints / pointer).unlink()
    assert _train("eval", "-C", trained) == 2
    assert "has no checkpoint best or last yet" in capfd.readouterr().err


def test_wrong_usage_exits_with_two() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["run", "--batch-size", "four"]).exit_code == 2
    assert runner.invoke(app, ["eval", "--at", "home"]).exit_code == 2
    assert runner.invoke(app, ["predict"]).exit_code == 2


def test_every_option_has_a_help_text() -> None:
    result = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for option in ("--inputs", "--base-channels", "--max-minutes", "--resume", "--val-every"):
        assert option in result.output


def test_help_imports_no_torch() -> None:
    program = """
import sys
from segprep.train.cli import main
sys.argv = ["train", "run", "--help"]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
heavy = {"torch", "zarr", "numpy", "cv2", "dask"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)


def test_seed_schedule_and_flips_are_what_the_flags_say(workspace: Path) -> None:
    def weights(name: str, *flags: str) -> bytes:
        assert _train("run", "-C", workspace, "--name", name, *_SMALL, *flags) == 0
        (found,) = checkpoint_of(workspace / "runs" / name).glob("*.safetensors")
        return found.read_bytes()

    usual = weights("usual")
    assert weights("again") == usual
    assert weights("seed", "--seed", "1") != usual
    assert weights("schedule", "--schedule", "exponential") != usual
    weights("unflipped", "--augment", "none")
    assert "flip = 0.0" in (workspace / "runs" / "unflipped" / "config.toml").read_text()
    assert "flip = 0.5" in (workspace / "runs" / "usual" / "config.toml").read_text()
