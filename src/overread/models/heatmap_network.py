"""The network of `heatmap`: encoder pyramid, top-down decoder, one map for each point."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from overread.models.blocks import MultiSampleLinear
from overread.models.encoder import Pyramid
from overread.models.image_network import ImageNetwork

if TYPE_CHECKING:
    from overread.models.heatmap import Spec

__all__ = ["Heatmap", "HeatmapWithClasses"]


class Neck(nn.Module):
    """Carry coarse maps up to the finest one, adding the lateral maps on the way."""

    def __init__(self, widths: tuple[int, ...], outside: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_conv(widths[i], widths[i - 1]) for i in range(1, len(widths)))
        self.lateral = nn.ModuleList(_conv(width, width) for width in widths[:-1])
        self.final = _conv(widths[0], outside)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return (N, outside, h, w) at the size of the first map."""
        carried = maps[-1]
        for index in reversed(range(len(maps) - 1)):
            lateral = maps[index]
            raised = nn.functional.interpolate(carried, size=lateral.shape[-2:], mode="nearest")
            carried = self.down[index](raised) + self.lateral[index](lateral)
        result: Tensor = self.final(carried)
        return result


class Heatmap(ImageNetwork):
    """Images (B, C, H, W) to logits (B, K, h, w), one map for each point."""

    def __init__(self, spec: "Spec", pyramid: Pyramid, points: int) -> None:
        super().__init__()
        self.encoder = pyramid
        self.neck = Neck(pyramid.widths, spec.neck)
        self.head = nn.Sequential(
            nn.Conv2d(spec.neck, spec.hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(spec.hidden, points, 1),
        )
        self.dropouts = spec.dropouts

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the maps."""
        return self.maps(self.encoder(images))

    def maps(self, pyramid: list[Tensor]) -> Tensor:
        """Return the logits of the maps from the encoder's maps."""
        carried = self.neck(pyramid)
        if not (self.training and self.dropouts):
            logits: Tensor = self.head(carried)
            return logits
        copies = [self.head(nn.functional.dropout(carried, rate)) for rate in self.dropouts]
        return torch.stack(copies).mean(0)


class HeatmapWithClasses(ImageNetwork):
    """Images to "maps" (B, K, h, w) and "class.{name}" (B, answers), from one encoder."""

    def __init__(self, spec: "Spec", pyramid: Pyramid, points: int) -> None:
        super().__init__()
        self.heatmap = Heatmap(spec, pyramid, points)
        self.classes = tuple(spec.classes)
        self.class_heads = nn.ModuleList(
            MultiSampleLinear(pyramid.widths[-1], answers, spec.dropouts)
            for answers in spec.classes.values()
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return maps and classes."""
        pyramid = self.heatmap.encoder(images)
        pooled = pyramid[-1].float().mean((-2, -1))
        outputs = {"maps": self.heatmap.maps(pyramid)}
        for name, head in zip(self.classes, self.class_heads, strict=True):
            outputs[f"class.{name}"] = head(pooled)
        return outputs


def _conv(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )
