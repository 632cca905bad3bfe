"""What the machine is to blame for, and what not: by the error, and by what it was raised from."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from segprep.datasets.errors import ExitCode, MachineError, UnreadableFileError, WriteFailedError
from segprep.datasets.imageio import encode_image, read_image
from segprep.datasets.machine import blame_machine, machine_error

MACHINES = ("ENOMEM", "EMFILE", "ENFILE", "EIO", "EACCES", "EPERM", "ENOSPC", "EDQUOT", "ESTALE", "ETIMEDOUT", "EPIPE")
FILES = ("ENOENT", "EISDIR", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EINVAL")


def _system(name: str) -> OSError:
    number = getattr(errno, name)
    return OSError(number, os.strerror(number), "picture.png")


@pytest.mark.parametrize("name", MACHINES)
def test_the_system_names_what_the_machine_refuses(name: str) -> None:
    told = machine_error(_system(name))
    assert told is not None
    assert str(told).startswith(f"picture.png: {_system(name).strerror}. ")
    assert (told.errno, told.exit_code) == (getattr(errno, name), ExitCode.BAD_INPUT)
    with pytest.raises(MachineError, match=rf"other\.png cannot be read: {_system(name).strerror}\. \w+"):
        blame_machine(Path("other.png"), _system(name))


@pytest.mark.parametrize("name", FILES)
def test_what_is_wrong_with_a_file_is_not_the_machines_fault(name: str) -> None:
    assert machine_error(_system(name)) is None
    blame_machine(Path("other.png"), _system(name))


def test_an_error_without_a_number_is_not_the_machines_fault() -> None:
    assert machine_error(OSError("image file is truncated")) is None
    assert machine_error(ValueError("no number")) is None


def _raise_from(cause: Exception) -> UnreadableFileError:
    try:
        raise UnreadableFileError("a.png cannot be read: Too many open files") from cause
    except UnreadableFileError as error:
        return error


def test_an_error_is_judged_by_what_it_was_raised_from() -> None:
    told = machine_error(_raise_from(_system("EMFILE")))
    assert str(told).startswith("a.png cannot be read: Too many open files. This process may open no more files")
    assert machine_error(_raise_from(_system("ENOENT"))) is None
    full = WriteFailedError("a.png cannot be written (No space left on device): the disk is full")
    assert str(machine_error(full)) == str(full)
    first, second = ValueError("the first"), ValueError("the second")
    first.__cause__, second.__cause__ = second, first
    assert machine_error(first) is None


def _huge_array() -> object:
    return np.empty(1 << 60, np.uint8)


def _huge_picture() -> object:
    return cv2.resize(np.zeros((8, 8, 4), np.float64), (1 << 22, 1 << 22))  # more than any process can address


@pytest.mark.parametrize(("need", "library"), [(_huge_array, "Unable to allocate"), (_huge_picture, "OpenCV")])
def test_memory_that_is_not_there_is_the_machines_fault(need: Callable[[], object], library: str) -> None:
    with pytest.raises(Exception, match=library) as caught:
        need()
    told = machine_error(caught.value)
    assert str(told).startswith("out of memory (")
    assert library in str(told)
    assert "run again with fewer --workers" in str(told)


def test_another_error_of_opencv_is_not_the_machines_fault() -> None:
    with pytest.raises(cv2.error) as caught:
        cv2.resize(np.zeros((0, 0), np.float32), (4, 4))
    assert machine_error(caught.value) is None


def test_a_header_that_is_nested_too_deep_is_damage_and_no_lack_of_memory(tmp_path: Path) -> None:
    text = (b"{'shape': " + b"(" * 30000).ljust(60000)
    path = tmp_path / "deep.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(UnreadableFileError, match="its header is damaged") as caught:
        read_image(path)
    assert machine_error(caught.value) is None


_FEW_FILES = """
import resource, sys
from pathlib import Path
from segprep.datasets.imageio import read_image
from segprep.datasets.machine import machine_error
path = Path(sys.argv[1])
read_image(path)
resource.setrlimit(resource.RLIMIT_NOFILE, (20, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
opened = []
try:
    while True:
        opened.append(open(path, "rb"))
except OSError:
    pass
try:
    read_image(path)
except OSError as error:
    told = machine_error(error)
    opened.clear()
    print(told)
"""


def test_a_picture_that_cannot_be_opened_for_too_many_files_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode_image(".png", np.zeros((4, 4), np.uint8)))
    done = subprocess.run([sys.executable, "-c", _FEW_FILES, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path} cannot be read: Too many open files. This process may open no more files")
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 20, "of that process alone"
