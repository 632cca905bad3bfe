"""`prep modality` on single files: the same results as in a workspace, and messages where something lacks."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.synthetic import World, render
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    frame = render(World(seed=4), 2, width=96, height=48)
    depth_HW = np.minimum(frame.depth_HW, 200).astype(np.float32)
    write_image(tmp_path / "depth.npy", depth_HW)
    write_image(tmp_path / "depth_cm.png", np.rint(depth_HW * 100).astype(np.uint16))
    write_image(tmp_path / "disparity.png", np.rint(0.2 * frame.camera.K[0, 0] / depth_HW * 256).astype(np.uint16))
    write_image(tmp_path / "image.png", frame.rgb_HWC)
    write_image(tmp_path / "nir.png", frame.rgb_HWC[..., 1])
    K = frame.camera.K
    (tmp_path / "camera").write_text(",".join(repr(float(v)) for v in (K[0, 0], K[1, 1], K[0, 2], K[1, 2])))
    return tmp_path


def _camera(files: Path) -> str:
    return (files / "camera").read_text()


def test_one_modality_is_one_file_with_its_mask_beside(files: Path, capsys: Captured) -> None:
    out = files / "new" / "hha.png"
    holes = read_image(files / "depth.npy").copy()
    holes[10:20, 30:50] = np.nan
    write_image(files / "holes.npy", holes)
    given = ("--depth-file", files / "holes.npy", "--depth-unit", "m", "--camera", _camera(files), "--out", out)
    assert prep("modality", "hha", *given) == 0
    assert capsys.readouterr().out.split() == [str(out), str(out.with_name("hha_valid.png"))]
    assert read_image(out).shape == (48, 96, 3)
    np.testing.assert_array_equal(read_image(out.with_name("hha_valid.png")) == 0, np.isnan(holes))
    assert not Path("prep.toml").exists()


def test_several_are_files_of_a_folder_and_follow_from_filled_depth(files: Path) -> None:
    holes = read_image(files / "depth_cm.png").copy()
    holes[10:20, 30:50] = 0
    write_image(files / "holes.png", holes)
    given = ("--depth-file", files / "holes.png", "--depth-unit", "cm", "--image-file", files / "image.png")
    assert prep("modality", "jet", "--fill", "guided", "--near", 1, "--far", 50, *given, "--out", files / "all") == 0
    names = ("depth_filled", "depth_filled_measured", "jet", "jet_valid")
    assert sorted(p.stem for p in (files / "all").iterdir()) == sorted(names)
    assert (read_image(files / "all/jet_valid.png") == 255).all()
    measured = read_image(files / "all/depth_filled_measured.png")
    np.testing.assert_array_equal(measured == 0, holes == 0)


def test_units_of_one_scene_give_one_picture(files: Path) -> None:
    options = ("--near", 2, "--far", 60, "--camera", f"{_camera(files)},0.2")
    for unit, name in (("m", "depth.npy"), ("cm", "depth_cm.png"), ("kitti-disparity", "disparity.png")):
        given = ("--depth-file", files / name, "--depth-unit", unit, "--out", files / f"{unit}.png")
        assert prep("modality", "jet", *options, *given) == 0
    true = read_image(files / "m.png").astype(int)
    near = read_image(files / "depth.npy") < 20
    for unit in ("cm", "kitti-disparity"):
        assert np.abs(read_image(files / f"{unit}.png").astype(int) - true)[near].max() <= 4  # a step of the colours


def test_indices_need_no_depth(files: Path) -> None:
    given = ("--image-file", files / "image.png", "--nir-file", files / "nir.png", "--out", files / "ndvi.png")
    assert prep("modality", "ndvi", *given) == 0
    assert read_image(files / "ndvi.png").shape == (48, 96)


def test_the_reference_is_met_pixel_by_pixel(shared_data: Path, tmp_path: Path) -> None:
    demo = shared_data / "hha" / "nyu_python_demo"
    # Intrinsics for pixels that count from 1, as Matlab has them.
    fx, _, cx, _, fy, cy, *_ = map(float, (demo / "K_color.txt").read_text().split())
    camera = f"{fx},{fy},{cx - 1},{cy - 1}"
    given = ("--depth-file", demo / "0.png", "--depth-unit", "1/10000", "--camera", camera)
    assert prep("modality", "hha", *given, "--out", tmp_path / "hha.png") == 0
    ours, theirs = read_image(tmp_path / "hha.png").astype(int), read_image(demo / "matlab_hha.png").astype(int)
    assert ((ours == theirs).mean(axis=(0, 1)) >= 0.999).all()
    assert np.abs(ours - theirs).max() <= 1


def test_the_reference_with_a_raw_depth_is_met_where_there_is_no_hole(shared_data: Path, tmp_path: Path) -> None:
    demo = shared_data / "hha" / "nyu_python_demo"
    fx, _, cx, _, fy, cy, *_ = map(float, (demo / "K_color.txt").read_text().split())
    depth = ("--depth-file", demo / "0.png", "--raw-depth-file", demo / "0_raw.png", "--depth-unit", "1/10000")
    given = (*depth, "--camera", f"{fx},{fy},{cx - 1},{cy - 1}")
    assert prep("modality", "hha", *given, "--out", tmp_path / "hha.png") == 0
    where = (read_image(tmp_path / "hha_valid.png") > 0) & (read_image(demo / "0_raw.png") > 0)
    ours, theirs = read_image(tmp_path / "hha.png")[where], read_image(demo / "hha.png")[where]
    assert ((ours == theirs).mean(axis=0) >= 0.995).all()


@pytest.mark.parametrize("name", ["hha", "normals"])
def test_a_raw_depth_beside_a_filled_one_is_what_the_workspace_has_as_measured(files: Path, name: str) -> None:
    holes = read_image(files / "depth_cm.png").copy()
    holes[10:20, 30:50] = 0
    write_image(files / "raw.png", holes)
    camera = ("--depth-unit", "cm", "--camera", _camera(files))
    raw = ("--depth-file", files / "raw.png", *camera)
    assert prep("modality", name, "--fill", "nearest", *raw, "--out", files / "both") == 0
    filled = ("--depth-file", files / "both/depth_filled.png", *camera)
    assert prep("modality", name, *filled, "--raw-depth-file", files / "raw.png", "--out", files / "one.png") == 0
    np.testing.assert_array_equal(read_image(files / "one.png"), read_image(files / f"both/{name}.png"))
    assert prep("modality", name, *filled, "--out", files / "other.png") == 0
    assert not np.array_equal(read_image(files / "one.png"), read_image(files / "other.png"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("hha", "--raw-depth-file", "depth.npy", "--depth-unit", "m", "--out", "o.png"), 2, "goes with --depth-file"),
        (("hha", "--fill", "nearest", "--raw-depth-file", "depth.npy", "--out", "o"), 2, "omit --fill"),
        (("hha", "--raw-depth-file", "small.npy", "--out", "o.png"), 3, "small.npy is 48x24, "),
    ],
)
def test_a_raw_depth_that_fits_nothing_is_refused(
    files: Path, capsys: Captured, arguments: tuple[str, ...], code: int, message: str
) -> None:
    write_image(files / "small.npy", np.ones((24, 48), np.float32))
    given = [files / a if (files / a).is_file() or a.startswith("o") else a for a in arguments]
    if "goes with" not in message:
        given += ["--depth-file", files / "depth.npy", "--depth-unit", "m", "--camera", _camera(files)]
    assert prep("modality", *given) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("hha", "--depth-file", "depth.npy", "--out", "o.png"), 2, "--depth-unit mm"),
        (("hha", "--depth-file", "depth.npy", "--depth-unit", "ell", "--out", "o.png"), 2, "no unit of depth"),
        (("hha", "--depth-file", "depth.npy", "--depth-unit", "m", "--out", "o.png"), 2, "--camera FX,FY,CX,CY"),
        (("jet", "--depth-file", "depth.npy", "--depth-unit", "m", "--out", "o.png"), 2, "--near --far"),
        (("jet", "--depth-file", "depth.npy", "--depth-unit", "m"), 2, "--out FILE"),
        (("normals", "--depth-file", "depth.npy", "--depth-unit", "m", "--out", "o.jpg"), 2, "results are PNG files"),
        (("jet", "--depth-file", "gone.npy", "--depth-unit", "m", "--out", "o.png"), 3, "does not exist"),
        (("jet", "--depth-file", "image.png", "--depth-unit", "m", "--out", "o.png"), 3, "16 bits"),
        (("evi", "--image-file", "image.png", "--out", "o.png"), 2, "--nir-file FILE"),
        (("ndvi", "--image-file", "image.png", "--out", "image.png"), 2, "is an input"),
        (("jet", "--depth-file", "disparity.png", "--depth-unit", "cityscapes", "--out", "o.png"), 2, "baseline"),
        (("normals", "--depth-file", "depth_cm.png", "--depth-unit", "1/9", "--out", "o.png"), 3, "--depth-unit 1/9"),
    ],
)
def test_what_lacks_or_makes_no_sense_is_told(
    files: Path, capsys: Captured, arguments: tuple[str, ...], code: int, message: str
) -> None:
    given = [files / a if (files / a).is_file() or a.startswith(("o.", "gone")) else a for a in arguments]
    before = (files / "image.png").read_bytes()
    assert prep("modality", *given) == code
    assert message in capsys.readouterr().err
    assert not (files / "o.png").exists()
    assert (files / "image.png").read_bytes() == before


def test_the_range_of_a_single_file_is_said_and_what_looks_like_another_unit(files: Path, capsys: Captured) -> None:
    depth_HW = np.tile(np.linspace(900, 4000, 48).astype(np.uint16)[:, None] * 5, (1, 96))[::-1]
    write_image(files / "tum.png", np.ascontiguousarray(depth_HW))
    given = ("--depth-file", files / "tum.png", "--near", 1, "--far", 50, "--out", files / "jet.png")
    assert prep("modality", "jet", *given, "--depth-unit", "tum") == 0
    assert capsys.readouterr().err.startswith("seen, depth: 0.9 to 4 m (1st to 99th percentile of 1 file)")
    assert prep("modality", "jet", *given, "--depth-unit", "mm") == 0
    assert "suspect, depth: read as mm" in (told := capsys.readouterr().err)
    assert "`--depth-unit tum`" in told
    wrong = (*given, "--depth-unit", "tum", "--camera", "0.9,0.9,0.5,0.5")
    assert prep("modality", "jet", *wrong) == 2
    assert "shares of width and height" in capsys.readouterr().err


def test_a_doubt_about_the_camera_is_said_once_however_many_depths_it_is_of(files: Path, capsys: Captured) -> None:
    depth = files / "depth.npy"
    given = ("--depth-file", depth, "--raw-depth-file", depth, "--depth-unit", "m", "--out", files / "normals.png")
    assert prep("modality", "normals", *given, "--camera", "90,150,47.5,23.5") == 0
    assert capsys.readouterr().err.count("the two focal lengths differ") == 1
    assert prep("modality", "normals", *given, "--camera", "0,90,47.5,23.5") == 2
    assert "--camera: camera: K says fx 0" in capsys.readouterr().err
