"""What labels tell before a run begins: one class teaches nothing, and hardly any labelled pixel is said or refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.program.command_line import run_app
from segprep.datasets.sample import Array
from segprep.train.cli import app
from support import scenes
from support.scenes import CLASSES, make_scenes, write_store

SMALL = ("--steps", "1", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """Train on labels that are changed so."""

    def started(change: Callable[[Array], Array], *options: str) -> int:
        columns = make_scenes(range(4))
        for split in ("train", "val"):
            write_store(tmp_path / "shards" / f"{split}.zarr", columns | {"label": change(columns["label"])})
        return run_app(
            app, "train", ["run", "--shards", str(tmp_path / "shards"), "-C", str(tmp_path), *SMALL, *options]
        )

    return started


def _one_class(label: Array) -> Array:
    return np.where(label == 255, label, np.uint8(1))


def _sparse(label: Array) -> Array:
    sparse = np.full_like(label, 255)
    sparse[:, ::8, ::4] = label[:, ::8, ::4]
    return sparse


def test_labels_of_one_class_are_refused_at_the_start(
    run: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(_one_class) == 2
    message = capfd.readouterr().err
    for part in ("train.zarr shows one class, car", "[class_map]", "--set data.one_class=true"):
        assert part in message
    assert not (tmp_path / "runs").exists()


def test_one_class_can_be_asked_for(run: Callable[..., int]) -> None:
    assert run(_one_class, "--set", "data.one_class=true") == 0


def test_a_class_map_of_one_class_is_refused_whatever_the_counts(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scenes, "CLASSES", replace(CLASSES, classes=CLASSES.classes[:1]))
    monkeypatch.setitem(scenes._CLASSES_OF, "label", CLASSES.names[:1])
    assert run(lambda label: np.where(label == 0, label, np.uint8(255))) == 2
    assert "shows one class, road" in capfd.readouterr().err


def test_sparse_labels_are_told_and_learned_from(run: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(_sparse) == 0
    assert "of the pixels of column label of" in capfd.readouterr().err


def test_mostly_ignored_labels_are_refused_where_their_classes_were_guessed(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scenes, "CLASSES", replace(CLASSES, found=True))
    assert run(_sparse) == 2
    message = capfd.readouterr().err
    assert "are ignored, and their classes were guessed by `prep init`" in message
    assert "found = true" in message
