"""`prep flow` on the rendered drive: what stands still is left without motion, whichever way the camera's is known."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.codes import DepthCode, KittiFlowCode
from segprep.datasets.imageio import encode_image, read_image, write_image
from segprep.datasets.sample import Array, JsonDict, Mask
from segprep.datasets.synthetic import Motion, RawId, drive_world, motion, write_drive
from support.cells import rewrite_cell
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]

SIZE = (256, 128)
TRUTH = "{sequence}/truth/flow_previous/{stem}.npy"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drive") / "data"
    write_drive(root, splits={"train": 4}, width=256, height=128, truth=True)
    return root


@pytest.fixture
def drive(rendered: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(rendered, tmp_path / "drive"))


@pytest.fixture(scope="module")
def resized(rendered: Path) -> Path:
    place = rendered.with_name("ws")
    assert prep("init", "synthetic", rendered, "-C", place) == 0
    assert prep("resize", "--factor", "1", "-C", place) == 0
    return place


@pytest.fixture
def ready(ws: Path, rendered: Path, resized: Path) -> Path:
    """Make a workspace of resized frames the current folder; return the drive, which tests share."""
    shutil.copytree(resized, Path.cwd(), dirs_exist_ok=True)
    return rendered


@pytest.fixture
def own_drive(ws: Path, drive: Path) -> Path:
    """Make such a workspace, of a drive that the test may damage, the current folder; return the drive."""
    assert prep("init", "synthetic", drive) == 0
    assert prep("resize", "--factor", "1") == 0
    return drive


def _flow(column: str, frame: int) -> tuple[Array, Mask]:
    picture = read_image(Path(f"train/{column}_data/train_drive00_{frame:06d}.png"))
    uv, valid = KittiFlowCode().decode(*KittiFlowCode().from_file(picture))
    assert valid is not None
    return uv, valid


def _residual(frame: int) -> tuple[Array, Mask]:
    (optical, seen), (ego, known) = _flow("optical_flow", frame), _flow("ego_flow", frame)
    return np.linalg.norm(optical - ego, axis=2), seen & known


@cache
def _motion(frame: int, other: int, width: int = SIZE[0], height: int = SIZE[1]) -> Motion:
    return motion(drive_world(0, 0), frame, other, width, height)


def _truth(frame: int, other: int | None = None) -> tuple[Mask, Array]:
    """Return what stands still and is seen in both frames, and the exact ego flow."""
    truth = _motion(frame, frame - 1 if other is None else other)
    return ~truth.moving_HW & ~truth.occluded_HW & truth.valid_HW, truth.ego_HW2


def _json(capsys: Captured) -> JsonDict:
    data: JsonDict = json.loads(capsys.readouterr().out)
    return data


PRECOMPUTED = ("--estimator", "precomputed", "--pattern", TRUTH, "--flow-direction", "previous")


def test_exact_flow_minus_ego_flow_is_nothing_on_what_stands_still(ready: Path) -> None:
    assert prep("flow", *PRECOMPUTED) == 0
    for frame in (1, 2, 3):
        length, valid = _residual(frame)
        static, _ = _truth(frame)
        assert (static & valid).mean() > 0.5
        assert np.median(length[static & valid]) < 0.01
        moving = _motion(frame, frame - 1).moving_HW & valid
        assert np.median(length[moving]) > 0.3


def test_ego_flow_of_the_dataset_s_pose_is_the_exact_one(ready: Path) -> None:
    assert prep("flow", *PRECOMPUTED) == 0
    ego, valid = _flow("ego_flow", 2)
    static, exact = _truth(2)
    error = np.linalg.norm(ego - exact, axis=2)[static & valid]
    assert np.quantile(error, 0.99) < 0.05  # KITTI's steps of 1/64 px, depth in steps of 5 mm


@pytest.mark.parametrize("mode", ["pose", "refine", "odometry"])
def test_estimated_flow_leaves_little_on_what_stands_still(ready: Path, mode: str) -> None:
    assert prep("flow", "--preset", "fine", "--ego", mode) == 0
    left = []
    for frame in (1, 2, 3):
        length, valid = _residual(frame)
        static, exact = _truth(frame)
        left.append(float(np.median(length[static & valid])))
        assert np.median(np.linalg.norm(exact, axis=2)[static & valid]) > 1, "there is something to subtract"
    assert max(left) < 0.25


@pytest.mark.parametrize("mode", ["odometry", "refine"])
def test_what_can_move_by_its_label_does_not_steer_the_camera(own_drive: Path, capsys: Captured, mode: str) -> None:
    bus = slice(4, 124), slice(20, 236)  # fills the view, at one distance, and moves to the side
    for part, value in (("label", RawId.CAR), ("depth", 1200)):
        path = own_drive / f"train/drive00/{part}/000002.png"
        picture = read_image(path).copy()
        picture[bus] = value
        write_image(path, picture)
    path = own_drive / "train/drive00/truth/flow_previous/000002.npy"
    uv, (_, exact) = read_image(path).copy(), _truth(2)
    uv[bus] = (9.0, 1.0)
    write_image(path, uv)
    assert prep("resize") == 0
    assert prep("flow", *PRECOMPUTED, "--ego", mode) == 0
    ego, valid = _flow("ego_flow", 2)
    valid[bus] = False
    assert np.median(np.linalg.norm(ego - exact, axis=2)[valid]) < 0.05
    capsys.readouterr()
    assert prep("flow", "--json") == 0
    assert _json(capsys)["made"] == 0
    assert prep("resize", "--labels", "nearest") == 0
    capsys.readouterr()
    assert prep("flow", "--json") == 0
    assert _json(capsys)["made"] > 0, "it is made of these labels"


def test_the_next_frame_can_be_the_neighbour(drive: Path) -> None:
    assert prep("init", "synthetic", drive, "--neighbour", "next") == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("flow", "--preset", "fine") == 0
    length, valid = _residual(1)
    static, exact = _truth(1, 2)
    assert np.median(length[static & valid]) < 0.25
    ego, _ = _flow("ego_flow", 1)
    assert np.median(np.linalg.norm(ego + exact, axis=2)[static & valid]) > 1, "the direction is right"


def test_a_homography_explains_the_ground_but_not_the_depth_of_a_street(ready: Path, capsys: Captured) -> None:
    assert prep("flow", "--ego", "homography") == 0
    homography = np.median([np.median(_residual(f)[0][_truth(f)[0] & _residual(f)[1]]) for f in (1, 2, 3)])
    assert prep("flow", "--ego", "pose") == 0
    pose = np.median([np.median(_residual(f)[0][_truth(f)[0] & _residual(f)[1]]) for f in (1, 2, 3)])
    assert pose < homography < 3


def test_status_shows_whether_range_and_ego_motion_are_right(ready: Path, capsys: Captured) -> None:
    prep("flow", "--raw-image", "--ego", "refine")
    capsys.readouterr()
    assert prep("status", "--json") == 0
    figures = {c["column"]: c["figures"] for c in _json(capsys)["columns"]}
    assert figures["flow"]["median_px"] < 0.5 < figures["raw_flow"]["median_px"]
    assert 0 <= figures["flow"]["clipped_share"] < 0.01
    assert 0.5 < figures["ego_flow"]["least_inlier_share"] <= figures["ego_flow"]["inlier_share"] <= 1
    assert figures["image"] == {}
    prep("status")
    assert "pixels agree with the camera's motion" in capsys.readouterr().out
    prep("flow", "--scale", "256")  # half a pixel fills the range
    capsys.readouterr()
    prep("status", "--json")
    figures = {c["column"]: c["figures"] for c in _json(capsys)["columns"]}
    assert figures["flow"]["clipped_share"] > 0.05


def test_stages_end_with_what_degrades_their_result(ready: Path, capsys: Captured) -> None:
    assert prep("flow", "--json") == 0
    assert _json(capsys)["warnings"] == {}
    assert prep("flow", "--ego", "none") == 0
    said = "flow: 3 of 3 cells hold optical flow from which the camera's motion is not subtracted"
    assert said in capsys.readouterr().out.replace("\n", " ")
    assert prep("flow", "--ego", "none", "--scale", "256", "--json") == 0
    found = _json(capsys)
    assert [text for text in found["warnings"]["flow"] if "are clipped to the range of its code" in text]
    assert found["figures"]["flow"]["unsubtracted"] == 1
    assert found["clipped"]["flow"] == found["figures"]["flow"]["clipped_pixels"] > 0
    assert prep("status") == 0
    assert "is not subtracted" in capsys.readouterr().out.replace("\n", " ")


def test_columns_that_are_made_no_more_stay_out_of_shards(ready: Path, capsys: Captured) -> None:
    prep("flow", "--raw-image")
    assert prep("flow", "--no-raw-image") == 0
    capsys.readouterr()
    assert prep("shard", "--json") == 0
    assert "raw_flow" not in _json(capsys)["train"]["columns"]
    assert prep("shard", "--columns", "image,raw_flow") == 2


def test_flow_at_the_dataset_s_size_is_brought_down_with_its_vectors(drive: Path) -> None:
    prep("init", "synthetic", drive)
    prep("resize", "--factor", "2")
    assert prep("flow", "--at", "source", "--ego", "none") == 0
    at_source, seen = _flow("optical_flow", 2)
    exact = _motion(2, 1, 128, 64)
    clear = seen & exact.valid_HW & ~exact.occluded_HW
    assert np.median(np.linalg.norm(at_source - exact.flow_HW2, axis=2)[clear]) < 0.25
    assert prep("flow", "--at", "workspace", "--ego", "none") == 0
    assert not np.array_equal(_flow("optical_flow", 2)[0], at_source)


def test_without_the_check_more_pixels_are_valid(ready: Path) -> None:
    prep("flow", "--ego", "none")
    checked = _flow("optical_flow", 1)[1].mean()
    assert prep("flow", "--no-check", "--ego", "none") == 0
    assert _flow("optical_flow", 1)[1].mean() > checked


def test_each_estimator_and_preset_can_be_chosen(ready: Path) -> None:
    seen = set()
    for options in (("--preset", "ultrafast"), ("--preset", "fine"), ("--estimator", "farneback")):
        assert prep("flow", "--ego", "none", *options) == 0
        seen.add(_flow("optical_flow", 2)[0].tobytes())
    assert len(seen) == 3
    assert prep("flow", "--estimator", "dis", "--preset", "best") == 2


# -- precomputed flow ------------------------------------------------------------------------------------------------


def test_files_of_another_size_need_it_stated_and_are_rescaled(drive: Path, capsys: Captured) -> None:
    prep("init", "synthetic", drive)
    prep("resize", "--factor", "2")
    capsys.readouterr()
    small = _motion(2, 1, 64, 32)
    write_image(drive / "flow/000002.flo", small.flow_HW2.astype(np.float32))
    options = ("--estimator", "precomputed", "--pattern", "flow/{frame:06d}.flo", "--flow-direction", "previous")
    assert prep("flow", *options, "--only", "*2", "--max-bad", "100%", "--json") == 0
    assert "the flow file is 64x32, expected 256x128 or 128x64" in _json(capsys)["failed"][0]["reason"]
    assert prep("flow", "--flow-size", "64x32", "--only", "*2") == 0
    uv, _ = _flow("optical_flow", 2)
    exact = _motion(2, 1, 128, 64)
    assert np.median(np.linalg.norm(uv - exact.flow_HW2, axis=2)[exact.valid_HW]) < 0.1


def test_a_changed_file_is_noticed_and_an_unchanged_one_is_not_read_again(own_drive: Path, capsys: Captured) -> None:
    assert prep("flow", *PRECOMPUTED, "--ego", "none") == 0
    capsys.readouterr()
    prep("flow", "--json")
    assert _json(capsys)["made"] == 0
    path = own_drive / "train/drive00/truth/flow_previous/000002.npy"
    write_image(path, read_image(path) + np.float32(1))
    prep("flow", "--json")
    assert _json(capsys)["made"] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\x93NUMPY\x01\x00", "000002.npy"),
        (None, "does not exist"),
    ],
    ids=["empty", "truncated", "missing"],
)
def test_a_bad_file_fails_its_sample_alone(
    own_drive: Path, capsys: Captured, content: bytes | None, reason: str
) -> None:
    path = own_drive / "train/drive00/truth/flow_previous/000002.npy"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    capsys.readouterr()
    assert prep("flow", *PRECOMPUTED, "--ego", "none", "--json") == 4
    found = _json(capsys)
    assert [f["key"] for f in found["failed"]] == ["train_drive00_000002"]
    assert reason in found["failed"][0]["reason"]
    assert found["columns"]["flow"]["done"] == 2


def test_vectors_that_are_no_numbers_are_invalid(own_drive: Path) -> None:
    path = own_drive / "train/drive00/truth/flow_previous/000002.npy"
    uv = read_image(path).copy()
    uv[5:9, 5:9] = np.nan
    write_image(path, uv)
    assert prep("flow", *PRECOMPUTED, "--ego", "none") == 0
    valid = _flow("optical_flow", 2)[1]
    assert not valid[5:9, 5:9].any()
    assert valid.mean() > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--estimator", "precomputed"), "needs --pattern"),
        (("--estimator", "precomputed", "--pattern", "flow.flo", "--flow-direction", "previous"), "one file for many"),
        (("--estimator", "precomputed", "--pattern", TRUTH), "say where the files' vectors point"),
        (("--estimator", "precomputed", "--pattern", TRUTH, "--flow-direction", "next"), "previous one, not with"),
        (("--estimator", "precomputed", "--pattern", "{name}.flo", "--flow-direction", "previous"), "unknown fields"),
        (("--pattern", TRUTH), "goes with --estimator precomputed"),
        (("--ego", "gps"), "--ego must be one of pose"),
        (("--at", "home"), "workspace or source"),
        (("--ego", "none", "--raw-image"), "--raw-image adds"),
        (("--scale", "-1"), "above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    ready: Path, capsys: Captured, options: tuple[str, ...], message: str
) -> None:
    assert prep("flow", *options) == 2
    assert message in capsys.readouterr().err


# -- bad poses, depth and cameras --------------------------------------------------------------------------------------


def _edit_camera(frame: int, change: Callable[[JsonDict], None]) -> None:
    path = Path(f"train/camera_data/train_drive00_{frame:06d}.json")
    data = json.loads(path.read_text())
    change(data)
    rewrite_cell(path, json.dumps(data).encode())


def _set_motion(value: object) -> Callable[[JsonDict], None]:
    def change(data: JsonDict) -> None:
        data["neighbour"]["motion"] = value

    return change


def _set_time(data: JsonDict) -> None:
    data["neighbour"]["time_difference"] = 0.0


def _set_intrinsics(data: JsonDict) -> None:
    data["K"] = [[0.0, 0, 0], [0, 100, 50], [0, 0, 1]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            _set_motion([[1, 0, 0, float("inf")], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
            "is not valid JSON: Infinity is no number",
        ),
        (_set_motion([[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "no rigid transform"),
        (_set_intrinsics, "singular"),
        (_set_time, "time difference to its neighbour is 0"),
    ],
    ids=["infinite pose", "no rotation", "singular intrinsics", "no time between"],
)
def test_impossible_motions_have_a_message_each_and_the_run_goes_on(
    ready: Path, capsys: Captured, change: Callable[[JsonDict], None], reason: str
) -> None:
    _edit_camera(2, change)
    capsys.readouterr()
    assert prep("flow", "--json") == 4
    found = _json(capsys)
    assert [(f["key"], f["column"]) for f in found["failed"]] == [("train_drive00_000002", "ego_flow")]
    assert reason in found["failed"][0]["reason"]
    assert found["columns"]["ego_flow"]["done"] == 2


def test_a_sample_whose_motion_the_dataset_does_not_know_has_no_ego_flow(ready: Path, capsys: Captured) -> None:
    _edit_camera(2, _set_motion(None))
    capsys.readouterr()
    assert prep("flow", "--json") == 0
    assert _json(capsys)["columns"]["ego_flow"] == {"absent": 2, "done": 2}
    assert prep("flow", "--json") == 0
    assert _json(capsys)["made"] == 0, "absent stays absent without being tried again"


def test_depth_of_another_size_is_refused(ready: Path, capsys: Captured) -> None:
    path = Path("train/depth_data/train_drive00_000002.png")
    rewrite_cell(path, encode_image(".png", DepthCode(0.005).encode(np.full((64, 128), 5.0), None).stored))
    capsys.readouterr()
    assert prep("flow", "--json") == 4
    assert "depth is (64, 128)" in _json(capsys)["failed"][0]["reason"]
