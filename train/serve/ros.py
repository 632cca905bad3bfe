"""What a ROS 2 node does with messages, without ROS: images in, labels and colours out.

Messages are duck-typed, so that this is tested where ROS is not installed: whatever has the fields of
sensor_msgs/msg/Image. Encodings: https://docs.ros.org/en/rolling/p/sensor_msgs/; metric depth: REP 118.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import DepthFileCode
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.serve.columns import shown_kind

__all__ = ["ENCODINGS", "ImageMessage", "Topics", "column_values", "filled_image", "filled_label_info", "picture_of"]

ENCODINGS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "mono8": ("u1", 1),
        "8UC1": ("u1", 1),
        "mono16": ("u2", 1),
        "16UC1": ("u2", 1),
        "rgb8": ("u1", 3),
        "bgr8": ("u1", 3),
        "8UC3": ("u1", 3),  # what OpenCV gives: BGR
        "rgba8": ("u1", 4),
        "bgra8": ("u1", 4),
        "32FC1": ("f4", 1),
        "32FC2": ("f4", 2),
    }
)
"""Encoding to the numbers of a channel and how many there are."""

_REVERSED: Final = ("bgr8", "8UC3", "bgra8")
_MILLIMETRES: Final = DepthFileCode(0.001)  # REP 118


class ImageMessage(Protocol):
    """sensor_msgs/msg/Image."""

    header: Any
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


MessageT = TypeVar("MessageT", bound=ImageMessage)
InfoT = TypeVar("InfoT")


def picture_of(message: ImageMessage) -> Array:
    """Return (H, W), (H, W, 2) or (H, W, 3) of a message: RGB order, this machine's bytes, without the rows' padding.

    Raises:
        CodeRangeError: If the encoding is not known, or the message is shorter than it says.
    """
    if message.encoding not in ENCODINGS:
        raise CodeRangeError(f"images come as {', '.join(ENCODINGS)}, not as {message.encoding!r}")
    kind, channels = ENCODINGS[message.encoding]
    dtype = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    row = message.width * channels * dtype.itemsize
    data = np.frombuffer(message.data, np.uint8)
    if not message.width or not message.height or message.step < row or len(data) < message.step * message.height:
        raise CodeRangeError(
            f"an image of {message.width}x{message.height} in {message.encoding} has {row} bytes per row at the least; "
            f"this one says {message.step}, and has {len(data)} in all"
        )
    rows_HR = data[: message.step * message.height].reshape(message.height, message.step)[:, :row]
    values = np.ascontiguousarray(rows_HR).view(dtype).astype(dtype.newbyteorder("="))
    picture_HWC = values.reshape(message.height, message.width, channels)
    if channels == 1:
        return picture_HWC[..., 0]
    order = picture_HWC[..., 2::-1] if message.encoding in _REVERSED else picture_HWC[..., :3]
    return np.ascontiguousarray(order)


def column_values(column: ArraySpec, message: ImageMessage) -> tuple[Array, Mask | None]:
    """Return a message's values in the units of a column: whole numbers of depth are millimetres.

    Raises:
        CodeRangeError: If the message is not what the column holds.
    """
    picture = picture_of(message)
    kind = shown_kind(column)
    if kind is Kind.DEPTH:
        if picture.dtype.kind == "f" and picture.ndim == 2:  # NaN and 0 are unknown, infinity is far
            return picture, picture > 0
        return _MILLIMETRES.from_file(picture)
    wanted = {Kind.FLOW: 2, Kind.IMAGE: len(column.channels)}.get(kind, 1)
    if kind is Kind.IMAGE and picture.ndim == 2 and wanted == 3:
        picture = np.repeat(picture[..., None], 3, 2)
    found = 1 if picture.ndim == 2 else picture.shape[2]
    if found != max(1, wanted):
        raise CodeRangeError(f"{column.name} has {wanted} channels, {message.encoding} has {found}")
    return picture, None


def filled_image(message: MessageT, picture: Array, like: ImageMessage) -> MessageT:
    """Fill an empty message with a picture of ids or colours, with the stamp and the frame of the input.

    Args:
        message: An empty sensor_msgs/msg/Image.
        picture: (H, W) uint8 or uint16, or (H, W, 3) uint8 RGB.
        like: What it was made of.
    """
    message.header = like.header
    message.height, message.width = picture.shape[:2]
    message.encoding = "rgb8" if picture.ndim == 3 else {1: "mono8", 2: "mono16"}[picture.dtype.itemsize]
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = picture[0].nbytes
    message.data = np.ascontiguousarray(picture).tobytes()
    return message


def filled_label_info(message: InfoT, entry: Callable[[], Any], classes: ClassMap) -> InfoT:
    """Fill an empty vision_msgs/msg/LabelInfo: 255, the largest number, needs no entry, it means unlabelled.

    Args:
        message: An empty one.
        entry: Makes an empty vision_msgs/msg/VisionClass.
        classes: By train id.
    """
    described = []
    for train_id, name in enumerate(classes.names):
        each = entry()
        each.class_id, each.class_name = train_id, name
        described.append(each)
    filled: Any = message
    filled.class_map = described
    filled.threshold = 0.0
    return message


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of a node's topics, below its own name.

    Attributes:
        inputs: By column.
        ids: Of the label images.
        colors: Of the classes in their colours.
        info: Of the classes' names.
    """

    inputs: Mapping[str, str]
    ids: str = "~/segmentation"
    colors: str = "~/segmentation_color"
    info: str = "~/label_info"

    @classmethod
    def of(cls, columns: tuple[ArraySpec, ...]) -> "Topics":
        """Return the usual ones: ~/image_raw, and ~/depth and so on for other columns."""
        return cls({each.name: "~/image_raw" if each.name == "image" else f"~/{each.name}" for each in columns})
