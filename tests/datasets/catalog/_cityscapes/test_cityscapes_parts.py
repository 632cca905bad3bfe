"""The parts of Cityscapes: paired by name, fine and coarse apart, and any subset of them will do."""

import shutil
import unicodedata
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from segprep.datasets.catalog import cityscapes, cityscapes_coarse
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.imageio import write_image
from support.cityscapes import file_of, read, scan

FINE = 4
FIRST = "aachen_000000_000019"
SIZE = (512, 256)

# --- fine and coarse, side by side


def test_coarse_annotations_are_a_dataset_of_their_own(pristine: Path) -> None:
    fine, coarse = scan(pristine), scan(pristine, cityscapes_coarse)
    assert {r.split for r in coarse.values()} == {"train", "train_extra", "val"}
    assert set(coarse) - set(fine) == {"augsburg_000000_000019"}
    for key, record in coarse.items():
        assert record.sources["label"].path.endswith(f"{key}_gtCoarse_labelIds.png")
        assert record.sources["instance"].path.endswith(f"{key}_gtCoarse_instanceIds.png")
        assert (record.neighbour is None) == (record.split == "train_extra")
        ids = read(pristine, record, "label")[0]
        if key in fine:
            exact = read(pristine, fine[key], "label")[0]
            assert (ids[ids > 0] == exact[ids > 0]).all()
            assert 0.1 < (ids == 0).mean() < 0.4


@pytest.mark.parametrize(("member", "own"), [(cityscapes, "gtFine"), (cityscapes_coarse, "gtCoarse")])
def test_the_other_annotation_never_stands_in_for_a_missing_one(root: Path, member: ModuleType, own: str) -> None:
    file_of(root, own, f"{own}_labelIds.png").unlink()
    record = scan(root, member)[FIRST]
    assert record.sources["label"].path == f"{own}/train/aachen/{FIRST}_{own}_labelIds.png"
    # Not even when it lies in the wrong folder, where a pattern like gt* would take it.
    other = {"gtFine": "gtCoarse", "gtCoarse": "gtFine"}[own]
    shutil.copy(file_of(root, other, f"{other}_labelIds.png"), root / own / "train" / "aachen")
    assert scan(root, member)[FIRST].sources["label"].path == record.sources["label"].path
    shutil.rmtree(root / own)
    assert all({"label", "instance"}.isdisjoint(r.sources) for r in scan(root, member).values())


# --- incomplete data sets


def test_an_image_without_label_and_a_label_without_image_are_both_listed(root: Path) -> None:
    file_of(root, "gtFine", "gtFine_labelIds.png", "aachen_000001_000019").unlink()
    file_of(root, "leftImg8bit", "leftImg8bit.png", "aachen_000002_000019").unlink()
    records = scan(root)
    assert len(records) == FINE
    missing = {s.path for r in records.values() for s in r.sources.values() if not (root / s.path).is_file()}
    assert missing == {
        "gtFine/train/aachen/aachen_000001_000019_gtFine_labelIds.png",
        "leftImg8bit/train/aachen/aachen_000002_000019_leftImg8bit.png",
    }


def test_labels_are_paired_by_name_when_every_position_is_shifted(root: Path) -> None:
    file_of(root, "gtFine", "gtFine_labelIds.png").unlink()
    file_of(root, "gtFine", "gtFine_instanceIds.png").unlink()
    file_of(root, "leftImg8bit", "leftImg8bit.png", "aachen_000002_000019").unlink()
    for key, record in scan(root).items():
        assert all(key in source.path for name, source in record.sources.items() if name != "previous")


@pytest.mark.parametrize(
    ("removed", "gone"),
    [
        (("disparity",), {"disparity"}),
        (("gtFine",), {"label", "instance"}),
        (("leftImg8bit_sequence",), {"previous"}),
        (("camera", "vehicle", "vehicle_sequence", "timestamp_sequence", "gtCoarse"), set()),
    ],
)
def test_any_subset_of_the_parts_will_do(root: Path, removed: tuple[str, ...], gone: set[str]) -> None:
    for part in removed:
        shutil.rmtree(root / part)
    for record in scan(root).values():
        assert set(record.sources) == {"image", "label", "instance", "disparity", "previous"} - gone
        assert (record.camera is None) == ("camera" in removed)
        assert (record.neighbour is None) == ("previous" in gone)


def test_a_split_without_images_is_not_looked_at(root: Path) -> None:
    shutil.copytree(root / "gtFine" / "val", root / "gtFine" / "test")
    shutil.rmtree(root / "leftImg8bit" / "train")
    shutil.rmtree(root / "leftImg8bit_sequence" / "train")
    assert [r.split for r in scan(root).values()] == ["val"]


def test_only_missing_images_are_an_error(root: Path) -> None:
    shutil.rmtree(root / "leftImg8bit")
    records = scan(root)
    assert len(records) == FINE, "the video has the annotated frames, too"
    for key, record in records.items():
        assert record.sources["image"].path.startswith("leftImg8bit_sequence/")
        assert record.sources["image"].path.endswith(f"{key}_leftImg8bit.png")
        assert record.camera is not None
    shutil.rmtree(root / "leftImg8bit_sequence")
    for use in (scan, lambda r: cityscapes.class_map(DatasetSource(r))):
        with pytest.raises(DatasetNotFoundError, match="ROOT/leftImg8bit/<split>/<city>"):
            use(root)


def test_foreign_files_and_folders_are_left_alone(root: Path) -> None:
    before = {key: record.to_json() for key, record in scan(root).items()}
    for name in (
        f"gtFine/train/aachen/{FIRST}_gtFine_color.png",
        f"gtFine/train/aachen/{FIRST}_gtFine_polygons.json",
        f"gtFine/train/aachen/{FIRST}_gtFine_labelTrainIds.png",
        f"leftImg8bit/train/aachen/{FIRST}_leftImg8bit.png.123.partial",
        "leftImg8bit/train/aachen/cover_leftImg8bit.png",
        f"leftImg8bit/train/aachen/._{FIRST}_leftImg8bit.png",
        "leftImg8bit/train/Thumbs.db",
        "leftImg8bit/demoVideo/stuttgart_00/stuttgart_00_000000_000001_leftImg8bit.png",
        f"leftImg8bit_blurred/train/aachen/{FIRST}_leftImg8bit.png",
        "leftImg8bit_sequence/train/README",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert {key: record.to_json() for key, record in scan(root).items()} == before


def test_accents_may_be_written_apart_in_one_part_and_names_may_have_spaces(tmp_path: Path) -> None:
    city = "bad köln"
    spellings = {"leftImg8bit": unicodedata.normalize("NFD", city), "gtFine": unicodedata.normalize("NFC", city)}
    for part, spelled in spellings.items():
        ending = {"leftImg8bit": "leftImg8bit", "gtFine": "gtFine_labelIds"}[part]
        path = tmp_path / part / "train" / spelled / f"{spelled}_000000_000019_{ending}.png"
        write_image(path, np.zeros((2, 4), np.uint8))
    records = scan(tmp_path)
    assert list(records) == ["bad%20k%C3%B6ln_000000_000019"]
    assert all((tmp_path / s.path).is_file() for r in records.values() for s in r.sources.values())


def test_a_broken_first_image_does_not_cost_its_city_the_cameras(root: Path) -> None:
    file_of(root, "leftImg8bit", "leftImg8bit.png").write_bytes(b"broken")
    camera = scan(root)[FIRST].camera
    assert camera is not None
    assert (camera.width, camera.height) == SIZE
