"""TorchScript: for `torch.jit.load` and for libtorch in C++."""

import io
from collections.abc import Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor

from segprep.train.export.facts import EXTRA_FILE
from segprep.train.export.runners import Runner, Save
from segprep.train.export.tracing import script_warnings, traced
from segprep.train.export.whole import WholeNetwork

__all__ = ["SMALLEST", "SUFFIX", "exported", "runner"]

SUFFIX: Final = ".torchscript"
SMALLEST: Final = 1


def exported(network: WholeNetwork, names: Sequence[str], example: Sequence[Tensor], *, any_size: bool) -> Save:
    """See `formats.FileFormat.exported`. It does not check the size that it is given."""
    del names, any_size  # arguments have places and no names; sizes are not written
    return partial(_saved, traced(network, example))


def runner(file: bytes) -> Runner:
    """Return what runs the file on the CPU."""
    with script_warnings():
        script = torch.jit.load(io.BytesIO(file), map_location="cpu")  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def run(columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        ids, scores = script(*columns)
        return ids, scores

    return run


def _saved(script: torch.jit.ScriptModule, text: str) -> bytes:
    buffer = io.BytesIO()
    with script_warnings():
        torch.jit.save(script, buffer, _extra_files={EXTRA_FILE: text})
    return buffer.getvalue()
