"""What can be watched while a run trains: log, TensorBoard, services, curves, a panel of predictions."""

import contextlib
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from segprep.datasets.imageio import write_image
from segprep.train.runs.curves import write_curves
from segprep.train.runs.events import EventFile
from segprep.train.runs.folder import Run
from segprep.train.runs.services import Services

__all__ = ["Monitor", "draw_log"]

_PAUSE_S = 30.0  # between two drawings: that of a long log takes seconds


class Monitor:
    """Writes `log.jsonl`, `events/`, `curves.png` and `panel.png` into the folder of a run.

    Args:
        run: The run.
        step: Steps that were done before.
        writes: Whether this process writes; of several, one does.
        services: That get the log, too.
    """

    def __init__(self, run: Run, step: int, *, writes: bool, services: Services | None = None) -> None:
        self._run = run
        self._services = services
        self._events = EventFile(run.root / "events", step) if writes else None
        self._drawn_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._services is not None:
            self._services.close(finished=error is None)
        if self._events is not None:
            self._events.close()
            # A picture of what is in the log must not hide why the run ended.
            with contextlib.suppress(OSError) if error else contextlib.nullcontext():
                draw_log(self._run)

    def log(self, entry: Mapping[str, Any]) -> None:
        """Add what a step did; after a validation the curves are drawn anew, if that was not done just now."""
        if self._events is None:
            return
        self._run.log(dict(entry))
        step = entry["step"]
        values = {_tag(name): value for name, value in entry.items() if name != "step"}
        self._events.scalars(values, step)
        if self._services is not None:
            self._services.log(values, step)
        if any(name.startswith("val_") for name in entry) and time.monotonic() > self._drawn_at + _PAUSE_S:
            self._drawn_at = time.monotonic()
            draw_log(self._run)

    def panel(self, step: int, rgb_HWC: npt.NDArray[np.uint8]) -> None:
        """Show the latest predictions."""
        if self._events is not None:
            write_image(self._run.root / "panel.png", rgb_HWC)
            self._events.image("panel", rgb_HWC, step)


def draw_log(run: Run) -> None:
    """Draw the log of a run, if there is one, into its `curves.png`.

    Raises:
        WriteFailedError: If the picture cannot be written.
    """
    if run.log_path.exists():
        write_curves(run.log_path, run.root / "curves.png")


def _tag(name: str) -> str:
    """Return the name by which TensorBoard groups: validation apart from training."""
    kept = name.removeprefix("val_")
    return f"train/{name}" if kept == name else f"val/{kept}"
