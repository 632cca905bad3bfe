"""Steps that tests send to worker processes; the folder is put on the workers' path."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import threadpoolctl

from segprep.datasets.kinds import Kind
from segprep.datasets.sample import JsonDict, Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.step import Input, Origin

__all__ = ["Deadly", "Surroundings"]


@dataclass(frozen=True)
class Deadly:
    """Notes each key in a file, and kills the process that works on the victim."""

    column: Column
    victim: str
    diary: str

    name: ClassVar[str] = "deadly"
    version: ClassVar[int] = 1
    inputs: ClassVar[tuple[Input, ...]] = (Input("image", Origin.SOURCE),)

    @property
    def outputs(self) -> tuple[Column, ...]:
        return (self.column,)

    @property
    def parameters(self) -> JsonDict:
        return {"victim": self.victim}

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        with Path(self.diary).open("a") as file:
            file.write(f"{sample.key}\n")
        if sample.key == self.victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return {self.column.name: Cell(sample.arrays["image"])}


@dataclass(frozen=True)
class Surroundings:
    """Writes down what a step finds around itself in its process."""

    name: ClassVar[str] = "surroundings"
    version: ClassVar[int] = 1
    inputs: ClassVar[tuple[Input, ...]] = (Input("image", Origin.SOURCE_SIZE),)
    outputs: ClassVar[tuple[Column, ...]] = (Column("surroundings", Kind.CAMERA, None),)
    parameters: ClassVar[JsonDict] = {}

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        names = ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        found = {
            "process": os.getpid(),
            "environment": {name: os.environ.get(name) for name in names},
            "opencv_threads": cv2.getNumThreads(),
            "pool_threads": sorted({pool["num_threads"] for pool in threadpoolctl.threadpool_info()}),
            "ignores_ctrl_c": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        }
        return {"surroundings": Cell(found)}
