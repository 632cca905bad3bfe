"""`prep modality` in a workspace: columns, options that each modality remembers, staleness, bad samples."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import encode_image, read_image, write_image
from segprep.datasets.shards import ShardStore
from segprep.datasets.synthetic import write_drive
from support.cells import rewrite_cell
from support.commands import make_camvid, prep, prepared_drive

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]

KEY = "train_drive00_000001"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_drive(tmp_path_factory.mktemp("modalities"), splits={"train": 3, "val": 2}, width=192, height=96)


@pytest.fixture
def ready(ws: Path, prepared: Path) -> None:
    shutil.copytree(prepared, Path.cwd(), dirs_exist_ok=True)


def _states(capsys: Captured) -> dict[str, dict[str, int]]:
    capsys.readouterr()
    assert prep("status", "--json") == 0
    found = json.loads(capsys.readouterr().out)["columns"]
    return {c["column"]: c["counts"] for c in found if c["split"] == "train"}


def _arguments(capsys: Captured, *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert prep("modality", *arguments, "--dry-run", "--json") == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)["arguments"]
    return found


@pytest.mark.usefixtures("ready")
def test_all_modalities_are_made_and_go_into_shards_with_their_codes(capsys: Captured) -> None:
    names = ("hha", "jet", "normals", "evi", "evi2", "ndvi")
    assert prep("modality", *names) == 0
    for name in names:
        assert read_image(Path(f"train/{name}_data/{KEY}.png")).shape[:2] == (96, 192)
        valid = read_image(Path(f"train/{name}_valid/{KEY}.png"))
        assert valid.mean() > 128
    scale = json.loads(Path("train/jet_data/scale.json").read_text(encoding="utf-8"))
    assert (scale["low"], scale["high"]) == (2, 80)
    assert prep("shard") == 0
    assert prep("verify") == 0
    capsys.readouterr()
    assert prep("stats", "shards/train.zarr", "--json") == 0
    (stats,) = json.loads(capsys.readouterr().out).values()
    assert stats["columns"]["label"]["classes"][0] == "road"
    angle = stats["columns"]["hha"]["channels"][2]
    assert (angle["name"], 0 <= angle["mean"] <= 180) == ("angle", True)
    assert 0.5 < stats["columns"]["hha"]["valid"] < 1
    assert prep("stats") == 0
    assert "ENet" in capsys.readouterr().out
    store = ShardStore.open(Path("shards/train.zarr"))
    assert set(names) < set(store.columns)
    for name in names:
        assert store.columns[name].masked
        assert store.columns[name].code["name"] in ("linear", "jet", "hha")


@pytest.mark.usefixtures("ready")
def test_surfaces_of_filled_depth_are_those_of_what_was_measured(capsys: Captured) -> None:
    path = Path(f"train/depth_data/{KEY}.png")
    depth = read_image(path).copy()
    depth[-40:, 20:60] = 0  # a large hole
    rewrite_cell(path, encode_image(".png", depth))
    assert prep("modality", "hha", "normals", "--fill", "nearest", "--only", "*train_drive00_000001") == 0
    measured = read_image(Path(f"train/depth_measured_data/{KEY}.png")) > 0
    assert not measured[-30:, 30:50].any()
    for name in ("hha", "normals"):
        valid = read_image(Path(f"train/{name}_valid/{KEY}.png")) > 0
        assert not valid[-30:, 30:50].any(), "no measured pixel is near"
        assert valid[-39:, 20:22].all(), "some are"


@pytest.mark.usefixtures("ready")
def test_filled_depth_is_what_the_others_are_made_from(capsys: Captured) -> None:
    assert prep("modality", "jet", "--fill", "nearest") == 0
    states = _states(capsys)
    assert states["depth_filled"] == states["depth_measured"] == states["jet"] == {"done": 3}
    assert _arguments(capsys, "jet")["depth"] == "depth_filled"
    assert read_image(Path(f"train/depth_measured_data/{KEY}.png")).max() == 1
    assert prep("modality", "jet", "--depth", "depth") == 0
    assert _arguments(capsys, "jet")["depth"] == "depth"
    assert _arguments(capsys, "depth_filled")["fill"] == "nearest"


@pytest.mark.usefixtures("ready")
def test_each_modality_remembers_its_own_options(capsys: Captured) -> None:
    assert prep("modality", "jet", "--far", "40") == 0
    assert prep("modality", "hha", "--preset", "indoor") == 0
    states = _states(capsys)
    assert states["jet"] == states["hha"] == {"done": 3}
    assert _arguments(capsys, "jet")["far"] == 40
    assert _arguments(capsys, "hha")["preset"] == "indoor"
    assert prep("modality", "jet", "--percentiles", "2,98") == 0
    assert _arguments(capsys, "jet")["far"] is None
    assert prep("modality", "jet", "--near", "1", "--far", "30") == 0
    assert _arguments(capsys, "jet")["percentiles"] is None


@pytest.mark.usefixtures("ready")
def test_options_can_stand_in_prep_toml(capsys: Captured) -> None:
    text = Path("prep.toml").read_text(encoding="utf-8")
    Path("prep.toml").write_text(f'{text}\n[defaults."modality jet"]\nfar = 33.0\n', encoding="utf-8")
    assert _arguments(capsys, "jet")["far"] == 33
    Path("prep.toml").write_text(f'{text}\n[defaults."modality hah"]\nfar = 33.0\n', encoding="utf-8")
    assert prep("modality", "jet") == 2
    assert "hah" in capsys.readouterr().err


@pytest.mark.usefixtures("ready")
def test_new_depth_makes_them_stale_and_shards_say_what_mends_them(capsys: Captured) -> None:
    assert prep("modality", "hha", "jet") == 0
    assert prep("resize", "--factor", "2") == 0
    states = _states(capsys)
    assert states["hha"] == states["jet"] == {"stale": 3}
    assert prep("shard") == 5
    message = capsys.readouterr().err
    assert "`prep modality hha`" in message
    assert "`prep modality jet`" in message
    assert prep("modality", "hha", "jet") == 0
    assert prep("shard") == 0


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hah",), "there is no modality called 'hah'"),
        (("hha", "--bands", "nir=nir"), "--bands is no option of hha: it goes with evi, evi2, ndvi"),
        (("jet", "--near", "9", "--percentiles", "2,98"), "near and percentiles exclude each other"),
        (("jet", "--percentiles", "2"), "--percentiles must be two numbers in percent"),
        (("jet", "--near", "9", "--far", "3"), "near < far"),
        (("hha", "--gravity", "down"), "--gravity must be estimate, mount, or the direction down"),
        (("jet", "--depth", "image"), "image is one of image"),
        (("jet", "--depth", "hight"), "needs column hight, which does not exist"),
        (("depth_filled", "--fill", "magic"), "--fill must be one of ip-basic, nearest, guided"),
        (("jet", "--camera", "1,2,3,4"), "--depth-file"),
        (("evi", "--bits", "12"), "--bits must be 8 or 16"),
    ],
)
def test_options_that_make_no_sense_are_told(capsys: Captured, arguments: tuple[str, ...], message: str) -> None:
    assert prep("modality", *arguments) in (2, 5)
    assert message in capsys.readouterr().err


def test_a_dataset_without_depth_is_told(camvid: Path, capsys: Captured) -> None:
    assert prep("init", "camvid", camvid) == 0
    assert prep("modality", "jet", "--near", "1", "--far", "9") == 5
    assert "run `prep resize` first" in capsys.readouterr().err
    assert prep("resize", "--factor", "1") == 0
    assert prep("modality", "jet", "--near", "1", "--far", "9") == 5
    assert "needs column depth" in capsys.readouterr().err
    assert prep("modality", "jet") == 2
    assert "there is no column 'depth', and nobody knows the range" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "other"), [("previous", "next"), ("next", "previous")])
def test_flow_without_a_neighbour_names_the_other_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, other: str
) -> None:
    camvid = make_camvid(tmp_path / "apart", train=2, val=1)
    assert prep("init", "camvid", camvid, "--neighbour", given) == 0
    assert prep("resize", "--factor", "2") == 0
    capsys.readouterr()
    assert prep("flow") == 5
    text = " ".join(capsys.readouterr().err.split())
    assert f"needs column {given}, which does not exist" in text
    assert f"--neighbour {other}" in text


def test_bad_samples_are_named_and_the_others_are_made(tmp_path: Path, capsys: Captured) -> None:
    root = tmp_path / "broken"
    write_drive(root, splits={"train": 5}, width=96, height=48)
    nothing = np.zeros((48, 96), np.uint16)
    single = nothing.copy()
    single[20, 40] = 2000
    write_image(root / "train/drive00/depth/000000.png", nothing)
    write_image(root / "train/drive00/depth/000001.png", single)
    nir = root / "train/drive00/nir/000002.png"
    write_image(nir, read_image(nir)[:-2])
    nir = root / "train/drive00/nir/000003.png"
    write_image(nir, read_image(nir).astype(np.uint16) * 257)
    assert prep("init", "synthetic", root) == 0
    assert prep("resize", "--factor", "1", "--max-bad", "50%") == 0
    assert prep("modality", "hha", "jet", "normals", "evi", "--fill", "nearest") == 4
    capsys.readouterr()
    assert prep("status", "--json") == 0
    columns = {c["column"]: c for c in json.loads(capsys.readouterr().out)["columns"]}
    assert columns["jet"]["counts"]["done"] == 3
    assert columns["evi"]["counts"]["done"] == 3
    reasons = " ".join(reason for c in columns.values() for reason in c["reasons"])
    for part in (
        "nir is 96x46, but its image is 96x48",
        "nir is read as numbers of 8 bits, and this file has 16",
        "no pixel has a depth of 96x48",
        "only one pixel has a depth of 96x48",
    ):
        assert part in reasons


def test_a_lidar_frame_becomes_dense_colours_and_hha(shared_data: Path, capsys: Captured) -> None:
    assert prep("init", "kitti_object", shared_data / "kitti/lidar_frame_000007") == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("modality", "jet", "hha", "--fill", "ip-basic") == 0
    (valid,) = Path("train/jet_valid").glob("*.png")
    assert read_image(valid).mean() > 0.99 * 255


def test_holes_of_a_depth_camera_are_completed(shared_data: Path) -> None:
    assert prep("init", "rgbd", shared_data / "rgbd_pose/hololens") == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("modality", "jet", "hha", "--fill", "guided", "--near", "0.5", "--far", "5") == 0
    for mask in Path("train/jet_valid").glob("*.png"):
        assert (read_image(mask) > 0).mean() > 0.999
