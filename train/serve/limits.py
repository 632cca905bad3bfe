"""How much a server takes at once."""

from dataclasses import dataclass

from segprep.datasets.errors import ConfigurationError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a server: they keep its memory flat, whatever is sent.

    Attributes:
        max_bytes: Of a request.
        max_pixels: Of a picture, asked before it is decoded.
        queue: Requests that are in hand at once; more are answered 429.
        batch_size: Samples that the network computes at once.
        batch_s: How long the first sample of a batch waits for others, in seconds.
        max_answer_bytes: Of an answer with the probabilities of all classes, unpacked.
        body_s: Within what time a request must have arrived, in seconds.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 40_000_000
    queue: int = 32
    batch_size: int = 8
    batch_s: float = 0.005
    max_answer_bytes: int = 2**28
    body_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value, least in (
            ("--max-megabytes", self.max_bytes, 1),
            ("--max-megapixels", self.max_pixels, 1),
            ("--queue", self.queue, 1),
            ("--batch-size", self.batch_size, 1),
            ("--batch-ms", self.batch_s, 0),
        ):
            if value < least:
                raise ConfigurationError(f"{name} must be {'above 0' if least else '0 or more'}")
