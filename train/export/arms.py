"""What `train time` measures: networks made ready to answer one batch again and again.

What is not needed for an arm is not imported: torch would count as memory of a network in onnxruntime.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.export.facts import EXTRA_FILE, ExportFacts
from segprep.train.export.noise import noise

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Arm", "Call", "Ready", "ready"]

Call = Callable[[], object]
"""One batch, from arrays to ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What is timed: one network, in one way, at one batch and size.

    Attributes:
        name: What users called it.
        path: Its file: weights, or an exported one.
        runtime: `eager`, `compiled`, `onnx`, `pt2` or `torchscript`.
        batch: Samples at once.
        size: (width, height); None for that of the training.
        threads: Of the processor; 0 for all that it has.
        device: As torch calls it; None for the first GPU, else the CPU. ONNX is timed on the CPU.
        warm_up: Batches that are not counted.
        runs: Batches that are.
    """

    name: str
    path: Path
    runtime: str
    batch: int
    size: tuple[int, int] | None
    threads: int
    device: str | None
    warm_up: int
    runs: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A network that is ready to be timed.

    Attributes:
        call: One batch.
        size: (width, height) of its samples.
        precision: In which it computes.
        threads: Of the processor.
        device: Where it computes.
        memory_mb: Returns the most memory that it held, None to ask the process.
    """

    call: Call
    size: tuple[int, int]
    precision: str
    threads: int
    device: str
    memory_mb: Callable[[], float] | None = None


def ready(arm: Arm) -> Ready:
    """Return what an arm does.

    Raises:
        SegprepError: If the file cannot be used.
        RuntimeError: If the network cannot run so.
    """
    match arm.runtime:
        case "onnx":
            return _onnx(arm)
        case "pt2" | "torchscript":
            return _torch_file(arm)
    return _network(arm)


def _onnx(arm: Arm) -> Ready:
    from segprep.train.export.onnx_model import OnnxModel

    model = OnnxModel(arm.path, arm.threads)
    size = _size(arm, model.facts)
    arrays = {column.name: noise(column, arm.batch, size) for column in model.columns}
    return Ready(lambda: model.ids(arrays), size, model.facts.precision, arm.threads or os.cpu_count() or 1, "cpu")


def _torch_file(arm: Arm) -> Ready:
    import torch

    from segprep.train.export.tracing import script_warnings

    extra: dict[str, Any] = {EXTRA_FILE: ""}
    device = _device(arm)
    with script_warnings():
        if arm.runtime == "pt2":
            device = torch.device("cpu")  # where it was exported: its constants lie there
            network = torch.export.load(arm.path, extra_files=extra).module()
        else:
            network = torch.jit.load(arm.path, map_location=device, _extra_files=extra)  # type: ignore[no-untyped-call]
    text = extra[EXTRA_FILE]
    facts = ExportFacts.from_text(text.decode() if isinstance(text, bytes) else text, str(arm.path))
    return _in_torch(arm, network, facts.specs, _size(arm, facts), facts.precision, device)


def _network(arm: Arm) -> Ready:
    import torch

    from segprep.train.export.whole import whole_network
    from segprep.train.predict.model import load

    device = _device(arm)
    model = load(arm.path, device=device)
    precision = model.config.model.precision
    network: Callable[..., tuple[Tensor, Tensor]] = whole_network(model, 0, precision)
    if arm.runtime == "compiled":
        network = torch.compile(network)
    return _in_torch(arm, network, model.columns, arm.size or model.size, precision, device)


def _in_torch(
    arm: Arm,
    network: "Callable[..., tuple[Tensor, Tensor]]",
    columns: tuple[ArraySpec, ...],
    size: tuple[int, int],
    precision: str,
    device: "torch.device",
) -> Ready:
    import torch

    if arm.threads:
        torch.set_num_threads(arm.threads)
    arrays = [noise(column, arm.batch, size) for column in columns]

    @torch.inference_mode()
    def call() -> Array:
        ids_NHW, _ = network(*(torch.from_numpy(each).to(device) for each in arrays))
        found: Array = ids_NHW.cpu().numpy()  # waits for a GPU
        return found

    on_gpu = device.type == "cuda"
    memory = (lambda: torch.cuda.max_memory_allocated(device) / 1e6) if on_gpu else None
    name = torch.cuda.get_device_name(device) if on_gpu else "cpu"
    return Ready(call, size, precision, torch.get_num_threads(), name, memory)


def _device(arm: Arm) -> "torch.device":
    import torch

    from segprep.train.network.segmenter import default_device

    return default_device() if arm.device is None else torch.device(arm.device)


def _size(arm: Arm, facts: ExportFacts) -> tuple[int, int]:
    size = arm.size or facts.size
    if facts.fixed_size not in (None, size) or min(size) < facts.smallest:
        takes = f"from {facts.smallest}x{facts.smallest} on"
        if facts.fixed_size is not None:
            takes = "of {}x{} only".format(*facts.fixed_size)
        raise SizeMismatchError(f"{arm.path} takes pictures {takes}")
    return size
