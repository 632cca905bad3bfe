"""What benchmarks work on: Cityscapes at 2048x1024, or for `--tiny` its rendered miniature at 512x256."""

import os
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap
from segprep.datasets.sample import Array

__all__ = ["Cityscapes", "Pair", "add_data_options", "draw_all_ids", "open_cityscapes"]


@dataclass(frozen=True, slots=True)
class Pair:
    """An RGB image and its label of raw ids."""

    image: Path
    label: Path


@dataclass(frozen=True, slots=True)
class Cityscapes:
    """Fine annotations and their images, with the 19 classes."""

    pairs: Sequence[Pair]
    classes: ClassMap


def add_data_options(parser: ArgumentParser, name: str) -> None:
    """Add `--data`, the folder that holds cityscapes/, `--tiny`, which needs none, and `--out`: else results/NAME."""
    default = os.environ.get("SEGPREP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds cityscapes/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / name, help="for what it writes")
    parser.add_argument("--tiny", action="store_true", help="a rendered miniature, in seconds: does it run at all?")


def open_cityscapes(options: Namespace) -> Cityscapes | None:
    """Return the dataset that the options name, the miniature rendered anew; None, after saying so, if it is absent."""
    root: Path = options.data / "cityscapes"
    member = CATALOG.load("cityscapes")
    if options.tiny:
        root = options.out.absolute() / "cityscapes"
        shutil.rmtree(root, ignore_errors=True)
        member.write_miniature(root, 2)
    images = {path.name.removesuffix("_leftImg8bit.png"): path for path in root.glob("leftImg8bit/*/*/*.png")}
    labels = {path.name.removesuffix("_gtFine_labelIds.png"): path for path in root.glob("gtFine/*/*/*_labelIds.png")}
    pairs = [Pair(images[key], labels[key]) for key in sorted(images.keys() & labels.keys())]
    if not pairs:
        print(f"no pairs in {root}: name the folder that holds cityscapes/ with --data or SEGPREP_DATA, or use --tiny")
        return None
    return Cityscapes(pairs, member.class_map(DatasetSource(root)))


def draw_all_ids(height: int, width: int) -> Array:
    """Draw overlapping rectangles so that all 34 ids of Cityscapes, 0 to 33, occur; always the same ones."""
    rng = np.random.default_rng(0)
    ids_HW = np.zeros((height, width), np.uint8)
    for number in range(34 * 12):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        tall, wide = rng.integers(2, height // 4, 2).tolist()
        ids_HW[y : y + tall, x : x + wide] = number % 34
    for label in range(34):  # in a small picture some were painted over
        ids_HW[label * height // 34, :2] = label
    return ids_HW
