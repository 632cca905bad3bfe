"""What every dataset of the catalog must fulfil, shown on the miniature that it writes itself."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetMember, DatasetSource
from segprep.datasets.conformance import DATASET_CHECKS, FRAMES
from segprep.datasets.errors import DatasetNotFoundError, UnknownNameError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction


@pytest.fixture(scope="module", params=CATALOG.names())
def member(request: pytest.FixtureRequest) -> ModuleType:
    return CATALOG.load(request.param)


@pytest.fixture(scope="module")
def root(member: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp(member.__name__.rpartition(".")[2]) / "root"
    member.write_miniature(place, FRAMES)
    return place


@pytest.mark.parametrize("check", DATASET_CHECKS, ids=lambda check: check.__name__)
def test_members_keep_what_they_promise(
    check: Callable[[DatasetMember, Path], None], member: ModuleType, root: Path
) -> None:
    check(member, root)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="camvid, cityscapes, cityscapes_coarse, folder"):
        CATALOG.load("cityscape")


def test_images_without_their_folder_of_labels_are_told_by_its_name(tmp_path: Path) -> None:
    member = CATALOG.load("camvid")
    member.write_miniature(tmp_path, 1)
    for folder in tmp_path.glob("*annot"):
        shutil.rmtree(folder)
    with pytest.raises(DatasetNotFoundError, match=r"there is no folder .*/trainannot"):
        member.class_map(DatasetSource(tmp_path))


def test_camvids_neighbours_ignore_splits_and_frames_too_far_away(shared_data: Path) -> None:
    member = CATALOG.load("camvid")
    records = list(member.scan(DatasetSource(shared_data / "camvid"), Direction.PREVIOUS))
    assert len(records) == 265
    linked = [r for r in records if r.neighbour is not None]
    assert {r.split for r in linked} == {"val"}
    assert len(linked) == 100
    assert all(r.neighbour is not None and r.neighbour.time_difference == pytest.approx(-1 / 15) for r in linked)
    assert all(Kind(r.sources["label"].kind) is Kind.LABEL for r in records)
