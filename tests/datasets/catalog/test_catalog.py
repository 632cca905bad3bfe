"""What every dataset of the catalog must fulfil, shown on the miniature that it writes itself."""

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.errors import DatasetNotFoundError, UnknownNameError
from segprep.datasets.imageio import image_size, read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array
from segprep.datasets.workspace.cells import decode_source

_FRAMES = 6


@pytest.fixture(scope="module", params=CATALOG.names())
def member(request: pytest.FixtureRequest) -> ModuleType:
    return CATALOG.load(request.param)


@pytest.fixture(scope="module")
def root(member: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp(member.__name__.rpartition(".")[2]) / "root"
    member.write_miniature(place, _FRAMES)
    return place


def _scan(member: ModuleType, root: Path) -> list[SampleRecord]:
    return list(member.scan(DatasetSource(root), Direction.PREVIOUS))


def test_the_description_is_complete(member: ModuleType) -> None:
    spec = member.SPEC
    assert spec.title
    assert "ROOT/" in spec.layout
    assert "image" in spec.columns
    assert spec.licence


def test_the_miniature_is_recognised_and_has_the_promised_number_of_samples(member: ModuleType, root: Path) -> None:
    records = _scan(member, root)
    assert len(records) == _FRAMES
    assert len({r.split for r in records}) >= 2


def test_keys_are_unique_and_safe_file_names(member: ModuleType, root: Path) -> None:
    keys = [r.key for r in _scan(member, root)]
    assert len({k.casefold() for k in keys}) == len(keys)
    assert all(re.fullmatch(r"(?!\.)[A-Za-z0-9._%-]{1,200}", k) for k in keys)


def test_scanning_twice_gives_the_same_order_and_records_survive_json(member: ModuleType, root: Path) -> None:
    first, second = _scan(member, root), _scan(member, root)
    assert [r.to_json() for r in first] == [r.to_json() for r in second]
    assert [SampleRecord.from_json(r.to_json()).to_json() for r in first] == [r.to_json() for r in first]


def test_every_promised_file_exists_decodes_and_shares_the_images_size(member: ModuleType, root: Path) -> None:
    for record in _scan(member, root):
        size = image_size(root / record.sources["image"].path)
        for name, source in record.sources.items():
            path = root / source.path
            values = decode_source(source, path.read_bytes(), path).values
            assert isinstance(values, np.ndarray)
            if source.kind is Kind.POINTS:
                assert values.ndim == 2
                assert (values[:, 2] > 0).any(), "some of them in front of the camera"
            else:
                assert (values.shape[1], values.shape[0]) == size, (record.key, name)
            assert name in member.SPEC.columns


def _labels(member: ModuleType, root: Path) -> list[Array]:
    return [read_image(root / r.sources["label"].path) for r in _scan(member, root) if "label" in r.sources]


def test_every_label_id_is_known_and_most_pixels_count(member: ModuleType, root: Path) -> None:
    classes = member.class_map(DatasetSource(root))
    shares = []
    for raw in _labels(member, root):
        train = classes.to_train_ids(raw)
        shares.append(np.mean(train != 255))
        back = classes.to_raw_ids(train)
        assert np.array_equal(classes.to_train_ids(back), train)
    if "label" in member.SPEC.columns:
        assert np.mean(shares) > 0.5
    else:
        assert not shares
        assert len(classes.classes) == 1, "a single class that nothing uses"


def test_every_scheme_knows_all_labels_and_the_first_is_the_default(member: ModuleType, root: Path) -> None:
    schemes = member.SPEC.schemes
    maps = [member.class_map(DatasetSource(root, scheme=scheme)) for scheme in (None, *schemes)]
    assert maps[0] == maps[min(1, len(schemes))]
    assert len({m.names for m in maps[1:]}) == len(schemes)
    for raw in _labels(member, root):
        for classes in maps:
            classes.to_train_ids(raw)


def test_known_shares_are_those_of_classes(member: ModuleType, root: Path) -> None:
    shares = member.SPEC.class_shares
    for scheme in member.SPEC.schemes or (None,):
        names = member.class_map(DatasetSource(root, scheme=scheme)).names
        assert not shares or 0.9 < sum(shares[name] for name in names) <= 1.001


def test_neighbours_are_the_nearest_earlier_frames_within_the_gap(member: ModuleType, root: Path) -> None:
    for direction in Direction:
        for record in member.scan(DatasetSource(root), direction):
            near = record.neighbour
            assert (near is None) == (direction.value not in record.sources)
            if near is not None:
                assert near.direction is direction
                assert 0 < abs(near.time_difference) <= member.SPEC.max_gap + 1e-6
                assert (near.time_difference < 0) == (direction is Direction.PREVIOUS)


def test_cameras_fit_their_images_and_motions_are_rigid(member: ModuleType, root: Path) -> None:
    for record in _scan(member, root):
        if record.camera is None:
            continue
        assert (record.camera.width, record.camera.height) == image_size(root / record.sources["image"].path)
        if record.neighbour is not None and record.neighbour.motion is not None:
            rotation = record.neighbour.motion[:3, :3]
            assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
            assert np.linalg.det(rotation) > 0


def test_a_folder_of_something_else_is_refused_with_the_layout(member: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("no pictures here")
    with pytest.raises(DatasetNotFoundError, match="ROOT/"):
        member.class_map(DatasetSource(tmp_path))
    with pytest.raises(DatasetNotFoundError, match="ROOT/"):
        _scan(member, tmp_path)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="camvid, cityscapes, cityscapes_coarse, folder"):
        CATALOG.load("cityscape")


def test_camvids_neighbours_ignore_splits_and_frames_too_far_away(shared_data: Path) -> None:
    member = CATALOG.load("camvid")
    records = _scan(member, shared_data / "camvid")
    assert len(records) == 265
    linked = [r for r in records if r.neighbour is not None]
    assert {r.split for r in linked} == {"val"}
    assert len(linked) == 100
    assert all(r.neighbour is not None and r.neighbour.time_difference == pytest.approx(-1 / 15) for r in linked)
    assert all(Kind(r.sources["label"].kind) is Kind.LABEL for r in records)
