"""The rendered drive that `prep flow` is measured on: images, depth, cameras, exact truth, and workspaces of it."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _prep_tasks import init_workspace, prep

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.datasets.synthetic import write_drive
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import decode_source
from segprep.flow.field import FlowField
from segprep.flow.flow_files import read_flow

__all__ = ["Drive", "RgbdPair", "read_source", "render_drive"]

_WORTH_WORKERS = 40  # samples; fewer are resized before workers have started
_KEPT = ("rgb", "depth", "camera")


@dataclass(frozen=True, slots=True, eq=False)
class RgbdPair:
    """A frame with depth, the frame before it, how the camera moved between them, and the exact flow."""

    first: Array
    second: Array
    depth: Array
    depth_valid: Mask
    camera: Camera
    motion: Matrix
    truth: FlowField


@dataclass(frozen=True, slots=True)
class Drive:
    """One rendered sequence, in the catalog's layout `synthetic`, its frames on the disk."""

    root: Path
    frames: int

    def workspace(self, place: Path, copies: int, kept: Sequence[str] = _KEPT) -> Workspace:
        """Return a workspace ready for `prep flow`, at the drive's own size, of so many links to the sequence.

        Args:
            place: Of the workspace.
            copies: Number of links.
            kept: The columns that it has; without a word those that flow has a use for.
        """
        linked = place.with_name(f"{place.name}-drive")
        for number in range(copies):
            for path in self._files(kept):
                target = linked / "train" / f"drive{number:02d}" / path.relative_to(self._sequence)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, target)
        shutil.copyfile(self.root / "drive.json", linked / "drive.json")
        workspace = init_workspace(place, "synthetic", linked)
        few = self.frames * copies < _WORTH_WORKERS
        prep(place, "resize", "--factor", "1", *(("--workers", "0") if few else ()))
        return workspace

    def pair(self) -> RgbdPair:
        """Return the last frame and the one before it."""
        *_, record = CATALOG.load("synthetic").scan(DatasetSource(self.root), Direction.PREVIOUS)
        if record.camera is None or record.neighbour is None or record.neighbour.motion is None:
            raise SystemExit(f"{record.key} has no camera or nothing before it")
        first, second = (read_source(self.root, record, name)[0] for name in ("image", "previous"))
        depth, known = read_source(self.root, record, "depth")
        truth = read_flow(self._sequence / "truth" / "flow_previous" / f"{self.frames - 1:06d}.npy")
        return RgbdPair(first, second, depth, known, record.camera, record.neighbour.motion, truth)

    @property
    def _sequence(self) -> Path:
        return self.root / "train" / "drive00"

    def _files(self, kept: Sequence[str]) -> list[Path]:
        return [path for part in kept for path in sorted((self._sequence / part).iterdir())]


def render_drive(root: Path, size: tuple[int, int], frames: int) -> Drive:
    """Render one sequence of (width, height) pixels."""
    write_drive(root, splits={"train": frames}, width=size[0], height=size[1], sequence_length=frames, truth=True)
    return Drive(root, frames)


def read_source(root: Path, record: SampleRecord, name: str) -> tuple[Array, Mask]:
    """Read a file of a dataset as steps see it, with its mask."""
    path = root / record.sources[name].path
    cell = decode_source(record.sources[name], path.read_bytes(), path)
    if isinstance(cell.values, dict):
        raise SystemExit(f"{path} is no picture")
    return cell.values, np.ones(cell.values.shape[:2], np.bool_) if cell.valid is None else cell.valid
