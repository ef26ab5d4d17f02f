"""The networks of locators in torch.

Where their weights come from is not known here.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from overread.inference.locator import UPSIDE_DOWN, LocatorSpec
from overread.shelf import Named, settings_of

__all__ = ["CentreChannels", "locator_network", "maps_of"]


def locator_network(spec: LocatorSpec, *, seed: int) -> nn.Module:
    """Return an untrained network: images (B, C, H, W) -> logits of the maps (B, K, h, w)."""
    chosen = spec.model
    if spec.turned:
        chosen = Named(use=chosen.use, **{**chosen.settings, "classes": {UPSIDE_DOWN: 2}})
    module, settings = settings_of("overread.models", chosen)
    network: nn.Module = module.build(settings, channels=spec.channels, points=spec.maps, seed=seed)
    return network


class CentreChannels(nn.Module):
    """A network that looks at fewer neighbouring slices than its image holds."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network, self.channels = network, channels

    def forward(self, images: Tensor) -> Tensor | Mapping[str, Tensor]:
        """Return the network's answer for the channels in the middle."""
        first = (images.shape[1] - self.channels) // 2
        answer: Tensor | Mapping[str, Tensor] = self.network(
            images[:, first : first + self.channels]
        )
        return answer


def maps_of(outputs: Tensor | Mapping[str, Tensor]) -> Tensor:
    """Return the logits of the maps among what a heat-map network answers."""
    return outputs if isinstance(outputs, Tensor) else outputs["maps"]
