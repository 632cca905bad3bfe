"""`train predict` on videos and streams."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from segprep.datasets.imageio import encode_image
from segprep.datasets.imageio.video import VideoReader
from segprep.datasets.imageio.video_out import VideoWriter
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.train.predict.enlarging import Answer
from segprep.train.predict.model import load
from segprep.train.predict.predictor import Predictor, Ready
from segprep.train.runs.folder import Run

_SMALL = ("--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32")
_REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "video" / "solidWhiteRight.mp4"
_UNIT, _STAMPS = Fraction(1, 30000), [0, 1001, 2002, 5005, 6006, 6100, 9009, 10010]


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Run:
    return trained_with(*_SMALL)


@pytest.fixture
def film(workspace: Path) -> Path:
    """Eight frames of no fixed rate."""
    store = ShardStore.open(workspace / "shards" / "train.zarr")
    path = workspace / "film.mp4"
    with VideoWriter(path, _UNIT) as writer:
        for number, pts in enumerate(_STAMPS):
            writer.write(store.read("image", number % len(store)), pts)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _decoded(path: Path, form: str) -> list[tuple[Fraction, Array]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [((each.pts or 0) * (each.time_base or Fraction(1)), each.to_ndarray(format=form)) for each in frames]


def test_a_video_becomes_videos_of_the_same_frames(
    run: Run, train: Callable[..., int], film: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--save", "ids,colors,overlay", "--batch-size", "3")
    capfd.readouterr()
    assert train("predict", run.root, film, "--out", out, *options) == 0
    said = capfd.readouterr()
    assert said.out.startswith(f"{out}: 8 predicted; ")
    assert "frame 8/8: " in said.err
    seconds = [pts * _UNIT for pts in _STAMPS]
    for name in ("colors.mp4", "overlay.mp4"):
        assert [at for at, _ in _decoded(out / f"film.{name}", "rgb24")] == seconds
    ids = _decoded(out / "film.ids.mkv", "gray")
    assert [round(1000 * at) for at, _ in ids] == [round(1000 * at) for at in seconds]
    model = load(run.root, device="cpu")
    with VideoReader(film) as reader:
        for frame, (_, ids_HW) in zip(reader.frames(), ids, strict=True):
            np.testing.assert_array_equal(ids_HW, model.predict({"image": frame.rgb_HWC}).ids_HW)
    assert train("predict", run.root, film, "--out", out, *options, "--json") == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["done"], result["kept"]) == (0, 1)
    assert train("predict", run.root, film, "--out", out, *options, "--max-frames", "3", "-q") == 0
    assert len(_decoded(out / "film.ids.mkv", "gray")) == 3


def test_ctrl_c_leaves_a_video_that_plays(
    run: Run,
    train: Callable[..., int],
    film: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    answers = Predictor.answers

    def interrupted(self: Predictor, batch: list[Ready]) -> Iterator[Answer]:
        monkeypatch.setattr(Predictor, "answers", answers)
        os.kill(os.getpid(), signal.SIGINT)
        return answers(self, batch)

    monkeypatch.setattr(Predictor, "answers", interrupted)
    assert train("predict", run.root, film, "--out", out, "--save", "colors", "-q") == 130
    assert "interrupted; what is written is whole" in capfd.readouterr().err
    frames = len(_decoded(out / "film.colors.mp4", "rgb24"))
    assert 1 <= frames < 8
    assert train("predict", run.root, film, "--out", out, "--save", "colors", "-q") == 0
    assert len(_decoded(out / "film.colors.mp4", "rgb24")) == 8


def test_bad_videos_are_told(
    run: Run, train: Callable[..., int], film: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = film.with_name("broken.mp4")
    broken.write_bytes(film.read_bytes()[:900])
    capfd.readouterr()
    assert train("predict", run.root, broken, film, "--out", out, "--save", "ids") == 4
    assert "broken.mp4 is no readable video" in capfd.readouterr().err
    assert (out / "film.ids.mkv").exists()
    assert not list(out.glob("broken*"))
    refusals: dict[tuple[object, ...], tuple[int, str]] = {
        (film, "--save", "scores"): (2, "scores of a video would fill a disk"),
        (film, film): (2, "would get the same name, film"),
        (film, "--max-frames", "0"): (2, "max-frames"),
    }
    for arguments, (code, words) in refusals.items():
        capfd.readouterr()
        assert train("predict", run.root, *arguments, "--out", out / "no") == code
        assert words in capfd.readouterr().err
        assert not (out / "no").exists()
    assert train("predict", run.root, film.with_name("none.mp4"), "--out", out, "--save", "ids") == 4
    assert "none.mp4 does not exist" in capfd.readouterr().err


@contextmanager
def _served(parts: list[bytes], kind: str) -> Iterator[str]:
    """Serve a body in parts on loopback, as long as the test lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            for part in parts:
                self.wfile.write(part)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/street"
        finally:
            server.shutdown()
            thread.join()


