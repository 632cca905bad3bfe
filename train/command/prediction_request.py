"""What the command line of `train predict` says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segprep.train.network.config import Precision
from segprep.train.predict.network_size import NetworkSize
from segprep.train.predict.outputs import OutputFiles
from segprep.train.predict.predictor import At
from segprep.train.predict.submission import (
    SubmissionName,
)
from segprep.train.predict.views import Views

__all__ = ["Request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line says.

    Attributes:
        out: Folder of the outputs.
        size: See `NetworkSize`.
        at: See `Predictor`.
        files: See `OutputFiles`.
        views: See `Predictor`.
        batch_size: See `Predictor`.
        precision: See `NetworkConfig`; None for that of the training.
        dataset: See `Predictor`.
        folders: Folder of each further column of pictures.
        primary: The column that the named pictures are; None for `image`, else the network's first.
        splits: Of a workspace; empty for all.
        unit: Of depth files, see `depth_unit`.
        camera: fx, fy, cx and cy in pixels of the pictures.
        prepare: Whether missing columns are made.
        submission: For which benchmark; `files.ids` must be what it wants.
        max_frames: Of each video, None for all.
        max_minutes: After which to stop.
        quiet: Whether to show no progress.
    """

    out: Path
    size: NetworkSize
    at: At
    files: OutputFiles
    views: Views
    batch_size: int = 1
    precision: Precision | None = None
    dataset: str | None = None
    folders: Mapping[str, Path]
    primary: str | None = None
    splits: tuple[str, ...] = ()
    unit: str | None = None
    camera: tuple[float, float, float, float] | None = None
    prepare: bool = False
    submission: SubmissionName | None = None
    max_frames: int | None = None
    max_minutes: float | None = None
    quiet: bool = False
