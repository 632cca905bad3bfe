"""A network as TorchScript, which both ONNX and `torch.jit.load` begin with."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from segprep.train.export.whole import WholeNetwork

__all__ = ["script_warnings", "traced"]


@contextmanager
def script_warnings() -> Iterator[None]:
    """Hide that TorchScript is to be replaced by torch.export.

    It is used knowingly: it takes a tenth of the time, and what it makes takes pictures of every size
    (docs/decisions.md). Other warnings stay.
    """
    with warnings.catch_warnings():
        for message in (r"`torch\.jit\.\w+` is deprecated", "The feature will be removed", "You are using the legacy"):
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        # Of parts that were never called by themselves: which of two layouts their arguments have is asked in vain.
        warnings.filterwarnings("ignore", "no signature found for", UserWarning)
        yield


@torch.no_grad()
def traced(network: WholeNetwork, example: Sequence[Tensor]) -> torch.jit.ScriptModule:
    """Return what a network does with an example; sizes that it computes by follow those of the input.

    What a size decided by Python itself (`if width > 32`) stays as it was for the example: warned of by torch, and
    found by comparing answers at another size.
    """
    with script_warnings(), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]  # absent from torch's stubs
        script = torch.jit.trace(network, tuple(example), check_trace=False)  # type: ignore[no-untyped-call]
    assert isinstance(script, torch.jit.ScriptModule)
    return script
