"""The ROS 2 node, its core by stand-in messages and its shell by stand-in modules of ROS."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.program.command_line import run_app
from segprep.datasets.sample import Array
from segprep.train import Model
from segprep.train.cli import app
from segprep.train.serve.ros import ENCODINGS, filled_image, picture_of
from segprep.train.serve.ros_node import SegmentationNode, spin
from support.scenes import CLASSES, HEIGHT, WIDTH, make_scenes


@dataclass
class Image:
    """sensor_msgs/msg/Image."""

    header: Any = None
    height: int = 0
    width: int = 0
    encoding: str = ""
    is_bigendian: int = 0
    step: int = 0
    data: Any = b""


def _message(values: Array, encoding: str, *, padding: int = 0, big: bool = False, header: Any = "stamp") -> Image:
    """Return a message as a driver would write it, its rows longer than their pixels."""
    stored = values.astype(values.dtype.newbyteorder(">" if big else "<"))
    rows = np.ascontiguousarray(stored).view(np.uint8).reshape(len(values), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    height, width = values.shape[:2]
    return Image(header, height, width, encoding, int(big), padded.shape[1], padded.tobytes())


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_read_whatever_the_rows_and_bytes(encoding: str, big: bool) -> None:
    kind, channels = ENCODINGS[encoding]
    rng = np.random.default_rng(0)
    values = rng.integers(0, 60000 if kind == "u2" else 256, (5, 7, channels)).astype(kind)
    sent = values[..., 0] if channels == 1 else values
    found = picture_of(_message(sent, encoding, padding=8, big=big))
    expected = sent[..., 2::-1] if encoding in ("bgr8", "8UC3", "bgra8") else sent[..., :3] if channels > 3 else sent
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.dtype(kind)


def test_what_is_no_image_is_refused() -> None:
    good = _message(np.zeros((5, 7, 3), np.uint8), "rgb8")
    for name, value, part in (
        ("encoding", "bayer_rggb8", "not as 'bayer_rggb8'"),
        ("step", 20, "21 bytes per row at the least"),
        ("data", b"short", "has 5 in all"),
        ("width", 0, "0x5"),
    ):
        bad = Image(**{**vars(good), name: value})
        with pytest.raises(CodeRangeError, match=part):
            picture_of(bad)


@pytest.mark.parametrize(("dtype", "encoding"), [(np.uint8, "mono8"), (np.uint16, "mono16")])
def test_what_is_written_is_read_back_with_the_header_of_the_input(dtype: type, encoding: str) -> None:
    ids: Array = np.arange(35).reshape(5, 7).astype(dtype)
    message = filled_image(Image(), ids, Image(header="stamp and frame"))
    assert (message.encoding, message.header) == (encoding, "stamp and frame")
    np.testing.assert_array_equal(picture_of(message), ids)


class _Publisher:
    def __init__(self, topic: str) -> None:
        self.topic, self.listeners = topic, 1
        self.published: list[Any] = []
        self.came = threading.Event()

    def get_subscription_count(self) -> int:
        return self.listeners

    def publish(self, message: Any) -> None:
        self.published.append(message)
        self.came.set()


@dataclass
class _Node:
    """An rclpy node."""

    publishers: dict[str, _Publisher] = field(default_factory=dict)
    callbacks: dict[str, Callable[..., None]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def create_publisher(self, kind: type, topic: str, qos: Any) -> _Publisher:
        return self.publishers.setdefault(topic, _Publisher(topic))

    def create_subscription(self, kind: type, topic: str, callback: Callable[..., None], qos: Any) -> None:
        assert qos == "sensor data"
        self.callbacks[topic] = callback

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.warnings.append, error=self.warnings.append)

    def destroy_node(self) -> None: ...


class _Together:
    def __init__(self, subscribers: list[tuple[_Node, str]], queue: int, slop: float) -> None:
        self._node, self._topics = subscribers[0][0], tuple(topic for _, topic in subscribers)

    def registerCallback(self, callback: Callable[..., None]) -> None:  # noqa: N802  (its name in ROS)
        self._node.callbacks["+".join(self._topics)] = callback


def _ros() -> dict[str, Any]:
    policies = SimpleNamespace(TRANSIENT_LOCAL="latched", RELIABLE="reliable")
    return {
        "rclpy.qos": SimpleNamespace(
            QoSProfile=dict,
            DurabilityPolicy=policies,
            ReliabilityPolicy=policies,
            qos_profile_sensor_data="sensor data",
        ),
        "sensor_msgs.msg": SimpleNamespace(Image=Image),
        "vision_msgs.msg": SimpleNamespace(LabelInfo=SimpleNamespace, VisionClass=SimpleNamespace),
        "message_filters": SimpleNamespace(
            Subscriber=lambda node, kind, topic, qos_profile: (node, topic), ApproximateTimeSynchronizer=_Together
        ),
    }


def test_the_node_answers_while_somebody_listens(model: Model) -> None:
    node = _Node()
    adapter = SegmentationNode(node, model, _ros())
    (info,) = node.publishers["~/label_info"].published
    assert [(each.class_id, each.class_name) for each in info.class_map] == [*enumerate(CLASSES.names)]
    picture = make_scenes(range(8, 9))["image"][0]
    ids, colors = node.publishers["~/segmentation"], node.publishers["~/segmentation_color"]
    ids.listeners = colors.listeners = 0
    take = node.callbacks["~/image_raw"]
    take(_message(picture, "rgb8"))
    ids.listeners = colors.listeners = 1
    take(_message(picture[..., ::-1], "bgr8", padding=4, header="the second"))
    assert ids.came.wait(30)
    assert colors.came.wait(30)
    adapter.close()
    expected = model.predict({"image": picture}).ids_HW
    (label,), (shown,) = ids.published, colors.published
    assert (label.header, shown.header, label.encoding, shown.encoding) == ("the second", "the second", "mono8", "rgb8")
    np.testing.assert_array_equal(picture_of(label), expected)
    np.testing.assert_array_equal(picture_of(shown), CLASSES.colored(expected))


def test_depth_is_millimetres_or_metres(depth_model: Model) -> None:
    node = _Node()
    adapter = SegmentationNode(node, depth_model, _ros())
    take, out = node.callbacks["~/image_raw+~/depth"], node.publishers["~/segmentation"]
    picture = make_scenes(range(8, 9))["image"][0]
    metres = np.random.default_rng(1).uniform(1, 60, (HEIGHT, WIDTH)).round(3).astype(np.float32)
    expected = depth_model.predict({"image": picture, "depth": metres}).ids_HW
    for depth in (_message(metres, "32FC1"), _message((metres * 1000).round().astype(np.uint16), "16UC1", big=True)):
        out.came.clear()
        take(_message(picture, "rgb8"), depth)
        assert out.came.wait(30)
        np.testing.assert_array_equal(picture_of(out.published[-1]), expected)
        until = time.monotonic() + 30
        while adapter._busy and time.monotonic() < until:  # else the next one would be dropped
            time.sleep(0.01)
        assert not adapter._busy
    take(_message(picture, "rgb8"), _message(picture, "rgb8"))
    adapter.close()
    assert len(node.warnings) == 1
    assert "at least 16 bits" in node.warnings[0]


def test_the_command_runs_the_node_and_says_what_is_missing(
    model: Model, kept_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_app(app, "train", ["serve", str(kept_run), "--ros"]) == 2
    assert "a ROS 2 node needs rclpy, which comes with ROS 2" in capfd.readouterr().err
    node = _Node()
    spun: list[Any] = []
    modules = {name: ModuleType(name) for name in ("rclpy", *_ros())}
    for name, stand_in in _ros().items():
        vars(modules[name]).update(vars(stand_in))
    rclpy: Any = modules["rclpy"]
    rclpy.init, rclpy.try_shutdown, rclpy.spin = (lambda: None), (lambda: None), spun.append
    rclpy.create_node = lambda name: node
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    spin(model)
    assert spun == [node]
