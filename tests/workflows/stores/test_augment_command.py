"""`prep shard --augment` and `prep show --augment`: variants that depend on nothing but seed, sample and number."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.codes import KittiFlowCode, SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.imageio import read_image
from segprep.datasets.shards import ShardStore
from segprep.workflows.stores.augment_request import augment_request
from support.commands import prep, prepared_drive, tree_bytes

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]

TRAIN = Path("shards/train.zarr")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    commands = (("flow",), ("modality", "jet", "normals"))
    size = {"width": 128, "height": 64}
    return prepared_drive(tmp_path_factory.mktemp("augment"), *commands, splits={"train": 4, "val": 2}, **size)


@pytest.fixture
def ready(ws: Path, prepared: Path) -> None:
    shutil.copytree(prepared, Path.cwd(), dirs_exist_ok=True)


def _rows(path: Path = TRAIN) -> dict[tuple[str, int], dict[str, bytes]]:
    store = ShardStore.open(path)
    return {
        (store.keys[row], int(store.variants[row])): {name: store.read(name, row).tobytes() for name in store.columns}
        for row in range(len(store))
    }


@pytest.mark.usefixtures("ready")
def test_each_sample_of_train_gets_n_variants_and_val_stays_as_it_is(capsys: Captured) -> None:
    assert prep("shard", "--augment", "3", "--size", "96x48") == 0
    assert "9 variants of 3 samples" in capsys.readouterr().out
    train, val = ShardStore.open(TRAIN), ShardStore.open(Path("shards/val.zarr"))
    assert [int(v) for v in train.variants] == [1, 2, 3] * 3
    assert train.keys == tuple(key for key in dict.fromkeys(train.keys) for _ in range(3))
    assert set(train.columns) >= {"image", "label", "depth", "jet", "normals", "optical_flow", "ego_flow", "flow"}
    assert all(spec.shape[:2] == (48, 96) for spec in train.columns.values())
    assert [int(v) for v in val.variants] == [0]
    assert val.columns["image"].shape == (64, 128, 3)
    assert prep("verify") == 0


@pytest.mark.usefixtures("ready")
def test_what_was_drawn_is_stored_and_makes_the_variant_again(capsys: Captured) -> None:
    assert prep("shard", "--augment", "2", "--seed", "7") == 0
    store = ShardStore.open(TRAIN)
    request = augment_request(2, "ssma", None, 7)
    assert request is not None
    for row in range(len(store)):
        drawn = request.draw(store.keys[row], int(store.variants[row]), (128, 64))
        assert Augmentation.from_json(store.augmentation(row)) == drawn
    assert len({json.dumps(store.augmentation(row)) for row in range(len(store))}) == len(store)
    assert store.provenance["augmentation"]["seed"] == 7
    capsys.readouterr()
    assert prep("show", store.keys[1], "--variant", "2") == 0
    panel = read_image(Path(capsys.readouterr().out.strip()))
    assert panel.shape[2] == 3
    assert prep("show", store.keys[1], "--variant", "3") == 2
    assert "has no variant 3" in capsys.readouterr().err


@pytest.mark.usefixtures("ready")
def test_variants_do_not_depend_on_shards_columns_or_other_variants() -> None:
    assert prep("shard", "--augment", "3") == 0
    whole = _rows()
    assert prep("shard", "--augment", "2", "--samples-per-shard", "1", "--columns", "image,label,depth") == 0
    part = _rows()
    assert len(part) == 8
    for row in whole.keys() & part.keys():
        assert part[row] == {name: whole[row][name] for name in part[row]}
    assert prep("shard", "--augment", "2", "--seed", "1", "--columns", "image,label,depth") == 0
    assert all(columns["image"] != part[row]["image"] for row, columns in _rows().items())


@pytest.mark.usefixtures("ready")
def test_again_is_up_to_date_and_other_ranges_are_not(capsys: Captured) -> None:
    assert prep("shard", "--augment", "2", "--split", "train") == 0
    assert prep("shard", "--augment", "2", "--split", "train") == 0
    assert "up to date" in capsys.readouterr().out
    Path("mine.toml").write_text("[augmentation]\npreset = 'ssma'\nflip = 0.0\n", encoding="utf-8")
    assert prep("shard", "--augment", "2", "--preset", "mine.toml", "--split", "train") == 0
    assert "written" in capsys.readouterr().out
    store = ShardStore.open(TRAIN)
    assert not any(store.augmentation(row)["flip"] for row in range(len(store)))
    assert prep("shard", "--split", "train") == 0
    assert [int(v) for v in ShardStore.open(TRAIN).variants] == [0, 0, 0]


@pytest.mark.usefixtures("ready")
def test_the_camera_follows() -> None:
    assert prep("shard", "--augment", "4", "--size", "64x32") == 0
    store = ShardStore.open(TRAIN)
    for row in range(len(store)):
        K = store.camera_K(row)
        assert K is not None
        assert min(K[0, 0], K[1, 1]) > 0
        assert store.pose(row) is not None


@pytest.mark.usefixtures("ready")
@pytest.mark.usefixtures("quick_workers")
@pytest.mark.cluster
def test_stores_are_equal_for_any_number_of_workers() -> None:
    stores = []
    for workers in (0, 1, 2):
        options = ("--split", "train", "--samples-per-shard", "2", "--workers", workers)
        assert prep("shard", "--augment", "2", *options) == 0
        stores.append(tree_bytes(Path("shards")))
        for path in sorted(Path("shards").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    assert stores[0] == stores[1] == stores[2]
    assert sum(name.startswith("train.zarr/image/c.") for name in stores[0]) == 3


@pytest.mark.usefixtures("ready")
def test_show_draws_a_row_per_variant_with_the_same_outlines(capsys: Captured) -> None:
    capsys.readouterr()
    assert prep("show", "*_000001", "--augment", "3", "--preset", "ssma", "--out", "v.png") == 0
    assert capsys.readouterr().out.strip() == "v.png"
    panel = read_image(Path("v.png"))
    assert panel.shape[1] > 8 * 300
    assert prep("show", "*_000001", "--augment", "3", "--variant", "1") == 2


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--augment", "0"), "--augment 0"),
        (("--preset", "ssma"), "give --augment N"),
        (("--augment", "2", "--preset", "smsa"), "Did you mean 'ssma'?"),
        (("--augment", "2", "--preset", "gone.toml"), "gone.toml does not exist"),
        (("--augment", "2", "--preset", "bad.toml"), "Did you mean 'rotation'?"),
        (("--augment", "2", "--preset", "paris"), "448x192"),
        (("--augment", "2", "--augment-splits", "trian"), "no split trian"),
        (("--augment", "2", "--size", "96"), "WIDTHxHEIGHT"),
        (("--augment", "2", "--columns", "image,disparity"), "disparity"),
    ],
)
def test_what_makes_no_sense_is_told(capsys: Captured, arguments: tuple[str, ...], message: str) -> None:
    Path("bad.toml").write_text("[augmentation]\nrotaton = [-5, 5]\n", encoding="utf-8")
    assert prep("shard", *arguments) in (2, 3, 5)
    assert message in capsys.readouterr().err
    assert not TRAIN.exists()


@pytest.mark.usefixtures("ready")
def test_samples_without_a_column_are_left_out_by_name(capsys: Captured) -> None:
    """The first frame has no previous one, and so no flow."""
    assert prep("shard", "--augment", "2", "--require-all") == 5
    assert "without ego_flow (absent)" in capsys.readouterr().err
    assert prep("shard", "--augment", "2", "--columns", "image,label") == 0
    assert len(_rows()) == 8


def test_requests_are_equal_whatever_they_come_from() -> None:
    assert augment_request(None, None, None, None) is None
    assert augment_request(2, None, None, None) == augment_request(2, "ssma", None, 0)
    with pytest.raises(ConfigurationError):
        augment_request(-1, None, None, None)


@pytest.mark.usefixtures("ready")
def test_stored_pixels_are_those_of_the_variant() -> None:
    """With nothing drawn but a flip, columns are mirrored, vectors turned."""
    Path("flip.toml").write_text("[augmentation]\nflip = 1.0\n", encoding="utf-8")
    assert prep("shard") == 0
    before = _rows()
    assert prep("shard", "--augment", "1", "--preset", "flip.toml") == 0
    store = ShardStore.open(TRAIN)
    for row in range(len(store)):
        for name in ("image", "label", "depth", "jet"):
            mirrored = np.ascontiguousarray(store.read(name, row)[:, ::-1])
            assert mirrored.tobytes() == before[store.keys[row], 0][name]


@pytest.mark.usefixtures("ready")
def test_the_motion_image_is_made_last_from_augmented_flow() -> None:
    """Decoded from its 8 bits and warped, a third of its codes would be others."""
    assert prep("shard", "--augment", "4") == 0
    store = ShardStore.open(TRAIN)
    kitti, smsnet = KittiFlowCode(), SmsnetFlowCode()
    for row in range(len(store)):
        valid = store.read_valid("flow", row)
        flows = [kitti.decode(store.read(n, row), store.read_valid(n, row))[0] for n in ("optical_flow", "ego_flow")]
        expected = smsnet.encode(flows[0] - flows[1], valid).stored[valid].astype(int)
        found = store.read("flow", row)[valid].astype(int)
        assert np.abs(found - expected).max(initial=0) <= 1
        assert (found != expected).mean() < 0.15  # where the 16 bits of the flows round to the other side


@pytest.mark.usefixtures("ready")
def test_a_jet_with_each_images_own_range_keeps_it() -> None:
    assert prep("modality", "jet", "--percentiles", "5,95") == 0
    assert prep("shard", "--augment", "1", "--preset", "none", "--columns", "jet") == 0
    store = ShardStore.open(TRAIN)
    for row, key in enumerate(store.keys):
        np.testing.assert_array_equal(store.read("jet", row), read_image(Path(f"train/jet_data/{key}.png")))
