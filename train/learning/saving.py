"""What of a run is kept, and going on from it exactly."""

from pathlib import Path

import torch
from torch import Tensor

from segprep.datasets.errors import ConflictError
from segprep.train.learning.averaging import MovingAverage
from segprep.train.learning.sections import CheckpointConfig
from segprep.train.learning.state import RunState
from segprep.train.network.checkpoint import Checkpoint, load_into, save_checkpoint
from segprep.train.network.segmenter import Segmenter
from segprep.train.runs.processes import Processes

__all__ = ["Saver"]


class Saver:
    """Saves everything that a run needs to go on, and brings it back.

    Args:
        config: What is kept.
        segmenter: The network.
        optimizer: Its optimizer.
        scaler: Of fp16's gradients.
        average: Of the weights, or None.
        processes: That train together.
    """

    def __init__(
        self,
        config: CheckpointConfig,
        segmenter: Segmenter,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        average: MovingAverage | None,
        processes: Processes,
    ) -> None:
        self._config, self._segmenter, self._optimizer = config, segmenter, optimizer
        self._scaler, self._average, self._processes = scaler, average, processes

    def save(self, folder: Path, state: RunState, *, best: bool) -> None:
        """Save a checkpoint; the first process writes it for all.

        Raises:
            WriteFailedError: If the disk is full; the last good checkpoint stays.
        """
        device = self._segmenter.centre.device
        states = self._processes.gathered((torch.get_rng_state(), _device_state(device)))
        if self._processes.first:
            checkpoint = Checkpoint(
                weights=self._segmenter.network.state_dict(),
                optimizer=self._optimizer.state_dict(),
                random_state=torch.stack([cpu for cpu, _ in states]),
                state=state.to_json(),
                averaged=None if self._average is None else self._average.state(),
                scaler=self._scaler.state_dict() if self._scaler.is_enabled() else None,
                cuda_random_states=tuple(gpu for _, gpu in states if gpu is not None),
            )
            save_checkpoint(folder, checkpoint, best=best, keep=self._config.keep)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint.

        Raises:
            ConfigurationError: If the checkpoint is one of another network.
            ConflictError: If it was made with another number of processes.
        """
        load_into(self._segmenter.network, checkpoint)
        self._optimizer.load_state_dict(dict(checkpoint.optimizer))
        if self._average is not None:
            self._average.load(checkpoint.weights if checkpoint.averaged is None else checkpoint.averaged)
        if checkpoint.scaler is not None:
            self._scaler.load_state_dict(dict(checkpoint.scaler))
        self._set_random_states(checkpoint)

    def _set_random_states(self, checkpoint: Checkpoint) -> None:
        states, rank = checkpoint.random_state, self._processes.rank
        if len(states) != self._processes.count:
            raise ConflictError(
                f"the run was trained by {len(states)} processes, not {self._processes.count}: go on with as many, for "
                "the random numbers that they draw"
            )
        torch.set_rng_state(states[rank].clone())  # torch reads a view of a row past its end, and crashes
        device = self._segmenter.centre.device
        if device.type != "cpu" and len(checkpoint.cuda_random_states) == len(states):
            torch.get_device_module(device).set_rng_state(checkpoint.cuda_random_states[rank])


def _device_state(device: torch.device) -> Tensor | None:
    return None if device.type == "cpu" else torch.get_device_module(device).get_rng_state()
