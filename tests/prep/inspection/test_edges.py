"""Edges tell whether a label lies on its image: rendered and real ones, turned and mirrored in every way."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image
from segprep.datasets.imageio.exif import oriented
from segprep.datasets.sample import Array
from segprep.datasets.synthetic import World, render
from segprep.prep.inspection.edges import edge_grid, edge_likeness


def _square(picture: Array) -> Array:
    side = min(picture.shape[:2])
    return picture[:side, -side:]


def _likeness(image: Array, label: Array, orientation: int) -> float:
    return edge_likeness(edge_grid(image, ids=False), edge_grid(oriented(label, orientation), ids=True))


def _least_lead(image: Array, label: Array) -> float:
    image, label = _square(image), _square(label)
    others = [_likeness(image, label, orientation) for orientation in range(2, 9)]
    return _likeness(image, label, 1) - max(others)


@pytest.mark.parametrize("seed", range(3))
def test_a_rendered_label_is_most_like_its_image_where_it_lies(seed: int) -> None:
    frame = render(World(seed=seed), 0, width=160, height=96)
    assert _least_lead(frame.rgb_HWC, frame.label_HW) > 0.1
    colours = np.random.default_rng(seed).integers(0, 256, (256, 3), np.uint8)[frame.label_HW]
    assert _least_lead(frame.rgb_HWC, colours) > 0.1


def test_rendered_depth_is_most_like_its_image_where_it_lies() -> None:
    frame = render(World(seed=1), 0, width=160, height=96)
    depth = np.minimum(frame.depth_HW, 60)
    right, turned = (
        edge_likeness(edge_grid(frame.rgb_HWC, ids=False), edge_grid(oriented(depth, o), ids=False)) for o in (1, 3)
    )
    assert right > turned + 0.1


def test_real_labels_are_most_like_their_images_where_they_lie(shared_data: Path) -> None:
    paths = sorted((shared_data / "camvid/train").glob("*.png"))[::30]
    assert paths
    for path in paths:
        label = read_image(shared_data / "camvid/trainannot" / path.name)
        assert _least_lead(read_image(path), label) > 0, path.name


def test_pictures_without_edges_are_like_nothing() -> None:
    flat = np.full((40, 50, 3), 7, np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    assert edge_likeness(edge_grid(flat, ids=False), edge_grid(noise, ids=True)) == 0
