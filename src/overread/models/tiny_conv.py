"""A small convolutional encoder for phantoms and tests: fast on a CPU, nothing to download.

It knows nothing of ImageNet: there are no weights for it. Stride 2 per stage, 16 in all.
"""

from torch import Tensor, nn

from overread.models.encoder_spec import OWN_WIDTHS

__all__ = ["TinyConv"]


class TinyConv(nn.Module):
    """Four stages of a strided convolution and a residual depthwise block.

    Attributes:
        widths: channels of each stage's map.
    """

    def __init__(self, channels: int, widths: tuple[int, ...] = OWN_WIDTHS) -> None:
        super().__init__()
        self.widths = widths
        before = (channels, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(_conv(inside, outside, stride=2), _Residual(outside))
            for inside, outside in zip(before, widths, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the map of each stage, the finest first."""
        maps = []
        for stage in self.stages:
            images = stage(images)
            maps.append(images)
        return maps


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = _conv(width, width, groups=width)
        self.pointwise = nn.Sequential(
            nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.relu(images + self.pointwise(self.depthwise(images)))


def _conv(inside: int, outside: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, padding=1, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )
