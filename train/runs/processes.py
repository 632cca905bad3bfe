"""Several processes that train one network together, as torchrun starts them; one process is the simple case.

Gradients are added up after the backward pass. torch's DistributedDataParallel would do it meanwhile, but it loses
gradients of heads that the last part of an accumulated batch does not use.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from segprep.datasets.errors import ClusterLostError, ConfigurationError, SegprepError
from segprep.datasets.program.interrupt import StopRequest

__all__ = ["Processes", "joined_processes"]

T = TypeVar("T")

# What lies on a CPU, as flags and objects do, goes by gloo.
_BACKENDS: Final = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
_PATIENCE: Final = timedelta(seconds=3)  # until a process that lives has noticed that another one is lost


class Processes:
    """The processes of this run.

    Whatever they do together raises `ClusterLostError` in those that are left if one of them is lost.

    Args:
        rank: Number of this process.
        count: How many there are.
        store: Where each can leave word for the others; not asked for one process.
        device: Where this process computes, if somebody chose.

    Attributes:
        rank: Number of this process.
        count: How many there are.
        device: Where this process computes; None leaves it to torch.
    """

    def __init__(
        self, rank: int = 0, count: int = 1, store: Store | None = None, device: torch.device | None = None
    ) -> None:
        self.rank, self.count, self._store, self.device = rank, count, store, device

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Add up a tensor over the processes, in place."""
        if self.count > 1:
            with self._together():
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
        with self._together():
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
    def _together(self) -> Iterator[None]:
        """Tell a lost process from a bug: what is inside fails by the same error."""
        try:
            yield
        except RuntimeError as error:
            with StopRequest():  # torchrun ends the processes that are left
                lost = self._lost()
            if not lost:
                raise
            named = f"process {lost[0]}" if len(lost) == 1 else f"processes {', '.join(map(str, lost))}"
            raise ClusterLostError(
                f"{named} of 0 to {self.count - 1} ended or was killed while the others waited; if it had a reason, it "
                "says so itself"
            ) from error

    def _lost(self) -> list[int]:
        """Return which processes do not answer. The one that keeps the store leaves when the others have asked."""
        assert self._store is not None
        others = [rank for rank in range(self.count) if rank != self.rank]
        dist.destroy_process_group()  # so that those notice it that wait for this one
        try:
            self._store.set(f"here-{self.rank}", "")
            lost = [rank for rank in others if not self._answers(f"here-{rank}")]
            self._store.set(f"asked-{self.rank}", "")
        except RuntimeError:
            return [0]
        if self.first:
            for rank in others:
                if rank not in lost:
                    self._answers(f"asked-{rank}")
        return lost

    def _answers(self, word: str) -> bool:
        assert self._store is not None
        try:
            self._store.wait([word], _PATIENCE)
        except dist.DistStoreError:  # the time is over
            return False
        return True


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one.

    Raises:
        ConfigurationError: If torchrun's variables are there, but its other processes cannot be reached, or they cannot
            talk about what lies on such a device.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes(device=device)
        return
    if device.type not in _BACKENDS:
        raise ConfigurationError(f"several processes train on {' or '.join(_BACKENDS)}, not on {device.type}")
    try:
        store, rank, count = next(rendezvous("env://"))
        dist.init_process_group(_BACKENDS[device.type], store=store, rank=rank, world_size=count)
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but the other processes cannot be reached ({error}): start "
            "them with `torchrun --nproc-per-node N --no-python train run ...`, or unset WORLD_SIZE"
        ) from error
    try:
        yield Processes(rank, count, PrefixStore("roll call", store), device)
    finally:
        if dist.is_initialized():  # it ends when a process is lost
            dist.destroy_process_group()
