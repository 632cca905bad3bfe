"""ONNX: for onnxruntime, TensorRT, OpenVINO and others."""

import io
from collections.abc import Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor

from segprep.datasets.program.extras import optional_packages
from segprep.train.export.facts import METADATA_KEY
from segprep.train.export.runners import Runner, Save
from segprep.train.export.tracing import script_warnings, traced
from segprep.train.export.whole import OUTPUTS, WholeNetwork

__all__ = ["SMALLEST", "SUFFIX", "exported", "runner", "saver"]

SUFFIX: Final = ".onnx"
SMALLEST: Final = 1

_OPSET: Final = 18  # has every operation that the networks need; most runtimes of today read it


@torch.no_grad()
def exported(network: WholeNetwork, names: Sequence[str], example: Sequence[Tensor], *, any_size: bool) -> Save:
    """See `formats.FileFormat.exported`."""
    with optional_packages("`train export --to onnx`"):
        import onnx  # noqa: F401  (torch's exporter needs it)
    size = {1: "height", 2: "width"} if any_size else {}
    axes = {name: {0: "batch", **size} for name in (*names, "ids")}
    axes["scores"] = {0: "batch"} | ({2: "height", 3: "width"} if any_size else {})
    file = io.BytesIO()
    script = traced(network, example)
    with script_warnings():
        torch.onnx.export(
            script,
            tuple(example),
            file,  # type: ignore[arg-type]  # it also takes what can be written to
            dynamo=False,
            input_names=list(names),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=_OPSET,
        )
    return saver(file.getvalue())


def saver(file: bytes) -> Save:
    """Return what gives a file a text about itself."""
    return partial(_described, file)


def _described(file: bytes, text: str) -> bytes:
    import onnx

    model = onnx.load_from_string(file)
    onnx.helper.set_model_props(model, {METADATA_KEY: text})
    model.producer_name = "segprep"
    described_file: bytes = model.SerializeToString()
    return described_file


def runner(file: bytes) -> Runner:
    """Return what runs the file in onnxruntime on the CPU."""
    with optional_packages("checking an ONNX file"):
        import onnxruntime
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        given = {name: each.numpy() for name, each in zip(names, columns, strict=True)}
        try:
            ids, scores = session.run(list(OUTPUTS), given)
        except Exception as error:  # onnxruntime's errors have no base of their own
            raise RuntimeError(f"onnxruntime: {error}") from error
        return torch.from_numpy(ids), torch.from_numpy(scores)

    return run
