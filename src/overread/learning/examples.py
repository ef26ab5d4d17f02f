"""What the loop asks of examples, of losses and of whoever watches. No pixels, no files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overread.models import ImageNetwork

__all__ = ["Batch", "Examples", "Loss", "Measure", "Outputs", "Progress", "call_network"]

Batch = dict[str, Tensor]
Outputs = Mapping[str, Tensor] | Tensor
Loss = Callable[[Outputs, Batch], dict[str, Tensor]]
"""(outputs, batch) -> {"total": differentiable scalar, other parts for the log}."""
Measure = Callable[[dict[str, NDArray[np.float32]]], float]
"""Outputs of all validation examples -> what is to become small."""
Progress = Callable[[str, int, int], None]
"""(stage, done, total)."""


class Examples(Protocol):
    """Things to learn from; batches are made in background threads, several at a time."""

    def __len__(self) -> int:
        """Return how many there are."""

    def batch(
        self, indices: Sequence[int], *, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """Return some of them; a generator means training, and decides all that is random."""


def call_network(network: nn.Module, batch: Batch, *, image: bool) -> Outputs:
    """Return what the network says: of `batch["image"]` alone where `image`, else of the batch."""
    outputs: Outputs = network(batch["image"] if image else batch)
    return outputs


def takes_image(network: nn.Module) -> bool:
    """Return whether the network takes `batch["image"]` alone."""
    return isinstance(network, ImageNetwork)
