"""Videos in and out: frames, time stamps, and what a file says of its picture."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from segprep.datasets.errors import CodeRangeError, MissingInputError, UnreadableFileError, WriteFailedError
from segprep.datasets.imageio.video import Frame, VideoReader
from segprep.datasets.imageio.video_names import is_live
from segprep.datasets.imageio.video_out import VideoWriter
from segprep.datasets.sample import Array

_COLORS = ([200, 30, 60], [20, 220, 40], [30, 40, 250], [128, 128, 128], [250, 250, 250], [0, 0, 0])
_PICTURES = [np.full((34, 50, 3), color, np.uint8) for color in _COLORS]


def _write(
    path: Path, pictures: Sequence[Array], stamps: Sequence[int], unit: Fraction, rate: Fraction | None = None
) -> Path:
    with VideoWriter(path, unit, rate) as writer:
        for picture, pts in zip(pictures, stamps, strict=True):
            writer.write(picture, pts)
    return path


def _read(path: Path) -> list[Frame]:
    with VideoReader(path) as reader:
        return list(reader.frames())


@pytest.mark.parametrize(
    ("unit", "stamps"),
    [
        (Fraction(1, 30000), [1001 * i for i in range(6)]),  # 29.97 frames per second
        (Fraction(1001, 30000), list(range(6))),
        (Fraction(1, 1000), [0, 33, 70, 71, 500, 1000]),  # of no fixed rate
        (Fraction(1, 90000), [126000 + 3003 * i for i in range(6)]),  # begins late, as streams do
    ],
)
def test_each_frame_keeps_its_time_stamp(tmp_path: Path, unit: Fraction, stamps: list[int]) -> None:
    path = _write(tmp_path / "a.mp4", _PICTURES, stamps, unit, Fraction(30000, 1001))
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        assert (reader.stated, reader.damaged, reader.untimed) == (6, 0, 0)
    assert [frame.seconds for frame in frames] == [pts * unit for pts in stamps]
    assert [frame.index for frame in frames] == list(range(6))
    for frame, picture in zip(frames, _PICTURES, strict=True):
        np.testing.assert_allclose(frame.rgb_HWC.astype(int), picture.astype(int), atol=4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ids_come_back_to_the_bit(tmp_path: Path, dtype: type[np.unsignedinteger]) -> None:
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, np.iinfo(dtype).max, (33, 51)).astype(dtype) for _ in range(5)]
    path = _write(tmp_path / "ids.mkv", ids, [40 * i for i in range(5)], Fraction(1, 1000))
    with av.open(str(path)) as container:
        form = "gray" if dtype is np.uint8 else "gray16le"
        found = [(frame.time, frame.to_ndarray(format=form)) for frame in container.decode(video=0)]
    assert [round(1000 * (seconds or 0)) for seconds, _ in found] == [0, 40, 80, 120, 160]
    for (_, found_HW), ids_HW in zip(found, ids, strict=True):
        np.testing.assert_array_equal(found_HW, ids_HW)


def test_odd_sides_grow_by_a_pixel(tmp_path: Path) -> None:
    picture = np.full((33, 51, 3), 90, np.uint8)
    (frame,) = _read(_write(tmp_path / "odd.mp4", [picture], [0], Fraction(1, 25)))
    assert frame.rgb_HWC.shape == (34, 52, 3)
    np.testing.assert_allclose(frame.rgb_HWC.astype(int), 90, atol=3)


def _quadrants() -> Array:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32], picture[:16, 32:], picture[16:, :32], picture[16:, 32:] = (40, 100, 160, 220)
    return picture


@pytest.mark.parametrize(("matrix", "quarters"), [((0, 1, -1, 0), -1), ((0, -1, 1, 0), 1), ((-1, 0, 0, -1), 2)])
def test_a_turned_video_is_upright(tmp_path: Path, matrix: tuple[int, ...], quarters: int) -> None:
    """A phone writes how it was held into the track's header; (0, 1, -1, 0) turns with the clock."""
    path = _write(tmp_path / "turned.mp4", [_quadrants()], [0], Fraction(1, 25))
    data = path.read_bytes()
    plain = b"".join(each.to_bytes(4, "big") for each in (65536, 0, 0, 0, 65536, 0, 0, 0, 0x40000000))
    a, b, c, d = (each * 65536 for each in matrix)
    turned = b"".join(each.to_bytes(4, "big", signed=True) for each in (a, b, 0, c, d, 0, 0, 0, 0x40000000))
    track = data.index(b"tkhd")
    path.write_bytes(data[:track] + data[track:].replace(plain, turned, 1))
    (frame,) = _read(path)
    np.testing.assert_allclose(frame.rgb_HWC.astype(int), np.rot90(_quadrants(), quarters).astype(int), atol=12)


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (128, 32)), (Fraction(1, 2), (64, 64))])
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        container.mux(stream.encode(av.VideoFrame.from_ndarray(_quadrants(), format="rgb24")))
        container.mux(stream.encode(None))
    (found,) = _read(path)
    expected = cv2.resize(_quadrants(), size, interpolation=cv2.INTER_LINEAR_EXACT)
    np.testing.assert_allclose(found.rgb_HWC.astype(int), expected.astype(int), atol=6)


def test_what_is_damaged_is_left_out_and_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (64, 64, 3)).astype(np.uint8) for _ in range(12)]
    path = _write(tmp_path / "noise.mp4", pictures, list(range(12)), Fraction(1, 25))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(bytes(data))
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        assert reader.damaged > 0
    assert 0 < len(frames) <= 12
    assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="does not exist"):
        VideoReader(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UnreadableFileError, match=r"text\.mp4 is no readable video: "):
        VideoReader(tmp_path / "text.mp4")
    path = _write(tmp_path / "cut.mp4", _PICTURES, list(range(6)), Fraction(1, 25))
    path.write_bytes(path.read_bytes()[:-200])  # its table of contents stands at the end
    with pytest.raises(UnreadableFileError, match="is no readable video"):
        VideoReader(path)
    with pytest.raises(UnreadableFileError, match="camera:77 gives no pictures"):
        VideoReader("camera:77")
    assert is_live("camera:0")
    assert is_live("rtsp://host/a")
    assert not is_live("C_file.mp4")


def test_a_video_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"

    def broken(error: type[BaseException]) -> None:
        with VideoWriter(path, Fraction(1, 25)) as writer:
            for pts, picture in enumerate(_PICTURES):
                writer.write(picture, pts)
                if pts == 2:
                    raise error

    with pytest.raises(ZeroDivisionError):
        broken(ZeroDivisionError)
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        broken(KeyboardInterrupt)
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]
    assert len(_read(path)) == 3
    with pytest.raises(CodeRangeError, match="cannot hold float32"), VideoWriter(path, Fraction(1, 25)) as writer:
        writer.write(np.zeros((4, 4, 3), np.float32), 0)
    assert len(_read(path)) == 3
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteFailedError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "a.mp4", Fraction(1, 25))
