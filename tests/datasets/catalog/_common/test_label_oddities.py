"""Label files with strays, loss, or values that are no classes: what was found in them is told."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.errors import ConfigurationError, DatasetNotFoundError
from segprep.datasets.imageio import encode_image
from segprep.datasets.notices import About
from support.found_labels import BLACK, GREEN, OLIVE, RED, found, told, train_ids
from support.label_files import jpeg, label_folder, patches

# --- strays and loss


def test_colours_of_a_few_pixels_are_ignored_and_counted(tmp_path: Path) -> None:
    labels = [patches((1, 2, 3), (4, 5, 6), (7, 8, 9)) for _ in range(8)]
    labels[3][0, ::4][:12] = [(64, 64, i) for i in range(12)]  # more than there are classes
    source = DatasetSource(label_folder(tmp_path, *labels))
    class_map = found(source)
    assert len(class_map.classes) == 3
    assert {(64, 64, i) for i in range(12)} <= {*class_map.ignored_colors}
    assert "12 colours are ignored, because each holds fewer than 100 pixels and less than 0.01% of all" in told(source)


def test_jpeg_is_found_by_its_bytes_and_refused(tmp_path: Path) -> None:
    label_folder(tmp_path, patches(RED, GREEN, OLIVE), jpeg(patches(RED, GREEN, OLIVE)))
    for classes in (None, ClassMap((SemanticClass("red", RED, (0,)),), ())):
        with pytest.raises(ConfigurationError, match=r"1\.png is a JPEG.*--snap-labels"):
            found(DatasetSource(tmp_path, classes=classes))


@pytest.mark.parametrize("kept_as_png", [False, True])
def test_snapping_finds_the_classes_of_compressed_labels(tmp_path: Path, kept_as_png: bool) -> None:
    small = patches(BLACK, (220, 20, 60), (70, 130, 180), (107, 142, 35))
    truth = np.roll(small.repeat(4, axis=0).repeat(4, axis=1), 5, axis=(0, 1))
    data = jpeg(truth)
    if kept_as_png:
        data = encode_image(".png", np.array(Image.open(io.BytesIO(data))))
        with pytest.raises(ConfigurationError, match="looks like JPEG compression or smooth resizing"):
            found(DatasetSource(label_folder(tmp_path, data)))
    source = DatasetSource(label_folder(tmp_path, data), snap_distance=60)
    class_map = found(source)
    assert class_map.snap_distance == 60
    assert len(class_map.classes) == 4
    near = [np.argmin([np.abs(np.subtract(c.color, t)).sum() for c in class_map.classes]) for t in truth.reshape(-1, 3)]
    right = train_ids(source, class_map)[0] == np.reshape(near, truth.shape[:2])
    assert right.mean() > 0.9


def test_grey_masks_in_jpeg_snap_to_their_two_levels(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, jpeg(patches(0, 255))), snap_distance=60)
    class_map = found(source)
    assert (train_ids(source, class_map)[0] == patches(0, 1)).mean() > 0.95
    assert [c.raw_ids for c in class_map.classes] == [(0,), (255,)]


# --- what nothing reads


def test_bit_masks_and_instances_are_told_honestly(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path / "bits", patches(0, 1, 2, 4, 8)))
    found(source)
    assert "powers of two up to 8" in told(source, About.SUSPECT)
    ids = patches(1, 2, 3).astype(np.uint16) * 256 + patches(1, 2)
    source = DatasetSource(label_folder(tmp_path / "instances", ids))
    found(source)
    assert "raw_id_divisor = 256" in told(source, About.SUSPECT)


def test_alpha_that_is_data_is_described(tmp_path: Path) -> None:
    picture = np.dstack([patches(0, 7), patches(0), patches(0), patches(1, 2, 3)])
    with pytest.raises(DatasetNotFoundError, match=r"first reason: .*0\.png.*8 bits: red 0\.\.7 \(2 values\).*alpha"):
        found(DatasetSource(label_folder(tmp_path, picture)))


def test_pictures_are_no_labels(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for name, picture in (
        ("small", noise),
        ("large", np.tile(noise, (4, 4, 1)) ^ np.arange(256, dtype=np.uint8)[:, None]),
    ):
        with pytest.raises(ConfigurationError, match=r"different values; the channels hold 8 bits: red"):
            found(DatasetSource(label_folder(tmp_path / name, picture)))


def test_a_bad_file_is_named_and_does_not_end_the_listing(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(0, 1), b"not a picture"))
    assert len(found(source).classes) == 2
    assert "1.png is truncated or of an unknown format" in told(source, About.SUSPECT)
    with pytest.raises(DatasetNotFoundError, match=r"The first reason: .*0\.png is empty"):
        found(DatasetSource(label_folder(tmp_path / "all", b"")))
