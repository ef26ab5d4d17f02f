"""`SliceAttention` as a graph of plain tensors, as other engines run it.

Slots point at images (see `pointing`), so that a slice that several slots, units or views share is
encoded once, as the network itself does it. Files and engines are not known here.

Legend: B units, S slots of a view, N images, T tokens of all views, D channels of a token.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overread.models.blocks import masked_mean
from overread.models.slice_network import SliceAttention

__all__ = ["SliceGraph"]


class SliceGraph(nn.Module):
    """The network without anything that depends on what is in a batch.

    Attributes:
        groups: the views whose images are encoded together.
        inputs, outputs: names of the tensors that `forward` takes and gives, in order.
    """

    def __init__(self, network: SliceAttention, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Take a network apart.

        Args:
            network: in evaluation mode.
            sizes: height and width of each view's images, px.
        """
        super().__init__()
        self.network = network
        shared = len(network.encoders) == 1
        kinds = [sizes[view] if shared else view for view in network.views]
        self.groups = tuple(
            tuple(view for view, own in zip(network.views, kinds, strict=True) if own == kind)
            for kind in dict.fromkeys(kinds)
        )
        parts = ("where", "mask", "offsets")
        self.inputs = (
            *(f"images.{number}" for number in range(len(self.groups))),
            *(f"{view}.{part}" for view in network.views for part in parts),
        )
        self.outputs = tuple(f"logits.{target}" for target in network.targets)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each target."""
        given = dict(zip(self.inputs, tensors, strict=True))
        network = self.network
        maps = self._encoded(given)
        tokens, masks = [], []
        for index, view in enumerate(network.views):
            mask = given[f"{view}.mask"]
            pooled = network.pools[index](maps[view])
            value = pooled if network.project is None else network.project(pooled)
            value = value[given[f"{view}.where"]]
            if network.planes is not None:
                value = value + network.planes[index]
            if network.positions is not None:
                value = value + network.positions(given[f"{view}.offsets"])
            tokens.append(value * mask.unsqueeze(-1).to(value.dtype))
            masks.append(mask)
        return self._answers(torch.cat(tokens, 1), torch.cat(masks, 1))

    def _encoded(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        encoders = self.network.encoders
        found: dict[str, Tensor] = {}
        for number, views in enumerate(self.groups):
            encoder = encoders[number if len(encoders) > 1 else 0]
            found |= dict.fromkeys(views, encoder(given[f"images.{number}"]))
        return found

    def _answers(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        network = self.network
        if network.mixer is not None:
            tokens = network.mixer(tokens, mask)
        pairs = zip(network.gates, network.heads, strict=True)
        return tuple(head(masked_mean(gate(tokens), mask)) for gate, head in pairs)
