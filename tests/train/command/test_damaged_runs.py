"""A run of which a single bit has changed: it is noticed wherever the run is read, and a way on is named."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch

from segprep.train.runs.folder import Run
from support.runs import checkpoint_of

_SMALL = ("--steps", "4", "--val-every", "2", "--batch-size", "2", "--precision", "fp32", "--base-channels", "2")
_KEPT = ("--set", "checkpoint.keep=3", "--set", "checkpoint.average=0.9")


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Run:
    """A run of 4 steps that has two checkpoints."""
    return trained_with(*_SMALL, *_KEPT)


def _flip(path: Path) -> None:
    """Change one bit."""
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    path.write_bytes(data)


def _forget_checksums(folder: Path) -> None:
    """Make a checkpoint such as earlier versions wrote."""
    state = json.loads((folder / "state.json").read_text())
    for name in ("sha256", "files", "config", "rule"):
        del state[name]
    (folder / "state.json").write_text(json.dumps(state))


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.pt"])
def test_a_flipped_bit_is_noticed_when_a_run_goes_on(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str], file: str
) -> None:
    _flip(checkpoint_of(run.root) / file)
    capfd.readouterr()
    assert train("run", "--resume") == 6
    err = capfd.readouterr().err
    assert f"step-00000004 is damaged ({file}: its digest differs): copy it back, or take step-00000002 beside" in err
    assert train("run", "--resume", "--checkpoint", "step-2") == 0
    assert [json.loads(line)["step"] for line in run.log_path.read_text().splitlines()] == [1, 2, 3, 4]
    assert train("run", "--resume") == 0


def test_a_changed_digit_of_the_state_is_noticed(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    for file in run.checkpoints.glob("*/state.json"):
        file.write_text(re.sub(r'"step": 4,', '"step": 3,', file.read_text()))
    capfd.readouterr()
    for command in (("run", "--resume"), ("eval", "--checkpoint", "last")):
        assert train(*command) == 6
        assert "step-00000004 is damaged (the digest of state.json differs)" in capfd.readouterr().err


def test_every_reader_of_weights_notices_a_flipped_bit(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    for file in run.checkpoints.glob("step-*/weights.safetensors"):
        _flip(file)
    folder = checkpoint_of(run.root)
    for command in (
        ("eval",),
        ("run", *_SMALL, "--start", "run-001"),
        ("run", *_SMALL, "--start", folder / "weights.safetensors"),
    ):
        capfd.readouterr()
        assert train(*command) == 6
        err = capfd.readouterr().err
        assert "is damaged (weights.safetensors: its digest differs): copy it back, or remove the run" in err
        assert "Traceback" not in err
    brought = shutil.copy(folder / "weights.safetensors", run.root / "mine.safetensors")
    assert safetensors.torch.load_file(brought)
    assert train("run", *_SMALL, "--start", brought) == 0


def test_checkpoints_of_earlier_versions_are_read_and_that_is_said_once(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in run.checkpoints.glob("step-*"):
        _forget_checksums(folder)
    for command in (("eval",), ("run", "--resume"), ("run", *_SMALL, "--start", "run-001")):
        capfd.readouterr()
        assert train(*command) == 0
        assert capfd.readouterr().err.count("was made without checksums") == 1


@pytest.mark.parametrize(
    ("entry", "value", "found"),
    [
        ("names", 3, "names must be a list of texts, not 3"),
        ("best", "high", "best must be a number, not 'high'"),
        ("scalings", {"image": {"centre": 1, "spread": [1]}}, "scalings.image.centre must be a list of numbers, not 1"),
        ("plateau", [], "plateau must be an object, not []"),
        ("class_maps", [{}], "the class map is not readable"),
        ("steps", None, "there is no entry steps"),
        ("steps", 1e300, "steps must be a whole number, not 1e+300"),
        ("steps", 3, "step must be from 1 to 3, which is steps, not 4"),
        ("step", -4, "step must be from 1 to 4, which is steps, not -4"),
        ("best", 7.0, "best must be from 0 to 1, not 7.0"),
        ("plateau", {"halvings": 10**300}, "plateau.halvings must be from 0 to step, 4, not 1000000000"),
        ("plateau", {"fruitless": -1}, "plateau.fruitless must be from 0 to step, 4, not -1"),
        ("scalings", {"image": {"centre": [1, 2], "spread": [1]}}, "scalings.image must have a finite centre for each"),
        ("scalings", {"image": {"centre": [1], "spread": [0]}}, "scalings.image.spread must be finite and above 0"),
    ],
)
def test_a_wrong_entry_of_a_state_without_checksums_is_named(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str], entry: str, value: object, found: str
) -> None:
    _forget_checksums(run.checkpoints / "step-00000004")
    path = checkpoint_of(run.root) / "state.json"
    state = json.loads(path.read_text()) | {entry: value}
    path.write_text(json.dumps({name: each for name, each in state.items() if each is not None}))
    for command in (("run", "--resume"), ("eval", "--checkpoint", "last")):
        capfd.readouterr()
        assert train(*command) == 6
        err = capfd.readouterr().err
        assert f"step-00000004 is damaged (state.json: {found}" in err
        assert "take step-00000002 beside it" in err


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ({"step": 10**300, "steps": 10**300}, "step is 10000000000000000000..., but the run has 4 steps"),
        ({"step": 5, "steps": 9}, "step is 5, but the run has 4 steps"),
        (
            {"scalings": {"image": {"centre": [1], "spread": [1]}}},
            "scalings are of {'image': 1}, but the network takes",
        ),
    ],
)
def test_a_state_of_another_run_is_refused(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str], entries: dict[str, object], found: str
) -> None:
    _forget_checksums(run.checkpoints / "step-00000004")
    path = checkpoint_of(run.root) / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    capfd.readouterr()
    for command in (("run", "--resume"), ("eval", "--checkpoint", "last"))[: 2 if "scalings" in entries else 1]:
        assert train(*command) == 6
        assert f"step-00000004 is damaged (state.json: {found}" in capfd.readouterr().err


@pytest.mark.parametrize("pointer", ["last", "best"])
@pytest.mark.parametrize("text", ["", "step-4 or so", "../../run-002"])
def test_a_pointer_that_names_no_checkpoint_is_said(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str], pointer: str, text: str
) -> None:
    (run.checkpoints / pointer).write_text(text)
    capfd.readouterr()
    assert train("run", "--resume") == 6
    assert (
        f"{run.checkpoints / pointer} says {text!r}, which is no checkpoint: write the name" in capfd.readouterr().err
    )


def test_a_run_whose_last_checkpoint_lost_its_name_does_not_begin_again(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    log = run.log_path.read_bytes()
    (run.checkpoints / "last").unlink()
    capfd.readouterr()
    assert train("run", "--resume") == 6
    err = capfd.readouterr().err
    assert "last is gone, but there are step-00000002, step-00000004: go on with --checkpoint step-00000004" in err
    assert run.log_path.read_bytes() == log
    assert train("run", "--resume", "--checkpoint", "step-00000004") == 0


@pytest.mark.parametrize("how", ["links", "folders"])
def test_a_run_whose_pointers_are_links_is_read_and_goes_on(run: Run, train: Callable[..., int], how: str) -> None:
    """As earlier versions made them; or as a copy left them that followed the links."""
    assert train("run", "--resume", "--checkpoint", "step-2", "--max-minutes", "0") == 0
    for pointer in ("last", "best"):
        target = checkpoint_of(run.root, pointer)
        (run.checkpoints / pointer).unlink()
        if how == "links":
            (run.checkpoints / pointer).symlink_to(target.name)
        else:
            shutil.copytree(target, run.checkpoints / pointer)
    assert checkpoint_of(run.root).name == ("step-00000003" if how == "links" else "last")
    assert train("eval") == 0
    assert train("eval", "--checkpoint", "last") == 0
    assert train("run", *_SMALL, "--start", "run-001", "--name", "other") == 0
    assert train("run", "--resume", "--name", "run-001") == 0
    assert (run.checkpoints / "last").read_text() == "step-00000004\n"
    assert not (run.checkpoints / "last").is_symlink()


def test_a_changed_digit_of_the_configuration_is_noticed(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    text = run.config_path.read_text()
    run.config_path.write_text(text.replace("lr = 0.001", "lr = 0.003"))
    for command in (("run", "--resume"), ("eval", "--checkpoint", "last")):
        capfd.readouterr()
        assert train(*command) == 5
        assert "trained by up to step 4 (schedule.lr is 0.003 and was 0.001): put it back" in capfd.readouterr().err
    run.config_path.write_text(f"# mine\n{text}")
    assert train("eval") == 0


def test_lines_of_the_log_that_cannot_be_read_are_counted(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = run.log_path.read_bytes().splitlines(keepends=True)
    run.log_path.write_bytes(b"".join([lines[0], b"\xff" + lines[1], *lines[2:], b'{"step": 5, "lo']))
    capfd.readouterr()
    assert train("run", "--resume") == 0
    assert "log.jsonl: 1 lines that cannot be read are left out" in capfd.readouterr().err
    assert run.log_path.read_bytes().splitlines(keepends=True) == [lines[0], *lines[2:]]


def test_another_checkpoint_is_named_with_resume_only_and_must_exist(
    run: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *_SMALL, "--checkpoint", "best") == 2
    capfd.readouterr()
    assert train("run", "--resume", "--checkpoint", "step-9") == 2
    assert "has no checkpoint step-9. There are: step-00000002, step-00000004" in capfd.readouterr().err
