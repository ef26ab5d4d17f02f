"""Trained weights in the store: read without running anything that is stored."""

from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

__all__ = ["NETWORK", "load_network", "load_state", "tidy"]

NETWORK = "network.safetensors"


def load_state(entry: Path) -> dict[str, Tensor]:
    """Return the weights of a training step."""
    return safetensors.torch.load_file(entry / NETWORK)


def load_network(network: nn.Module, entry: Path) -> nn.Module:
    """Fill an untrained network with the weights of a training step, ready to predict."""
    network.load_state_dict(load_state(entry))
    return network.eval().requires_grad_(requires_grad=False)


def tidy(folder: Path) -> None:
    """Remove what only an interrupted training needs."""
    for state in folder.glob("state.*"):
        state.unlink()
