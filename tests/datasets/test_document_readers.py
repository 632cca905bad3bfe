"""Every reader of JSON, TOML and texts: damage and what is no file is one error that names the file."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from segprep.datasets.augmentation.table import read_config
from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._cityscapes import calibration as cityscapes
from segprep.datasets.catalog._common.intrinsics import read_intrinsics, read_pinhole_json
from segprep.datasets.catalog._common.trajectories import read_pose
from segprep.datasets.catalog._kitti.oxts import read_oxts
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.class_files import read_class_map
from segprep.datasets.errors import SegprepError
from segprep.datasets.imageio import write_image
from segprep.datasets.record import Direction
from segprep.datasets.shards.root import read_attributes
from segprep.datasets.workspace import load_workspace
from segprep.datasets.workspace.cells import read_record_cell


def _folder(path: Path) -> object:
    return list(CATALOG.load("folder").scan(DatasetSource(path.parents[1]), Direction.PREVIOUS))


def _synthetic(path: Path) -> object:
    return list(CATALOG.load("synthetic").scan(DatasetSource(path.parent), Direction.PREVIOUS))


JSON: dict[str, Callable[[Path], object]] = {
    "camera.json": read_pinhole_json,
    "a_camera.json": lambda path: cityscapes.read_camera(path, 8, 4),
    "a_vehicle.json": cityscapes.read_odometry,
    "cell.json": read_record_cell,
    "depth_data/scale.json": _folder,
    "drive.json": _synthetic,
    "classes.json": read_class_map,
    "zarr.json": lambda path: read_attributes(path.parent),
}
TOML: dict[str, Callable[[Path], object]] = {
    "prep.toml": lambda path: load_workspace(path.parent),
    "classes.toml": read_class_map,
    "augmentation.toml": read_config,
}
TEXT: dict[str, Callable[[Path], object]] = {
    "K.txt": read_intrinsics,
    "pose.txt": read_pose,
    "oxts.txt": read_oxts,
    "timestamp.txt": cityscapes.read_timestamp,
}
BAD_JSON = {
    "nested": b"[" * 5000,
    "nested objects": b'{"a":' * 5000,
    "twice": b'{"a": 1, "a": 2}',
    "large": b'{"width": 1e400}',
    "digits": b'{"width": ' + b"9" * 400 + b"}",
    "NUL": b"\0",
    "NaN": b'{"width": NaN}',
    "no UTF-8": b'{"a": "\xff"}',
    "empty": b"",
}
BAD_TOML = {"nested": b"a = " + b"[" * 5000, "large": b"a = 1e400", "NUL": b'a = "\\u0000"', "no UTF-8": b'a = "\xff"'}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_image(tmp_path / "image_data" / "a.png", np.zeros((4, 6, 3), np.uint8))
    return tmp_path


@pytest.mark.parametrize("content", BAD_JSON.values(), ids=BAD_JSON)
@pytest.mark.parametrize("name", JSON)
def test_damaged_json_is_named(pictures: Path, name: str, content: bytes) -> None:
    _refused(pictures / name, JSON[name], content)


@pytest.mark.parametrize("content", BAD_TOML.values(), ids=BAD_TOML)
@pytest.mark.parametrize("name", TOML)
def test_damaged_toml_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    _refused(tmp_path / name, TOML[name], content)


@pytest.mark.parametrize("name", [*JSON, *TOML, *TEXT])
def test_nobody_waits_for_a_pipe(pictures: Path, name: str) -> None:
    path = pictures / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    # Whoever waits for a writer gets one that writes nothing: the test fails then, and does not wait as well.
    writer = Thread(target=lambda: os.close(os.open(path, os.O_WRONLY)), daemon=True)
    writer.start()
    read = (JSON | TOML | TEXT)[name]
    with pytest.raises(SegprepError, match="it is a pipe where a file is needed"):
        read(path)
    while writer.is_alive():  # it waits for a reader
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        writer.join(0.001)


def _refused(path: Path, read: Callable[[Path], object], content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(SegprepError) as raised:
        read(path)
    assert path.name in str(raised.value)
