"""Labels of well-known datasets mean what these say."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._common.found_classes import found_class_map
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.imageio import read_image
from support.found_labels import BLACK, found, train_ids
from support.label_files import label_folder


@pytest.mark.parametrize(
    ("pattern", "reading", "raw_ids", "ignored"),
    [
        ("ade20k/annotations/training/*.png", "stored", {0, 1, 4, 139, 150}, (255,)),
        ("bdd100k/to_rle_sem_seg_0.png", "stored", {0, 1, 2, 13, 14}, (255,)),
        ("labelme/expected/*.png", "stored", {0, 5, 9, 15, 18}, (255,)),
        ("mmseg_miniatures/pseudo_mapillary_dataset/v1.2/*.png", "stored", {17, 44, 45}, (255,)),
        ("apolloscape/stereo_gt/*g_mask/*.png", "stored", {0, 65535}, (255,)),
        ("loveda/ann_dir/*.png", "stored", {1, 2, 3, 7}, (255,)),
        ("mmseg_miniatures/pseudo_dataset/gts/*.png", "colors", {0, 1, 2, 3, 4, 5}, (255,)),
    ],
)
def test_real_labels_mean_what_their_data_set_says(
    shared_data: Path, pattern: str, reading: str, raw_ids: set[int], ignored: tuple[int, ...]
) -> None:
    paths = sorted((shared_data / "catalog").glob(pattern))
    class_map = found_class_map(paths, DatasetSource(shared_data))
    assert class_map is not None
    assert class_map.reading == reading
    assert raw_ids <= {c.raw_ids[0] for c in class_map.classes}
    assert class_map.ignored_raw_ids == ignored


def test_real_labels_in_the_colours_of_camvid_keep_black_as_void(shared_data: Path, tmp_path: Path) -> None:
    camvid = CATALOG.load("camvid").class_map(DatasetSource(shared_data / "camvid"))
    labels = [read_image(p) for p in sorted((shared_data / "camvid/valannot").glob("*.png"))[:100:20]]
    source = DatasetSource(label_folder(tmp_path, *(camvid.colored(camvid.to_train_ids(label)) for label in labels)))
    class_map = found(source)
    assert {c.color for c in class_map.classes} <= {c.color for c in camvid.classes}
    assert class_map.ignored_colors == (BLACK,)
    place = {color: i for i, color in enumerate(c.color for c in camvid.classes)}
    table = np.array([place[c.color] for c in class_map.classes] + [255] * (256 - len(class_map.classes)))
    for label, ids in zip(labels, train_ids(source, class_map), strict=True):
        np.testing.assert_array_equal(table[ids], camvid.to_train_ids(label))


def test_real_bit_masks_with_data_in_alpha_are_told(shared_data: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"red 0\.\.35 \(14 values\).*BDD100K"):
        found_class_map([shared_data / "catalog/bdd100k/panseg_bitmask.png"], DatasetSource(shared_data))
