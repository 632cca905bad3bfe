"""What reaches the shards agrees with the exact truth of the rendered world."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.codes import code_from_json
from segprep.datasets.sample import Array, Mask, scale_map
from segprep.datasets.shards import ShardStore
from segprep.datasets.synthetic import camera_pose, drive_world, make_camera, motion, render
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ShardStore:
    """The train split of a short drive at half size; rows are shuffled frames but 0, which has no neighbour."""
    root = tmp_path_factory.mktemp("truth")
    place = root / "ws"
    assert prep("init", "synthetic", "--miniature", root / "drive", "--frames", "5", "-C", place) == 0
    assert prep("resize", "--factor", "2", "-C", place) == 0
    assert prep("flow", "-C", place) == 0
    assert prep("shard", "-C", place) == 0
    return ShardStore.open(place / "shards/train.zarr")


def _frame(store: ShardStore, row: int) -> int:
    return int(store.keys[row].rpartition("_")[2])


def test_cameras_poses_and_motions_are_those_of_the_truth_at_the_new_size(store: ShardStore) -> None:
    world = drive_world(seed=0, sequence=0)
    full = make_camera(512, 256)
    expected = scale_map((512, 256), (256, 128)) @ full.K
    for row in range(len(store)):
        frame = _frame(store, row)
        pose, before = camera_pose(world, frame), camera_pose(world, frame - 1)
        found = (store.camera_K(row), store.pose(row), store.motion(row))
        for matrix, truth in zip(found, (expected, pose.matrix, pose.motion_to(before)), strict=True):
            assert matrix is not None
            assert np.allclose(matrix, truth, atol=1e-9)
        assert tuple(store.source_size(row)) == (512, 256)


def test_depth_survives_resizing_and_coding(store: ShardStore) -> None:
    world = drive_world(seed=0, sequence=0)
    code = code_from_json(store.columns["depth"].code)
    depth, valid = code.decode(store.read("depth", 1), store.read_valid("depth", 1))
    assert valid is not None
    truth = render(world, _frame(store, 1), 512, 256).depth_HW
    cells = truth.reshape(128, 2, 256, 2).transpose(0, 2, 1, 3).reshape(128, 256, 4)
    near = np.isfinite(cells.max(2))
    finite = np.where(near[..., None], cells, 0)
    smooth = near & (np.ptp(finite, axis=2) < 0.5)
    assert smooth.mean() > 0.5
    assert (
        np.abs(np.where(near, depth, 0) - finite.mean(2))[smooth].max() <= 0.005 + 1e-4
    )  # half a code before and after averaging
    sky = np.isinf(cells).all(2)
    assert sky.any()
    assert np.isinf(depth[sky]).all()


def test_flow_points_from_the_labelled_frame_to_the_previous_one(store: ShardStore) -> None:
    world = drive_world(seed=0, sequence=0)
    code = code_from_json(store.columns["optical_flow"].code)
    flow, valid = code.decode(store.read("optical_flow", 1), store.read_valid("optical_flow", 1))
    assert valid is not None
    truth = motion(world, _frame(store, 1), _frame(store, 1) - 1, 256, 128)
    clear = valid & truth.valid_HW & ~truth.occluded_HW & ~truth.moving_HW
    error = np.linalg.norm(flow - truth.flow_HW2, axis=2)[clear]
    length = np.linalg.norm(truth.flow_HW2, axis=2)[clear]
    assert np.median(error) < 0.5
    assert np.median(np.linalg.norm(flow + truth.flow_HW2, axis=2)[clear]) > np.median(length), "the sign is right"


def _vectors(store: ShardStore, name: str, row: int = 0) -> tuple[Array, Mask]:
    values, valid = code_from_json(store.columns[name].code).decode(store.read(name, row), store.read_valid(name, row))
    assert valid is not None
    return values, valid


def test_the_motion_image_is_what_the_ego_flow_leaves_within_half_a_grey_level(store: ShardStore) -> None:
    assert store.columns["flow"].attributes["source"] == "optical_flow - ego_flow"
    vectors, seen = _vectors(store, "flow")
    (optical, optical_valid), (ego, ego_valid) = _vectors(store, "optical_flow"), _vectors(store, "ego_flow")
    valid = optical_valid & ego_valid
    inside = valid & (np.abs(optical - ego) < 19.8).all(2)
    assert np.abs(vectors - (optical - ego))[inside].max() <= 0.5 / 6.4 + 1e-5
    assert (store.read("flow", 0)[~valid] == (128, 128, 0)).all()
    assert np.array_equal(seen, valid)


def test_without_ego_flow_the_motion_image_is_the_flow(tmp_path: Path) -> None:
    prep("init", "synthetic", "--miniature", tmp_path / "drive", "--frames", "3")
    prep("resize", "--factor", "2")
    assert prep("flow", "--ego", "none") == 0
    assert prep("shard") == 0
    store = ShardStore.open(Path("shards/train.zarr"))
    assert "ego_flow" not in store.columns
    assert store.columns["flow"].attributes["source"] == "optical_flow"
    (vectors, valid), (optical, _) = _vectors(store, "flow"), _vectors(store, "optical_flow")
    inside = valid & (np.abs(optical) < 19.8).all(2)
    assert np.abs(vectors - optical)[inside].max() <= 0.5 / 6.4 + 1e-5
