"""Videos in: frames one after the other, upright, with exact time stamps. Needs PyAV, which brings FFmpeg."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame as DecodedFrame

from segprep.datasets.errors import MachineError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio.files import MAX_PIXELS
from segprep.datasets.imageio.video_names import CAMERA, is_live
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import Array

__all__ = ["Frame", "VideoReader"]

_CLOCKLESS: Final = "mpjpeg"  # JPEG files one after the other: FFmpeg takes 25 of them for a second
_MILLISECONDS: Final = Fraction(1, 1000)
_SECONDS_TO_ANSWER: Final = 20.0
_QUARTER: Final = 90


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        index: 0, 1, ... in the order of time.
        pts: Its time stamp in units of the reader's `time_base`; each is larger than the one before.
        seconds: The same in seconds, exactly.
        rgb_HWC: (H, W, 3) uint8, upright and with square pixels.
    """

    index: int
    pts: int
    seconds: Fraction
    rgb_HWC: Array


class VideoReader:
    """Decodes a video from its first frame to its last. Use as a context manager.

    What the file says of its picture is applied: turned as its display matrix says, stretched to square pixels (along
    the side that grows, so that no pixel is lost). Colours are those of FFmpeg: of YUV in the matrix that the file
    names, of BT.601 where it names none.

    Args:
        source: A file, a URL (http, rtsp, ...), or `camera:0`, the first camera of a Linux machine.

    Attributes:
        time_base: Seconds of a unit of the time stamps.
        rate: Frames per second on average, as the file says; None where it does not.
        stated: How many frames there are, as the file says; None where it does not.
        damaged: How many packets or frames could not be decoded whole, so far.
        untimed: How many frames had no time stamp, or none after that of the frame before, so far. They got the
            next that the rate, or else the time base, allows.
        broke_off: Why a stream ended, if it was not by its own end.

    Raises:
        MissingInputError: If there is no such file.
        UnreadableFileError: If it is no video, or nothing answers.
        MachineError: If the machine is to blame that it cannot be read.
    """

    time_base: Fraction
    rate: Fraction | None
    stated: int | None

    def __init__(self, source: str | Path) -> None:
        self.source = str(source)
        self.damaged = self.untimed = 0
        self.broke_off: str | None = None
        live = is_live(self.source)
        if not live and not Path(self.source).exists():
            raise MissingInputError(f"{self.source} does not exist, but it is needed: check the path")
        name, kind = self.source, None
        if name.startswith(CAMERA):
            name, kind = f"/dev/video{name.removeprefix(CAMERA)}", "v4l2"
        try:
            self._container = av.open(name, format=kind, timeout=_SECONDS_TO_ANSWER if live else None)
        except (av.FFmpegError, ValueError) as error:
            raise self._unreadable(error) from error
        try:
            self._begin()
        except BaseException:
            self._container.close()
            raise

    def _begin(self) -> None:
        if not self._container.streams.video:
            raise UnreadableFileError(f"{self.source} holds no pictures: it is no video")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._clockless = self._container.format.name == _CLOCKLESS
        self.time_base = _MILLISECONDS if self._clockless else self._stream.time_base or _MILLISECONDS
        rate = None if self._clockless else self._stream.average_rate or self._stream.guessed_rate
        self.rate = Fraction(rate) if rate else None
        self.stated = self._stream.frames or None
        width, height = self._stream.codec_context.width, self._stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise UnreadableFileError(
                f"{self.source}: frames of {width}x{height} pixels are more than the {MAX_PIXELS} that are accepted"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._container.close()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames. What cannot be decoded is left out and counted.

        Raises:
            UnreadableFileError: If the frames change their size.
            MachineError: If the machine is to blame.
        """
        size: tuple[int, ...] | None = None
        last: int | None = None
        for index, decoded in enumerate(self._decoded()):
            rgb_HWC = self._upright(decoded)
            if size is not None and rgb_HWC.shape != size:
                raise UnreadableFileError(
                    f"{self.source} changes its size from {size[1]}x{size[0]} to {rgb_HWC.shape[1]}x{rgb_HWC.shape[0]} "
                    f"at frame {index}: cut it there"
                )
            size = rgb_HWC.shape
            last = self._time_stamp(decoded, last)
            yield Frame(index, last, last * self.time_base, rgb_HWC)

    def _decoded(self) -> Iterator[DecodedFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.InvalidDataError:
                self.damaged += 1
                return  # behind a hole in the container nothing can be found any more
            except av.FFmpegError as error:
                if not is_live(self.source):
                    raise self._unreadable(error) from error
                self.broke_off = error.strerror or str(error)
                yield from self._stream.codec_context.decode(None)  # what the decoder still holds
                return
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                return
            except av.error.InvalidDataError:
                self.damaged += 1
                continue
            for frame in decoded:
                if isinstance(frame, DecodedFrame):
                    self.damaged += frame.is_corrupt
                    yield frame

    def _time_stamp(self, decoded: DecodedFrame, last: int | None) -> int:
        if self._clockless:
            now = round(time.monotonic() / _MILLISECONDS)
            return now if last is None else max(now, last + 1)
        if decoded.pts is not None and (last is None or decoded.pts > last):
            return decoded.pts
        self.untimed += 1
        if last is None:
            return 0
        return last + max(1, round(1 / self.rate / self.time_base) if self.rate and decoded.pts is None else 1)

    def _upright(self, decoded: DecodedFrame) -> Array:
        if decoded.width * decoded.height > MAX_PIXELS:
            raise UnreadableFileError(
                f"{self.source}: a frame of {decoded.width}x{decoded.height} pixels is larger than is accepted"
            )
        rgb_HWC: Array = decoded.to_ndarray(format="rgb24")
        aspect = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio
        if aspect and aspect != 1:
            height, width = rgb_HWC.shape[:2]
            grown = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
            rgb_HWC = cv2.resize(rgb_HWC, grown, interpolation=cv2.INTER_LINEAR_EXACT)
        quarters, rest = divmod(decoded.rotation, _QUARTER)
        if rest:
            raise UnreadableFileError(
                f"{self.source} is to be turned by {decoded.rotation} degrees: only quarter turns are known"
            )
        return np.ascontiguousarray(np.rot90(rgb_HWC, quarters))  # both count against the clock

    def _unreadable(self, error: Exception) -> UnreadableFileError | MachineError:
        if isinstance(error, OSError) and not is_live(self.source):
            blame_machine(self.source, error)
        why = getattr(error, "strerror", None) or str(error)
        what = "gives no pictures" if is_live(self.source) else "is no readable video"
        return UnreadableFileError(f"{self.source} {what}: {why}")
