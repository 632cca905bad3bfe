"""The whole step of `prep flow` per frame against its floor."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from _flow_drive import Drive
from _flow_parts import parts_of
from _measure import timed
from _prep_tasks import Task, make_tasks, run_task
from _step_figures import Seconds, clocked, difference_table, ratio_text

from segprep.datasets.codes import DepthCode, KittiFlowCode
from segprep.datasets.imageio import encode_image, read_image
from segprep.datasets.record import SampleRecord
from segprep.datasets.sample import Array, SampleKey
from segprep.workflows.ledger.database import CellRow, Ledger
from segprep.workflows.running.worker import Job

__all__ = ["step_report"]

_IMAGES = ("image", "previous")


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """What the floor reads and writes of a frame, and the parts that it lacks; made once, outside of every clock."""

    inputs: Mapping[str, Path]
    outputs: Mapping[str, Array]
    targets: tuple[Array, Array]  # x and y where the flow there ends
    parts: Mapping[str, Callable[[], object]]


def step_report(drive: Drive, rounds: int, out: Path) -> str:
    """Measure floor and step in turn, a batch of about a second each time; return figures and table per frame."""
    workspace = drive.workspace(out / "step", 1)
    (batch,) = make_tasks(workspace, {"flow": {}}, drive.frames)
    count = len(batch.samples)
    floors, steps = list[Seconds](), list[Seconds]()
    parts: dict[str, list[float]] = {}
    commits = list[float]()
    with Ledger(workspace.ledger_path, workspace.config.splits, writes=True) as ledger:
        contents = _contents(batch, ledger)
        for number in range(rounds):
            if number % 2:
                floors.append(clocked(partial(_floor, contents, out), count))
            steps.append(clocked(partial(_step, batch, ledger, commits), count))
            if not number % 2:
                floors.append(clocked(partial(_floor, contents, out), count))
            for content in contents:
                for name, work in content.parts.items():
                    parts.setdefault(name, []).append(timed(work)())
    parts["commit of the rows to the ledger"] = [seconds / count for seconds in commits]
    rest = "everything else: fingerprints, rows, renames, memory"
    return f"batches of {count}: {ratio_text(floors, steps)}\n\n{difference_table(floors, steps, parts, rest)}"


def _contents(batch: Task, ledger: Ledger) -> list[_Content]:
    """Make the outputs of a batch, which also warms caches and makes folders."""
    job, files = batch.job, dict[SampleKey, list[Path]]()
    for row in _step(batch, ledger, []):
        files.setdefault(row.key, []).extend(job.workspace.root / file.path for file in row.files)
    return [_content(job, sample.record, files[sample.record.key]) for sample in batch.samples]


def _content(job: Job, record: SampleRecord, outputs: Sequence[Path]) -> _Content:
    depth_code, near = job.columns["depth"].code, record.neighbour
    if not isinstance(depth_code, DepthCode) or near is None or near.motion is None:
        raise SystemExit("the drive must have depth and poses")
    inputs = {
        name: job.workspace.cell_path(record.split, name, record.key, job.columns[name].extension)
        for name in (*_IMAGES, "depth", "camera")
    }
    pictures = {path: read_image(path) for path in outputs}
    (flow,) = [picture for path, picture in pictures.items() if path.parent.name == "optical_flow_data"]
    uv_HW2, _ = KittiFlowCode().decode(*KittiFlowCode().from_file(flow))
    y_H1, x_1W = np.ogrid[: uv_HW2.shape[0], : uv_HW2.shape[1]]
    return _Content(
        inputs,
        {f"floor-{path.parent.name}-{path.name}": picture for path, picture in pictures.items()},
        ((uv_HW2[..., 0] + x_1W).astype(np.float32), (uv_HW2[..., 1] + y_H1).astype(np.float32)),
        parts_of(inputs, depth_code, near.motion, [path.read_bytes() for path in outputs]),
    )


def _floor(contents: Sequence[_Content], out: Path) -> None:
    for content in contents:
        _floor_of_one(content, out)


def _floor_of_one(content: _Content, out: Path) -> None:
    """Decode the inputs, estimate flow there and back and look up the way back; encode, write and sync the outputs."""
    images = [_decode(content.inputs[name]) for name in _IMAGES]
    _decode(content.inputs["depth"])
    json.loads(content.inputs["camera"].read_bytes())
    ways = []
    for pair in (images, images[::-1]):
        first, second = (cv2.cvtColor(image_HWC, cv2.COLOR_BGR2GRAY) for image_HWC in pair)
        # The settings of `dis` by default are those of OpenCV's own preset.
        estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        ways.append(estimator.calc(first, second, None))  # type: ignore[call-overload]
    cv2.remap(ways[1], *content.targets, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    for name, picture in content.outputs.items():
        with (out / name).open("wb") as file:
            file.write(encode_image(".png", picture))
            file.flush()
            os.fsync(file.fileno())


def _decode(path: Path) -> Array:
    picture: Array | None = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SystemExit(f"{path} cannot be decoded")
    return picture


def _step(batch: Task, ledger: Ledger, commits: list[float]) -> Sequence[CellRow]:
    """Do what a worker does with a batch and what the runner does with its rows; note the seconds of the latter."""
    result = run_task(batch)
    commits.append(timed(lambda: ledger.record(result.cells, result.sources))())
    reasons = [row.reason for row in result.cells if row.reason]
    if reasons or len(result.cells) != len(batch.job.steps) * len(batch.samples):
        raise SystemExit(f"the step failed: {reasons}")
    return result.cells
