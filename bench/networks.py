"""Parameters and time per picture of the networks: `python bench/networks.py [--size WxH] [--threads N] [--tiny]`.

One picture after the other through each network, evaluated in fp32 on the CPU; networks take turns. Two input columns
where a network needs two. 20 classes.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from _measure import in_turn, load_line, table

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.values import parse_size
from segprep.train.conformance import unmeasured_column
from segprep.train.models import MODELS
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import Segmenter, build_segmenter

_CLASSES = 20
_ROUNDS = 5
_VARIANTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *((name, name, {}) for name in MODELS.names()),
    ("fcn8s on MobileNetV3", "fcn8s", {"encoder": "mobilenet_v3_large"}),
)


def made(name: str, options: dict[str, Any]) -> Segmenter:
    config = NetworkConfig(name=name, options=options, precision="fp32")
    columns = [unmeasured_column("image"), unmeasured_column("flow")]
    for count in (1, 2):
        try:
            return build_segmenter(config, columns[:count], [_CLASSES]).eval()
        except ConfigurationError:
            if count == 2:
                raise
    raise AssertionError(name)


def timed(segmenter: Segmenter, width: int, height: int) -> Callable[[], float]:
    picture_NHWC = torch.zeros(1, height, width, segmenter.centre.shape[1], dtype=torch.uint8)

    def once() -> float:
        begin = time.perf_counter()
        with torch.inference_mode():
            segmenter.logits(picture_NHWC)
        return time.perf_counter() - begin

    once()
    return once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="640x320", help="of the pictures")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--tiny", action="store_true", help="in seconds: does it run at all?")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    width, height = (32, 16) if given.tiny else parse_size(given.size) or (640, 320)
    print(load_line("at the start"), f"{width}x{height}, {given.threads} threads", sep=", ")
    networks = {label: made(name, options) for label, name, options in _VARIANTS if not given.tiny or name == "erfnet"}
    arms = {label: timed(segmenter, width, height) for label, segmenter in networks.items()}
    taken = in_turn(arms, 1 if given.tiny else _ROUNDS)
    rows = [
        [label, f"{sum(p.numel() for p in segmenter.parameters()):,}", f"{1000 * statistics.median(taken[label]):.1f}"]
        for label, segmenter in networks.items()
    ]
    print(table(("network", "parameters", "ms per picture"), rows))
    print(load_line("at the end"))


if __name__ == "__main__":
    main()
