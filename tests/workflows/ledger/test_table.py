"""The open table: what commands ask of a workspace and its ledger, and the lock of the one that writes."""

from pathlib import Path

import pytest

from segprep.datasets.errors import (
    ConfigurationError,
    DatasetNotFoundError,
    WorkspaceLockedError,
    WorkspaceNotFoundError,
)
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import open_for_writing, open_table
from segprep.workflows.samples.initialise import InitRequest, initialise
from support.commands import make_camvid


@pytest.fixture
def place(tmp_path: Path) -> Path:
    dataset = make_camvid(tmp_path / "camvid", train=2, val=1)
    return initialise(tmp_path / "ws", InitRequest("camvid", (dataset,))).workspace.root


def test_a_table_is_opened_from_any_folder_of_its_workspace(place: Path) -> None:
    below = place / "train" / "image_data"
    below.mkdir(parents=True)
    with open_table(below) as table:
        assert table.workspace.root == place
        assert table.ledger.count(Selection()) == 3
        assert table.columns() == {}
    with pytest.raises(WorkspaceNotFoundError):
        open_table(place.parent)


def test_selections_mean_the_splits_that_prep_toml_names(place: Path) -> None:
    config = place / "prep.toml"
    config.write_text(config.read_text().replace('splits = ["train", "val"]', 'splits = ["val"]'))
    with open_table(place) as table:
        assert table.ledger.count(Selection()) == 1
        table.require_splits(["val"])
        with pytest.raises(ConfigurationError, match="no split test, train; there are: val"):
            table.require_splits(["train", "test"])


def test_one_table_writes_at_a_time(place: Path) -> None:
    with open_for_writing(place), pytest.raises(WorkspaceLockedError, match="is being written by process"):
        open_for_writing(place).__enter__()
    with open_for_writing(place) as table:
        assert table.workspace.root == place


def test_a_dataset_that_is_not_mounted_is_told_with_the_place_to_correct(place: Path, tmp_path: Path) -> None:
    with open_table(place) as table:
        table.require_dataset()
        (tmp_path / "camvid").rename(tmp_path / "elsewhere")
        with pytest.raises(DatasetNotFoundError, match=r"mount it, or correct root in .*prep\.toml"):
            table.require_dataset()
