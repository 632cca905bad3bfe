"""Shell completion, asked as a shell asks: it knows values, plug-ins' too."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.datasets.program.command_line import run_app
from segprep.workflows.cli import app

Complete = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, prepared_drive: Callable[..., Path]) -> Path:
    return prepared_drive(tmp_path_factory.mktemp("completion"), splits={"train": 2, "val": 2}, width=64, height=32)


@pytest.fixture
def complete(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """Complete the last word of a line, in a workspace."""
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("_PREP_COMPLETE", "complete_bash")

    def offered(line: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        capsys.readouterr()
        assert run_app(app, "prep", []) == 0
        return capsys.readouterr().out.split()

    return offered


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("prep init ca", ["camvid"]),
        ("prep resize --labels ", ["vote", "nearest", "paris", "priority"]),
        ("prep resize --labels p", ["paris", "priority"]),
        ("prep resize --dataset kitti", ["kitti_object", "kitti_raw"]),
        ("prep flow --estimator ", ["dis", "farneback", "precomputed"]),
        ("prep flow --preset ", ["ultrafast", "fast", "medium", "fine"]),
        ("prep flow --estimator farneback --preset ", ["default"]),
        ("prep flow --flow-direction ", ["previous", "next"]),
        ("prep flow --split ", ["train", "val"]),
        ("prep resize --priority pe", ["person"]),
        ("prep resize --priority road,pe", ["road,person"]),
        ("prep modality h", ["hha"]),
        ("prep modality jet --qua", ["--quantity"]),
        ("prep modality jet --pre", []),
        ("prep modality jet --bands nir=nir --qua", ["--quantity"]),
        ("prep modality hha --preset ", ["indoor", "outdoor"]),
        ("prep modality jet --depth d", ["depth"]),
        ("prep shard --columns image,de", ["image,depth"]),
        ("prep shard --augment-splits ", ["train", "val"]),
        ("prep shard --preset f", ["flip", "fcn"]),
        ("prep shard --codec l", ["lz4"]),
        ("prep list all.csv --columns la", ["label"]),
        ("prep flow-eval x --column i", ["image", "instance"]),
    ],
)
def test_completion_knows_values(complete: Complete, line: str, values: list[str]) -> None:
    assert complete(line) == values


def test_another_workspace_can_be_named(complete: Complete, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path.cwd()
    monkeypatch.chdir(place.parent)
    assert complete("prep flow --split ") == []
    assert complete(f"prep flow -C {place} --split ") == ["train", "val"]


def test_nothing_is_offered_and_nothing_said_where_the_workspace_cannot_be_read(
    complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shutil.copytree(Path.cwd(), tmp_path / "damaged"))
    Path("ledger.sqlite").write_bytes(b"no ledger at all" * 100)
    assert complete("prep flow --split ") == []
    Path("prep.toml").write_text("dataset = ")
    assert complete("prep resize --priority ") == []
    assert capsys.readouterr().err == ""
