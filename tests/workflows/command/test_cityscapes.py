"""Cityscapes from its files to shards, held against what the rendered world knows."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog._cityscapes.miniature import Snippet, snippets
from segprep.datasets.catalog._cityscapes.pixels import BASELINE_M
from segprep.datasets.codes import DepthCode
from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array, JsonDict, scale_map
from segprep.datasets.shards import ShardStore
from segprep.datasets.synthetic import Frame, camera_pose, make_camera, render
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


SOURCE = (512, 256)
TARGET = (170, 85)  # of --factor 3: floor of either side, so the two ratios differ
DEPTH = DepthCode(scale_m=0.005)


@pytest.fixture(scope="module")
def miniature(cityscapes_miniature: Path) -> Path:
    return cityscapes_miniature


def _frame(snippet: Snippet, number: int, size: tuple[int, int]) -> Frame:
    return render(snippet.world, snippet.tick(number), *size)


def _files(snippet: Snippet) -> tuple[str, str]:
    return snippet.split, f"{snippet.name.sequence}_{snippet.name.digits}"


def _camera(snippet: Snippet) -> JsonDict:
    split, key = _files(snippet)
    data: JsonDict = json.loads(Path(split, "camera_data", f"{key}.json").read_text())
    return data


def _depth(snippet: Snippet) -> tuple[Array, Array]:
    split, key = _files(snippet)
    metres, valid = DEPTH.decode(*DEPTH.from_file(read_image(Path(split, "depth_data", f"{key}.png"))))
    assert valid is not None
    return metres, valid


def _fine() -> list[Snippet]:
    return [snippet for snippet in snippets(4, 0) if snippet.fine]


def test_the_miniature_goes_all_the_way(miniature: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prep("init", "cityscapes", miniature) == 0
    assert prep("check", "--workers", "0") == 0
    assert prep("resize", "--factor", "4") == 0
    assert prep("flow") == 0
    assert prep("shard") == 0
    assert prep("verify") == 0
    store = ShardStore.open(Path("shards/train.zarr"))
    assert set(store.columns) == {"depth", "ego_flow", "flow", "image", "instance", "label", "optical_flow"}
    assert len(store) == 3
    assert len(store.class_map.names) == 19


def test_the_scheme_of_11_classes_merges_before_it_votes(miniature: Path) -> None:
    assert prep("init", "cityscapes", miniature, "--classes", "11") == 0
    assert prep("resize", "--factor", "4") == 0
    assert prep("shard") == 0
    store = ShardStore.open(Path("shards/val.zarr"))
    assert store.class_map.names[:3] == ("sky", "building", "road")
    assert set(np.unique(store.read("label", 0))) <= {*range(11), 255}
    assert prep("init", "cityscapes", miniature, "--classes", "12") == 2


def test_cameras_and_motions_agree_with_the_truth_after_resizing(miniature: Path) -> None:
    prep("init", "cityscapes", miniature)
    assert prep("resize", "--factor", "3") == 0
    for snippet in _fine():
        data = _camera(snippet)
        exact = make_camera(*SOURCE).transformed(scale_map(SOURCE, TARGET), *TARGET)
        np.testing.assert_array_equal(data["K"], exact.K)
        assert (data["width"], data["height"], data["baseline"]) == (*TARGET, BASELINE_M)
        assert exact.mount is not None
        np.testing.assert_allclose(data["mount"], exact.mount, atol=1e-12)
        here, before = (camera_pose(snippet.world, snippet.tick(snippet.name.number + o)) for o in (0, -1))
        truth = here.motion_to(before)
        motion = np.array(data["neighbour"]["motion"])
        np.testing.assert_allclose(motion[:3, 3], truth[:3, 3], atol=1e-4)  # 0.1 mm
        np.testing.assert_allclose(motion[:3, :3], truth[:3, :3], atol=1e-6)


def _cells(array: Array) -> Array:
    """Return the 4 x 4 source pixels of each target pixel, (h, w, 16)."""
    height, width = array.shape[0] // 4, array.shape[1] // 4
    return array.reshape(height, 4, width, 4).transpose(0, 2, 1, 3).reshape(height, width, 16)


def _whole_cells(miniature: Path, snippet: Snippet) -> Array:
    """Return where all source pixels of a target pixel have a disparity and show the scene."""
    split, key = _files(snippet)
    stem = f"{split}/{snippet.name.city}/{key}"
    codes = read_image(miniature / f"disparity/{stem}_disparity.png")
    raw = read_image(miniature / f"gtFine/{stem}_gtFine_labelIds.png")
    return np.asarray(_cells((codes > 0) & ~np.isin(raw, (1, 2, 3))).all(axis=2))


def test_depth_agrees_with_the_truth_after_resizing(miniature: Path) -> None:
    prep("init", "cityscapes", miniature)
    assert prep("resize", "--factor", "4") == 0
    for snippet in _fine():
        metres, valid = _depth(snippet)
        factor = BASELINE_M * make_camera(*SOURCE).K[0, 0]
        disparity = _cells(factor / _frame(snippet, snippet.name.number, SOURCE).depth_HW)
        whole = np.logical_and(_whole_cells(miniature, snippet), disparity.min(axis=2) > 0)
        assert valid[whole].all()
        true_disparity = disparity.mean(axis=2)[whole]
        true_depth = factor / true_disparity
        near = true_depth < 300  # the code's range ends at 327 m
        # Half a code of the disparity that was read and half a code of the depth that was written.
        tolerance = true_depth / true_disparity / 512 + DEPTH.scale_m / 2
        assert near.mean() > 0.9
        assert (np.abs(metres[whole] - true_depth) <= 1.001 * tolerance)[near].all()


def test_on_the_road_depth_is_that_of_each_new_pixels_centre(miniature: Path) -> None:
    prep("init", "cityscapes", miniature)
    assert prep("resize", "--factor", "4") == 0
    factor = BASELINE_M * make_camera(*SOURCE).K[0, 0]
    for snippet in _fine():
        metres, _ = _depth(snippet)
        small = _frame(snippet, snippet.name.number, (SOURCE[0] // 4, SOURCE[1] // 4))
        on_road = _cells(_frame(snippet, snippet.name.number, SOURCE).label_HW == 1).all(axis=2)
        road = np.logical_and(on_road, _whole_cells(miniature, snippet))
        true_depth = small.depth_HW[road]
        tolerance = true_depth**2 / factor / 512 + DEPTH.scale_m / 2
        assert road.sum() > 500
        assert (np.abs(metres[road] - true_depth) <= 1.001 * tolerance).all()


def test_pixels_that_do_not_show_the_scene_are_invalid_everywhere(miniature: Path) -> None:
    prep("init", "cityscapes", miniature)
    assert prep("resize", "--factor", "1") == 0
    for snippet in _fine():
        split, key = _files(snippet)
        raw = read_image(miniature / f"gtFine/{split}/{snippet.name.city}/{key}_gtFine_labelIds.png")
        hidden = np.isin(raw, (1, 2, 3))
        assert hidden.mean() > 0.02
        assert not _depth(snippet)[1][hidden].any()
        assert (read_image(Path(split, "label_data", f"{key}.png"))[hidden] == 255).all()


def test_instances_are_those_of_things_alone(miniature: Path) -> None:
    prep("init", "cityscapes", miniature)
    assert prep("resize", "--factor", "2") == 0
    names = [c["name"] for c in json.loads(json.dumps(_names()))]
    for snippet in _fine():
        split, key = _files(snippet)
        label, instance = (read_image(Path(split, f"{name}_data", f"{key}.png")) for name in ("label", "instance"))
        shown = {names[i] for i in np.unique(label[instance > 0])}
        assert shown <= {"car", "person"}
        assert (instance[label == names.index("car")] // 1000 == 26).all(), "an instance follows its label"


def _names() -> list[JsonDict]:
    import tomllib

    classes: list[JsonDict] = tomllib.loads(Path("prep.toml").read_text())["class_map"]["classes"]
    return classes


def test_coarse_annotations_are_a_dataset_of_their_own(miniature: Path) -> None:
    assert prep("init", "cityscapes_coarse", miniature, "-C", "coarse") == 0
    assert prep("resize", "--factor", "1", "-C", "coarse") == 0
    assert prep("init", "cityscapes", miniature) == 0
    assert prep("resize", "--factor", "1") == 0
    for snippet in _fine():
        split, key = _files(snippet)
        fine, coarse = (read_image(Path(root, split, "label_data", f"{key}.png")) for root in (".", "coarse"))
        assert (coarse == 255).mean() > (fine == 255).mean()
        both = (coarse != 255) & (fine != 255)
        assert (coarse == fine)[both].mean() > 0.9
    assert list(Path("coarse/train_extra/label_data").iterdir())
