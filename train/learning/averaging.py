"""The exponential moving average of a network's weights, which often predicts better than the weights themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from segprep.datasets.errors import ConfigurationError
from segprep.train.network.checkpoint import check_names

__all__ = ["MovingAverage"]


class MovingAverage:
    """Averages of all parameters and buffers of a network; integer buffers are copied.

    Args:
        network: Whose weights it begins with.
        decay: Share of the old average in the new one, 0..1 (1 excluded). The first updates forget faster: update n,
            counted from 1, keeps at most (1 + n) / (10 + n), so that the random first weights are soon gone. With 0.999
            the full decay is reached at update 8,990.

    Raises:
        ConfigurationError: If the decay makes no sense.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ConfigurationError(f"the decay of averaged weights must lie in 0..1 (1 excluded), not {decay}")
        self._decay = decay
        self._averages = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def update(self, network: nn.Module, updates: int) -> None:
        """Take in the network's weights.

        Args:
            network: After an update of the optimizer.
            updates: How many there were, this one included; so a resumed run goes on to the same bits.
        """
        decay = min(self._decay, (1 + updates) / (10 + updates))
        pairs = [(self._averages[name], tensor.detach()) for name, tensor in network.state_dict().items()]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average([old for old, _ in floats], [new for _, new in floats], None)
        for old, new in pairs:
            if not old.is_floating_point():
                old.copy_(new)

    def state(self) -> Mapping[str, Tensor]:
        """Return the averages by name, as `Checkpoint.averaged` keeps them. They change with the next update."""
        return self._averages

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from averages that `state` returned.

        Raises:
            ConfigurationError: If they are those of another network.
        """
        check_names(self._averages, state, "the averaged weights")
        for name, tensor in state.items():
            self._averages[name].copy_(tensor)

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Give the network the averages inside a `with` block, and its own weights back afterwards.

        The tensors stay the same objects, so that a compiled network and an optimizer do not notice.
        """
        own = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        try:
            _copy(self._averages, network)
            yield
        finally:
            _copy(own, network)


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], network: nn.Module) -> None:
    for name, tensor in network.state_dict().items():
        tensor.copy_(source[name])
