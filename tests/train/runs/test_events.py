"""Files for TensorBoard, read back record by record."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from segprep.datasets.errors import WriteFailedError
from segprep.datasets.imageio import decode_image
from segprep.train.runs.events import EventFile


def _masked(data: bytes) -> int:
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _events(path: Path) -> list[Any]:
    """Read a file as its format says, checksums included."""
    data, events = path.read_bytes(), []
    while data:
        length, of_length = struct.unpack("<QI", data[:12])
        (of_body,) = struct.unpack("<I", data[12 + length : 16 + length])
        assert (of_length, of_body) == (_masked(data[:8]), _masked(data[12 : 12 + length]))
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return events


def _shown(folder: Path) -> dict[tuple[str, int], float]:
    """What TensorBoard shows: a start hides what was said before of its step and later ones, but the first does not."""
    shown: dict[tuple[str, int], float] = {}
    started = False
    for path in sorted(folder.glob("*tfevents*")):
        for event in _events(path):
            if event.session_log.status == SessionLog.START:
                if started:
                    shown = {(tag, step): value for (tag, step), value in shown.items() if step < event.step}
                started = True
            shown |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
    return shown


def test_numbers_come_back_at_their_steps(tmp_path: Path) -> None:
    with EventFile(tmp_path) as events:
        events.scalars({"loss": 1.5, "val/mean_iou": 0.25}, 1)
        events.scalars({"loss": 0.5}, 2)
    (path,) = tmp_path.iterdir()
    assert "tfevents" in path.name
    assert _events(path)[0].file_version == "brain.Event:2"
    assert _shown(tmp_path) == {("loss", 1): 1.5, ("val/mean_iou", 1): 0.25, ("loss", 2): 0.5}


def test_a_picture_comes_back_pixel_by_pixel(tmp_path: Path) -> None:
    rgb_HWC = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    with EventFile(tmp_path) as events:
        events.image("panel", rgb_HWC, 3)
    (path,) = tmp_path.iterdir()
    event = _events(path)[-1]
    (value,) = event.summary.value
    assert (event.step, value.tag, value.image.height, value.image.width) == (3, "panel", 6, 9)
    np.testing.assert_array_equal(decode_image(value.image.encoded_image_string, Path("panel.png")), rgb_HWC)


def test_steps_that_come_again_hide_the_earlier_ones(tmp_path: Path) -> None:
    with EventFile(tmp_path) as events:
        for step in range(1, 6):
            events.scalars({"loss": step}, step)
    with EventFile(tmp_path, step=3) as events:  # the checkpoint was of step 3
        events.scalars({"loss": 40}, 4)
    assert _shown(tmp_path) == {("loss", 1): 1, ("loss", 2): 2, ("loss", 3): 3, ("loss", 4): 40}


def test_a_run_that_begins_again_hides_everything(tmp_path: Path) -> None:
    with EventFile(tmp_path) as events:
        events.scalars({"loss": 1}, 1)
    with EventFile(tmp_path, step=0) as events:
        events.scalars({"loss": 2}, 1)
    assert _shown(tmp_path) == {("loss", 1): 2}


def test_files_are_read_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    for _ in range(11):
        EventFile(tmp_path).close()
    names = [path.name for path in sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)]
    assert names == sorted(names)
    assert len(set(names)) == 11


_CHILD = """
import resource, sys
from pathlib import Path
from segprep.datasets.errors import WriteFailedError
from segprep.train.runs.events import EventFile

events = EventFile(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    for step in range(1, 1000):
        events.scalars({"loss": 0.5}, step)
except WriteFailedError as error:
    print(step, error)
"""


def test_a_full_disk_is_an_error_at_once_and_leaves_whole_records(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _CHILD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    step, _, message = done.stdout.partition(" ")
    assert f"{tmp_path}" in message
    assert "cannot be written" in message
    (path,) = tmp_path.iterdir()
    assert [event.step for event in _events(path) if event.HasField("summary")] == list(range(1, int(step)))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailedError, match="file stands where a folder is needed"):
        EventFile(tmp_path / "file" / "events")
