"""Videos out: each frame keeps its time stamp, and what is written plays whenever it ends. Needs PyAV."""

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame as CodedFrame

from segprep.datasets.atomic import PARTIAL_SUFFIX, StagedFile, commit, discard, write_failed
from segprep.datasets.errors import CodeRangeError, WriteFailedError
from segprep.datasets.imageio.video_names import IDS_SUFFIX, PICTURES_SUFFIX
from segprep.datasets.sample import Array

__all__ = ["VideoWriter"]


_USUAL_RATE: Final = Fraction(25)
_BT709, _LIMITED = 1, 1  # as FFmpeg numbers them
_GREY: Final = {np.dtype(np.uint8): "gray", np.dtype(np.uint16): "gray16le"}


class VideoWriter:
    """Writes pictures for people, or ids without any loss. Use as a context manager.

    `.mp4` holds (H, W, 3) uint8 RGB as H.264 in yuv420p, BT.709, which everything plays; odd sides grow by one pixel
    that repeats the last. `.mkv` holds (H, W) uint8 or uint16 as FFV1, which gives every number back; Matroska keeps
    time stamps to a millisecond.

    The file has a temporary name until the block ends; it gets its own then, with the frames that there are, also if
    the block ends by Ctrl-C. Of any other exception, and without frames, nothing is left.

    Args:
        path: Ends in `.mp4` or `.mkv`.
        time_base: Seconds of a unit of the time stamps.
        rate: Frames per second on average, for players that ask; 25 where nobody knows.

    Raises:
        WriteFailedError: If it cannot be written.
    """

    def __init__(self, path: Path, time_base: Fraction, rate: Fraction | None = None) -> None:
        if path.suffix not in (PICTURES_SUFFIX, IDS_SUFFIX):
            raise CodeRangeError(f"there is no way to write {path.suffix!r} videos")
        self._file = StagedFile(path.with_name(f"{path.name}.{os.getpid()}{PARTIAL_SUFFIX}"), path)
        self._time_base, self._rate = time_base, rate or _USUAL_RATE
        self._lossless = path.suffix == IDS_SUFFIX
        self.frames = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._file.temporary), "w", format="matroska" if self._lossless else "mp4")
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        self._stream: av.VideoStream | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        whole = kind is None or issubclass(kind, KeyboardInterrupt)
        try:
            self._finish(whole and self.frames > 0)
        except BaseException:
            discard([self._file])
            raise

    def write(self, picture: Array, pts: int) -> None:
        """Append a frame.

        Args:
            picture: All of one video have the same shape and dtype.
            pts: Its time stamp, larger than the one before.

        Raises:
            CodeRangeError: If the video cannot hold such an array.
            WriteFailedError: If the disk is full.
        """
        pixels = picture if self._lossless else _even(picture)
        frame = self._coded(pixels)
        frame.pts, frame.time_base = pts, self._time_base
        try:
            if self._stream is None:
                self._stream = self._begun(pixels)
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        self.frames += 1

    def _coded(self, pixels: Array) -> CodedFrame:
        if self._lossless:
            if pixels.ndim != 2 or pixels.dtype not in _GREY:
                raise CodeRangeError(f"a video of ids cannot hold {pixels.dtype} of shape {pixels.shape}")
            return CodedFrame.from_ndarray(np.ascontiguousarray(pixels), format=_GREY[pixels.dtype])
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise CodeRangeError(f"a video of pictures cannot hold {pixels.dtype} of shape {pixels.shape}")
        rgb = CodedFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        yuv = rgb.reformat(format="yuv420p", dst_colorspace=_BT709)
        yuv.colorspace, yuv.color_range = _BT709, _LIMITED
        return yuv

    def _begun(self, pixels: Array) -> av.VideoStream:
        stream = self._container.add_stream("ffv1" if self._lossless else "libx264", rate=self._rate)
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.height, context.width = pixels.shape[:2]
        context.time_base = stream.time_base = self._time_base
        if self._lossless:
            context.pix_fmt, context.options = _GREY[pixels.dtype], {"level": "3", "slicecrc": "1"}
        else:
            context.pix_fmt, context.options = "yuv420p", {"crf": "18", "preset": "veryfast"}
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
        return stream

    def _finish(self, whole: bool) -> None:
        try:
            if whole and self._stream is not None:
                for packet in self._stream.encode(None):
                    self._container.mux(packet)
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        if whole:
            commit([self._file])
        else:
            discard([self._file])

    def _failed(self, error: av.FFmpegError | OSError) -> WriteFailedError:
        return write_failed(self._file.final, OSError(error.errno, error.strerror or str(error)))


def _even(picture: Array) -> Array:
    """Return a picture whose sides are even, as yuv420p needs: the last row and column are repeated."""
    height, width = picture.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return picture
    grown: Array = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return grown
