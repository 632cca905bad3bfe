"""What resizing does to thin classes: `python bench/thin_classes.py [--data DIR] [--out DIR] [--tiny] ...`.

The real labels of Cityscapes (2048x1024, 19 classes) go down by factors 2, 4 and 8 and up again by the nearest pixel;
the table compares them with the originals: IoU per class, how many pixels and how many connected parts of thin classes
are found again. `--pictures DIR` draws the same on a rendered street. `--tiny` takes rendered labels of 512x256.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from _measure import table
from _methods import METHODS, Method, thin_ids
from _pairs import Cityscapes, add_data_options, open_cityscapes

from segprep.datasets.classes import ClassMap
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array
from segprep.datasets.synthetic import CLASSES, World, render
from segprep.prep.labels.resampling import nearest

_FACTORS = (2, 4, 8)
_Counts = npt.NDArray[np.int64]

_PICTURE_FACTOR = 8
_PICTURE_SIZE = (1024, 512)
_CROP = (slice(104, 360), slice(520, 904))  # rows and columns of the picture; whole cells
_TITLE_HEIGHT = 26
_GAP = 6


def confusion(truth_HW: Array, found_HW: Array) -> _Counts:
    """Return (256, 256) counts of truth by found; pixels without truth do not count."""
    counted = truth_HW != IGNORE_ID
    pairs = truth_HW[counted].astype(np.int64) * 256 + found_HW[counted]
    return np.bincount(pairs, minlength=256 * 256).reshape(256, 256)


def iou(counts: _Counts) -> npt.NDArray[np.float64]:
    """Return the IoU of each id; NaN for those that do not occur. What became void is missed."""
    hits = np.diag(counts).astype(np.float64)
    either = counts.sum(axis=0) + counts.sum(axis=1) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts.sum(axis=1) > 0, hits / either, np.nan)


def parts(truth_HW: Array, classes: ClassMap) -> tuple[Array, npt.NDArray[np.intp]]:
    """Number the connected parts of thin classes from 1; return them (H, W) and each one's class, 0 being no part."""
    numbers_HW = np.zeros(truth_HW.shape, np.int32)
    class_ids = [IGNORE_ID]
    for class_id in thin_ids(classes):
        count, own_HW = cv2.connectedComponents((truth_HW == class_id).astype(np.uint8), connectivity=8)
        numbers_HW[own_HW > 0] = own_HW[own_HW > 0] + len(class_ids) - 1
        class_ids += [class_id] * (count - 1)
    return numbers_HW, np.array(class_ids, np.intp)


def found_parts(numbers_HW: Array, class_ids: npt.NDArray[np.intp], found_HW: Array) -> int:
    """Return how many parts have at least one pixel that is still of their class."""
    return np.unique(numbers_HW[(numbers_HW > 0) & (class_ids[numbers_HW] == found_HW)]).size


def down_and_up(raw_HW: Array, classes: ClassMap, method: Method, factor: int) -> Array:
    """Return train ids of the original size."""
    height, width = raw_HW.shape
    small = method(raw_HW, classes, (width // factor, height // factor))
    return nearest(small, (width, height))


def measure(dataset: Cityscapes) -> str:
    classes = dataset.classes
    labels = [read_image(pair.label) for pair in dataset.pairs]
    truths = [classes.to_train_ids(raw_HW) for raw_HW in labels]
    numbered = [parts(truth_HW, classes) for truth_HW in truths]
    number_of_parts = sum(len(class_ids) - 1 for _, class_ids in numbered)
    pixels = np.bincount(np.concatenate([t.ravel() for t in truths]), minlength=256)[: len(classes.classes)]
    thin = [class_id for class_id in thin_ids(classes) if pixels[class_id]]
    rows = []
    for factor in _FACTORS:
        for name, method in METHODS.items():
            counts, found = np.zeros((256, 256), np.int64), 0
            for raw_HW, truth_HW, (numbers_HW, class_ids) in zip(labels, truths, numbered, strict=True):
                found_HW = down_and_up(raw_HW, classes, method, factor)
                counts += confusion(truth_HW, found_HW)
                found += found_parts(numbers_HW, class_ids, found_HW)
            values = iou(counts)
            kept = counts[thin, thin].sum() / counts[thin].sum()
            void = counts[:, IGNORE_ID].sum() / counts.sum()
            shares = (kept, found / number_of_parts, void)
            rows.append(
                [str(factor), name, *(f"{values[class_id]:.3f}" for class_id in thin), f"{np.nanmean(values):.3f}"]
                + [f"{100 * share:.1f}" for share in shares]
            )
    of_pixels = ", ".join(f"{classes.names[i]} {100 * pixels[i] / pixels.sum():.2f} %" for i in thin)
    names = [f"IoU {classes.names[class_id]}" for class_id in thin]
    more = ("thin pixels found, %", "thin parts found, %", "made void, %")
    header = ("factor", "method", *names, f"IoU, mean of {np.count_nonzero(pixels)}", *more)
    return (
        f"{len(labels)} labels, {number_of_parts} connected parts of thin classes. Of the labelled pixels are: "
        f"{of_pixels}\n\n{table(header, rows)}"
    )


def draw() -> Array:
    """Return (H, W, 3) RGB: the rendered image, its label, and the label after each method, enlarged again."""
    frame = render(World(seed=3), 6, *_PICTURE_SIZE)
    panels = {"image": frame.rgb_HWC[_CROP], "label": CLASSES.colored(CLASSES.to_train_ids(frame.label_HW))[_CROP]}
    for name, method in METHODS.items():
        panels[name] = CLASSES.colored(down_and_up(frame.label_HW, CLASSES, method, _PICTURE_FACTOR))[_CROP]
    tiles = [_titled(name, panel_HWC) for name, panel_HWC in panels.items()]
    lines = [np.concatenate(tiles[start : start + 3], axis=1) for start in range(0, len(tiles), 3)]
    return np.concatenate(lines, axis=0)


def _titled(title: str, panel_HWC: Array) -> Array:
    height, width = panel_HWC.shape[:2]
    tile_HWC = np.full((height + _TITLE_HEIGHT + _GAP, width + _GAP, 3), 255, np.uint8)
    tile_HWC[_TITLE_HEIGHT : _TITLE_HEIGHT + height, :width] = panel_HWC
    cv2.putText(tile_HWC, title, (4, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    return tile_HWC


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser, "thin_classes")
    parser.add_argument("--pictures", type=Path, help="folder for label_methods.png")
    options = parser.parse_args(arguments)
    if options.pictures is not None:
        write_image(options.pictures / "label_methods.png", draw())
        print(f"{options.pictures / 'label_methods.png'}: factor {_PICTURE_FACTOR}, void is black")
    dataset = open_cityscapes(options)
    if dataset is not None:
        print(measure(dataset))


if __name__ == "__main__":
    main()
