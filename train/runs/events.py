"""What TensorBoard shows: numbers and pictures over the steps, in its own format.

Only the messages come from tensorboardX. Its writer writes in another thread, and when that fails, as on a full disk,
the training waits for it for ever; here a record is written when it comes, and what goes wrong is raised.
"""

import errno
import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import google_crc32c
import numpy as np
import numpy.typing as npt
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from segprep.datasets.atomic import write_failed
from segprep.datasets.imageio import encode_image

__all__ = ["EventFile"]

_PREFIX: Final = "events.out.tfevents."
_VERSION: Final = "brain.Event:2"
_RGB: Final = 3  # of the format's colour spaces


class EventFile:
    """A file of events in a folder that TensorBoard watches. A folder may hold several; they are read in order.

    Args:
        folder: Made if need be.
        step: Steps that were done before. TensorBoard hides what earlier files say of later steps: these come again.

    Raises:
        WriteFailedError: If the file cannot be written.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # TensorBoard reads in the order of the names. A count is in order even where a clock is not.
            number = max((_number(path) for path in folder.glob(f"{_PREFIX}*")), default=0) + 1
            self._path = folder / f"{_PREFIX}{number:010d}"
            self._file = self._path.open("xb", buffering=0)
        except OSError as error:
            raise write_failed(folder, error) from error
        self._write(Event(wall_time=time.time(), file_version=_VERSION))
        # TensorBoard takes the first start that it sees for the beginning and hides nothing: each file needs one.
        start = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=step + 1, session_log=start))

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Add numbers, each under its own name; `loss/road` is shown in a group `loss`.

        Raises:
            WriteFailedError: If the disk is full.
        """
        self._add([Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()], step)

    def image(self, tag: str, rgb_HWC: npt.NDArray[np.uint8], step: int) -> None:
        """Add an (H, W, 3) uint8 RGB picture.

        Raises:
            WriteFailedError: If the disk is full.
        """
        height, width, _ = rgb_HWC.shape
        png = encode_image(".png", rgb_HWC)
        image = Summary.Image(height=height, width=width, colorspace=_RGB, encoded_image_string=png)
        self._add([Summary.Value(tag=tag, image=image)], step)

    def close(self) -> None:
        """Close the file; everything was written before."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add(self, values: list[Any], step: int) -> None:
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _write(self, event: Any) -> None:  # noqa: ANN401  (the messages have no types)
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        record = length + _checksum(length) + data + _checksum(data)
        end = self._file.tell()
        try:
            if self._file.write(record) != len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._file.fileno(), end)  # a part of a record would hide what is written later
            self._file.seek(end)
            raise write_failed(self._path, error) from error


def _checksum(data: bytes) -> bytes:
    """Return the checksum as the format masks it: rotated by 15 bits, plus a constant."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _number(path: Path) -> int:
    last = path.name.removeprefix(_PREFIX)
    return int(last) if last.isdecimal() else 0
