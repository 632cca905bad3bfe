"""Every importer keeps what importers promise, and paints the miniature as it was drawn."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.class_files import read_class_map
from segprep.datasets.conformance import check_importer
from segprep.datasets.imageio import read_image
from segprep.datasets.importers import IMPORTERS, importer_called
from segprep.datasets.importers._common.miniature import painted_boxes
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.writing import import_annotations


@pytest.mark.parametrize("name", IMPORTERS.names())
def test_every_importer_conforms(name: str, tmp_path: Path) -> None:
    check_importer(importer_called(name), tmp_path / "miniature")


@pytest.mark.parametrize("name", IMPORTERS.names())
def test_the_miniature_is_painted_pixel_by_pixel(name: str, tmp_path: Path) -> None:
    importer = importer_called(name)
    importer.write_miniature(tmp_path / "source", 2)
    with ImportSource(tmp_path / "source") as source:
        import_annotations(importer, source, tmp_path / "out")
    classes = read_class_map(tmp_path / "out/classes.toml")
    for index in range(2):
        (path,) = (tmp_path / "out").glob(f"*/label_data/*{index:03d}.png")
        names = np.array([name.strip("_") for name in classes.names])[classes.to_train_ids(read_image(path))]
        expected = np.array(["background", "car", "person"])[painted_boxes(index)]
        assert np.array_equal(names, expected)
