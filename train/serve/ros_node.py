"""The shell around `ros`: subscriptions and publishers of rclpy, which ROS 2 brings and no package index."""

import importlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from segprep.datasets.errors import ConfigurationError, SegprepError
from segprep.datasets.sample import Array
from segprep.train.serve.answers import Segmented
from segprep.train.serve.batching import Batcher
from segprep.train.serve.limits import Limits
from segprep.train.serve.ros import ImageMessage, Topics, column_values, filled_image, filled_label_info
from segprep.train.serve.samples import prepared
from segprep.train.serve.servable import Servable

__all__ = ["SegmentationNode", "spin"]

_SLOP_S = 0.05  # how far apart the columns of one sample may be
_NAME = "segprep"


class SegmentationNode:
    """Subscribes to the columns, publishes ids and colours; computes only while somebody listens.

    Args:
        node: An rclpy node.
        model: Computes.
        ros: The modules of ROS: rclpy.qos, sensor_msgs.msg, vision_msgs.msg, message_filters.
    """

    def __init__(self, node: Any, model: Servable, ros: Mapping[str, Any]) -> None:  # noqa: ANN401  (rclpy has no types)
        self._node, self._model = node, model
        self._classes = next(iter(model.class_maps.values()))
        self._image = ros["sensor_msgs.msg"].Image
        self._batcher = Batcher(model, Limits(batch_size=1, batch_s=0))
        self._worker = ThreadPoolExecutor(1, "frames")
        self._busy = False
        topics, qos = Topics.of(model.columns), ros["rclpy.qos"]
        self._ids = node.create_publisher(self._image, topics.ids, 5)
        self._colors = node.create_publisher(self._image, topics.colors, 5)
        latched = qos.QoSProfile(
            depth=1,
            durability=qos.DurabilityPolicy.TRANSIENT_LOCAL,
            reliability=qos.ReliabilityPolicy.RELIABLE,
        )
        vision = ros["vision_msgs.msg"]
        self._info = node.create_publisher(vision.LabelInfo, topics.info, latched)
        self._info.publish(filled_label_info(vision.LabelInfo(), vision.VisionClass, self._classes))
        sensor = qos.qos_profile_sensor_data
        if len(topics.inputs) == 1:
            (topic,) = topics.inputs.values()
            node.create_subscription(self._image, topic, self.take, sensor)
            return
        filters = ros["message_filters"]
        subscribers = [
            filters.Subscriber(node, self._image, topic, qos_profile=sensor) for topic in topics.inputs.values()
        ]
        self._together = filters.ApproximateTimeSynchronizer(subscribers, 5, _SLOP_S)
        self._together.registerCallback(self.take)

    def take(self, *messages: ImageMessage) -> None:
        """Compute a sample unless nobody listens, or the one before is not done: the latest wins, none waits."""
        if self._busy or not (self._ids.get_subscription_count() or self._colors.get_subscription_count()):
            return
        self._busy = True
        self._worker.submit(self._answer, messages)

    def close(self) -> None:
        """Finish what is computed."""
        self._worker.shutdown()
        self._batcher.stop()

    def _answer(self, messages: tuple[ImageMessage, ...]) -> None:
        try:
            ids_HW = self._segmented(messages)
            if self._ids.get_subscription_count():
                self._ids.publish(filled_image(self._image(), ids_HW, messages[0]))
            if self._colors.get_subscription_count():
                self._colors.publish(filled_image(self._image(), self._classes.colored(ids_HW), messages[0]))
        except SegprepError as error:
            self._node.get_logger().warning(str(error))
        except Exception as error:  # noqa: BLE001  (a node that falls silent is worse than one that says why)
            self._node.get_logger().error(f"this is a bug: {type(error).__name__}: {error}")
        finally:
            self._busy = False

    def _segmented(self, messages: tuple[ImageMessage, ...]) -> Array:
        arrays, valid = {}, {}
        for column, message in zip(self._model.columns, messages, strict=True):
            arrays[column.name], valid[column.name] = column_values(column, message)
        made = prepared(self._model, arrays, valid)
        probabilities_CHW = self._batcher.submit(made.stored_HWC).result()
        segmented = Segmented(probabilities_CHW, made.size, made.shown_HW3, self._classes, made.clipped)
        return segmented.likeliest()[0]


def spin(model: Servable) -> None:
    """Run a node until ROS ends it.

    Raises:
        ConfigurationError: If ROS 2 is not there.
    """
    try:
        rclpy = importlib.import_module("rclpy")
        names = ["rclpy.qos", "sensor_msgs.msg", "vision_msgs.msg"]
        names += ["message_filters"] * (len(model.columns) > 1)
        ros = {name: importlib.import_module(name) for name in names}
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"a ROS 2 node needs {error.name}, which comes with ROS 2 and not from the package index: source its "
            "setup.bash first, and install ros-DISTRO-vision-msgs"
        ) from error
    rclpy.init()
    node = rclpy.create_node(_NAME)
    adapter = SegmentationNode(node, model, ros)
    try:
        rclpy.spin(node)
    finally:
        adapter.close()
        node.destroy_node()
        rclpy.try_shutdown()
