"""`prep resize` measured: `python bench/resize.py [--data DIR] [--out DIR] [--part PART] [--tiny]`.

On pairs of Cityscapes (2048x1024) at factor 4, one thread each:
labels   label methods against PARIS's as published and the same plane by plane: time and memory
step     the whole step per sample against its floor: decode the two files, encode and sync the two small ones
workers  two workers over one, against two plain processes of the same loop over one

`--tiny` does the same in seconds on rendered pairs of 512x256.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _measure import load_line
from _pairs import Cityscapes, add_data_options, draw_all_ids, open_cityscapes
from _resize_labels import labels_report
from _resize_step import step_report
from _resize_workers import workers_report

from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array

_FACTOR = 4
_PARTS = ("labels", "step", "workers")


def labels(dataset: Cityscapes, tiny: bool, out: Path) -> str:
    real = [read_image(pair.label) for pair in dataset.pairs]
    height, width = real[0].shape
    drawn = draw_all_ids(height, width)
    counts = ", ".join(str(np.unique(raw_HW).size) for raw_HW in real)
    several = 100 * np.mean([_share_of_mixed_cells(raw_HW) for raw_HW in real])
    headings = {
        f"{len(real)} label(s) of {width}x{height} with {counts} ids; {several:.1f} % of the cells hold several": real,
        f"a drawn label with all 34 ids; {100 * _share_of_mixed_cells(drawn):.1f} % of the cells hold several": [drawn],
    }
    if tiny:  # most of it is the starts of the processes whose memory is measured
        headings = dict([headings.popitem()])
    return labels_report(headings, dataset.classes, _FACTOR, 2 if tiny else 7, out, tiny=tiny)


def _share_of_mixed_cells(ids_HW: Array) -> float:
    cells = ids_HW.reshape(ids_HW.shape[0] // _FACTOR, _FACTOR, ids_HW.shape[1] // _FACTOR, _FACTOR)
    return float((cells.min(axis=(1, 3)) != cells.max(axis=(1, 3))).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser, "resize")
    parser.add_argument("--part", choices=_PARTS, action="append", help="only this part; can be repeated")
    options = parser.parse_args(arguments)
    dataset = open_cityscapes(options)
    if dataset is None:
        return
    tiny: bool = options.tiny
    out = options.out.absolute() / "work"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for part in options.part or _PARTS:
        print(f"## {part}: {load_line('at the start')}\n", flush=True)
        if part == "labels":
            print(labels(dataset, tiny, out))
        elif part == "step":
            print(step_report(dataset.pairs, _FACTOR, 2 if tiny else 20, out))
        else:
            # Batches of about a second, as the runner makes them.
            print(workers_report(dataset.pairs, _FACTOR, *((4, 1, 0) if tiny else (80, 10, 5)), out))
        print(f"\n{load_line('at the end')}\n", flush=True)


if __name__ == "__main__":
    main()
