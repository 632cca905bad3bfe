"""PyTorch 2's format: for `torch.export.load`, AOTInductor and ExecuTorch."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor
from torch.fx.experimental import _config as shape_settings

from segprep.train.export.facts import EXTRA_FILE
from segprep.train.export.runners import Runner, Save
from segprep.train.export.whole import WholeNetwork

__all__ = ["SMALLEST", "SUFFIX", "exported", "runner"]

SUFFIX: Final = ".pt2"
SMALLEST: Final = 33
"""Where strides of 32 in all leave a single pixel torch.export takes its size for a constant."""


@torch.no_grad()
def exported(network: WholeNetwork, names: Sequence[str], example: Sequence[Tensor], *, any_size: bool) -> Save:
    """See `formats.FileFormat.exported`."""
    del names  # arguments have places
    dim = torch.export.Dim
    shape: dict[int, Any] = {0: dim("batch")}
    if any_size:
        shape |= {1: dim("height", min=SMALLEST), 2: dim("width", min=SMALLEST)}
    with _sizes_stay_open(), _exporter_warnings():
        program = torch.export.export(
            network,
            tuple(example),
            dynamic_shapes=((shape,) * len(example),),
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    return partial(_saved, program)


def runner(file: bytes) -> Runner:
    """Return what runs the file on the CPU."""
    with _exporter_warnings():
        module = torch.export.load(io.BytesIO(file)).module()

    @torch.inference_mode()
    def run(columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        ids, scores = module(*columns)
        return ids, scores

    return run


@contextmanager
def _sizes_stay_open() -> Iterator[None]:
    """Keep torch.export from choosing, by the example, whether what is cropped was larger: both must do.

    Torch has no public setting for it. Where this one is absent, the file gets a fixed size.
    """
    if not hasattr(shape_settings, "backed_size_oblivious"):
        yield
        return
    with shape_settings.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]  # made at run time
        yield


@contextmanager
def _exporter_warnings() -> Iterator[None]:
    """Hide what torch says of its own code while it copies what it exported, and of weights on a GPU: ours are not."""
    with warnings.catch_warnings():
        # It takes weights whose channels lie together for parts of larger ones, and saves them whole all the same.
        warnings.filterwarnings("ignore", "No complete tensor found in the group", UserWarning)
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        yield


def _saved(program: torch.export.ExportedProgram, text: str) -> bytes:
    buffer = io.BytesIO()
    with _exporter_warnings():
        torch.export.save(program, buffer, extra_files={EXTRA_FILE: text})
    return buffer.getvalue()
