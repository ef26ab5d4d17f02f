"""Trained weights in the store: read without running anything that is stored."""

from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from overread.pipeline.keys import hash_file
from overread.pipeline.store import MANIFEST, Entry, StoreError

__all__ = ["NETWORK", "load_network", "load_state"]

NETWORK = "network.safetensors"


def load_state(entry: Path) -> dict[str, Tensor]:
    """Return the weights of a training step.

    Args:
        entry: folder of the step; one that is still worked on has no manifest to check against.

    Raises:
        StoreError: if the weights are not those that were written.
    """
    if (entry / MANIFEST).exists():
        _refuse_damaged(Entry(entry))
    return safetensors.torch.load_file(entry / NETWORK)


def load_network(network: nn.Module, entry: Path) -> nn.Module:
    """Fill an untrained network with the weights of a training step, ready to predict."""
    network.load_state_dict(load_state(entry))
    return network.eval().requires_grad_(requires_grad=False)


def _refuse_damaged(entry: Entry) -> None:
    known, path = entry.manifest.files.get(NETWORK, {}), entry.folder / NETWORK
    if not path.is_file() or hash_file(path) != known.get("sha256"):
        raise StoreError(
            f"{entry.id}: {NETWORK} is not as it was written; look for more such files with "
            f"`overread store verify`, remove {entry.folder} and run again"
        )
