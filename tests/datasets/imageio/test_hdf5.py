"""Reading HDF5 and MATLAB's 7.3 files: one array, as MATLAB shows it, whole or not at all."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import decode_image, image_size, read_image
from segprep.datasets.sample import Array

PATH = Path("folder/a.h5")
DEPTH = np.random.default_rng(0).uniform(1, 8, (6, 5)).astype(np.float32)


def hdf5(fill: Callable[[Any], None], user_block: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=512 if user_block else 0) as file:
        fill(file)
    return user_block + buffer.getvalue()[len(user_block) :]


def holding(**arrays: Array) -> bytes:
    def fill(file: Any) -> None:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array

    return hdf5(fill)


def matlab(**arrays: Array) -> bytes:
    """Write arrays as MATLAB does with -v7.3: columns first, with the name of their class."""

    def fill(file: Any) -> None:
        for name, array in arrays.items():
            file[name] = array.T
            file[name].attrs["MATLAB_class"] = np.bytes_("single")
        file["#refs#/a"] = np.zeros((3, 4))  # a part of a cell array

    return hdf5(fill, b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))


@pytest.mark.parametrize("name", ["dataset", "depth", "a__b__c"])
def test_the_only_array_is_read_whatever_its_name_and_place(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(holding(**{name: DEPTH}))
    back = read_image(path)
    np.testing.assert_array_equal(back, DEPTH)
    assert back.dtype == np.float32
    assert image_size(path) == (5, 6)


@pytest.mark.parametrize("name", ["depth", "group__depths", "Depth"])
def test_of_several_arrays_the_one_called_depth_is_read(name: str) -> None:
    others: dict[str, Array] = {
        "rgb": np.zeros((3, 6, 5), np.uint8),
        "K": np.eye(3),
        "valid": np.ones((6, 5), np.uint8),
    }
    np.testing.assert_array_equal(decode_image(holding(**others, **{name: DEPTH}), PATH), DEPTH)


def test_what_is_no_grid_of_numbers_does_not_count() -> None:
    data = holding(depth_m=DEPTH, rgb=np.zeros((3, 6, 5)), focal=np.array(500.0), name=np.array([b"room"]))
    np.testing.assert_array_equal(decode_image(data, PATH), DEPTH)


def test_matlab_stores_columns_first_and_gets_rows_back(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(matlab(D=DEPTH))
    np.testing.assert_array_equal(read_image(path), DEPTH)
    assert image_size(path) == (5, 6)
    assert read_image(path).flags["C_CONTIGUOUS"]


def test_compressed_and_big_endian_numbers_are_read_in_the_machines_order() -> None:
    def fill(file: Any) -> None:
        file.create_dataset("depth", data=DEPTH.astype(">f8"), compression="gzip", chunks=(2, 5))

    back = decode_image(hdf5(fill), PATH)
    np.testing.assert_array_equal(back, DEPTH)
    assert back.dtype == np.dtype("=f8")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (holding(a=DEPTH, b=DEPTH), "one called depth or depths; it holds a 6x5, b 6x5"),
        (holding(a__depth=DEPTH, b__depth=DEPTH), "it holds a/depth 6x5, b/depth 6x5"),
        (matlab(depths=np.zeros((4, 6, 5), np.float32)), "it holds depths 5x6x4"),
        (holding(), "it holds none"),
        (holding(depth=np.zeros((0, 5))), "it holds depth 0x5"),
        (holding(depth=np.array([[b"text"]])), "it holds none"),
        (b"\x89HDF\r\n\x1a\n", "truncated or damaged"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512), "truncated or damaged"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(512), r"old version: save it again with save\(..., '-v7.3'\)"),
    ],
)
def test_files_that_do_not_hold_one_array_are_named(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "strange.h5"
    path.write_bytes(data)
    for read in (read_image, image_size):
        with pytest.raises(UnreadableFileError, match=says) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a_truncated_file_is_an_error() -> None:
    data = holding(depth=DEPTH)
    for length in (*range(0, len(data), 97), len(data) - 1):
        with pytest.raises(UnreadableFileError, match="folder"):
            decode_image(data[:length], PATH)


def test_arrays_in_other_files_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "raw.bin").write_bytes(DEPTH.tobytes())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        outside = [(str(tmp_path / "raw.bin"), 0, DEPTH.nbytes)]
        file.create_dataset("depth", DEPTH.shape, DEPTH.dtype, external=outside)
    with pytest.raises(UnreadableFileError, match="depth refers to other files"):
        read_image(tmp_path / "a.h5")


def test_arrays_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segprep.datasets.imageio.files.MAX_PIXELS", 29)
    with pytest.raises(UnreadableFileError, match="5x6 pixels are more than the 29"):
        decode_image(holding(depth=DEPTH), PATH)
