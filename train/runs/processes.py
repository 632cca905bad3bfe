"""Several processes that train one network together, as torchrun starts them; one process is the simple case.

Gradients are added up after the backward pass. torch's DistributedDataParallel would do it meanwhile, but it loses
gradients of heads that the last part of an accumulated batch does not use.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError, SegprepError

__all__ = ["Processes", "joined_processes"]

T = TypeVar("T")


class Processes:
    """The processes of this run.

    Attributes:
        rank: Number of this process.
        count: How many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Add up a tensor over the processes, in place."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        return flag if self.count == 1 else bool(self.sum(torch.tensor(float(flag))))

    def gathered(self, value: Any) -> list[Any]:  # noqa: ANN401  (whatever can be sent)
        """Return the value of every process, in the order of their ranks."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def once(self, action: Callable[[], T]) -> T:
        """Let the first process do something; every process gets what it returned, or the error that it raised."""
        found: list[Any] = [None, None]
        if self.first:
            try:
                found[0] = action()
            except SegprepError as error:
                if self.count == 1:
                    raise
                found[1] = error
        result, refusal = self.gathered(found)[0]
        if refusal is not None:
            raise refusal
        return cast("T", result)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of every process; one that no process has stays None, as with one process."""
        if self.count == 1:
            return
        wanted = [p for p in parameters if p.requires_grad]
        used = self.sum(torch.tensor([float(p.grad is not None) for p in wanted], device=wanted[0].device)).tolist()
        gradients = []
        for parameter, anywhere in zip(wanted, used, strict=True):
            if anywhere:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = gradient
                gradients.append(gradient)
        flat = self.sum(torch.cat([g.flatten() for g in gradients]))
        for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def average_buffers(self, module: nn.Module) -> None:
        """Give every process the mean of their running statistics, which each gathered from its own samples."""
        if self.count > 1:
            for buffer in module.buffers():
                if buffer.is_floating_point():
                    self.sum(buffer).div_(self.count)


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one.

    Raises:
        ConfigurationError: If torchrun's variables are there, but its other processes cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but the other processes cannot be reached ({error}): start "
            "them with `torchrun --nproc-per-node N --no-python train run ...`, or unset WORLD_SIZE"
        ) from error
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
