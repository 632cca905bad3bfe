"""Classes of Cityscapes, and its real frames."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import cityscapes, cityscapes_coarse
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import LabelIdError, UnknownNameError
from support.cityscapes import read, scan


def _classes(root: Path, scheme: str | None) -> ClassMap:
    return cityscapes.class_map(DatasetSource(root, scheme=scheme))


def test_the_19_classes_have_the_benchmarks_train_ids(pristine: Path) -> None:
    classes = _classes(pristine, None)
    raw_ids = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    expected = np.full(34, 255)
    expected[list(raw_ids)] = range(19)
    assert classes.to_train_ids(np.arange(34, dtype=np.uint8)[None])[0].tolist() == expected.tolist()
    assert classes == _classes(pristine, "19")
    assert classes.names[:3] == ("road", "sidewalk", "building")
    assert classes.names[16:] == ("train", "motorcycle", "bicycle")
    assert classes.masked_raw_ids == (1, 2, 3)
    with pytest.raises(LabelIdError, match="34"):
        classes.to_train_ids(np.array([[34]], np.uint8))


def test_the_11_classes_are_ssmas_less_one(pristine: Path) -> None:
    merged = {"sky": 1, "building": 2, "road": 3, "sidewalk": 4, "fence": 5, "vegetation": 6, "pole": 7, "car": 8}
    merged |= {"truck": 8, "bus": 8, "traffic sign": 9, "person": 10, "rider": 11, "bicycle": 11, "motorcycle": 11}
    nineteen, eleven = _classes(pristine, "19"), _classes(pristine, "11")
    assert len(eleven.classes) == 11
    for semantic in nineteen.classes:
        raw = np.array([semantic.raw_ids], np.uint8)
        assert eleven.to_train_ids(raw).item() == merged.get(semantic.name, 256) - 1
    assert eleven.masked_raw_ids == (1, 2, 3)
    assert eleven.to_raw_ids(np.array([[7, 10]], np.uint8)).tolist() == [[26, 33]]


@pytest.mark.parametrize("scheme", ["19", "11"])
def test_colour_coded_files_mean_the_same_as_ids(pristine: Path, scheme: str) -> None:
    classes, official = _classes(pristine, scheme), _classes(pristine, "19")
    for semantic in official.classes:
        colored = np.array([[semantic.color]], np.uint8)
        raw = np.array([semantic.raw_ids], np.uint8)
        assert classes.to_train_ids(colored).item() == classes.to_train_ids(raw).item()
    for color in ((0, 0, 0), (111, 74, 0), (81, 0, 81), (250, 170, 160), (0, 0, 110)):
        assert classes.to_train_ids(np.array([[color]], np.uint8)).item() == 255


def test_an_unknown_scheme_is_refused_with_the_known_ones(pristine: Path) -> None:
    with pytest.raises(UnknownNameError, match="19, 11"):
        _classes(pristine, "20")


def test_shares_of_merged_classes_are_sums(pristine: Path) -> None:
    shares = cityscapes.SPEC.class_shares
    assert shares["road"] == pytest.approx(0.369, abs=5e-4)
    assert shares["vehicle"] == pytest.approx(shares["car"] + shares["truck"] + shares["bus"], abs=2e-4)
    assert sum(shares[name] for name in _classes(pristine, "19").names) == pytest.approx(1, abs=1e-3)


# --- real data


def test_real_scenes_are_listed_and_their_labels_known(shared_data: Path) -> None:
    root = shared_data / "cityscapes"
    records = scan(root)
    assert list(records) == [f"aachen_00000{i}_000019" for i in range(5)]
    for record in records.values():
        assert set(record.sources) == {"image", "label", "instance"}
        assert record.camera is None
        assert record.neighbour is None
        assert all((root / s.path).is_file() for s in record.sources.values())
        raw_HW, instance_HW = read(root, record, "label")[0], read(root, record, "instance")[0]
        assert raw_HW.shape == (1024, 2048)
        for scheme in ("19", "11"):
            assert (_classes(root, scheme).to_train_ids(raw_HW) != 255).mean() > 0.7
        assert not _classes(root, None).shows_scene(raw_HW)[-1].any()
        some = instance_HW > 0
        assert some.any()
        assert (instance_HW[some] // 1000 == raw_HW[some]).all()


def test_real_coarse_annotations_are_not_made_up_from_fine_ones(shared_data: Path) -> None:
    records = scan(shared_data / "cityscapes", cityscapes_coarse)
    assert len(records) == 5
    assert all(set(r.sources) == {"image"} for r in records.values())
