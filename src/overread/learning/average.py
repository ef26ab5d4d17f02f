"""A moving average of a network's weights, which is often better than the last weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["MovingAverage"]


class MovingAverage:
    """Exponential average of weights and running statistics; counters are copied.

    Early on the decay is (1 + n) / (10 + n), so that the random start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the weights of now into the average."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)

    @contextmanager
    def lent(self, network: nn.Module) -> Iterator[None]:
        """Give the network the averaged weights for a while."""
        own = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.give(network)
        try:
            yield
        finally:
            _copy(own, network)

    def give(self, network: nn.Module) -> None:
        """Give the network the averaged weights for good."""
        _copy(self.values, network)

    def restore(self, values: Mapping[str, Tensor], updates: int) -> None:
        """Go on from a saved average."""
        for name, value in self.values.items():
            value.copy_(values[name])
        self.updates = updates


@torch.no_grad()
def _copy(values: Mapping[str, Tensor], network: nn.Module) -> None:
    for name, value in network.state_dict().items():
        value.copy_(values[name])
