"""Times PNG decoders that are installed and prints JSON: `python _decode.py ROUNDS FILE...`. Needs numpy only.

`decoders.py` runs it with the Python of an environment that has all of them. All arms run in one process, in turn.
"""

import importlib
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

os.environ["VIPS_CONCURRENCY"] = "1"  # read when libvips is loaded

import numpy as np

_Decoder = Callable[[bytes], Any]


def _opencv() -> dict[str, _Decoder]:
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(1)

    def decode(data: bytes) -> Any:  # noqa: ANN401  (the libraries of this file are loaded by name)
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if picture.ndim == 3 else picture

    return {"OpenCV": decode}


def _pillow() -> dict[str, _Decoder]:
    image = importlib.import_module("PIL.Image")
    return {"Pillow": lambda data: np.array(image.open(io.BytesIO(data)))}


def _imagecodecs() -> dict[str, _Decoder]:
    codecs = importlib.import_module("imagecodecs")
    return {"imagecodecs (libpng)": codecs.png_decode, "imagecodecs (libspng)": codecs.spng_decode}


def _libvips() -> dict[str, _Decoder]:
    vips = importlib.import_module("pyvips")
    return {"libvips": lambda data: vips.Image.new_from_buffer(data, "", access="sequential").numpy()}


# What to load, and the distributions that come with it beyond numpy.
_LIBRARIES: dict[str, tuple[Callable[[], dict[str, _Decoder]], tuple[str, ...]]] = {
    "OpenCV": (_opencv, ("opencv-python-headless",)),
    "Pillow": (_pillow, ("pillow",)),
    "imagecodecs": (_imagecodecs, ("imagecodecs",)),
    "libvips": (_libvips, ("pyvips", "pyvips-binary", "cffi", "pycparser")),
}


def _about(names: tuple[str, ...]) -> tuple[str, int]:
    """Return the version of the first distribution, and the bytes on disk of all of them."""
    version, size = "unknown", 0
    for name in names:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        version = found.version if name == names[0] else version
        paths = [Path(str(file.locate())) for file in found.files or ()]
        size += sum(path.stat().st_size for path in paths if path.is_file())
    return version, size


def measure(rounds: int, files: list[Path]) -> dict[str, Any]:
    decoders: dict[str, _Decoder] = {}
    about: dict[str, tuple[str, int]] = {}
    failed: dict[str, str] = {}
    for library, (load, names) in _LIBRARIES.items():
        try:
            arms = load()
        except (ImportError, OSError) as error:
            failed[library] = str(error).splitlines()[0]
            continue
        decoders |= arms
        about |= dict.fromkeys(arms, _about(names))
    milliseconds: dict[str, list[float]] = {name: [] for name in decoders}
    for file in files:
        data = file.read_bytes()
        expected = np.squeeze(next(iter(decoders.values()))(data))
        for name, decode in decoders.items():
            if not np.array_equal(np.squeeze(decode(data)), expected):
                raise SystemExit(f"{name} decodes {file} to other pixels than the first decoder")
        seconds: dict[str, list[float]] = {name: [] for name in decoders}
        for number in range(rounds):
            names_in_turn = list(decoders)[number % len(decoders) :] + list(decoders)[: number % len(decoders)]
            for name in names_in_turn:
                began = time.perf_counter()
                decoders[name](data)
                seconds[name].append(time.perf_counter() - began)
        for name in decoders:
            milliseconds[name].append(1e3 * statistics.median(seconds[name]))
    return {"milliseconds": milliseconds, "about": about, "failed": failed}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), [Path(each) for each in sys.argv[2:]])))
