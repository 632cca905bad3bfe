"""What a server counts, in the text form of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "segprep_requests", "Requests by path and status.", ["path", "code"], registry=self.registry
        )
        self.seconds = Histogram(
            "segprep_request_seconds",
            "From a request's first byte to the last of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "segprep_batch_size", "Samples that the network computed at once.", buckets=_BATCHES, registry=self.registry
        )
        self.queue_length = Gauge("segprep_queue_length", "Samples that wait for the network.", registry=self.registry)
        self.in_hand = Gauge("segprep_requests_in_hand", "Requests that are worked on.", registry=self.registry)
        self.frames = Counter(
            "segprep_stream_frames", "Frames of streams: answered, dropped, refused.", ["end"], registry=self.registry
        )

    def text(self) -> bytes:
        """Return all of them."""
        return generate_latest(self.registry)
