"""Torch networks in other ways than eagerly in fp32; they take and give what they always do."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overread.inference.engines.ways import Way

__all__ = ["Compiled", "LowPrecision", "in_way"]


class LowPrecision(nn.Module):
    """A torch network in bf16 where that is safe."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, asked: Mapping[str, Tensor] | Tensor) -> Mapping[str, Tensor] | Tensor:
        """Return what the network answers."""
        device = next(self.network.parameters()).device.type
        with torch.autocast(device, dtype=torch.bfloat16):
            answer: Mapping[str, Tensor] | Tensor = self.network(asked)
        return answer


class Compiled(nn.Module):
    """A torch network that is compiled when it is first asked."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.compiled = torch.compile(network, dynamic=True)

    def forward(self, asked: Mapping[str, Tensor] | Tensor) -> Mapping[str, Tensor] | Tensor:
        """Return what the network answers."""
        answer: Mapping[str, Tensor] | Tensor = self.compiled(asked)
        return answer


def in_way(network: nn.Module, way: Way) -> nn.Module:
    """Return a torch network so that it runs in a way of torch."""
    if way.engine == "compiled":
        network = Compiled(network)
    return LowPrecision(network) if way.precision == "bf16" else network
