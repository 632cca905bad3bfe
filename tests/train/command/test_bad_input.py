"""What users get wrong, through the command as they use it: one clear message, and nothing is lost.

Damaged stores: test_damage.py. Columns, batches and names: test_cli.py.
"""

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

from segprep.train.runs.folder import Run
from support.runs import checkpoint_of
from support.scenes import make_scenes, write_store

_STEPS = ("--steps", "3", "--val-every", "3", "--batch-size", "2", "--precision", "fp32")
_SMALL = (*_STEPS, "--base-channels", "2")


@pytest.fixture
def stopped(trained_with: Callable[..., Run]) -> Run:
    """A run that the clock stopped after its first step."""
    run = trained_with(*_SMALL, "--max-minutes", "0")
    assert _last(run) == "step-00000001"
    return run


def _last(run: Run) -> str:
    return checkpoint_of(run.root).name


@pytest.fixture
def shard_with_fewer_classes(shards: Path) -> Callable[[], None]:
    """Write both splits anew with two classes in the place of three, as after an edited class map."""

    def shard() -> None:
        for split, numbers in (("train", range(5)), ("val", range(5, 7))):
            shutil.rmtree(shards / f"{split}.zarr")
            columns = make_scenes(numbers)
            columns["motion_label"] = np.where(columns["label"] == 2, 0, columns["label"]).astype(np.uint8)
            write_store(shards / f"{split}.zarr", columns)

    return shard


def _forget_checksums(store: Path) -> None:
    """Make a store such as other programs write."""
    attributes = zarr.open_group(store, mode="r+", use_consolidated=False).attrs
    for name in ("files", "digest"):
        del attributes[name]


@contextmanager
def _files_up_to(size: int) -> Iterator[None]:
    """Let the system refuse to make any file larger, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_at_a_checkpoint_ends_the_run_and_leaves_the_last_one(
    stopped: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    largest = (checkpoint_of(stopped.root) / "optimizer.pt").stat().st_size
    capfd.readouterr()
    with _files_up_to(largest - 1):
        assert train("run", "--resume") == 3
    message = capfd.readouterr().err
    for part in ("train: the checkpoint ", "step-00000003 cannot be written", "step-00000001, is kept"):
        assert part in message
    assert "Traceback" not in message
    assert _last(stopped) == "step-00000001"
    assert train("run", "--resume") == 0
    assert _last(stopped) == "step-00000003"


def test_a_full_disk_at_the_log_ends_the_run_and_leaves_the_last_checkpoint(
    stopped: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    # Long, so that what the test captures of the messages stays below the limit.
    stopped.log({"step": 1, "note": "x" * 10_000})
    capfd.readouterr()
    with _files_up_to(stopped.log_path.stat().st_size + 10):
        assert train("run", "--resume") == 3
    message = capfd.readouterr().err
    assert "log.jsonl" in message
    assert "Traceback" not in message
    assert _last(stopped) == "step-00000001"
    assert train("run", "--resume") == 0
    logged = [json.loads(line)["step"] for line in stopped.log_path.read_text().splitlines()]
    assert logged == [1, 1, 2, 3]


def test_a_run_does_not_go_on_with_other_classes(
    stopped: Run,
    train: Callable[..., int],
    shard_with_fewer_classes: Callable[[], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    config = stopped.config_path.read_text()
    shard_with_fewer_classes()
    stopped.config_path.write_text(config.replace('target = "label"', 'target = "motion_label"'))
    capfd.readouterr()
    assert train("run", "--resume") == 5
    assert "train.zarr holds other samples than when run-001 began: begin a new run" in capfd.readouterr().err
    assert train("eval") == 2
    message = capfd.readouterr().err
    assert "trained on the 3 classes road, car, sky, but " in message
    assert "val.zarr holds the 2 classes static, moving" in message
    assert _last(stopped) == "step-00000001"


def test_training_and_validation_must_have_the_same_classes(
    shards: Path,
    train: Callable[..., int],
    shard_with_fewer_classes: Callable[[], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    shard_with_fewer_classes()
    _forget_checksums(shards / "val.zarr")
    root = shards / "val.zarr" / "zarr.json"
    root.write_text(root.read_text().replace('"static"', '"standing"'))
    assert train("run", *_SMALL, "--set", "data.target=motion_label") == 5
    message = capfd.readouterr().err
    assert "val.zarr and " in message
    assert "train.zarr have different classes: shard both anew" in message


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (("--model", "segnet"), "missing: "),
        (("--base-channels", "3"), "of another shape: "),
        (("--base-channels", "2", "--inputs", "image,flow"), "of another shape: "),
    ],
)
def test_weights_of_another_network_are_refused_before_a_run_begins(
    stopped: Run, train: Callable[..., int], capfd: pytest.CaptureFixture[str], other: tuple[str, ...], found: str
) -> None:
    capfd.readouterr()
    assert train("run", *_STEPS, *other, "--start", "run-001") == 2
    message = capfd.readouterr().err
    assert "weights.safetensors cannot be loaded into this network" in message
    assert found in message
    assert not (stopped.root.parent / "run-002").exists()


def test_labels_that_are_no_classes_are_named_with_their_sample(
    shards: Path, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    # segprep's own stores cannot hold such ids; those of other programs can.
    _forget_checksums(shards / "train.zarr")
    zarr.open_array(shards / "train.zarr" / "label", mode="r+")[3, 5, 5] = 19  # "ignore" of some datasets
    assert train("run", *_SMALL) == 3
    message = capfd.readouterr().err
    assert "the label of s003 in " in message
    assert "holds the ids [19], but there are 3 classes, 0 to 2, and 255 for what is ignored" in message
