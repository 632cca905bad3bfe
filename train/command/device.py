"""`--device`: where a command computes, and where a run goes on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from segprep.datasets.errors import ConfigurationError, SegprepError
from segprep.train.runs.folder import Run

if TYPE_CHECKING:
    import torch

__all__ = ["DeviceName", "device_of_resume"]

DeviceName = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="cpu|cuda|cuda:N|mps",
        help="Where to compute. Default: the first GPU that torch sees, else the CPU.",
        show_default=False,
    ),
]


def device_of_resume(name: str | None, run: Run, checkpoint: str, say: Callable[[str], None]) -> "torch.device":
    """Return where a run goes on: on the named device, else on that of its checkpoint, where it is there.

    Args:
        name: As typed.
        run: The run.
        checkpoint: Of it, as people write it.
        say: Gets a sentence if the results will differ from those of a run that was not interrupted.

    Raises:
        ConfigurationError: If there is no such device.
    """
    from segprep.train.network.device import chosen_device

    former = _former(run, checkpoint)
    if former is None:
        return chosen_device(name)
    try:
        device = chosen_device(name or former)
    except ConfigurationError:
        if name is not None:
            raise
        device = chosen_device(None)
    if device.type != former.partition(":")[0]:
        say(f"{run.name} was trained on {former} and goes on on {device}: not to the bits that it would have had there")
    return device


def _former(run: Run, checkpoint: str) -> str | None:
    """Return the device of a checkpoint; None where nothing says it. What is damaged is told when it is read."""
    from segprep.train.network.checkpoint import checkpoint_name
    from segprep.train.network.pointers import checkpoint_path
    from segprep.train.network.seal import open_seal

    try:
        folder = checkpoint_path(run.checkpoints, checkpoint_name(checkpoint))
        device = None if folder is None else open_seal(folder, ())[0].get("device")
    except SegprepError:
        return None
    return device if isinstance(device, str) and device else None
