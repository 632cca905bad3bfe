"""The miniature of Cityscapes: what its records say is what was rendered."""

import math
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import cityscapes
from segprep.datasets.catalog._cityscapes.miniature import Snippet, write_cityscapes
from segprep.datasets.catalog._cityscapes.pixels import BASELINE_M
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import code_from_json
from segprep.datasets.record import Direction
from segprep.datasets.synthetic import Frame, camera_pose, make_camera, render
from support.cityscapes import assert_motion, fine_snippets, read, scan

SIZE = (512, 256)


def rendered(snippet: Snippet) -> Frame:
    return render(snippet.world, snippet.tick(snippet.name.number), *SIZE)


def test_each_sample_has_all_parts_of_its_own_frame(pristine: Path) -> None:
    records = scan(pristine)
    assert list(records) == [f"aachen_00000{i}_000019" for i in range(3)] + ["frankfurt_000000_000294"]
    assert [r.split for r in records.values()] == ["train"] * 3 + ["val"]
    for key, record in records.items():
        folder = f"{record.split}/{key.split('_')[0]}/{key}"
        assert {name: source.path for name, source in record.sources.items()} == {
            "image": f"leftImg8bit/{folder}_leftImg8bit.png",
            "label": f"gtFine/{folder}_gtFine_labelIds.png",
            "instance": f"gtFine/{folder}_gtFine_instanceIds.png",
            "disparity": f"disparity/{folder}_disparity.png",
            "previous": f"leftImg8bit_sequence/{folder[:-6]}{record.frame - 1:06d}_leftImg8bit.png",  # type: ignore[operator]
        }


def test_cameras_are_those_that_rendered_the_pictures(pristine: Path) -> None:
    truth = make_camera(*SIZE)
    for snippet in fine_snippets():
        camera = scan(pristine)[snippet.name.stem].camera
        assert camera is not None
        assert camera.mount is not None
        assert truth.mount is not None
        assert (camera.width, camera.height) == SIZE
        np.testing.assert_array_equal(camera.K, truth.K)
        assert camera.baseline == BASELINE_M
        np.testing.assert_allclose(camera.mount, truth.mount, atol=1e-12)


def test_road_pixels_lie_on_the_ground_and_the_left_half_to_the_left(pristine: Path) -> None:
    for snippet in fine_snippets():
        record, frame = scan(pristine)[snippet.name.stem], rendered(snippet)
        assert record.camera is not None
        assert record.camera.mount is not None
        label_HW = read(pristine, record, "label")[0]
        y, x = np.nonzero(label_HW == 7)
        rays = np.linalg.inv(record.camera.K) @ np.stack([x, y, np.ones(len(x))])
        points = record.camera.mount @ np.vstack([rays * frame.depth_HW[y, x], np.ones(len(x))])
        assert len(x) > 10_000
        assert np.abs(points[2]).max() < 1e-6
        assert (points[0] > 0).all()
        assert ((points[1] > 0) == (x < 255.5)).all()


@pytest.mark.parametrize("direction", Direction)
def test_the_motion_is_the_true_one_between_the_two_pictures(pristine: Path, direction: Direction) -> None:
    turns = []
    for snippet in fine_snippets():
        record = scan(pristine, direction=direction)[snippet.name.stem]
        other = snippet.beside(-1 if direction is Direction.PREVIOUS else 1)
        ticks = [snippet.tick(n.number) for n in (snippet.name, other)]
        here, there = (camera_pose(snippet.world, tick) for tick in ticks)
        near = record.neighbour
        assert near is not None
        assert near.motion is not None
        assert near.frame == other.number
        assert near.time_difference == pytest.approx((ticks[1] - ticks[0]) / 1000, abs=1e-9)
        assert_motion(near.motion, here, there, metres=1e-5, radians=1e-9)
        turns.append(math.atan2(near.motion[0, 2], near.motion[2, 2]))
    assert max(np.abs(turns)) > 1e-3, "the drive must turn to show anything"


def test_depth_from_disparity_is_the_rendered_one_within_half_a_code(pristine: Path) -> None:
    for snippet in fine_snippets():
        record, frame = scan(pristine)[snippet.name.stem], rendered(snippet)
        assert record.camera is not None
        assert record.camera.baseline is not None
        stored, valid_HW = read(pristine, record, "disparity")
        raw_HW = read(pristine, record, "label")[0]
        pixels_HW, _ = code_from_json(record.sources["disparity"].code).decode(stored, None)
        shown_HW = cityscapes.class_map(DatasetSource(pristine)).shows_scene(raw_HW)
        assert valid_HW is not None
        assert not valid_HW[(raw_HW == 2) | (raw_HW == 3)].any()
        at = valid_HW & shown_HW
        assert 0.85 < at.mean() < 0.9  # some of the shown ones are out of the right camera's sight
        assert (shown_HW & ~valid_HW).sum() > 100
        true_pixels = record.camera.K[0, 0] * record.camera.baseline / frame.depth_HW[at]
        assert np.abs(pixels_HW[at] - true_pixels).max() <= 0.5 / 256 + 1e-6
        assert (pixels_HW[at & (raw_HW == 23)] == 0).all()
        near = at & (frame.depth_HW < 20)
        depth = record.camera.K[0, 0] * record.camera.baseline / pixels_HW[near]
        assert np.abs(depth / frame.depth_HW[near] - 1).max() < 0.5 / 256 / (96 / 20) * 1.01


def test_instances_belong_to_their_class_and_class_ids_are_none(pristine: Path) -> None:
    for record in scan(pristine).values():
        raw_HW, instance_HW = read(pristine, record, "label")[0], read(pristine, record, "instance")[0]
        some = instance_HW > 0
        assert (some == np.isin(raw_HW, (24, 26))).all()
        assert (instance_HW[some] // 1000 == raw_HW[some]).all()
        assert {int(i) for i in np.unique(instance_HW[raw_HW == 26])} == {
            26000 + n for n in range(len(np.unique(instance_HW[raw_HW == 26])))
        }


def test_what_hides_the_scene_stays_where_it_is_and_is_masked(pristine: Path) -> None:
    classes = cityscapes.class_map(DatasetSource(pristine))
    for record in scan(pristine).values():
        raw_HW = read(pristine, record, "label")[0]
        hidden = ~classes.shows_scene(raw_HW)
        assert {int(i) for i in np.unique(raw_HW[hidden])} == {1, 2, 3}
        assert 0.05 < hidden.mean() < 0.15
        assert raw_HW[-6, 256] == 1
        image, previous = (read(pristine, record, column)[0] for column in ("image", "previous"))
        assert (image[hidden] == previous[hidden]).all()
        assert (image[~hidden] != previous[~hidden]).mean() > 0.3


def test_equal_arguments_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_cityscapes(tmp_path / name, fine=1, coarse_only=0)
    contents = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("a", "b")
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 8 + 3 * 3
