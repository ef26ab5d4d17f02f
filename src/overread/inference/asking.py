"""How networks are asked: those of torch, and graphs in other engines, which need no torch.

Arrays go in and come out; what they mean is not known here.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from overread.inference.engines.graph_network import GraphNetwork
from overread.inference.locator import LocatorSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Network", "ask_image", "look_together"]

Network: TypeAlias = Union["nn.Module", GraphNetwork]
Singles = NDArray[np.float32]


def look_together(whole: LocatorSpec, part: LocatorSpec, network: Network) -> Network:
    """Return the network of a part so that it takes the images of the whole."""
    if whole.channels == part.channels:
        return network
    if isinstance(network, GraphNetwork):
        return replace(network, channels=part.channels)
    from overread.inference.locator_networks import CentreChannels

    return CentreChannels(network, part.channels)


def ask_image(network: Network, images: Singles) -> dict[str, Singles]:
    """Return what the network of a locator says of images (n, C, h, w): "maps", and classes."""
    if isinstance(network, GraphNetwork):
        return network(images)
    import torch

    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        answer = network(torch.from_numpy(images).to(device))
    named = {"maps": answer} if isinstance(answer, torch.Tensor) else answer
    return {name: value.float().cpu().numpy() for name, value in named.items()}
