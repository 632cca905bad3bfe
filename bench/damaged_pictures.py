"""How much damage is noticed: `python bench/damaged_pictures.py [--data DIR] [--tiny]`.

Pictures are written as PNG and as JPEG of quality 90 (baseline and progressive), and each copy gets one fault behind
its header: bytes zeroed, bytes lost, or one bit changed. The table counts the copies that a reader refuses, and those
that it reads with other pixels than the intact file has and says nothing. JPEG has no checksums: no reader refuses all.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from _measure import table
from _pairs import add_data_options, open_cityscapes
from PIL import Image

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import decode_image, read_image
from segprep.datasets.imageio.png import encode as encode_png
from segprep.datasets.sample import Array

_SIZE = (512, 256)  # the usual size of training; a fault of 100 bytes is a larger share of a small file
_Bytes = npt.NDArray[np.uint8]


def _opencv(data: bytes) -> Array | None:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def _pillow(data: bytes) -> Array | None:
    try:
        return np.array(Image.open(io.BytesIO(data)))
    except (OSError, SyntaxError, ValueError):
        return None


def _ours(data: bytes) -> Array | None:
    try:
        return decode_image(data, Path("copy"))
    except UnreadableFileError:
        return None


_READERS: dict[str, Callable[[bytes], Array | None]] = {"OpenCV": _opencv, "Pillow": _pillow, "segprep": _ours}


def _encode_jpeg(picture: Array, *, progressive: bool) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "jpeg", quality=90, progressive=progressive)
    return buffer.getvalue()


_FORMATS: dict[str, tuple[Callable[[Array], bytes], bytes]] = {  # and what the first pixels follow
    "PNG": (encode_png, b"IDAT"),
    "JPEG": (lambda picture: _encode_jpeg(picture, progressive=False), b"\xff\xda"),
    "JPEG, progressive": (lambda picture: _encode_jpeg(picture, progressive=True), b"\xff\xda"),
}


def _zero(file: _Bytes, at: int, rng: np.random.Generator) -> _Bytes:
    return np.concatenate([file[:at], np.zeros_like(file[at : at + 100]), file[at + 100 :]])


def _lose(file: _Bytes, at: int, rng: np.random.Generator) -> _Bytes:
    return np.concatenate([file[:at], file[at + 300 :]])


def _change(file: _Bytes, at: int, rng: np.random.Generator) -> _Bytes:
    changed = file.copy()
    changed[at] ^= 1 << int(rng.integers(8))
    return changed


_FAULTS = {"100 bytes zeroed": _zero, "300 bytes lost": _lose, "one bit changed": _change}


def measure(pictures: Sequence[Array], each: int) -> list[list[str]]:
    """Return the rows of the table: `each` faults of every sort, for every picture and format."""
    rows = []
    for file_format, (encode, before_pixels) in _FORMATS.items():
        for fault, damage in _FAULTS.items():
            rng = np.random.default_rng(0)
            refused, silent, copies = dict.fromkeys(_READERS, 0), dict.fromkeys(_READERS, 0), 0
            for picture in pictures:
                data = encode(picture)
                intact = {name: np.asarray(read(data)) for name, read in _READERS.items()}
                file, first = np.frombuffer(data, np.uint8), data.index(before_pixels) + 14
                for at in rng.integers(first, len(data) - 302, each).tolist():
                    copy = damage(file, at, rng).tobytes()
                    copies += copy != data
                    for name, read in _READERS.items():
                        found = read(copy)
                        refused[name] += found is None and copy != data
                        silent[name] += found is not None and not np.array_equal(found, intact[name])
            rows += [[file_format, fault, str(copies), *(f"{refused[name]} ({silent[name]})" for name in _READERS)]]
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser, "damage")
    options = parser.parse_args(arguments)
    dataset = open_cityscapes(options)
    if dataset is None:
        return
    pictures = [cv2.resize(read_image(pair.image), _SIZE, interpolation=cv2.INTER_AREA) for pair in dataset.pairs]
    rows = measure(pictures, 2 if options.tiny else 30)
    print(f"\n{len(pictures)} pictures of {_SIZE[0]}x{_SIZE[1]}; refused (read silently with other pixels):\n")
    print(table(("file", "fault", "copies", *_READERS), rows))


if __name__ == "__main__":
    main()
