"""Depth inputs through the real commands: units, folders, lists, near infrared, laser points."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from segprep.datasets.codes.depth_units import DEPTH_UNITS
from segprep.datasets.imageio import encode_image, read_image, write_image
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.workspace import load_workspace
from segprep.datasets.workspace.cells import read_cell
from segprep.workflows.ledger.database import Ledger, Selection
from segprep.workflows.stages.arguments import DEPTH_UNIT_NAMES
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drive")
    assert prep("init", "synthetic", "--miniature", root / "data", "--frames", "4", "-C", root / "ws") == 0
    return root / "data"


@pytest.fixture
def drive(rendered: Path, ws: Path, tmp_path: Path, capsys: Capture) -> Path:
    """The rendered drive, as the dataset of the workspace in the current folder."""
    root = shutil.copytree(rendered, tmp_path / "drive")
    assert prep("init", "synthetic", root) == 0
    capsys.readouterr()
    return root


def test_the_help_names_every_unit() -> None:
    assert [name for name in DEPTH_UNIT_NAMES.split(", ") if not name.startswith("1/N")] == list(DEPTH_UNITS)


def status(capsys: Capture) -> dict[tuple[str, str], tuple[dict[str, int], dict[str, int]]]:
    """Return (split, column) to the counts of its states and the reasons."""
    capsys.readouterr()
    assert prep("status", "--json") == 0
    columns: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["columns"]
    return {(c["split"], c["column"]): (c["counts"], c["reasons"]) for c in columns}


def depth(key: str, split: str = "train", place: Path = Path()) -> tuple[Array, Array]:
    """Return a cell of column depth: float metres and mask."""
    workspace = load_workspace(place)
    with Ledger(workspace.ledger_path) as ledger:
        column = ledger.columns()["depth"].column
    stored, valid = read_cell(workspace, split, column, SampleKey(key))
    assert column.code is not None
    values, mask = column.code.decode(stored, valid)
    assert mask is not None
    return values, mask


def first_key() -> str:
    with Ledger(load_workspace(Path()).ledger_path) as ledger:
        return ledger.keys(Selection(splits=("train",)))[0]


# -- units -----------------------------------------------------------------------------------------------------------


def test_a_new_unit_makes_depth_stale_and_nothing_else_and_status_says_why(drive: Path, capsys: Capture) -> None:
    assert prep("resize", "--factor", "2") == 0
    before, valid = depth(first_key())
    assert prep("init", "synthetic", drive, "--depth-unit", "mm") == 0
    found = status(capsys)
    counts, reasons = found["train", "depth"]
    assert set(counts) == {"stale"}
    (reason,) = reasons
    assert "parameters changed: code (scale_m 0.005 -> 0.001)" in reason, "the workspace's own scale follows"
    assert "inputs changed: code of depth (" in reason
    assert all(set(c) <= {"done", "absent"} for (_, name), (c, _) in found.items() if name != "depth")
    assert prep("resize") == 0
    after, mask = depth(first_key())
    near = np.isfinite(before) & valid & mask
    np.testing.assert_allclose(after[near], before[near] / 5, atol=0.003)
    assert status(capsys)["train", "depth"][0].keys() == {"done"}


def test_where_the_scale_stays_the_code_of_the_file_is_the_reason(drive: Path, capsys: Capture) -> None:
    assert prep("init", "synthetic", drive, "--depth-unit", "1/100") == 0
    assert prep("resize", "--factor", "2") == 0
    assert prep("init", "synthetic", drive, "--depth-unit", "cm") == 0
    (reason,) = status(capsys)["val", "depth"][1]
    assert reason == "stale: inputs changed: code of depth (far_code false -> true)"


def test_the_unit_is_kept_until_its_line_is_taken_out(drive: Path, capsys: Capture) -> None:
    own = json.dumps(sources("depth"))
    assert prep("init", "synthetic", drive, "--depth-unit", "1/200") == 0
    toml = Path("prep.toml")
    assert 'depth_unit = "1/200"' in toml.read_text()
    assert load_workspace(Path()).config.depth_unit == "1/200"
    assert prep("init", "synthetic", drive) == 0
    assert sources("depth") == {"name": "depth-file", "scale_m": 0.005, "law": "linear", "far_code": False}
    toml.write_text("".join(line for line in toml.read_text().splitlines(True) if "depth_unit" not in line))
    assert prep("init", "synthetic", drive) == 0
    assert json.dumps(sources("depth")) == own


def sources(name: str) -> dict[str, Any]:
    with Ledger(load_workspace(Path()).ledger_path) as ledger:
        return ledger.source_columns()[name].code


def test_an_unknown_unit_names_the_known_ones_before_anything_is_written(
    drive: Path, camvid: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert prep("init", "synthetic", drive, "--depth-unit", "feet") == 2
    assert "no unit of depth called 'feet'. Known: m, mm, cm" in capsys.readouterr().err
    assert "depth_unit" not in Path("prep.toml").read_text()
    assert prep("init", "camvid", camvid, "--depth-unit", "mm", "-C", tmp_path / "other") == 2
    assert "--depth-unit mm: no sample has files of depth or disparity" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def far_files(drive: Path) -> None:
    """Make every depth of the drive some kilometres, which `prep init` did not see."""
    for path in drive.rglob("depth/*.png"):
        write_image(path, np.tile(np.arange(20_000, 20_000 + 512, dtype=np.uint16), (256, 1)))


def test_implausible_depth_fails_each_sample_with_the_range_that_was_seen(drive: Path, capsys: Capture) -> None:
    assert prep("init", "synthetic", drive, "--depth-unit", "1/20") == 0
    far_files(drive)
    assert prep("resize", "--factor", "2") == 4
    found = status(capsys)
    counts, reasons = found["train", "depth"]
    assert set(counts) == {"failed"}
    for reason in reasons:
        assert "is implausible, medians of 0.05 to 131.068 m are expected" in reason
        assert "read as depth in the unit 1/20; if it is another one, say `prep init ... --depth-unit UNIT`" in reason
    assert set(found["train", "image"][0]) == {"done"}
    capsys.readouterr()
    assert prep("check", "--workers", "0") == 4
    out = capsys.readouterr().out
    assert "depth is implausible in 4 of 4 files" in out
    assert "--depth-unit" in out


def test_depth_read_as_disparity_becomes_a_disparity_column_of_the_dataset(
    cityscapes_miniature: Path, capsys: Capture
) -> None:
    assert prep("init", "cityscapes", cityscapes_miniature) == 0
    own = sources("disparity")
    assert prep("init", "cityscapes", cityscapes_miniature, "--depth-unit", "cityscapes", "--json") == 0
    assert sources("disparity") == own
    capsys.readouterr()
    assert prep("init", "cityscapes", cityscapes_miniature, "--depth-unit", "kitti", "--json") == 0
    assert "disparity" not in json.loads(capsys.readouterr().out)["absent"]
    assert sources("depth")["scale_m"] == 1 / 256
    assert prep("init", "cityscapes", cityscapes_miniature, "--depth-unit", "kitti-disparity") == 0
    assert sources("disparity") == own | {"zero_code": 0}


# -- folders and lists ---------------------------------------------------------------------------------------------


RAMP = np.tile(np.linspace(1.5, 7.5, 24, dtype=np.float32), (16, 1))


def write_hdf5(path: Path, metres_HW: Array) -> None:
    with h5py.File(path, "w") as file:
        file["depth"] = metres_HW


def write_matlab(path: Path, metres_HW: Array) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["D"] = metres_HW.T
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + path.read_bytes()[512:])


def write_array(path: Path, metres_HW: Array) -> None:
    path.write_bytes(encode_image(path.suffix, metres_HW))


def folder_with_depth(root: Path, name: str, write: Callable[[Path, Array], None], values: Array) -> Path:
    write_image(root / "image_data/a.png", np.zeros((16, 24, 3), np.uint8))
    write_image(root / "label_data/a.png", np.zeros((16, 24), np.uint8))
    (root / "depth_data").mkdir(parents=True)
    write(root / "depth_data" / name, values)
    return root


@pytest.mark.parametrize(
    ("name", "write", "unit", "per_metre"),
    [
        ("a.png", lambda path, values: write_image(path, np.rint(values).astype(np.uint16)), None, 1000),
        ("a.npy", write_array, "m", 1),
        ("a.pfm", write_array, "m", 1),
        ("a.npz", lambda path, values: np.savez(path, values), "cm", 100),
        ("a.h5", write_hdf5, "m", 1),
        ("a.hdf5", write_hdf5, "1/10000", 10000),
        ("a.mat", write_matlab, "mm", 1000),
    ],
)
def test_a_folder_has_depth_in_any_format_and_unit(
    tmp_path: Path, name: str, write: Callable[[Path, Array], None], unit: str | None, per_metre: float
) -> None:
    root = folder_with_depth(tmp_path / "data", name, write, RAMP * np.float32(per_metre))
    assert prep("init", "folder", root, *(() if unit is None else ("--depth-unit", unit))) == 0
    assert prep("check", "--workers", "0") in (0, 4), "one grey image has no range of its own"
    assert prep("resize", "--factor", "1") == 0
    metres, valid = depth("a")
    assert valid.all() or unit == "1/10000"
    np.testing.assert_allclose(metres[valid & (RAMP < 6.5)], RAMP[valid & (RAMP < 6.5)], atol=0.0051)


def test_a_folder_of_a_workspace_is_read_with_its_own_code(drive: Path, tmp_path: Path) -> None:
    assert prep("resize", "--factor", "2") == 0
    key = first_key()
    made, _ = depth(key)
    data = shutil.copytree("train", tmp_path / "prepared")
    assert prep("init", "folder", data, "-C", tmp_path / "second") == 0
    assert prep("resize", "--factor", "1", "-C", tmp_path / "second") == 0
    again, _ = depth(key, place=tmp_path / "second")
    np.testing.assert_array_equal(made, again)
    (data / "depth_data/scale.json").write_text('{"name": "fathoms"}')
    assert prep("init", "folder", data, "-C", tmp_path / "third") == 3


def near_infrared(root: Path, *dtypes: type) -> Path:
    """Write a list of images and near infrared pictures of these types."""
    lines = []
    for index, dtype in enumerate(dtypes):
        top = np.iinfo(dtype).max
        write_image(root / f"i{index}.png", np.full((8, 12, 3), index, np.uint8))
        write_image(root / f"n{index}.png", np.linspace(0, top, 96).astype(dtype).reshape(8, 12))
        lines.append(f"i{index}.png,n{index}.png\n")
    (root / "train.csv").write_text("".join(lines))
    return root / "train.csv"


@pytest.mark.parametrize(("dtype", "other"), [(np.uint8, np.uint16), (np.uint16, np.uint8)])
def test_a_list_takes_near_infrared_of_the_bits_that_its_first_file_has(
    tmp_path: Path, capsys: Capture, dtype: type, other: type
) -> None:
    alike = near_infrared(tmp_path / "alike", dtype, dtype)
    assert prep("init", "list", alike, "--columns", "image,nir") == 0
    assert prep("resize", "--factor", "1", "--format", "jpg" if dtype is np.uint16 else "png") == 0
    back = read_image(Path("train/nir_data/i0.png"))
    np.testing.assert_array_equal(back, read_image(tmp_path / "alike/n0.png"))
    assert back.dtype == dtype

    mixed = near_infrared(tmp_path / "mixed", dtype, other, dtype)
    assert prep("init", "list", mixed, "--columns", "image,nir", "-C", tmp_path / "second") == 0
    assert prep("resize", "--factor", "1", "--max-bad", "0.5", "-C", tmp_path / "second") == 0
    capsys.readouterr()
    assert prep("check", "--workers", "0", "-C", tmp_path / "second") == 4
    bits, found = 8 * np.dtype(dtype).itemsize, 8 * np.dtype(other).itemsize
    text = f"n1.png: nir is read as numbers of {bits} bits, and this file has {found}: convert it to {bits} bits"
    assert text in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "second/train/nir_data").iterdir()) == ["i0.png", "i2.png"]


def test_a_list_of_paths_alone_cannot_hold_points(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.csv").write_text("image,points\na.png,a.bin\n")
    assert prep("init", "list", tmp_path / "data/train.csv") == 3
    assert 'list them in .jsonl as {"path": "a.bin", "kind": "points"' in capsys.readouterr().err


# -- laser points --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["kitti_raw", "kitti_object"])
def test_points_become_depth_are_checked_and_sharded(tmp_path: Path, capsys: Capture, dataset: str) -> None:
    assert prep("init", dataset, "--miniature", tmp_path / "kitti", "--frames", "4") == 0
    assert prep("check", "--workers", "0") == 0, capsys.readouterr().out
    assert prep("resize", "--factor", "2") == 0
    metres, valid = depth(first_key())
    assert 0.4 < valid.mean() < 1, "every second pixel of the full size, below the sky"
    assert 2 < np.median(metres[valid]) < 40
    with Ledger(load_workspace(Path()).ledger_path) as ledger:
        assert dict(ledger.columns()["depth"].column.attributes) == {"source": "points"}
        assert "points" not in ledger.columns()
    assert prep("shard") == 0
    scan = next((tmp_path / "kitti").rglob("*.bin"))
    scan.write_bytes(scan.read_bytes()[:-3])
    capsys.readouterr()
    assert prep("check", "--workers", "0") == 4
    assert f"{scan.name} is truncated" in capsys.readouterr().out


def test_the_real_frame_shows_all_its_points(shared_data: Path) -> None:
    assert prep("init", "kitti_object", shared_data / "kitti/lidar_frame_000007") == 0
    assert prep("resize", "--factor", "1") == 0
    metres, valid = depth("000007")
    assert metres.shape == (375, 1242)
    assert valid.sum() == pytest.approx(18_407, rel=0.01)
    assert metres[valid].min() == pytest.approx(3.2, abs=0.1)
    assert metres[valid].max() == pytest.approx(77, abs=0.5)


def test_a_list_takes_points_with_their_code_and_needs_a_camera(tmp_path: Path, capsys: Capture) -> None:
    assert prep("init", "kitti_object", "--miniature", tmp_path / "kitti", "--frames", "4") == 0
    assert prep("resize", "--factor", "1") == 0
    made, _ = depth("training_000001")
    listed = tmp_path / "train.jsonl"
    assert prep("list", listed, "--split", "train") == 0
    assert prep("init", "list", listed, "--root", tmp_path / "kitti", "-C", tmp_path / "second") == 0
    assert prep("resize", "--factor", "1", "-C", tmp_path / "second") == 0
    np.testing.assert_array_equal(depth("training_000001", place=tmp_path / "second")[0], made)

    entries = [json.loads(line) for line in listed.read_text().splitlines()]
    listed.write_text("".join(json.dumps(e | {"camera": None}) + "\n" for e in entries))
    assert prep("init", "list", listed, "--root", tmp_path / "kitti", "-C", tmp_path / "third") == 0
    capsys.readouterr()
    assert prep("check", "--workers", "0", "-C", tmp_path / "third") == 4
    assert "3 of 3 samples with points have no camera, without which they are no depth" in capsys.readouterr().out