def _jpeg_parts(film: Path) -> list[bytes]:
    with VideoReader(film) as reader:
        pictures = [encode_image(".jpg", frame.rgb_HWC) for frame in reader.frames()]
    return [b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(p), p) for p in pictures]


def _transport_stream(film: Path, path: Path) -> bytes:
    with av.open(str(film)) as source, av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path.read_bytes()


def test_a_stream_is_predicted_as_it_comes(
    run: Run, train: Callable[..., int], film: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with _served(_jpeg_parts(film), "multipart/x-mixed-replace;boundary=frame") as url:
        assert train("predict", run.root, url, "--out", out / "jpeg", "--max-frames", "5", "--save", "ids,colors") == 0
        name = url.partition("://")[2].replace(":", "-").replace("/", "-")
        frames = _decoded(out / "jpeg" / f"{name}.ids.mkv", "gray")
        assert len(frames) == 5
        assert frames[0][0] == 0
        assert [at for at, _ in frames] == sorted({at for at, _ in frames})
        capfd.readouterr()
        assert train("predict", run.root, url, "--out", out / "jpeg", "--save", "ids,colors") == 5
        assert f"holds what {url} gave before" in capfd.readouterr().err
    with _served([_transport_stream(film, out / "film.ts")], "video/mp2t") as url:
        assert train("predict", run.root, url, "--out", out / "ts", "--save", "colors", "-q") == 0
        (made,) = (out / "ts").glob("*.colors.mp4")
        differences = np.diff([float(at) for at, _ in _decoded(made, "rgb24")])
        np.testing.assert_allclose(differences, np.diff([float(pts * _UNIT) for pts in _STAMPS]), atol=2 / 90000)
    assert train("predict", run.root, url, "--out", out / "gone", "--save", "ids") == 4
    assert "gives no pictures" in capfd.readouterr().err


def test_pictures_need_no_pyav_and_videos_say_so(run: Run, film: Path, out: Path, tmp_path: Path) -> None:
    """In a process of its own, where `av` is not installed."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(encode_image(".png", np.zeros((20, 28, 3), np.uint8)))
    without = "import sys; sys.modules['av'] = None; from segprep.train.cli import main; main()"

    def predicted(named: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", without, "predict", str(run.root), str(named), "--out", str(out)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    refused = predicted(film)
    assert refused.returncode == 2
    assert "needs av: install it with `pip install 'segprep[video]'`" in refused.stderr
    assert not out.exists()
    assert predicted(picture).returncode == 0


def test_max_minutes_ends_a_stream(run: Run, train: Callable[..., int], film: Path, out: Path) -> None:
    assert train("predict", run.root, film, "--out", out, "--max-minutes", "0", "-q", "--save", "ids") == 0
    assert not (out / "film.ids.mkv").exists()


@pytest.mark.skipif(not _REAL.exists(), reason=f"{_REAL} is absent")
def test_a_real_drive_keeps_its_frames(run: Run, train: Callable[..., int], out: Path) -> None:
    options = ("--at", "network", "--save", "ids", "--max-frames", "40", "-q")
    assert train("predict", run.root, _REAL, "--out", out, *options) == 0
    with VideoReader(_REAL) as reader:
        assert reader.stated == 221
        assert reader.rate == Fraction(25)
        expected = [frame.seconds for _, frame in zip(range(40), reader.frames(), strict=False)]
    assert [at for at, _ in _decoded(out / "solidWhiteRight.ids.mkv", "gray")] == expected
