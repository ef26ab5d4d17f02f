"""What kinds of networks there are, as the loop of learning tells them apart."""

from torch import nn

__all__ = ["ImageNetwork"]


class ImageNetwork(nn.Module):
    """A network that takes `batch["images"]` (B, C, H, W) alone; others take the whole batch."""
