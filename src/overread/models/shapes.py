"""What a network is told of its inputs, and what kinds of networks there are."""

from dataclasses import dataclass

from torch import nn

__all__ = ["ImageNetwork", "ViewShape"]


@dataclass(frozen=True)
class ViewShape:
    """Shape of one view of one unit: (slices, channels, height, width), in px."""

    slices: int
    channels: int
    height: int
    width: int


class ImageNetwork(nn.Module):
    """A network that takes `batch["images"]` (B, C, H, W) alone; others take the whole batch."""
