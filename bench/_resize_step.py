"""The whole step of `prep resize` per sample against its floor, and where the difference goes."""

import hashlib
import os
import statistics
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from _measure import median_ms, table, timed
from _pairs import Pair
from _resize_workspace import Task, copy_pairs, make_workspace, run_task, tasks

from segprep.datasets.atomic import sync_folder
from segprep.datasets.imageio import encode_image
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.workspace import Workspace
from segprep.prep.labels.resampling import LabelMethod, resize_labels
from segprep.prep.resizing.resample import resample
from segprep.workflows.ledger.database import Ledger
from segprep.workflows.running.process import settle_process

__all__ = ["step_report"]


@dataclass(frozen=True, slots=True)
class _Content:
    """A pair and what becomes of it; made once, outside of every clock."""

    pair: Pair
    data: tuple[bytes, bytes]
    bgr_HWC: Array
    raw_HW: Array
    train_HW: Array
    small: tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class _Seconds:
    wall: float
    cpu: float


def step_report(pairs: Sequence[Pair], factor: int, rounds: int, out: Path) -> str:
    """Measure floor and step sample by sample in turn, on one thread; return figures and table."""
    copy_pairs(pairs, len(pairs), out / "step-source")
    workspace = make_workspace(out / "step-workspace", out / "step-source")
    batches = tasks(workspace, factor, 1)
    contents = [_content(workspace, pair, factor) for pair in pairs]
    floors, steps = list[_Seconds](), list[_Seconds]()
    parts: dict[str, list[float]] = {}
    limits = settle_process()
    with Ledger(workspace.ledger_path, workspace.config.splits, writes=True) as ledger:
        for batch in batches:
            run_task(batch)  # warms caches and makes the folders
        for number in range(rounds):
            for batch, content in zip(batches, contents, strict=True):
                if number % 2:
                    floors.append(_clocked(partial(_floor, content, out, number)))
                commits = parts.setdefault("commit of the rows to the ledger", [])
                steps.append(_clocked(partial(_step, batch, ledger, commits)))
                if not number % 2:
                    floors.append(_clocked(partial(_floor, content, out, number)))
                for name, work in _parts(workspace, content, out).items():
                    parts.setdefault(name, []).append(timed(work)())
    limits.restore_original_limits()
    return _text(floors, steps, parts)


def _clocked(work: Callable[[], object]) -> _Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return _Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def _text(floors: Sequence[_Seconds], steps: Sequence[_Seconds], parts: dict[str, list[float]]) -> str:
    # The ratio of each pair of neighbours in time, because the machine's speed drifts.
    neighbours = list(zip(steps, floors, strict=True))
    ratios = sorted(step.wall / floor.wall for step, floor in neighbours)
    cpu = statistics.median(step.cpu / floor.cpu for step, floor in neighbours)
    quarter = len(ratios) // 4
    difference = median_ms([step.wall - floor.wall for step, floor in neighbours])
    named = {name: median_ms(seconds) for name, seconds in parts.items()}
    named["everything else: PNG chunks left out, fingerprints, rows, renames"] = difference - sum(named.values())
    rows = [[name, f"{value:.2f}"] for name, value in sorted(named.items(), key=lambda item: -item[1])]
    rows.append(["**step - floor**", f"**{difference:.2f}**"])
    floor_ms, step_ms = (median_ms([each.wall for each in seconds]) for seconds in (floors, steps))
    return (
        f"floor {floor_ms:.1f} ms, step {step_ms:.1f} ms per sample: step / floor = {statistics.median(ratios):.3f} "
        f"(half of the {len(ratios)} samples lie in {ratios[quarter]:.3f}..{ratios[-1 - quarter]:.3f}); in processor "
        f"time, which other programs disturb less, {cpu:.3f}\n\n"
        + table(("what the step does beyond its floor", "ms"), rows)
    )


def _floor(content: _Content, out: Path, number: int) -> None:
    """Decode the two files; encode, write and sync the two small ones."""
    for path in (content.pair.image, content.pair.label):
        _decode(path.read_bytes())
    for part, picture in zip(("image", "label"), content.small, strict=True):
        with (out / f"floor-{content.pair.image.stem}-{number}-{part}.png").open("wb") as file:
            file.write(encode_image(".png", picture))
            file.flush()
            os.fsync(file.fileno())


def _decode(data: bytes) -> Array:
    picture: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SystemExit("a file of the benchmark cannot be decoded")
    return picture


def _step(batch: Task, ledger: Ledger, commits: list[float]) -> None:
    """Do what a worker does with a sample and what the runner does with its rows; note the seconds of the latter."""
    result = run_task(batch)
    commits.append(timed(lambda: ledger.record(result.cells, result.sources))())
    failed = [row.reason for row in result.cells if row.reason]
    if failed:
        raise SystemExit(f"the step failed: {failed}")


def _parts(workspace: Workspace, content: _Content, out: Path) -> dict[str, Callable[[], object]]:
    size = (content.small[1].shape[1], content.small[1].shape[0])
    folders = [path for path in sorted((workspace.root / "train").iterdir()) if path.is_dir()]
    for folder in folders:  # something to sync
        (folder / "other.tmp").write_bytes(b"")
        (folder / "other.tmp").unlink()
    class_map = workspace.config.class_map
    return {
        "SHA-256 of the two files": lambda: [hashlib.sha256(data).hexdigest() for data in content.data],
        "checksums of their PNG chunks": lambda: [zlib.crc32(data) for data in content.data],
        "image by area": lambda: resample(content.bgr_HWC, None, Kind.IMAGE, size),
        "raw ids to train ids": lambda: class_map.to_train_ids(content.raw_HW),
        "label by vote": lambda: resize_labels(content.train_HW, size, LabelMethod("vote")),
        "sync of the two folders": lambda: list(map(sync_folder, folders)),
    }


def _content(workspace: Workspace, pair: Pair, factor: int) -> _Content:
    data = pair.image.read_bytes(), pair.label.read_bytes()
    bgr_HWC, raw_HW = map(_decode, data)
    train_HW = workspace.config.class_map.to_train_ids(raw_HW)
    size = (raw_HW.shape[1] // factor, raw_HW.shape[0] // factor)
    small_HWC = resample(cv2.cvtColor(bgr_HWC, cv2.COLOR_BGR2RGB), None, Kind.IMAGE, size)[0]
    return _Content(
        pair, data, bgr_HWC, raw_HW, train_HW, (small_HWC, resize_labels(train_HW, size, LabelMethod("vote")))
    )
